"""What functions reach that the foundation does not make: buckets and keys that it was told of.

::

    InputBucketArns   ─▶ the API shows what is in them
    OutputBucketArns  ─▶ and removes it; what drives runs exchanges documents below scratch/
    KmsKeyArns        ─▶ through S3 and Secrets Manager, whoever asks them

Jobs of the worker, which move the files, have the same from ``foundation.yaml``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from infra.grants import FUNCTIONS, TELLING

INPUTS: Final = "InputBucketArns"
OUTPUTS: Final = "OutputBucketArns"
KEYS: Final = "KmsKeyArns"
ARNS: Final = (INPUTS, OUTPUTS, KEYS)
"""Parameters of the foundation that are ARNs, with commas between them; its outputs as well."""
_SHOWING: Final = "api_handler"


def statements(function: str, outputs: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return what the function may do besides."""
    inputs, outward, keys = (_listed(outputs, each) for each in ARNS)
    found: list[dict[str, Any]] = []
    if function == _SHOWING:
        found += _allow("ShowMore", ["s3:GetObject"], _in(inputs + outward))
        found += _allow("RemoveMore", ["s3:DeleteObject"], _in(outward))
        found += _allow("ListMore", ["s3:ListBucket"], inputs + outward)
    elif FUNCTIONS[function] is not TELLING:
        found += _allow("ListMore", ["s3:ListBucket"], outward)
    if FUNCTIONS[function] is not TELLING:
        exchanging = _in(outward, "scratch/*")
        found += _allow("ExchangeMore", ["s3:GetObject", "s3:PutObject"], exchanging)
    for each in _allow("UseKeys", ["kms:Decrypt", "kms:GenerateDataKey"], keys):
        via = [f"{service}.*.amazonaws.com" for service in ("s3", "secretsmanager")]
        found.append({**each, "Condition": {"StringLike": {"kms:ViaService": via}}})
    return found


def _listed(outputs: Mapping[str, str], name: str) -> list[str]:
    return [each.strip() for each in outputs.get(name, "").split(",") if each.strip()]


def _in(buckets: Iterable[str], what: str = "*") -> list[str]:
    return [f"{each}/{what}" for each in buckets]


def _allow(sid: str, actions: list[str], resources: list[str]) -> list[dict[str, Any]]:
    statement = {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resources}
    return [statement] if resources else []
