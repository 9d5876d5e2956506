"""Secrets of the AWS home: those of Secrets Manager, read when they are needed and never kept."""

from __future__ import annotations

from typing import Any

from chalicelib.aws.client_errors import is_no, translated
from chalicelib.core.errors import Refused


class SecretsManager:
    """Reads secrets by their ARNs."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def read(self, reference: str) -> str:
        """Return the secret's text. Raises Refused and Unavailable, neither of which has it."""
        if not reference.startswith("arn:"):
            raise Refused("on AWS a secret is named by its ARN in Secrets Manager")
        with translated("reading a secret", is_no):
            answer = self._client.get_secret_value(SecretId=reference)
        return str(answer.get("SecretString", ""))
