"""Functions of one machine: the worker's own handlers, each call in a process of its own.

There is no Lambda here, and no program that was sent is ever run: a name is looked up among the
handlers that come with the worker (``falsework-worker lambda``).
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from chalicelib.core.errors import Unavailable
from chalicelib.core.mounts import mount_variables
from chalicelib.core.site import Site
from chalicelib.core.states import responses
from chalicelib.settings import HostEnvironment

ANSWER_SECONDS: Final = 24
"""As long as the AWS home waits: what works here works there."""
_PACKAGE_PARENT: Final = str(Path(__file__).resolve().parents[2])
_FAILED: Final = "failed: "


class LocalFunctions:
    """The Functions of the embedded home."""

    def __init__(self, root: Path, site: Site, host: HostEnvironment) -> None:
        self._root = root.resolve()
        self._site = site
        self._host = host

    def invoke(self, name: str, payload: bytes, token: str) -> bytes:
        """Call the handler of that name. Raises StepFailed, also where there is none."""
        with TemporaryDirectory(prefix="falsework-call-") as folder:
            request, response = Path(folder, "request.json"), Path(folder, "response.json")
            request.write_bytes(payload)
            try:
                ended = subprocess.run(
                    [sys.executable, "-m", "chalicelib.worker", "lambda"],
                    env=self._environment(name, token, request, response),
                    cwd="/",
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    timeout=ANSWER_SECONDS,
                    check=False,
                )
            except (OSError, subprocess.TimeoutExpired) as exc:
                raise Unavailable(f"function {name}: {exc}") from exc
            if ended.returncode != 0 or not response.is_file():
                raise _raised(name, (ended.stdout + ended.stderr).decode(errors="replace"))
            return response.read_bytes()

    def _environment(self, name: str, token: str, request: Path, response: Path) -> dict[str, str]:
        return {
            **mount_variables(self._site.worker_mounts),
            "PATH": self._host.path,
            "HOME": self._host.home,
            "LANG": self._host.lang,
            "PYTHONPATH": _PACKAGE_PARENT,
            "FALSEWORK_ROOT": str(self._root),
            "FALSEWORK_FUNCTION_TOKEN": token,
            "ENV_BASE": self._site.env_base,
            "AWS_REGION": self._site.aws_region,
            "AWS_BATCH_JOB_ID": token,
            "AWS_LAMBDA_FUNCTION_HANDLER": name,
            "AWS_LAMBDA_EVENT_PAYLOAD": str(request),
            "AWS_LAMBDA_EVENT_RESPONSE_LOCATION": str(response),
        }


def _raised(name: str, output: str) -> Exception:
    """The worker's last line is ``failed: <Error>: <message>``, or a traceback's last."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    last = lines[-1].rpartition(_FAILED)[2] if lines else ""
    error, _, message = last.partition(": ")
    return responses.raised(name, error, message)
