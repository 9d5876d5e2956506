"""The embedded home under real processes: servers that are killed, several of them at once.

Each command adds a line to a file of its own, so that what ran twice shows.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.flow.doors import has_settled, put
from tests.flow.waiting import until

RUNS = 4


class Root:
    """A ROOT, and the processes that a test starts on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root = folder / "root"
        self.marks = folder / "marks"
        self.marks.mkdir()
        self.servers: list[subprocess.Popen[str]] = []

    def demand(self, name: str, *, seconds: float = 0.3, **changes: object) -> dict[str, object]:
        mark = self.marks / name
        return {
            "execution_type": "t",
            "execution_id": name,
            "execution_image": "python:3.11",
            "execution_parameters": {
                "command": [
                    "cp", "${I}", "${O}", "&&", "echo", "ran", ">>", str(mark),
                    "&&", "sleep", str(seconds),
                ],
                "params": {"i": "s3://data/input @ input", "o": "result.txt"},
                "inputs": ["i"],
                "outputs": ["o"],
                "output_s3_prefix": f"s3://data/results/{name}",
            },
            "execution_platform": {"aws_batch": {"job_queue_name": "default"}},
            **changes,
        }  # fmt: skip

    def falsework(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "chalicelib.cli", *arguments],
            capture_output=True,
            text=True,
            timeout=120,
            cwd=self.folder,
            env=self.environment(),
            check=False,
        )
        assert not check or done.returncode == 0, done.stderr + done.stdout
        return done

    def environment(self) -> dict[str, str]:
        here = str(Path(__file__).parents[2])
        return {**os.environ, "FALSEWORK_ROOT": str(self.root), "PYTHONPATH": here}

    def serve(self) -> subprocess.Popen[str]:
        with (self.folder / "server.log").open("a") as log:
            server = subprocess.Popen(
                [sys.executable, "-m", "chalicelib.cli", "serve", "--port", "0"],
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                cwd=self.folder,
                env=self.environment(),
            )
        self.servers.append(server)
        assert server.stdout is not None
        assert "serves http://127.0.0.1:" in server.stdout.readline()
        return server

    def put_input(self) -> None:
        (self.folder / "input").write_text("the input\n")
        put(self.folder / "input", "s3://data/input", root=self.root)

    def submit(self, name: str, **changes: object) -> None:
        path = self.folder / f"{name}.json"
        path.write_text(json.dumps(self.demand(name, **changes)))
        put(path, f"s3://requests/requests/{name}.json", root=self.root)

    def run(self, name: str) -> dict[str, object] | None:
        done = self.falsework("show", "--json", name, check=False)
        return json.loads(done.stdout) if done.returncode == 0 else None

    def is_settled(self, name: str) -> bool:
        return has_settled(self.root, name)

    def times_run(self, name: str) -> int:
        mark = self.marks / name
        return len(mark.read_text().splitlines()) if mark.exists() else 0

    def result(self, name: str) -> str:
        return (self.root / "s3/data/results" / name / "result.txt").read_text()

    def close(self) -> None:
        for server in self.servers:
            if server.poll() is None:
                server.kill()
            server.wait()
            assert server.stdout is not None
            server.stdout.close()


@pytest.fixture
def root(tmp_path):
    root = Root(tmp_path)
    root.put_input()
    yield root
    root.close()


def kill(server: subprocess.Popen[str]) -> None:
    server.send_signal(signal.SIGKILL)
    server.wait()


def names() -> list[str]:
    return [f"run-{number}" for number in range(RUNS)]


def assert_each_ran_once(root: Root) -> None:
    for name in names():
        run = root.run(name)
        assert run is not None
        assert run["state"] == "SUCCESS", run
        assert (root.times_run(name), root.result(name)) == (1, "the input\n")


def test_a_server_killed_again_and_again_loses_and_doubles_nothing(root):
    server = root.serve()
    for name in names():
        root.submit(name)
    until(lambda: root.times_run(names()[0]) == 1)
    for _ in range(3):
        kill(server)
        server = root.serve()
        time.sleep(0.2)  # not to wait for anything: to be killed at another point each time
    until(lambda: all(root.is_settled(name) for name in names()))
    assert_each_ran_once(root)


def test_a_job_goes_on_while_no_server_is_there_and_its_end_is_learned(root):
    server = root.serve()
    root.submit("alone", seconds=1)
    until(lambda: root.times_run("alone") == 1)
    kill(server)
    until(lambda: _has_ended_on_disk(root))
    root.serve()
    until(lambda: root.is_settled("alone"))
    run = root.run("alone")
    assert run is not None
    assert (run["state"], root.times_run("alone")) == ("SUCCESS", 1)


def _has_ended_on_disk(root: Root) -> bool:
    """Two jobs have left their end behind: stage-in, and the command after the kill."""
    return len(list((root.root / "jobs").glob("*/end.json"))) >= 2


def test_two_servers_and_a_command_line_on_one_root_do_no_harm(root):
    first, _second = root.serve(), root.serve()
    for name in names()[:-1]:
        root.submit(name)
    last = names()[-1]
    path = root.folder / "last.json"
    path.write_text(json.dumps(root.demand(last)))
    waiting = subprocess.Popen(
        [sys.executable, "-m", "chalicelib.cli", "run", str(path), "--wait"],
        stdout=subprocess.DEVNULL,
        cwd=root.folder,
        env=root.environment(),
    )
    until(lambda: root.times_run(names()[0]) == 1)
    kill(first)
    assert waiting.wait(timeout=60) == 0
    until(lambda: all(root.is_settled(name) for name in names()))
    assert_each_ran_once(root)


def test_cancel_ends_the_command_and_all_that_it_started(root):
    root.serve()
    root.submit("long", seconds=611)
    until(lambda: root.times_run("long") == 1)
    root.falsework("cancel", "long")
    until(lambda: root.is_settled("long"))
    run = root.run("long")
    assert run is not None
    assert run["state"] == "CANCELED"
    assert not any(b"sleep\x00611" in line for line in _command_lines())


def _command_lines() -> list[bytes]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # it has just ended
            found.append(path.read_bytes())
    return found
