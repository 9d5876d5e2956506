"""The verb ``doctor``: looks at a deployment, or at the embedded home, and says what to mend.

::

    doctor                         the embedded home in --root
    doctor --url URL               its API: does it answer, is the token good, what is the time
    doctor --deployment NAME       its parts in AWS, with the credentials of the environment
"""

from __future__ import annotations

import argparse
import json
import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlsplit

from chalicelib import bootstrap
from chalicelib.cli.addresses import address_of
from chalicelib.cli.complaints import Complaint, Exit
from chalicelib.cli.exchange import Line
from chalicelib.cli.places import settings_of
from chalicelib.cli.showing import columns, printable
from chalicelib.core.findings import (
    Finding,
    fault,
    fine,
    is_well,
    judged,
    skew,
    unknown,
    warning,
)
from chalicelib.settings import Settings
from chalicelib.version import VERSION

_SECONDS: Final = 10.0
_DAYS_LEFT: Final = 21
"""A certificate of AWS's is renewed 60 days before its end: with less something is wrong."""


def add_doctor(verb: argparse.ArgumentParser) -> None:
    """Add what only this verb takes."""
    verb.add_argument(
        "--deployment", metavar="NAME", help="its parts in AWS, falsework-dev for instance"
    )
    verb.add_argument("--json", action="store_true", help="as JSON")


def doctor(arguments: argparse.Namespace) -> Exit:
    """``doctor``: a line for each thing; 0 when nothing must be mended, else 1.

    1, too, where nobody answered at all.
    """
    settings = settings_of(arguments)
    findings = list(_findings(settings, arguments.deployment))
    if arguments.json:
        told = [each.model_dump(mode="json") for each in findings]
        print(json.dumps({"findings": told}, indent=2))
    else:
        print(findings_text(findings))
    return Exit.SUCCESS if is_well(findings) else Exit.ERROR


def findings_text(findings: list[Finding]) -> str:
    """Return a line for each finding, and below it what to do."""
    rows = [[each.verdict.upper(), each.about, printable(each.says)] for each in findings]
    lines = columns(rows).splitlines()
    told = zip(lines, findings, strict=True)
    return "\n".join(
        line + (f"\n         mend: {printable(each.mend)}" if each.mend else "")
        for line, each in told
    )


def _findings(settings: Settings, deployment: str | None) -> Iterator[Finding]:
    if settings.url:
        yield from check_api(settings)
    if deployment is not None:
        bootstrap.use(settings)
        yield from bootstrap.check_up_deployment(deployment)
    if not settings.url and deployment is None:
        bootstrap.use(settings)
        yield from bootstrap.check_up_home()


def check_api(settings: Settings) -> Iterator[Finding]:
    """Ask the API as its users do."""
    line = address_of(settings.url, settings.token)
    parts = urlsplit(settings.url)
    if parts.scheme == "https":
        yield check_certificate(str(parts.hostname), parts.port or 443, datetime.now(UTC))
    try:
        answer = line.request("GET", "/health", {}, b"")
    except Complaint as exc:
        yield fault("API", exc.what, "start it, or see docs/runbook.md, errors-api")
        return
    is_ours = answer.status == 200 and b'"status"' in answer.body
    mend = "see docs/runbook.md, errors-api"
    yield judged("API", is_ours, "it answers", f"/health answers {answer.status}", mend)
    if is_ours:
        yield _version(json.loads(answer.body))
    headers = {name.lower(): value for name, value in answer.headers.items()}
    if "date" in headers:
        yield skew(headers["date"], datetime.now(UTC))
    yield _token(line)


def _version(told: dict[str, Any]) -> Finding:
    theirs = str(told.get("version", "?"))
    if theirs == VERSION:
        return fine("version", theirs)
    mend = "install the version that is deployed, or deploy this one"
    return warning("version", f"{theirs} there, {VERSION} here", mend)


def _token(line: Line) -> Finding:
    try:
        status = line.request("GET", "/runs?limit=1", {}, b"").status
    except Complaint as exc:
        return fault("token", exc.what, "see docs/access.md")
    mend = "set FALSEWORK_TOKEN to one that `falsework token create` printed; see docs/access.md"
    return judged("token", status == 200, "it is good", f"GET /runs answers {status}", mend)


def check_certificate(host: str, port: int, now: datetime) -> Finding:
    """Return how long the host's certificate is good."""
    about = "certificate"
    try:
        with (
            socket.create_connection((host, port), timeout=_SECONDS) as plain,
            ssl.create_default_context().wrap_socket(plain, server_hostname=host) as tls,
        ):
            ends = ssl.cert_time_to_seconds(str((tls.getpeercert() or {})["notAfter"]))
    except ssl.SSLCertVerificationError as exc:
        mend = "see docs/runbook.md, certificate"
        return fault(about, f"it is not good: {exc.verify_message}", mend)
    except (OSError, KeyError) as exc:
        return unknown(about, f"{host}:{port} shows none: {exc}", "check the address")
    days = (ends - now.timestamp()) / 86_400
    if days < _DAYS_LEFT:
        mend = "see docs/runbook.md, certificate"
        return warning(about, f"it ends in {days:.0f} days", mend)
    return fine(about, f"good for {days:.0f} days")
