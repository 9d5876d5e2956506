"""The worker's image without Docker: the wheel, the Dockerfile's own commands, the entry point."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys

import pytest

from infra.lambda_python import CHECKOUT
from infra.templates import read

pytestmark = pytest.mark.slow
DOCKERFILE = (CHECKOUT / "infra" / "worker" / "Dockerfile").read_text()
CLEAN = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent"}


def instructions(word: str) -> list[str]:
    joined = re.sub(r"\\\n\s*", "", re.sub(r"^#.*\n", "", DOCKERFILE, flags=re.MULTILINE))
    return re.findall(rf"^{word} (.*)$", joined, flags=re.MULTILINE)


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The image's folders, made by the first stage's own command at another root."""
    root = tmp_path_factory.mktemp("image")
    wheels = root / "wheels"
    done = subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--wheel-dir", wheels, CHECKOUT],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (install,) = [each for each in instructions("RUN") if "pip install" in each]
    here = install.replace("/wheels", str(wheels)).replace("/opt/falsework", f"{root}/falsework")
    here = here.replace("python -m venv", f"{shlex.quote(sys.executable)} -m venv")
    done = subprocess.run(["sh", "-c", here], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return root / "falsework"


def run(installed, *words, **environment):
    told = {**CLEAN, "PATH": f"{installed}/bin:/usr/bin:/bin", **environment}
    command = ["sh", "-c", shlex.join(words)]
    return subprocess.run(command, cwd="/", env=told, capture_output=True, text=True, check=False)


def test_the_entry_point_knows_the_verbs_that_jobs_are_submitted_with(installed):
    done = run(installed, "falsework-worker", "--help")
    assert done.returncode == 0, done.stderr
    for verb in ("stage-in", "stage-out", "clean-up", "sync", "handle", "lambda"):
        assert verb in done.stdout


def test_outside_of_a_job_the_worker_says_so_and_moves_nothing(installed):
    done = run(installed, "falsework-worker", "stage-in")
    assert done.returncode == 2
    assert "not inside a worker job" in done.stdout + done.stderr


def test_the_image_has_what_moves_files_and_nothing_that_tests_need(installed):
    done = run(installed, "python", "-c", "import obstore, boto3, chalicelib.worker")
    assert done.returncode == 0, done.stderr
    assert run(installed, "python", "-c", "import pytest").returncode != 0


def test_nobody_is_root_in_the_container():
    assert instructions("USER") == ["1000:1000"]


def test_the_argument_vector_is_the_jobs_own():
    """With an ENTRYPOINT the engine's ``falsework-worker stage-in`` would be its arguments."""
    assert not instructions("ENTRYPOINT")
    definition = read()["Resources"]["WorkerDefinition"]["Properties"]["ContainerProperties"]
    assert definition["Command"] == ["falsework-worker", "lambda"]
    assert definition["User"] == "1000:1000"
