"""The worker's verb for works: what a function returns, what becomes of files, how time ends."""

from __future__ import annotations

import json
import os
import sys
import time
from datetime import UTC, datetime

import pytest

from chalicelib.core.data_sync.manifest import Manifest
from chalicelib.core.work.leases import Ending, Lease
from chalicelib.core.work.model import Work
from chalicelib.core.worker_documents import WorkOrder
from chalicelib.worker import work_function
from chalicelib.worker.work_files import Depot
from chalicelib.worker.work_function import called, sorted_out
from chalicelib.worker.work_process import KEPT_BYTES, run_command, run_function
from tests.unit.worker_world import World

AT = datetime(2026, 5, 1, tzinfo=UTC)
LEASE = Lease(
    run_id="work-1",
    work_id="a" * 24,
    attempt=1,
    start=1.0,
    seconds=60,
    home="s3://docs/run/",
    files="s3://docs/files/",
)

RETURNED = {
    "nothing": (None, (None, [], [])),
    "results": ({"a": 1}, ({"a": 1}, [], [])),
    "results and products": (({"a": 1}, ["x"]), ({"a": 1}, ["x"], [])),
    "all three": (({"a": 1}, ["x"], ["y"]), ({"a": 1}, ["x"], ["y"])),
    "files before results": ((["x"], {"a": 1}, ["y"]), ({"a": 1}, ["x"], ["y"])),
    "a list alone": (["x"], (None, [], [])),
    "a number": (3, (None, [], [])),
    "a third list": (({}, ["x"], ["y"], ["z"]), ({}, ["x"], ["y"])),
}


@pytest.mark.parametrize(("outcome", "expected"), RETURNED.values(), ids=RETURNED)
def test_a_dict_are_results_and_lists_are_products_and_plots(outcome, expected):
    names = ("results", "products", "plots")
    assert sorted_out(outcome) == dict(zip(names, expected, strict=True))


class Command:
    """What a click command looks like, as far as it is looked at."""

    class Param:
        def __init__(self, name, kind="option", *, is_flag=False):
            self.name, self.param_type_name, self.is_flag = name, kind, is_flag
            self.opts, self.secondary_opts = [f"--{name}"], [f"--no-{name}"]

    def __init__(self):
        self.params = [
            self.Param("count"),
            self.Param("path", "argument"),
            self.Param("deep", is_flag=True),
        ]

    def main(self, args, *, standalone_mode):
        return {"args": args, "standalone": standalone_mode}


def test_a_click_command_is_called_as_from_a_command_line(monkeypatch):
    monkeypatch.setattr(work_function, "command", Command(), raising=False)
    given = {"path": "in.h5", "count": [1, 2], "deep": False}
    told = called("chalicelib.worker.work_function.command", given)
    assert told == {
        "args": ["--count", "1", "--count", "2", "--no-deep", "in.h5"],
        "standalone": False,
    }


FAULTY = {
    "no module": ("function", "ImportError"),
    "an unknown module": ("no_such_module.f", "ModuleNotFoundError"),
    "an unknown function": ("json.no_such", "AttributeError"),
    "no function": ("sys.path", "TypeError"),
    "wrong parameters": ("json.dumps", "TypeError"),
    "one that exits": ("sys.exit", "SystemExit"),
    "what JSON cannot hold": ("builtins.dict", "TypeError: Object of type type"),
}


@pytest.mark.parametrize(("name", "error"), FAULTY.values(), ids=FAULTY)
def test_a_function_that_cannot_be_called_says_why(name, error, tmp_path):
    call, answer = tmp_path / "call", tmp_path / "answer"
    parameters = {"nothing": 1} if name == "json.dumps" else {}
    call.write_text(json.dumps({"function": name, "parameters": parameters}))
    if name == "builtins.dict":
        (tmp_path / "odd.py").write_text("def f(): return {'type': int}")
        call.write_text(json.dumps({"function": "odd.f", "parameters": {}}))
        sys.path.insert(0, str(tmp_path))
    try:
        assert work_function.main(call, answer) == 1
    finally:
        sys.path[:] = [each for each in sys.path if each != str(tmp_path)]
    assert json.loads(answer.read_text())["error"].startswith(error)


ODD = """
import os
def names(): return {"name": os.fsdecode(b"\\xff")}
def files(): return {}, [os.fsdecode(b"\\xff")]
def fails(): raise ValueError("name " + os.fsdecode(b"\\xff"))
"""


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("names", "half a surrogate pair"),
        ("files", "half a surrogate pair"),
        ("fails", r"ValueError: name \udcff"),
    ],
)
def test_a_name_that_is_no_text_makes_the_work_fail_in_words(
    world, tmp_path, monkeypatch, name, error
):
    (tmp_path / "odd_names.py").write_text(ODD)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert world.work("work", an_order(function=f"odd_names.{name}")) == 1
    ending = ending_of(world)
    assert ending.status == "failure"
    assert ending.results is not None
    assert error in ending.results["error"]


def test_a_function_that_takes_its_process_with_it_fails(tmp_path):
    done = run_function("os._exit", {"status": 7}, 60, tmp_path)
    assert done.error == "it ended with exit code 7"
    done = run_function("os.abort", {}, 60, tmp_path)
    assert done.error == "it was ended by signal 6"


def test_a_function_has_its_time(tmp_path):
    began = time.monotonic()
    done = run_function("subprocess.call", {"args": ["sleep", "60"]}, 1.5, tmp_path)
    assert done.error == "it ran longer than its timeout of 1.5 s, and was ended"
    assert time.monotonic() - began < 30


