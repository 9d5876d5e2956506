"""Sites whose works are pushed: what they run on, and whom Slack messages go to. Values only.

::

    {"work_sites": {"aws": {"queue": "spot", "image": "…/analysis:3",
                            "resources": {"vcpus": 4, "memory_mib": 8192}}},
     "slack_webhooks": {"default": "arn:aws:secretsmanager:…", "C02ABCDEF": "env:SLACK_FRB"}}
"""

from __future__ import annotations

import re
from typing import Annotated, Final

from pydantic import BeforeValidator, Field, StringConstraints

from chalicelib.core.noun import Noun

_REFERENCE: Final = (
    r"^(arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:\d{12}:secret:.+"
    r"|env:[A-Za-z_][A-Za-z0-9_]*)$"
)


def _hidden(value: object) -> object:
    """What is no reference may be the secret itself, and no error may show that."""
    is_shown = isinstance(value, str) and re.search(_REFERENCE, value) is not None
    return value if is_shown else "(not shown: give an ARN, or env:NAME)"


SecretReference = Annotated[str, StringConstraints(pattern=_REFERENCE), BeforeValidator(_hidden)]
"""Where a secret is: the ARN of one of Secrets Manager, or ``env:NAME``, a variable of the process
that needs it. Never the secret itself."""


class WorkResources(Noun):
    """What the job of a work asks Batch for."""

    vcpus: float = Field(default=1, gt=0)
    memory_mib: int = Field(default=2048, ge=4)
    gpus: int = Field(default=0, ge=0)

    def requirements(self) -> tuple[dict[str, str], ...]:
        """Return them as Batch has them."""
        told = {"MEMORY": str(self.memory_mib), "VCPU": f"{self.vcpus:g}"}
        if self.gpus:
            told["GPU"] = str(self.gpus)
        return tuple({"type": kind, "value": value} for kind, value in told.items())


class WorkSite(Noun):
    """Where the works of one site run."""

    queue: str = Field(min_length=1)
    image: str = Field(min_length=1)
    """It has ``falsework-worker`` in it, beside what the works call."""
    resources: WorkResources = WorkResources()
    group: str | None = Field(default=None, pattern=r"^[A-Za-z0-9._-]{1,128}$")
    """Whose the runs are; None: the group that the work queue belongs to."""
    job_role_arn: str | None = None
    environment: dict[str, str] = {}
    """What every work's process gets besides."""
    files: str = Field(default="", pattern=r"^(s3://[^/]+/(.*/)?)?$")
    """``s3://bucket/prefix/`` below which products and plots are stored; empty: beside the run's
    own documents, in the scratch bucket."""
    queue_wait_seconds: int = Field(default=24 * 3600, ge=1)
    """How long a job may wait for a host before its attempt is given up."""
    requeues: bool = False
    """Whether a failed attempt that may be repeated is queued again at once, as ``audit/failed``
    would do it."""
