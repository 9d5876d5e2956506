"""What the stages of functions and executors do besides putting documents and running jobs.

Each is a call. The sections are those of the Step Functions constructs' specification.
"""

from __future__ import annotations

from typing import Literal

from chalicelib.core.noun import Noun


class ReadObject(Noun):
    """Read a small text object, once (3.3). Result: its JSON, or ``{"Body": text}``."""

    action: Literal["read-object"] = "read-object"
    uri: str
    is_json: bool = True
    """get_payload; else get_object."""
    written_by: str = ""
    """The stage that should have written it, for whoever finds that it did not."""


class InvokeFunction(Noun):
    """Call a function and wait for its answer, seconds at most (4.7). Result: the answer.

    It may happen twice, where nobody knows whether the first call arrived; both bear one token.
    """

    action: Literal["invoke-function"] = "invoke-function"
    function: str
    payload: str
    """JSON."""


class TellJob(Noun):
    """Tell which job the stage of that name was. Result: ``{"JobName", "JobId", "JobArn"}``."""

    action: Literal["tell-job"] = "tell-job"
    stage: str


class DeregisterJobs(Noun):
    """Take back the definitions of these keys (3.4); those never made are no matter."""

    action: Literal["deregister-jobs"] = "deregister-jobs"
    definitions: tuple[str, ...]
