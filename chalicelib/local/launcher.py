"""Starting a job's wrapper: what it must know goes into its folder, then it is on its own.

``ROOT/jobs/<job id>/`` holds ``launch.json`` (argument vector and environment, readable by the
owner only), ``lock``, ``output.log``, ``end.json`` and ``wrapper.log``, which stays empty.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from chalicelib.atomic_files import write_atomically
from chalicelib.job_ports import JobRequest
from chalicelib.local.database import Database
from chalicelib.local.definitions import Definitions
from chalicelib.local.sandbox import Launch, Sandbox
from chalicelib.local.wrapper import GRACE_SECONDS

_REF: Final = "Ref::"
_PACKAGE_PARENT = str(Path(__file__).resolve().parents[2])


class Start(NamedTuple):
    """A job that this process, and no other, may start."""

    job_id: str
    token: str
    request: JobRequest


class Launcher:
    """Turns a job that was taken into a wrapper process."""

    def __init__(
        self,
        root: Path,
        database: Database,
        definitions: Definitions,
        sandbox: Sandbox,
        grace_seconds: float = GRACE_SECONDS,
    ) -> None:
        self._root = root.resolve()
        self._database = database
        self._definitions = definitions
        self._sandbox = sandbox
        self._grace_seconds = grace_seconds
        self._wrappers: set[int] = set()

    def start(self, start: Start) -> None:
        """Start the wrapper. Raises Refused or OSError; the job does not run then."""
        self._spawn(self._prepare(start), start.token)

    def _prepare(self, start: Start) -> Path:
        definition = self._definitions.get(start.request.definition_arn)
        command = start.request.command or _filled(definition.command, start.request.parameters)
        environment = {
            **start.request.environment,
            "AWS_BATCH_JOB_ID": start.job_id,
            "AWS_BATCH_JOB_ATTEMPT": "1",
            "AWS_BATCH_JQ_NAME": start.request.queue.rpartition("/")[2],
            "FALSEWORK_ROOT": str(self._root),
        }
        launch = self._sandbox.launch(
            definition,
            command,
            environment,
            start.job_id,
        )
        folder = self._root / "jobs" / start.job_id
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomically(folder / "launch.json", self._document(start, launch), mode=0o600)
        return folder

    def _document(self, start: Start, launch: Launch) -> bytes:
        document = {
            "job_id": start.job_id,
            "database": str(self._database.path.resolve()),
            "grace_seconds": self._grace_seconds,
            "array_size": start.request.array_size,
            **launch._asdict(),
        }
        return json.dumps(document, indent=1).encode()

    def _spawn(self, folder: Path, token: str) -> None:
        """Start the wrapper in a session of its own: what ends the server does not reach it."""
        argv = [sys.executable, "-S", "-m", "chalicelib.local.wrapper", str(folder), token]
        trouble = folder / "wrapper.log"
        append = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        pid = os.posix_spawn(
            sys.executable,
            argv,
            {"PYTHONPATH": _PACKAGE_PARENT, "PYTHONDONTWRITEBYTECODE": "1", "LANG": "C.UTF-8"},
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, str(trouble), append, 0o600),
                (os.POSIX_SPAWN_DUP2, 1, 2),
            ],
            setsid=True,
        )
        self._wrappers.add(pid)

    def reap(self) -> None:
        """Take the exit codes of ended wrappers; they mean nothing, the rows say everything."""
        for pid in tuple(self._wrappers):
            ended = pid
            with suppress(ChildProcessError):
                ended, _ = os.waitpid(pid, os.WNOHANG)
            if ended:
                self._wrappers.discard(pid)


def _filled(command: tuple[str, ...], parameters: Mapping[str, str]) -> tuple[str, ...]:
    """Return the command with what stands for each ``Ref::name``; one that is not given stays
    (AWS Batch user guide, "Job definition parameters")."""
    return tuple(
        parameters.get(word.removeprefix(_REF), word) if word.startswith(_REF) else word
        for word in command
    )
