"""Secrets of one machine: variables of the process that needs them, set by whoever started it."""

from __future__ import annotations

from chalicelib.core.errors import Refused
from chalicelib.settings import secret_variable


def read_secret(reference: str) -> str:
    """Return the secret of ``env:NAME``. Raises Misconfigured, and Refused for an ARN."""
    scheme, _, name = reference.partition(":")
    if scheme != "env":
        raise Refused("the embedded home has no secrets manager; name a variable, env:NAME")
    return secret_variable(name)
