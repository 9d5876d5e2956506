"""Requests and short programs for the tests that go through the front doors."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from chalice.app import Chalice
from chalice.test import Client, HTTPResponse

from chalicelib import bootstrap
from chalicelib.core.errors import NotFound
from chalicelib.core.principals import LOCAL
from chalicelib.local.database import Database
from chalicelib.local.object_store import LocalObjectStore
from chalicelib.local.run_store import LocalRunStore
from chalicelib.settings import Settings
from chalicelib.web.api import rest_app
from chalicelib.web.asked import trusting
from chalicelib.web.gateway import Gateway
from chalicelib.web.server import Server

CHECKOUT = Path(__file__).parents[2]


class TrustedHttp:
    """Chalice's test client for REST, as the user of this machine: without a token."""

    def __init__(self, app: Chalice | None = None) -> None:
        self._http = Client(app or rest_app()).http

    def __getattr__(self, method: str) -> Callable[..., HTTPResponse]:
        send = getattr(self._http, method)

        def sent(*args: Any, **kwargs: Any) -> HTTPResponse:
            with trusting(LOCAL):
                return send(*args, **kwargs)

        return sent


def shell_demand(execution_id: str, script: str, **parts: Any) -> dict[str, Any]:
    """A demand that runs ``script`` in a shell; ``parts`` go into its parameters."""
    return {
        "execution_type": "test",
        "execution_id": execution_id,
        "execution_image": "none",
        "execution_parameters": {"command": ["sh", "-c", f"'{script}'"], **parts},
        "execution_platform": {"aws_batch": {"job_queue_name": "default"}},
    }


def copying_demand(execution_id: str, script: str = "cp ${IN} ${OUT}/copy") -> dict[str, Any]:
    """A demand that makes a folder out of ``s3://bucket/in.txt``."""
    return shell_demand(
        execution_id,
        f"mkdir -p ${{OUT}} && {script}",
        params={"in": "s3://bucket/in.txt", "out": "res"},
        inputs=["in"],
        outputs=["out"],
        output_s3_prefix=f"s3://bucket/results/{execution_id}",
    )


def until(gate: Path) -> str:
    """A script that waits for the file, but not for ever."""
    return f"for i in $(seq 1200); do [ -e {gate} ] && break; sleep 0.05; done"


def environment(**more: str) -> dict[str, str]:
    """The environment of a falsework process of the tests: nobody's settings but ours."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("FALSEWORK_", "AWS_"))}
    kept.pop("ENV_BASE", None)
    return {**kept, "PYTHONPATH": str(CHECKOUT), "PYTHONWARNINGS": "error", **more}


def command(*words: object) -> list[str]:
    """The command line of ``falsework`` with those words."""
    return [sys.executable, "-m", "chalicelib.cli", *map(str, words)]


def falsework(
    *words: object, stdin: str | bytes | dict[str, Any] = "", cwd: Path, **more: str
) -> subprocess.CompletedProcess[str]:
    """Run the command to its end; ``more`` is added to its environment."""
    if isinstance(stdin, dict):
        stdin = json.dumps(stdin)
    content = stdin if isinstance(stdin, bytes) else stdin.encode()
    done = subprocess.run(
        command(*words),
        input=content,
        capture_output=True,
        cwd=cwd,
        env=environment(**more),
        timeout=60,
        check=False,
    )
    return subprocess.CompletedProcess(
        done.args, done.returncode, done.stdout.decode(), done.stderr.decode()
    )


def put(path: Path, uri: str, *, root: Path) -> None:
    """Do what ``falsework put`` does with a file, without half a second for a process."""
    LocalObjectStore(root).upload(path, uri)


def has_settled(root: Path, run_id: str) -> bool:
    """Whether the run is there and has settled.

    For whoever waits: it reads the store. To ask ``falsework show`` over and over takes half a
    second of the processor each time, from the very processes that are waited for.
    """
    with closing(Database(root)) as database:
        try:
            return LocalRunStore(database).load(run_id).settled_at is not None
        except NotFound:
            return False


def eventually(is_so: Callable[[], Any], seconds: float = 30) -> Any:
    """Return the first true answer; fail when there is none in time."""
    deadline = time.monotonic() + seconds
    while not (answer := is_so()):
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.02)
    return answer


@contextmanager
def serving_here(root: Path, **told: Any) -> Iterator[int]:
    """Yield the port of a server in this process, which is told what the test wants of it."""
    bootstrap.use(Settings(root=root))
    server = Server("127.0.0.1", 0, Gateway(trusted=LOCAL), **told)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
