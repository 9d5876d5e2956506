"""The user's function or command, in a process group of its own that ends when its time is over.

What it writes goes to the job's log at once; a command's is kept as well, the end of it where it
is much. A function runs in another Python (``work_function``), so that it can be ended and cannot
take the worker with it; what it returned comes back in a file.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any, Final, NamedTuple

from pydantic import JsonValue, TypeAdapter, ValidationError

from chalicelib.core.documents import well_formed
from chalicelib.core.errors import FalseworkError
from chalicelib.core.json_text import read_object

KEPT_BYTES: Final = 1024 * 1024
"""Of standard output and standard error each: results have 4 MB."""
GRACE_SECONDS: Final = 5.0
"""Between SIGTERM and SIGKILL, when the time is over."""
RETURNED_BYTES: Final = 256 * 1024 * 1024
"""What a function may return: far more than is kept, far less than the memory of a job."""
_NAMES: Final = TypeAdapter(tuple[str, ...])


class Done(NamedTuple):
    """What came of an execution. ``error`` says why it failed."""

    results: dict[str, JsonValue] | None = None
    products: tuple[str, ...] = ()
    plots: tuple[str, ...] = ()
    error: str | None = None


def run_command(command: list[str], timeout_seconds: float, folder: Path) -> Done:
    """Run the command; a single word is a line for the shell, as the client has it."""
    args: str | list[str] = command[0] if len(command) == 1 else command
    argv = ["/bin/sh", "-c", args] if isinstance(args, str) else args
    try:
        process = _started(argv, folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    except (OSError, ValueError) as exc:
        return Done(error=f"the command cannot be started: {exc}")
    kept = [_Kept(process.stdout, sys.stdout), _Kept(process.stderr, sys.stderr)]
    is_late = _wait(process, timeout_seconds)
    stdout, stderr = (each.lines() for each in kept)
    results: dict[str, JsonValue] = {
        "args": list(args) if isinstance(args, list) else args,
        "stdout": stdout,
        "stderr": stderr,
        "returncode": process.returncode,
    }
    return Done(results, error=_why(process.returncode, timeout_seconds, is_late=is_late))


def run_function(
    name: str, parameters: Mapping[str, Any], timeout_seconds: float, folder: Path
) -> Done:
    """Call the function in another Python."""
    with TemporaryDirectory(prefix="falsework-call-") as own:
        call, answer = Path(own) / "call.json", Path(own) / "answer.json"
        call.write_text(json.dumps({"function": name, "parameters": dict(parameters)}))
        argv = [sys.executable, "-m", "chalicelib.worker.work_function", str(call), str(answer)]
        process = _started(argv, folder)
        is_late = _wait(process, timeout_seconds)
        error = _why(process.returncode, timeout_seconds, is_late=is_late)
        if is_late or not answer.exists():
            return Done(error=error or "the function's process ended without an answer")
        return _answered(answer)


def _answered(path: Path) -> Done:
    try:
        told = well_formed(read_object(path.read_bytes(), limit_bytes=RETURNED_BYTES))
        return Done(
            told["results"],
            _NAMES.validate_python(told["products"], strict=False),
            _NAMES.validate_python(told["plots"], strict=False),
            told["error"],
        )
    except (FalseworkError, ValidationError) as exc:
        return Done(error=f"what the function returned cannot be kept: {exc}")


def _started(
    argv: Sequence[str], folder: Path, *, stdout: int | None = None, stderr: int | None = None
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        argv,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        start_new_session=True,
    )


def _wait(process: subprocess.Popen[bytes], timeout_seconds: float) -> bool:
    """Wait for the end; at the timeout end the whole group. Tell whether it came to that."""
    is_late = False
    try:
        process.wait(timeout_seconds)
    except subprocess.TimeoutExpired:
        is_late = True
        _signal(process, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(GRACE_SECONDS)
    _signal(process, signal.SIGKILL)
    process.wait()
    return is_late


def _signal(process: subprocess.Popen[bytes], number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def _why(code: int, timeout_seconds: float, *, is_late: bool) -> str | None:
    if is_late:
        return f"it ran longer than its timeout of {timeout_seconds:g} s, and was ended"
    if code < 0:
        return f"it was ended by signal {-code}"
    return f"it ended with exit code {code}" if code else None


class _Kept:
    """Copies a pipe to the job's log, and keeps the end of what came."""

    def __init__(self, pipe: IO[bytes] | None, log: Any) -> None:
        assert pipe is not None  # noqa: S101 -- it was asked for
        self._log = getattr(log, "buffer", None)
        self._content = bytearray()
        self._thread = threading.Thread(target=self._copy, args=(pipe,), daemon=True)
        self._thread.start()

    def lines(self) -> list[JsonValue]:
        """Return the lines once the pipe has ended; one that somebody holds open is left."""
        self._thread.join(GRACE_SECONDS)
        return list(bytes(self._content[-KEPT_BYTES:]).decode(errors="replace").splitlines())

    def _copy(self, pipe: IO[bytes]) -> None:
        with pipe:
            while chunk := os.read(pipe.fileno(), 65_536):
                self._content += chunk
                del self._content[: -2 * KEPT_BYTES]
                if self._log is not None:
                    self._log.write(chunk)
                    self._log.flush()
