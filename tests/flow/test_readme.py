"""Every command in the README is run, in order, as a reader would, in a copy of the checkout."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.flow.waiting import until

HERE = Path(__file__).parents[2]
README = (HERE / "README.md").read_text()


def commands() -> list[str]:
    blocks = re.findall(r"^```sh\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]


@pytest.fixture
def shell(tmp_path):
    """A folder with the examples, and the commands of this very installation on the PATH."""
    shutil.copytree(HERE / "examples", tmp_path / "examples")
    bin_folder = tmp_path / ".venv/bin"
    bin_folder.mkdir(parents=True)
    (bin_folder / "activate").write_text("")
    script = bin_folder / "falsework"
    script.write_text(f'#!/bin/sh\nexec {sys.executable} -m chalicelib.cli "$@"\n')
    script.chmod(0o755)
    environment = {**os.environ, "PYTHONPATH": str(HERE)}
    environment["PATH"] = f"{bin_folder}:{environment['PATH']}"

    def run(command: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            ["/bin/sh", "-c", command],
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    return run


def test_the_readme_has_commands_for_each_thing_a_user_does():
    verbs = {line.split()[1] for line in commands() if line.startswith("falsework ")}
    assert verbs == {
        "put", "validate", "run", "get", "list", "show", "why", "logs", "cost", "cancel", "resume",
        "rollback", "serve", "redrive", "sync", "verify", "paths", "token",
    }  # fmt: skip


def test_every_command_does_what_the_readme_says(shell, tmp_path):
    server = None
    receipt = tmp_path / ".falsework/s3/requests/receipts/genome.json"
    try:
        for command in commands():
            if " serve" in command:
                server = shell(f"exec {command.replace('8000', '0')}")
                assert "serves http://127.0.0.1:" in server.stdout.readline()
                continue
            if "s3://requests/receipts" in command:
                until(receipt.exists)
            done = shell(command)
            output, _ = done.communicate(timeout=120)
            # The run has succeeded by the time the README cancels or resumes it, and says so.
            is_refused = {"cancel", "resume"} & set(command.split())
            assert done.returncode == (2 if is_refused else 0), output
    finally:
        if server is not None:
            server.terminate()
            assert server.wait(timeout=60) == 0
            server.stdout.close()
    report = (tmp_path / "results/report/report.tsv").read_text()
    assert "48502" in report
    assert "49.86" in report
    told = json.loads((tmp_path / "receipt.json").read_text())
    assert [version["status"] for version in told["versions"]] == ["accepted"]


def test_the_demand_in_the_readme_is_the_one_in_the_examples():
    (shown,) = re.findall(r"^```json\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)
    assert json.loads(shown) == json.loads((HERE / "examples/demand.json").read_text())


def test_every_setting_that_the_readme_names_exists():
    from chalicelib.core.site import Site
    from chalicelib.settings import Settings

    table = README.split("## Operate")[1].split("`ENV_BASE`")[0]
    named = set(re.findall(r"`([A-Z_]{3,})`", table))
    known = {name.upper() for name in (*Site.model_fields, *Settings.model_fields)}
    assert named <= known | {"SITE"}
    assert len(named) >= 10
