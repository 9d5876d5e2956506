"""Choose the implementations: the only module that knows every home.

A process has one set of ports, made at its first use and kept between invocations. ``use`` sets
what it is made from; without it the environment decides. In Lambda without its table's name
everything raises: there is no silent embedded mode.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from chalicelib import settings as environment
from chalicelib.carriers import Carrier
from chalicelib.core.errors import Misconfigured
from chalicelib.file_ports import Contents
from chalicelib.handler_ports import HandlerPorts
from chalicelib.ports import Claims, ObjectStore, Ports
from chalicelib.settings import Settings
from chalicelib.work_ports import WorkPorts

if TYPE_CHECKING:  # the Lambda never imports the embedded home
    from chalicelib.aws.home import AwsHome
    from chalicelib.aws.signing import RequestSigner
    from chalicelib.core.findings import Finding
    from chalicelib.local.engine_lock import EngineLock
    from chalicelib.local.engine_loop import Loop
    from chalicelib.local.home import Home


class _Told:
    """What this process was told; there is one."""

    settings: Settings | None = None
    aws_home: AwsHome | None = None


def use(settings: Settings, aws_home: AwsHome | None = None) -> None:
    """Set what the ports are made from; those made before are forgotten.

    Tests give the AWS home as well, with clients of their own.
    """
    _Told.settings = settings
    _Told.aws_home = aws_home
    home.cache_clear()


def forget() -> None:
    """Let the environment decide again, as in a process that was told nothing."""
    _Told.settings = None
    _Told.aws_home = None
    home.cache_clear()


def settings() -> Settings:
    """Return what this process was told, or else what the environment says."""
    if _Told.settings is None:
        _Told.settings = environment.load()
    return _Told.settings


def ports() -> Ports:
    """Return the ports of this process. Raises Misconfigured."""
    told = settings()
    if told.table or told.in_lambda:
        return aws_home().ports
    return home().ports


def contents() -> Contents:
    """Return what hands out the bytes of runs' files. Raises Misconfigured."""
    told = settings()
    if told.table or told.in_lambda:
        return aws_home().contents
    from chalicelib.local.contents import LocalContents  # noqa: PLC0415 -- the same
    from chalicelib.local.object_store import LocalObjectStore  # noqa: PLC0415 -- the same

    return LocalContents(LocalObjectStore(home().root))


class WorkerPorts(NamedTuple):
    """What a worker job needs of its home."""

    objects: ObjectStore
    claims: Claims
    carrier: Callable[[], Carrier]
    """Made when it is asked for: most verbs do without it."""
    contents: Callable[[], Contents] = contents
    """The same."""


def work_ports() -> WorkPorts:
    """Return the work queue's ports of this process. Raises Misconfigured."""
    told = settings()
    if told.table or told.in_lambda:
        return aws_home().works
    return home().works


def dispatcher() -> tuple[WorkPorts, Ports]:
    """Return what dispatches works: it is the engine's doing, whoever deposited them."""
    return work_ports(), ports()


def worker_ports() -> WorkerPorts:
    """Return what a worker job of this home needs. Raises Misconfigured."""
    told = settings()
    if told.table:
        from chalicelib.aws.contents import worker_contents  # noqa: PLC0415 -- the same
        from chalicelib.aws.home import open_worker_home  # noqa: PLC0415 -- the same

        carrier = handler_ports(told).carrier
        return WorkerPorts(*open_worker_home(told), carrier, lambda: worker_contents(told.site))
    own = home()
    return WorkerPorts(own.ports.objects, own.ports.claims, lambda: own.carrier)


def handler_settings() -> Settings:
    """Return what this process was told, or what the environment says at this moment."""
    return _Told.settings or environment.load()


def handler_ports(told: Settings) -> HandlerPorts:
    """Return what the handlers of the wire formats work with: AWS's, or what is in its place at
    ``AWS_ENDPOINT_URL``; in a job of the embedded home, that home's."""
    if environment.is_local_job():
        own = home()
        return HandlerPorts(
            carrier=lambda: own.carrier,
            facilities=lambda: own.ports.facilities,
            jobs=lambda: own.ports.jobs,
            own_volumes=lambda: None,
        )
    from chalicelib.aws.handler_ports import open_handler_ports  # noqa: PLC0415 -- the same

    return open_handler_ports(told, environment.aws_environment())


def aws_home() -> AwsHome:
    """Return the AWS home, opened at its first use. Raises Misconfigured without its table."""
    if _Told.aws_home is None:
        told = settings()
        if not told.table:
            raise Misconfigured("FALSEWORK_TABLE is not set: there is no AWS home without it")
        from chalicelib.aws.home import open_home  # noqa: PLC0415 -- it imports boto3

        _Told.aws_home = open_home(told)
    return _Told.aws_home


@cache
def home() -> Home:
    """Return the embedded home, opened at its first use."""
    from chalicelib.local import home as local_home  # noqa: PLC0415 -- see TYPE_CHECKING above

    return local_home.open_home(settings(), environment.host_environment())


def engine_lock() -> EngineLock:
    """Return the embedded home's lock; this process has one, taken or not."""
    return home().lock


def local_loop() -> Loop:
    """Return the embedded home's event loop; whoever runs it holds the lock."""
    from chalicelib.local.engine_loop import Loop  # noqa: PLC0415 -- the same

    return Loop(home())


def check_up_home() -> Iterator[Finding]:
    """Yield what is found of the embedded home; nothing is made or changed."""
    from chalicelib.local.checkup import check_up  # noqa: PLC0415 -- the same

    return check_up(settings(), environment.host_environment())


def check_up_deployment(name: str) -> Iterator[Finding]:
    """Yield what is found of a deployment's parts in AWS. Raises Misconfigured without boto3."""
    try:
        from chalicelib.aws.checkup import check_up  # noqa: PLC0415 -- slow, and optional
        from chalicelib.aws.checkup.deployment import Deployment  # noqa: PLC0415 -- the same
        from chalicelib.aws.clients import Clients  # noqa: PLC0415 -- the same
    except ImportError as exc:
        raise Misconfigured("looking at AWS needs boto3: pip install 'falsework[aws]'") from exc
    region = settings().site.aws_region
    return check_up(Deployment(name, Clients(region), lambda: datetime.now(UTC)))


def takes_signatures(url: str) -> bool:
    """Tell whether a request to ``url`` can be signed: API Gateway is known by its host."""
    from chalicelib.aws.gateway_hosts import gateway_region  # noqa: PLC0415 -- the same

    return gateway_region(url) is not None


def signer(url: str) -> RequestSigner:
    """Return what signs requests to ``url``, for the region of its host.

    Raises Misconfigured without credentials, and without boto3, which not every client has.
    """
    try:
        from chalicelib.aws import signing  # noqa: PLC0415 -- slow to import, and optional
    except ImportError as exc:
        raise Misconfigured(
            f"{url} takes signed requests, which needs boto3: pip install 'falsework[aws]'"
        ) from exc
    return signing.signer()
