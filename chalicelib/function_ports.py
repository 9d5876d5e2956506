"""What runs of functions need besides: functions that are called, and job definitions' end.

The law of ``ports`` holds, with one exception that nobody can mend: a function that is called
again because its answer was lost may have worked already. The token tells it so.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from chalicelib.core.errors import NotFound, Refused
from chalicelib.core.plans.plan import JobDefinition


class Functions(Protocol):
    """AWS Lambda, or the worker's own handlers."""

    def invoke(self, name: str, payload: bytes, token: str) -> bytes:
        """Call the function with that JSON and return its answer's, seconds later at most.

        Raises NotFound, Refused for an answer that is final, StepFailed where the function raised.
        A repeat bears the token of the first call.
        """
        ...


class Defined(NamedTuple):
    """A definition that is there, and its revision's ARN."""

    arn: str
    definition: JobDefinition
    """As far as it matters to us: what it mounts, as whom it runs, what it may."""


class JobDefinitions(Protocol):
    """Job definitions that are there: ours, which ``JobRunner.define`` has made, and others'."""

    def describe(self, name: str) -> Defined:
        """Return the active definition of that ARN, ``name:revision`` or, its last, name.

        Raises NotFound, and Refused for one that is no single container's.
        """
        ...

    def deregister(self, arn: str) -> None:
        """Take the definition back; no job of it can be submitted any more. Raises Refused."""
        ...


class NoFunctions:
    """The Functions of a home that has none."""

    def invoke(self, name: str, payload: bytes, token: str) -> bytes:  # noqa: ARG002 -- see above
        """Refuse."""
        raise Refused(f"function {name!r}: no functions can be called here")


class NothingToTakeBack:
    """The JobDefinitions of a home whose definitions cost nothing."""

    def describe(self, name: str) -> Defined:
        """Find none."""
        raise NotFound(f"there is no job definition {name!r}")

    def deregister(self, arn: str) -> None:
        """Leave it."""
