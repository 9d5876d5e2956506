"""``paths``: ask about a data path, or remove it, by a run that is waited for.

The wire format lets a removal of objects succeed and do nothing. A person would take that for
done, so here it is refused.

The run's response goes to standard output as JSON, and nothing else does.
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any, Final

from chalicelib.cli.complaints import Complaint, Exit
from chalicelib.cli.connection import connect
from chalicelib.cli.engines import OwnEngine, ensure_engine
from chalicelib.cli.places import settings_of
from chalicelib.cli.syncing import absolute, add_filters, filters
from chalicelib.cli.watching import follow
from chalicelib.core.paths import path_kind

OPERATIONS: Final = ("stats", "list", "outdated", "remove")


def add_paths(verb: argparse.ArgumentParser) -> None:
    """Add the verb's own arguments."""
    verb.add_argument("operation", choices=OPERATIONS,
                      help="all print JSON; remove does not ask before it removes")  # fmt: skip
    verb.add_argument("path", metavar="PATH", help="s3://BUCKET/KEY, fs-ID:/PATH, or a path here")
    verb.add_argument("--days", type=float, default=0.0, metavar="N",
                      help="outdated: not written for so many days; 0 unless given")  # fmt: skip
    add_filters(verb)


def paths(arguments: argparse.Namespace) -> Exit:
    """``paths OPERATION PATH``: print the response."""
    settings = settings_of(arguments)
    connection = connect(settings)
    target = f"/data-paths/{arguments.operation}"
    run_id = connection.post(target, json.dumps(_body(arguments)).encode()).document["id"]
    engine = None if settings.url else OwnEngine()
    try:
        run = follow(connection, run_id, _Nobody())
    except KeyboardInterrupt:
        print(f"\nrun {run_id} goes on", file=sys.stderr)
        return Exit.INTERRUPTED
    finally:
        if engine is not None:
            engine.stop()
            ensure_engine(settings, arguments.site)
    if run["state"] != "SUCCESS":
        told = run["error"]["message"] if run["error"] else run["state"]
        raise Complaint(told, field="run", value=run_id, code=Exit.ERROR)
    print(json.dumps(run["stages"][-1]["result"], indent=2))
    return Exit.SUCCESS


def _body(arguments: argparse.Namespace) -> dict[str, Any]:
    path = absolute(arguments.path)
    match arguments.operation:
        case "remove" if path_kind(path) == "s3":
            mend = "`falsework delete RUN --files` removes a run's outputs"
            raise Complaint(
                "objects are not removed by their path", field="PATH", value=path, mend=mend
            )
        case "remove":
            return {"paths": [path]}
        case "list":
            return {"path": path, **filters(arguments)}
        case "outdated":
            return {"path": path, "days_since_last_accessed": arguments.days}
        case _:
            return {"path": path}


class _Nobody:
    """Shows nothing: standard output is the response's."""

    def show(self, run: dict[str, Any]) -> None:
        """Look away."""
