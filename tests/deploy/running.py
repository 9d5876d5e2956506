"""Starting what deploys: the Python of ``.venv-lambda``, and Chalice in it, without an account."""

from __future__ import annotations

import fcntl
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from infra.lambda_python import CHECKOUT

NOWHERE = {
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_EC2_METADATA_DISABLED": "true",
    "PATH": "/usr/bin:/bin",
    "HOME": "/nonexistent",
    "PYTHONDONTWRITEBYTECODE": "1",
}
BUILD = """
import sys
from pathlib import Path
from infra.build import BuildFailed, build
try:
    build(sys.argv[1], source=Path(sys.argv[2]), into=Path(sys.argv[3]))
except BuildFailed as exc:
    sys.exit(f"build failed: {exc}")
"""


def of_lambda(
    python: Path, *words: str, cwd: Path = CHECKOUT, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run the Python that deploys; ``infra`` can be imported."""
    return subprocess.run(
        [str(python), *words],
        cwd=cwd,
        env={**NOWHERE, "PYTHONPATH": str(CHECKOUT), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def build_into(
    python: Path, folder: Path, source: Path = CHECKOUT, stage: str = "dev", **environment: str
) -> subprocess.CompletedProcess[str]:
    """Build the stage there."""
    return of_lambda(python, "-c", BUILD, stage, str(source), str(folder), **environment)


def in_project(
    python: Path, project: Path, *words: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run ``chalice`` in a project; nothing else can be imported but what is in it."""
    code = "import sys; from chalice.cli import main; sys.exit(main())"
    told = {"PYTHONPATH": "", **environment}
    return of_lambda(python, "-c", code, *words, cwd=project, **told)


def once(
    tmp_path_factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]
) -> Path:
    """Return what is made by the first of pytest-xdist's processes; the others wait for it."""
    base = tmp_path_factory.getbasetemp()
    place = (base.parent if "popen-gw" in base.name else base) / name
    place.mkdir(exist_ok=True)
    with (place / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (place / "done").exists():
            make(place / "it")
            (place / "done").touch()
    return place / "it"
