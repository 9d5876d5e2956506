"""The account that is deployed to: the one that the environment names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import boto3


class Aws(NamedTuple):
    """The clients that deploying needs."""

    cloudformation: Any
    s3: Any
    lambdas: Any
    ecr: Any
    client: Callable[[str], Any]
    """Those of other services, by their names."""

    @classmethod
    def of_environment(cls) -> Aws:
        """Return clients for the account and region that the environment names."""
        session = boto3.session.Session()
        return cls(
            session.client("cloudformation"),
            session.client("s3"),
            session.client("lambda"),
            session.client("ecr"),
            session.client,
        )