def test_the_end_of_a_long_output_is_kept(tmp_path):
    script = f"head -c {3 * KEPT_BYTES} /dev/zero | tr '\\0' x; echo; echo last; echo why >&2"
    done = run_command([script], 60, tmp_path)
    assert done.results is not None
    assert done.results["stdout"][-1] == "last"
    assert sum(map(len, done.results["stdout"])) <= KEPT_BYTES
    assert done.results["stderr"] == ["why"]


def test_a_command_that_is_not_there_fails_in_words(tmp_path):
    done = run_command(["/no/such/program", "x"], 60, tmp_path)
    assert "cannot be started" in (done.error or "")


def test_what_a_command_leaves_running_ends_with_it(tmp_path):
    began = time.monotonic()
    done = run_command(["sleep 60 & echo done"], 60, tmp_path)
    assert done.results is not None
    assert done.results["stdout"] == ["done"]
    assert time.monotonic() - began < 30


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


@pytest.fixture
def depot(world, tmp_path):
    for name in ("a/plot.png", "b/plot.png", "folder/deep/x"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return Depot(LEASE, world.carrier, lambda: AT, tmp_path)


def test_files_of_one_name_are_stored_under_two_and_a_folder_with_what_is_in_it(
    depot, world, tmp_path
):
    given = (f"{tmp_path}/a/plot.png", "b/plot.png", "folder", "gone", "s3://other/x")
    named, summary = depot.store("plots", given, "copy")
    home = "s3://docs/files/plots/"
    stored = (f"{home}plot.png", f"{home}2-plot.png", f"{home}folder/")
    assert named == (*stored, "gone", "s3://other/x")
    assert world.objects.content[f"{home}2-plot.png"] == b"b/plot.png"
    assert world.objects.content[f"{home}folder/deep/x"] == b"folder/deep/x"
    assert isinstance(summary, dict)
    manifest = Manifest.model_validate_json(world.objects.content[summary["manifest"]])
    assert [file.path for file in manifest.files] == ["2-plot.png", "folder/deep/x", "plot.png"]
    assert (manifest.run, manifest.param) == ("work-1", "plots")
    assert (tmp_path / "a/plot.png").exists()


STRATEGIES = {
    "copy": (True, True),
    "move": (True, False),
    "delete": (False, False),
    "bypass": (False, True),
}


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_strategy_says_whether_a_file_is_stored_and_whether_it_stays(
    depot, world, tmp_path, strategy
):
    is_stored, stays = STRATEGIES[strategy]
    named, summary = depot.store("products", ("a/plot.png", "folder"), strategy)
    assert (summary is not None) is is_stored
    assert named[0].startswith("s3://") is is_stored
    assert (tmp_path / "a/plot.png").exists() is stays
    assert (tmp_path / "folder").exists() is stays
    assert bool(world.objects.content) is is_stored


def an_order(**told):
    work = {"pipeline": "p", "site": "s", "user": "u", "id": "a" * 24, "status": "running"}
    return WorkOrder(lease=LEASE, work=Work.model_validate({**work, "attempt": 1, **told}))


def ending_of(world):
    return Ending.model_validate_json(world.objects.content[LEASE.ending_uri])


def test_a_work_with_nothing_to_execute_fails(world):
    assert world.work("work", an_order()) == 1
    ending = ending_of(world)
    assert ending.status == "failure"
    assert ending.results == {"error": "neither function nor command: there is nothing to execute"}
    assert "nothing to execute" in (world.outcome.error or "")


def test_what_an_earlier_attempt_said_of_its_failure_is_gone_with_the_next(world):
    old = {"error": "no signal", "returncode": 1, "given": "by its owner"}
    assert world.work("work", an_order(command=["true"], results=old)) == 0
    assert ending_of(world).results == {
        "given": "by its owner",
        "args": "true",
        "stdout": [],
        "stderr": [],
        "returncode": 0,
    }


def test_results_past_four_million_bytes_are_dropped_and_the_work_succeeds(world):
    size = "x" * 4_000_001
    assert world.work("work", an_order(command=["true"], results={"size": size})) == 0
    ending = ending_of(world)
    assert (ending.status, ending.results) == ("success", None)


def test_files_that_cannot_be_stored_make_the_work_fail_and_keep_its_results(world, monkeypatch):
    def broken(*_, **__):
        raise OSError("no space left")

    monkeypatch.setattr(Depot, "store", broken)
    assert world.work("work", an_order(command=["echo kept"], plots=["x"])) == 1
    ending = ending_of(world)
    assert ending.status == "failure"
    assert ending.results is not None
    assert ending.results["stdout"] == ["kept"]
    assert "could not be stored" in ending.results["error"]


def test_an_attempt_is_executed_once_even_by_the_same_job(world, tmp_path):
    order = an_order(command=[f"echo x >> {tmp_path}/times"])
    assert world.work("work", order) == 0
    world.objects.content.pop("s3://docs/outcome")
    assert world.work("work", order, attempt=2) == 1
    assert (tmp_path / "times").read_text() == "x\n"
    assert "executed once" in (world.outcome.error or "")
    assert ending_of(world).status == "success"


def test_a_file_whose_name_is_no_text_fails_the_work_by_name(world, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / os.fsdecode(b"odd-\xff")).write_text("x")
    assert world.work("work", an_order(command=["true"], products=[f"{tmp_path}/out"])) == 1
    ending = ending_of(world)
    assert ending.status == "failure"
    assert ending.results is not None
    assert "odd-" in ending.results["error"]
