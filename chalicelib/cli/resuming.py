"""``resume`` and ``rollback``: let a run that has ended go on, and follow it as ``run`` does.

With ``--generation`` a repeat is harmless: it says which generation is to be left.
"""

from __future__ import annotations

import argparse
import json
from typing import Any

from chalicelib.cli.complaints import Exit
from chalicelib.cli.connection import connect, run_path
from chalicelib.cli.places import settings_of
from chalicelib.cli.submitting import see_through


def resume(arguments: argparse.Namespace) -> Exit:
    """``resume RUN``: what is COMPLETE stays, the rest runs again."""
    return _begin_again(arguments, "/resume", {})


def rollback(arguments: argparse.Namespace) -> Exit:
    """``rollback RUN STAGE``: that stage and all after it run again."""
    return _begin_again(arguments, "/rollback", {"stage": arguments.stage})


def _begin_again(arguments: argparse.Namespace, path: str, body: dict[str, Any]) -> Exit:
    settings = settings_of(arguments)
    connection = connect(settings)
    if arguments.generation is not None:
        body = {**body, "generation": arguments.generation}
    content = json.dumps(body).encode()
    run_id = connection.post(run_path(arguments.run, path), content).document["id"]
    return see_through(connection, settings, run_id, arguments)
