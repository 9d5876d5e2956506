"""What starts a deployment, the Makefile and ``.ci/run``, ends as it went."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

from infra.lambda_python import CHECKOUT

NEEDED = ("Makefile", "pyproject.toml", "requirements.txt", ".ci/run")
INFRA = ("__init__.py", "lambda_python.py", "requirements.txt")


@pytest.fixture
def checkout(tmp_path):
    """As much of a checkout as there has to be before anything is made."""
    for name in (*NEEDED, *(f"infra/{each}" for each in INFRA)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(CHECKOUT / name, tmp_path / name)
    return tmp_path


@pytest.mark.parametrize("target", ["stage", "deploy", "image", "destroy"])
def test_nothing_is_deployed_without_a_python_for_it_and_make_says_so(checkout, target):
    command = ["make", "--old-file=wheel", target, f"PYTHON={sys.executable}"]
    environment = {"PATH": "/usr/bin:/bin", "LAMBDA_PYTHON": "/bin/false"}
    done = subprocess.run(
        command, cwd=checkout, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "LAMBDA_PYTHON" in done.stderr


SAID = '#!/bin/sh\necho "$(basename "$0") $*" >> "$SAID"\n'
SUDO = SAID + 'exec "$@"\n'


@pytest.mark.parametrize("user", [0, 1000], ids=["root", "somebody"])
def test_what_a_machine_lacks_is_installed_as_root_whoever_runs_it(checkout, user):
    commands = checkout / "commands"
    commands.mkdir()
    for name in ("bash", "sh", "env", "dirname", "basename"):
        (commands / name).symlink_to(shutil.which(name))
    texts = {"apt-get": SAID, "make": SAID, "sudo": SUDO, "id": f"#!/bin/sh\necho {user}\n"}
    for name, text in texts.items():
        (commands / name).write_text(text)
        (commands / name).chmod(0o755)
    said = checkout / "said"
    environment = {"PATH": str(commands), "SAID": str(said)}
    done = subprocess.run(
        [checkout / ".ci" / "run"], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    lines = said.read_text().splitlines()
    installing = [line for line in lines if "bubblewrap" in line and line.startswith("apt-get")]
    assert len(installing) == 1
    assert sum(line.startswith("sudo ") for line in lines) == (2 if user else 0)
    assert lines[-3:] == ["make check", "make check-slow", "make demo"]
