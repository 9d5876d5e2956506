"""boto3 clients of the servers on this machine; no environment, no account."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
from botocore.config import Config

_CONFIG = Config(
    region_name="us-east-1",
    max_pool_connections=32,
    connect_timeout=10,
    read_timeout=60,
    retries={"mode": "standard", "total_max_attempts": 3},
)


_made: dict[tuple[str, str], Any] = {}


def client(service: str, endpoint: str) -> Any:
    """Return this process's client of the service at that address."""
    if (service, endpoint) not in _made:
        _made[service, endpoint] = boto3.session.Session().client(
            service,
            endpoint_url=endpoint,
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
            config=_CONFIG,
        )
    return _made[service, endpoint]


@contextmanager
def closing_clients(endpoint: str) -> Iterator[None]:
    """Close what was connected to the address: an open socket that is dropped is a warning."""
    yield
    for key in [key for key in _made if key[1] == endpoint]:
        _made.pop(key).close()
