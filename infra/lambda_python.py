"""The Python that deploys, and so the Python that Lambda runs: Chalice takes the one that runs it.

3.12 is the least: its images have glibc 2.34, so every wheel there is fits, and 3.11 ends earlier.
It has a virtual environment of its own, ``.venv-lambda``, for whoever develops may have another
Python. ``python -m infra.lambda_python`` makes it, unless it is there, and prints where it is.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

CHECKOUT: Final = Path(__file__).parents[1]
VERSIONS: Final = ("3.13", "3.12", "3.14")
"""What Lambda and Chalice 1.34 know, the one that we deploy with first."""
_REQUIRED: Final = (CHECKOUT / "requirements.txt", CHECKOUT / "infra" / "requirements.txt")


class NoPython(Exception):
    """There is no Python here that Lambda would run."""


def ready(environ: Mapping[str, str] = os.environ) -> Path:
    """Return the environment's Python, making it first if need be. Raises NoPython."""
    told = "".join(path.read_text(encoding="utf-8") for path in _REQUIRED)
    digest = hashlib.sha256(told.encode()).hexdigest()
    home = CHECKOUT / ".venv-lambda"
    home.mkdir(exist_ok=True)
    stamp = home / ".installed"
    with (home / ".lock").open("a") as lock:  # tests run in several processes
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not stamp.exists() or stamp.read_text() != digest:
            _make(find(environ), home)
            stamp.write_text(digest)
    return home / "bin" / "python"


def find(environ: Mapping[str, str]) -> str:
    """Return a Python that Lambda would run, too. Raises NoPython."""
    for candidate in _candidates(environ):
        probe = [candidate, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
        done = subprocess.run(probe, capture_output=True, text=True, check=False)
        if done.returncode == 0 and done.stdout.strip() in VERSIONS:
            return candidate
    raise NoPython(
        f"none of Python {', '.join(VERSIONS)} is here, and Lambda runs what deploys:"
        " install one, or name it: LAMBDA_PYTHON=/path/to/python3.13"
    )


def _candidates(environ: Mapping[str, str]) -> Iterator[str]:
    """A name that is found may still be a shim that leads nowhere, so each is tried."""
    if told := environ.get("LAMBDA_PYTHON"):
        yield told
        return
    for version in VERSIONS:
        if found := shutil.which(f"python{version}"):
            yield found
        pyenv = Path(environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
        yield from map(str, sorted(pyenv.glob(f"versions/{version}.*/bin/python")))
    yield sys.executable


def _make(python: str, home: Path) -> None:
    subprocess.run([python, "-m", "venv", str(home)], check=True)
    install = [str(home / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check"]
    for path in _REQUIRED:
        install += ["--requirement", str(path)]
    subprocess.run(install, check=True, stdout=sys.stderr)


if __name__ == "__main__":
    try:
        print(ready())
    except NoPython as exc:
        sys.exit(str(exc))
