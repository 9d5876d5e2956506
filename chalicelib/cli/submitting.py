"""``run`` and ``validate``: hand a request in, and follow what becomes of it."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from pathlib import Path
from typing import Any, Final

from chalicelib.cli.complaints import Complaint, Exit
from chalicelib.cli.connection import Connection, connect, run_path
from chalicelib.cli.costing import range_text
from chalicelib.cli.engines import OwnEngine, ensure_engine, host_warning
from chalicelib.cli.places import settings_of
from chalicelib.cli.request_kinds import DEMANDS, ROUTES, route_of
from chalicelib.cli.showing import outputs_text, plan_text, printable, run_text
from chalicelib.cli.watching import Note, follow, progress
from chalicelib.core.limits import LAMBDA_PAYLOAD_BYTES
from chalicelib.core.pipelines.model import KIND as PIPELINE
from chalicelib.settings import Settings

_EXITS: Final = {"SUCCESS": Exit.SUCCESS, "ERROR": Exit.ERROR, "CANCELED": Exit.CANCELED}


def run(arguments: argparse.Namespace) -> Exit:
    """``run FILE``: submit it; with ``--wait`` stay until the end and tell how it ended."""
    settings = settings_of(arguments)
    connection = connect(settings)
    content = content_of(arguments.file)
    route = route_of(content)
    reply = connection.post(route, content)
    run_id = reply.document["id"]
    if "link" in reply.headers:
        hint = _hint(reply.document) + _where(settings)
        state = reply.document["state"]  # it may have begun only now, and ended at once
        _say(f"run {run_id} has ended: {state}. It is not executed again. {hint}")
    code = see_through(connection, settings, run_id, arguments)
    if code is Exit.SUCCESS and arguments.wait and route != DEMANDS:
        output = connection.get(run_path(run_id, "/result"))["output"]
        print(json.dumps(output, indent=2))
    return code


def see_through(
    connection: Connection,
    settings: Settings,
    run_id: str,
    arguments: argparse.Namespace,
    note: Note | None = None,
) -> Exit:
    """Wait for a run that was just set going, or see to it that somebody moves it on."""
    _warn_of_the_host(settings)
    if arguments.wait:
        return _wait(connection, settings, run_id, arguments.site, note)
    print(run_id)
    if not settings.url:
        ensure_engine(settings, arguments.site)
    return Exit.SUCCESS


def validate(arguments: argparse.Namespace) -> Exit:
    """``validate FILE``: say what a submission would do; nothing is created."""
    connection = connect(settings_of(arguments))
    content = content_of(arguments.file)
    route = route_of(content)
    if route == ROUTES[PIPELINE]:
        plan = connection.post(f"{route}?dry_run=true", content).document
        print(json.dumps(plan, indent=2) if arguments.json else plan_text(plan))
        return Exit.SUCCESS
    if route != DEMANDS:
        kind = next(kind for kind, taken in ROUTES.items() if taken == route)
        raise Complaint("only demands and pipelines can be looked at beforehand", field="kind",
                        value=kind, mend="submit it: falsework run FILE")  # fmt: skip
    told = connection.post(f"{DEMANDS}?dry_run=true", content).document
    if arguments.json:
        print(json.dumps(told, indent=2))
        return Exit.SUCCESS
    for sentence in told["findings"]:
        print(printable(sentence))
    if told["price"]["runs"]:
        print(range_text(told["price"]))
    return Exit.SUCCESS


def _wait(
    connection: Connection,
    settings: Settings,
    run_id: str,
    site_file: Path | None,
    note: Note | None,
) -> Exit:
    engine = None if settings.url else OwnEngine()
    try:
        with progress(note) as shown:
            run = follow(connection, run_id, shown)
    except KeyboardInterrupt:
        _say(f"\nrun {run_id} goes on. To end it: falsework cancel {run_id}{_where(settings)}")
        return Exit.INTERRUPTED
    finally:
        if engine is not None:
            engine.stop()
            ensure_engine(settings, site_file)
    return _told(run, settings)


def _told(run: dict[str, Any], settings: Settings) -> Exit:
    print(run_text(run))
    print(outputs_text(run, settings), end="", flush=True)
    return _EXITS[run["state"]]


def _hint(run: dict[str, Any]) -> str:
    """An id is a program's own or a user's, and a shell may take it apart."""
    name = shlex.quote(run["id"])
    if run["state"] == "SUCCESS":
        return f"To do it again from a stage on: falsework rollback {name} STAGE"
    return f"To let it go on: falsework resume {name}"


def _where(settings: Settings) -> str:
    return f" --url {settings.url}" if settings.url else f" --root {settings.root}"


def _warn_of_the_host(settings: Settings) -> None:
    if not settings.url and (warning := host_warning()):
        _say(warning)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def content_of(file: str) -> bytes:
    """Return what the file says; one byte more than can be taken is enough to be refused."""
    try:
        if file == "-":
            return sys.stdin.buffer.read(LAMBDA_PAYLOAD_BYTES + 1)
        with Path(file).open("rb") as opened:
            return opened.read(LAMBDA_PAYLOAD_BYTES + 1)
    except OSError as exc:
        raise Complaint(f"the request cannot be read: {exc.strerror}", field="FILE", value=file,
                        mend="give a JSON file, or - for standard input") from exc  # fmt: skip
