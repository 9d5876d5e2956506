"""Programs of npm, for tests that need somebody else's reading of something.

A project is installed at its first use, into ``.node/`` under the checkout, from its lock file; a
changed lock file installs it anew.
"""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
import tempfile
from pathlib import Path

_CACHE = Path(__file__).parents[2] / ".node"
INSTALL_SECONDS = 300


class NoNode(Exception):
    """This machine has no node; the message says so."""


def installed(project: Path) -> Path:
    """Return the folder with the packages, installed by one process if several want them.

    Raises NoNode.
    """
    if not (shutil.which("node") and shutil.which("npm")):
        raise NoNode(f"node and npm are needed for {project.name}")
    digest = hashlib.sha256((project / "package-lock.json").read_bytes()).hexdigest()[:16]
    folder = _CACHE / f"{project.name}-{digest}"
    _CACHE.mkdir(exist_ok=True)
    with (_CACHE / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            _install(project, folder)
    return folder


def _install(project: Path, folder: Path) -> None:
    half_done = Path(tempfile.mkdtemp(dir=_CACHE))
    for name in ("package.json", "package-lock.json"):
        shutil.copy(project / name, half_done)
    # No package's own install script is run: what only computes needs none.
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
