"""AWS clients: one of each service for a process, made when it is first needed.

Making one costs tens of milliseconds (botocore reads the service's model), and a Lambda that only
shows a run needs two of the eight. The limits are those of a function that has a minute: what
does not answer is Unavailable, and comes again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Final

import boto3
from botocore.config import Config

from chalicelib.aws.batch_jobs import submitting_client
from chalicelib.aws.functions import invoking_client

PATIENT_SECONDS: Final = 60
"""How long a worker waits for S3 in the midst of gigabytes; nobody waits for the worker."""

_LAMBDA: Final = Config(
    connect_timeout=3,
    read_timeout=10,
    retries={"mode": "standard", "total_max_attempts": 3},
)
_WORKER: Final = Config(
    connect_timeout=10,
    read_timeout=PATIENT_SECONDS,
    max_pool_connections=32,
    retries={"mode": "standard", "total_max_attempts": 8},
)
"""``adaptive`` retries would also slow down what was never throttled: one client's rate is shared
by all its calls, and botocore calls the mode experimental (boto3 guide, "Retries")."""


class Clients:
    """The clients of one process. ``prepare`` is given every one of them when it is made.

    ``session`` is boto3's; without one it is made for this, at the first client.
    """

    def __init__(
        self,
        region: str,
        *,
        is_patient: bool = False,
        session: Any = None,
        prepare: Callable[[Any], Any] = lambda client: client,
    ) -> None:
        self._region = region
        self._config = _WORKER if is_patient else _LAMBDA
        self._prepare = prepare
        self._lock = threading.RLock()
        self._session = session
        self._made: dict[str, Any] = {}

    def get(self, service: str) -> Any:
        """Return the client of that service; nothing is made before its first call."""
        return _Lazy(lambda: self._kept(service, lambda: self._make(service)))

    def submitting(self) -> Any:
        """Return the one that may submit jobs, for it sends each request once."""
        return _Lazy(lambda: self._kept("submitting", lambda: submitting_client(self._region)))

    def invoking(self) -> Any:
        """Return the one that calls functions, for it sends each request once."""
        return _Lazy(lambda: self._kept("invoking", lambda: invoking_client(self._region)))

    def presigning(self) -> Any:
        """Return the S3 client that only signs links, and calls nothing.

        Left to itself botocore signs them with version 2 in old regions, which buckets made since
        2020 do not take, and for a host that redirects, which ends the signature. It is not
        prepared: whoever follows a link sends no header of ours.
        """
        return _Lazy(self._presigning)

    def _presigning(self) -> Any:
        with self._lock:
            if "presigning" not in self._made:
                own = Config(signature_version="s3v4", s3={"addressing_style": "virtual"})
                config = self._config.merge(own)
                self._made["presigning"] = self._new("s3", config)
            return self._made["presigning"]

    def close(self) -> None:
        """Close the connections of those that were made; they can be used again all the same."""
        for client in self._made.values():
            client.close()

    def _kept(self, name: str, make: Callable[[], Any]) -> Any:
        with self._lock:  # neither a session nor the default one makes two at a time
            if name not in self._made:
                self._made[name] = self._prepare(make())
            return self._made[name]

    def _make(self, service: str) -> Any:
        return self._new(service, self._config)

    def _new(self, service: str, config: Config) -> Any:
        if self._session is None:
            self._session = boto3.session.Session(region_name=self._region)
        return self._session.client(service, config=config)


class _Lazy:
    """A client that is made by the first thing that it is asked for."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make

    def __getattr__(self, name: str) -> Any:
        return getattr(self._make(), name)
