"""dynalite, npm's DynamoDB, in a process of its own.

It is installed at the first use, into ``.node/`` under the checkout, from the lock file beside
its server; a changed lock file installs it anew. Without node there is no dynalite.
"""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PROJECT = Path(__file__).parents[1] / "dynalite"
_CACHE = Path(__file__).parents[2] / ".node"
INSTALL_SECONDS = 300


class NoNode(Exception):
    """This machine cannot run dynalite; the message says why."""


@contextmanager
def serving_dynalite() -> Iterator[str]:
    """Serve an empty DynamoDB; yield the address. Raises NoNode."""
    command = ["node", str(_PROJECT / "server.js"), str(_installed())]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        port = int(server.stdout.readline())
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()


def _installed() -> Path:
    """Return the folder with the packages, installed by one process if several want them."""
    if not (shutil.which("node") and shutil.which("npm")):
        raise NoNode("node and npm are needed for dynalite")
    digest = hashlib.sha256((_PROJECT / "package-lock.json").read_bytes()).hexdigest()[:16]
    folder = _CACHE / f"dynalite-{digest}"
    _CACHE.mkdir(exist_ok=True)
    with (_CACHE / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            _install(folder)
    return folder


def _install(folder: Path) -> None:
    half_done = Path(tempfile.mkdtemp(dir=_CACHE))
    for name in ("package.json", "package-lock.json"):
        shutil.copy(_PROJECT / name, half_done)
    # No package's own install script is run: what is served from memory needs none.
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    done = subprocess.run(
        command,
        cwd=half_done,
        capture_output=True,
        text=True,
        timeout=INSTALL_SECONDS,
        check=False,
    )
    if done.returncode != 0:
        shutil.rmtree(half_done)
        raise RuntimeError(f"npm ci failed: {done.stderr.strip()[-500:]}")
    half_done.rename(folder)
