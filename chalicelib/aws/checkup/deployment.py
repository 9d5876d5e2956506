"""What is checked: the names of a deployment, which follow from its own (``infra/``)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from chalicelib.aws.client_errors import code_of
from chalicelib.aws.clients import Clients
from chalicelib.core.findings import Finding


class Deployment(NamedTuple):
    """A deployment, and how AWS is asked about it."""

    name: str
    """Prefix and stage, ``falsework-dev``: first word of every name there."""
    clients: Clients
    clock: Callable[[], datetime]

    @property
    def deploy(self) -> str:
        """The command that makes everything as it should be."""
        return f"make deploy STAGE={self.name.partition('-')[2] or 'dev'}"

    def function(self, handler: str) -> str:
        """Return the name of the function; the REST API's has none of its own."""
        return f"{self.name}-{handler}" if handler else self.name

    @property
    def table(self) -> str:
        """The table that the functions are told of, which may be one that was restored."""
        return self.told().get("FALSEWORK_TABLE") or self.name

    def configuration(self, handler: str) -> dict[str, Any] | None:
        """Return how the function is set up; None where there is none."""
        asked = {"FunctionName": self.function(handler)}
        found: dict[str, Any] | None = or_none(
            lambda: self.clients.get("lambda").get_function_configuration(**asked)
        )
        return found

    def told(self, handler: str = "on_sweep") -> dict[str, str]:
        """Return the function's environment."""
        found = self.configuration(handler) or {}
        return dict(found.get("Environment", {}).get("Variables", {}))


Check = Callable[[Deployment], Iterator[Finding]]

_NOT_THERE = ("NotFound", "NonExistent", "NoSuchEntity", "NoSuchResource", "does not exist")


def or_none(ask: Callable[[], Any]) -> Any:
    """Return the answer; None where AWS says that there is no such thing."""
    try:
        return ask()
    except ClientError as exc:
        if any(word in code_of(exc) for word in _NOT_THERE):
            return None
        raise
