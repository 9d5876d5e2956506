"""Choose the implementations: the only module that knows every home.

A process has one set of ports, made at its first use and kept between invocations. ``use`` sets
what it is made from; without it the environment decides. In Lambda without its table's name
everything raises: there is no silent embedded mode.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from chalicelib import settings as environment
from chalicelib.core.errors import Misconfigured
from chalicelib.ports import Claims, ObjectStore, Ports
from chalicelib.settings import Settings

if TYPE_CHECKING:  # the Lambda never imports the embedded home
    from chalicelib.local.engine_lock import EngineLock
    from chalicelib.local.engine_loop import Loop
    from chalicelib.local.home import Home


class WorkerPorts(NamedTuple):
    """What a worker job needs of its home."""

    objects: ObjectStore
    claims: Claims


class _Told:
    """What this process was told; there is one."""

    settings: Settings | None = None


def use(settings: Settings) -> None:
    """Set what the ports are made from; those made before are forgotten."""
    _Told.settings = settings
    home.cache_clear()


def settings() -> Settings:
    """Return what this process was told, or else what the environment says."""
    if _Told.settings is None:
        _Told.settings = environment.load()
    return _Told.settings


def ports() -> Ports:
    """Return the ports of this process. Raises Misconfigured."""
    told = settings()
    if told.table:
        raise Misconfigured("FALSEWORK_TABLE is set, but this release has no AWS home yet")
    if told.in_lambda:
        raise Misconfigured("FALSEWORK_TABLE is not set: in Lambda there is no embedded home")
    return home().ports


def worker_ports() -> WorkerPorts:
    """Return what a worker job of this home needs. Raises Misconfigured."""
    every = ports()
    return WorkerPorts(every.objects, every.claims)


@cache
def home() -> Home:
    """Return the embedded home, opened at its first use."""
    from chalicelib.local.home import open_home  # noqa: PLC0415 -- see TYPE_CHECKING above

    return open_home(settings(), environment.host_environment())


def engine_lock() -> EngineLock:
    """Return the embedded home's lock; this process has one, taken or not."""
    return home().lock


def local_loop() -> Loop:
    """Return the embedded home's event loop; whoever runs it holds the lock."""
    from chalicelib.local.engine_loop import Loop  # noqa: PLC0415 -- the same

    return Loop(home())
