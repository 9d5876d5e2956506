"""The verbs for what a run has left: ``files``, ``archive`` and ``delete``.

An archive may be larger than memory, so it goes to its file piece by piece. Where a deployment
has it made by a run (202) it is asked for again until it is there. It then lies behind a link
(307) that opens it by itself: our token is not shown there.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

from chalicelib.atomic_files import replacing
from chalicelib.cli.addresses import fetched
from chalicelib.cli.complaints import Complaint, Exit
from chalicelib.cli.connection import Connection, connect, run_path
from chalicelib.cli.places import settings_of
from chalicelib.cli.showing import columns, printable
from chalicelib.core.errors import FalseworkError
from chalicelib.core.flowserv.archive import archive_name
from chalicelib.web.gateway import Answer

_USUAL_SECONDS: Final = 15.0


def add_verbs(files: Any, archive: Any, delete: Any) -> None:
    """Add the flags of the three verbs."""
    for verb in (files, archive, delete):
        verb.add_argument("run", metavar="RUN", help="its id, as `falsework list` shows it")
    files.add_argument("--json", action="store_true", help="as the REST answer has it")
    archive.add_argument(
        "file",
        metavar="FILE",
        nargs="?",
        type=Path,
        help="where to; run.RUN.tar.gz here unless given",
    )
    delete.add_argument("--files", action="store_true", help="its outputs go, too")


def files(arguments: argparse.Namespace) -> Exit:
    """``files RUN``: a line for each file of a run that has succeeded."""
    answer = connect(settings_of(arguments)).get(run_path(arguments.run, "/files"))
    if arguments.json:
        print(json.dumps(answer, indent=2))
        return Exit.SUCCESS
    rows = [
        [printable(each["key"]), str(each["size_bytes"]), each["mime_type"] or "-"]
        for each in answer["files"]
    ]
    print(columns([["KEY", "BYTES", "TYPE"], *rows]))
    return Exit.SUCCESS


def archive(arguments: argparse.Namespace) -> Exit:
    """``archive RUN [FILE]``: all files of a run in one tar.gz."""
    path = arguments.file or Path(archive_name(arguments.run).replace("/", "_"))
    answer = _ready(connect(settings_of(arguments)), run_path(arguments.run, "/archive"))
    try:
        size = _write(path, answer)
    except (FalseworkError, OSError) as exc:
        told = exc.strerror if isinstance(exc, OSError) and exc.strerror else exc
        raise Complaint(f"the archive could not be kept: {told}", field="FILE", value=str(path),
                        mend="name a file in a folder that is there; or ask again",
                        code=Exit.ERROR) from exc  # fmt: skip
    print(f"{size} bytes → {path}")
    return Exit.SUCCESS


def delete(arguments: argparse.Namespace) -> Exit:
    """``delete RUN``: the run, and with ``--files`` its outputs; only one that has settled."""
    query = {"files": "true"} if arguments.files else {}
    run_path(arguments.run)  # complains of no id
    connect(settings_of(arguments)).delete("/runs", arguments.run, **query)
    print(f"{arguments.run} deleted")
    return Exit.SUCCESS


def _ready(connection: Connection, path: str) -> Answer:
    """Return the answer that holds the archive."""
    is_told = False
    while True:
        answer = connection.answer(path)
        headers = {name.lower(): value for name, value in answer.headers.items()}
        if answer.status == HTTPStatus.TEMPORARY_REDIRECT:
            return fetched(headers["location"])
        if answer.status != HTTPStatus.ACCEPTED:
            return answer
        if not is_told:
            run = headers["location"].rpartition("/")[2]
            print(f"the run {run} makes it; waiting", file=sys.stderr, flush=True)
        is_told = True
        time.sleep(float(headers.get("retry-after", _USUAL_SECONDS)))


def _write(path: Path, answer: Answer) -> int:
    """Raises OSError, and leaves what was there before, where it breaks off."""
    size = 0
    with replacing(path, path.parent) as file:
        for chunk in [answer.body] if answer.chunks is None else answer.chunks:
            size += file.write(chunk)
        if answer.size_bytes not in {None, size}:
            raise OSError(f"it broke off after {size} of {answer.size_bytes} bytes")
    return size
