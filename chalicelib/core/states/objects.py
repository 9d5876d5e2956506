"""The keys of requests and responses, and the names on the way (sections 3.3, 3.4 and 4.1).

::

    s3://<bucket>/<key prefix><execution name>/<task id>/request.json
                                                        /response.json

Others read these objects: the form is a contract.
"""

from __future__ import annotations

import re
import uuid
from typing import Final, NamedTuple

from chalicelib.core.demand.names import batch_name
from chalicelib.core.limits import BATCH_JOB_NAME_CHARACTERS

KEY_PREFIX: Final = "scratch/"
REQUEST: Final = "request.json"
RESPONSE: Final = "response.json"

_TASKS: Final = uuid.UUID("7d3c1d6e-6f0b-5d0a-9b8e-3f0c4a5e2b11")
"""A namespace of our own: what is made in it is nobody else's."""
_NOT_IN_A_NAME: Final = re.compile(r"[^A-Za-z0-9_-]+")


class Exchange(NamedTuple):
    """Where a request is put and where its response is expected."""

    request: str
    response: str
    """``s3://…`` each."""


def exchange(bucket: str, key_prefix: str, execution_name: str, task_id: str) -> Exchange:
    """Return the places; the prefix is put in front as it is, so it ends with its own ``/``."""
    folder = f"s3://{bucket}/{key_prefix}{execution_name}/{task_id}/"
    return Exchange(folder + REQUEST, folder + RESPONSE)


def task_id(uid: str, task: str) -> str:
    """Return a UUID that is this task's: the same for a repeat, another for any other run."""
    return str(uuid.uuid5(_TASKS, f"{uid}/{task}"))


def safe_name(text: str, most: int = BATCH_JOB_NAME_CHARACTERS) -> str:
    """Return a name that Batch takes: A-Z a-z 0-9 _ -, no sign first; ``x`` for nothing at all.

    What is safe already stays as it is.
    """
    return _NOT_IN_A_NAME.sub("-", text).lstrip("-_")[:most] or "x"


def definition_name(env_base: str, name: str, mark: str) -> str:
    """Return ``<env_base>-<name>-<mark>``, where the name may begin with the prefix already.

    A long name gives way, and the mark makes it one's own. The prefix is what the deployment's
    policies go by; the construct has none.
    """
    most = BATCH_JOB_NAME_CHARACTERS - len(env_base) - len(mark) - 2
    return batch_name(env_base, safe_name(name, most), mark)
