"""The account that is deployed to: the one that the environment names."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import boto3
from botocore.exceptions import NoRegionError


class Aws(NamedTuple):
    """The clients that deploying needs."""

    cloudformation: Any
    s3: Any
    lambdas: Any
    ecr: Any
    client: Callable[[str], Any]
    """Those of other services, by their names."""

    @classmethod
    def of_environment(cls, environ: Mapping[str, str] = os.environ) -> Aws:
        """Return clients for the account and region that are named. Raises NoRegionError."""
        session = boto3.session.Session(region_name=environ.get("AWS_REGION") or None)
        if not session.region_name:  # of an empty variable boto3 makes an address
            raise NoRegionError
        return cls(
            session.client("cloudformation"),
            session.client("s3"),
            session.client("lambda"),
            session.client("ecr"),
            session.client,
        )


def environment(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the environment of programs that are started, Chalice above all.

    boto3 reads AWS_DEFAULT_REGION alone; the command line and other SDKs read AWS_REGION.
    """
    told = environ.get("AWS_REGION")
    return {**environ, **({"AWS_DEFAULT_REGION": told} if told else {})}
