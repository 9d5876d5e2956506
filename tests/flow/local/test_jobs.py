"""Local jobs, with real processes: how they run, what they see, how they end."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from chalicelib.core.job_state import JobStatus
from chalicelib.local import bubblewrap
from chalicelib.local.launcher import Launcher
from chalicelib.local.lost_jobs import LostJobs
from chalicelib.local.pump import Pump
from tests.contract.openers import until
from tests.flow.local.workshop import Workshop, workshop

RUNNERS = ["host", "bubblewrap"]


@pytest.fixture(params=RUNNERS)
def shop(request, tmp_path):
    if request.param == "bubblewrap" and not bubblewrap.works("bwrap"):
        pytest.skip("bubblewrap does not work here")
    with workshop(tmp_path / "root", runner=request.param) as shop:
        yield shop


@pytest.fixture
def host_shop(tmp_path):
    with workshop(tmp_path / "root", runner="host") as shop:
        yield shop


AWAY = (
    "setsid sh -c 'touch $FALSEWORK_ROOT/away; exec sleep 1000' &"
    " while ! test -e $FALSEWORK_ROOT/away; do sleep 0.01; done"
)
"""Leaves a process behind that is in no group of the job's."""


def carriers(job_id: str) -> list[int]:
    """Return the processes that live and belong to the job."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            environment = (process / "environ").read_bytes()
        except OSError:
            continue
        if f"AWS_BATCH_JOB_ID={job_id}".encode() in environment.split(b"\0"):
            found.append(int(process.name))
    return found


# --- how it ends


def test_a_job_succeeds_and_its_output_is_kept(shop):
    seen = shop.run("echo out; echo err >&2")
    assert (seen.status, seen.exit_code, seen.ended_attempts) == (JobStatus.SUCCEEDED, 0, 1)
    assert shop.output(seen) == "out\nerr\n"
    assert shop.output(seen, 4) == "err\n"
    assert shop.output(seen, 0) == ""
    assert seen.started_at <= seen.stopped_at


@pytest.mark.parametrize(
    ("script", "exit_code"), [("exit 3", 3), ("kill -9 $$", 137), ("kill -TERM $$", 143)]
)
def test_a_job_that_fails_tells_its_exit_code(shop, script, exit_code):
    seen = shop.run(script)
    assert (seen.status, seen.exit_code) == (JobStatus.FAILED, exit_code)
    assert seen.reason


def test_a_program_that_does_not_exist_is_a_failure_with_a_reason(shop):
    seen = shop.run("", command=("no-such-program", "--x"))
    assert seen.status is JobStatus.FAILED
    assert seen.exit_code in {1, 127}
    assert "no-such-program" in f"{seen.reason} {shop.output(seen)}"


def test_the_definitions_command_is_the_default(shop):
    arn = shop.define(command=("echo", "from the definition", "$HOME; `id`"))
    assert shop.output(shop.run("", arn=arn, command=None)) == "from the definition $HOME; `id`\n"


def test_arguments_reach_the_command_as_they_are(shop):
    words = ("a b", "$HOME", "`id`", "'", '"', "\\", "*", "", "é\n")
    seen = shop.run("", command=("printf", "<%s>", *words))
    assert shop.output(seen) == "".join(f"<{word}>" for word in words)


# --- what it sees


def test_a_job_sees_its_own_environment_and_nothing_of_the_servers(shop, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("PYTHONPATH", "/nowhere")
    seen = shop.run("env", environment={"A": "x y\nz", "FALSEWORK_RUN_ID": "r1"})
    names = {line.split("=")[0] for line in shop.output(seen).splitlines() if "=" in line}
    batch = {"AWS_BATCH_JOB_ID", "AWS_BATCH_JOB_ATTEMPT", "AWS_BATCH_JQ_NAME"}
    assert names - {"PWD", "OLDPWD", "SHLVL", "_"} == batch | {
        "PATH", "HOME", "LANG", "A", "FALSEWORK_RUN_ID", "FALSEWORK_ROOT",
    }  # fmt: skip
    assert "A=x y\nz\n" in shop.output(seen)
    assert seen.run_id == "r1"


def test_a_job_knows_itself_its_root_and_this_python(shop):
    asked = "AWS_BATCH_JOB_ID AWS_BATCH_JOB_ATTEMPT AWS_BATCH_JQ_NAME FALSEWORK_ROOT"
    script = f'for n in {asked}; do eval echo "\\$$n"; done; pwd; command -v python'
    seen = shop.run(script, queue="arn:aws:batch:us-east-1:000000000000:job-queue/default")
    *lines, python = shop.output(seen).splitlines()
    assert lines == [seen.job_id, "1", "default", str(shop.root), "/"]
    assert Path(python).parent == Path(os.sys.executable).parent


def test_standard_input_is_empty(shop):
    assert shop.output(shop.run("cat; echo end")) == "end\n"


def test_files_that_the_server_has_open_are_not_handed_on(host_shop, tmp_path):
    """Not even those that it was itself given open: one of them may be a lock."""
    descriptor = os.open(tmp_path / "somebodys-lock", os.O_RDWR | os.O_CREAT)
    os.set_inheritable(descriptor, True)
    try:
        job_id = host_shop.submit("sleep 1000")
        host_shop.started(job_id)
    finally:
        os.close(descriptor)
    for pid in (host_shop.wrapper_pid(job_id), *carriers(job_id)):
        opened = [path.resolve().name for path in Path(f"/proc/{pid}/fd").iterdir()]
        assert "somebodys-lock" not in opened


# --- stopping


def test_a_running_job_is_asked_to_end_and_may_say_goodbye(shop):
    job_id = shop.submit(
        "trap 'echo goodbye; exit 0' TERM; echo ready; while :; do sleep 0.05; done"
    )
    until(lambda: shop.started(job_id) and "ready" in shop.output(shop.seen(job_id)))
    shop.jobs.stop(job_id, "canceled by the user")
    seen = shop.ended(job_id)
    assert (seen.status, seen.reason) == (JobStatus.FAILED, "canceled by the user")
    assert shop.output(seen).startswith("ready\n")
    assert shop.output(seen).endswith("goodbye\n")


def test_stopping_ends_grandchildren_that_left_the_group(shop):
    script = f"{AWAY}; sh -c 'sleep 1000 & wait' & echo ready; wait"
    job_id = shop.submit(script)
    until(lambda: shop.started(job_id) and "ready" in shop.output(shop.seen(job_id)))
    until(lambda: len(carriers(job_id)) >= 4)
    shop.jobs.stop(job_id, "stop")
    assert shop.ended(job_id).status is JobStatus.FAILED
    assert carriers(job_id) == []


def short_grace(shop: Workshop, grace_seconds: float) -> Pump:
    """Return a pump whose wrappers wait that long between SIGTERM and SIGKILL."""
    parts = (shop.home.database, shop.jobs._definitions, shop.jobs._sandbox)
    launcher = Launcher(shop.root, *parts, grace_seconds=grace_seconds)
    return Pump(shop.home.database, launcher, LostJobs(shop.root, shop.home.database), width=2)


def test_a_job_that_will_not_end_is_killed_after_its_grace(shop):
    shop.jobs._pump = short_grace(shop, 0.2)
    job_id = shop.submit("trap '' TERM; echo ready; while :; do sleep 0.05; done")
    until(lambda: shop.started(job_id) and "ready" in shop.output(shop.seen(job_id)))
    shop.jobs.stop(job_id, "stop")
    seen = shop.ended(job_id)
    assert (seen.status, seen.reason, seen.exit_code) == (JobStatus.FAILED, "stop", 137)
    assert carriers(job_id) == []


def test_what_a_job_leaves_running_ends_with_it(shop):
    seen = shop.run(f"sleep 1000 & {AWAY}")
    assert seen.status is JobStatus.SUCCEEDED
    assert carriers(seen.job_id) == []


# --- losing the wrapper


def test_a_job_whose_wrapper_was_killed_is_lost_and_nothing_of_it_goes_on(shop):
    job_id = shop.submit(f"{AWAY}; echo ready; sleep 1000")
    until(lambda: shop.started(job_id) and "ready" in shop.output(shop.seen(job_id)))
    os.kill(shop.wrapper_pid(job_id), signal.SIGKILL)
    seen = shop.ended(job_id)
    assert seen.status is JobStatus.FAILED
    assert seen.reason.startswith("Host lost: ")
    assert (seen.exit_code, seen.stopped_at is not None) == (None, True)
    assert carriers(job_id) == []


def test_a_job_that_is_watched_is_not_taken_for_lost(host_shop):
    job_id = host_shop.submit("sleep 1000")
    host_shop.started(job_id)
    assert LostJobs(host_shop.root, host_shop.home.database).settle() == 0
    assert host_shop.seen(job_id).status is JobStatus.RUNNING


def test_an_ending_that_the_wrapper_could_not_store_is_found_in_its_file(host_shop):
    job_id = host_shop.submit("exit 4")
    ended = host_shop.ended(job_id)
    with host_shop.home.database.writing() as connection:
        connection.execute(
            "UPDATE jobs SET status = 'RUNNING', exit_code = NULL, reason = NULL,"
            " stopped_at = NULL WHERE job_id = ?", (job_id,)
        )  # fmt: skip
    lost = LostJobs(host_shop.root, host_shop.home.database)
    until(lambda: lost.settle() == 1)  # the wrapper itself may need a moment to be gone
    assert host_shop.seen(job_id) == ended


# --- arrays


def test_every_child_of_an_array_runs_with_its_index_whatever_the_others_do(shop):
    script = 'echo "child $AWS_BATCH_JOB_ARRAY_INDEX"; test $AWS_BATCH_JOB_ARRAY_INDEX != 1'
    seen = shop.run(script, array_size=3)
    assert (seen.status, seen.exit_code) == (JobStatus.FAILED, 1)
    assert seen.reason == "1 of 3 children failed"
    assert shop.jobs.log(seen.log_stream, 1000) == b"child 0\nchild 1\nchild 2\n"


def test_an_array_succeeds_when_all_of_its_children_do(shop):
    assert shop.run("true", array_size=2).status is JobStatus.SUCCEEDED


def test_how_long_each_child_of_an_array_ran_is_told_when_it_is_asked_for(shop):
    job_id = shop.submit("exit $AWS_BATCH_JOB_ARRAY_INDEX", array_size=2)
    array = shop.ended(job_id)
    ids = [f"{job_id}:{index}" for index in (0, 1, 2)]
    good, bad = shop.jobs.describe(ids)
    assert (good.job_id, good.status) == (ids[0], JobStatus.SUCCEEDED)
    assert (bad.job_id, bad.status, bad.exit_code) == (ids[1], JobStatus.FAILED, 1)
    assert array.started_at <= good.started_at < good.stopped_at <= bad.started_at
    assert bad.stopped_at <= array.stopped_at
    assert shop.jobs.describe([job_id]) == (array,)


def test_a_line_that_was_torn_is_a_child_that_nobody_knows(shop):
    job_id = shop.submit("true", array_size=2)
    shop.ended(job_id)
    path = shop.root / "jobs" / job_id / "children.jsonl"
    path.write_bytes(path.read_bytes()[:-20])
    ids = [f"{job_id}:0", f"{job_id}:1", "no-id:0", "../../etc:0"]
    assert [child.job_id for child in shop.jobs.describe(ids)] == ids[:1]


def test_an_array_that_is_stopped_begins_no_further_child(shop):
    job_id = shop.submit("echo begun; exec sleep 1000", array_size=3)
    until(lambda: shop.started(job_id) and "begun" in shop.output(shop.seen(job_id)))
    shop.jobs.stop(job_id, "enough")
    seen = shop.ended(job_id)
    assert (seen.status, seen.reason) == (JobStatus.FAILED, "enough")
    assert shop.jobs.log(job_id, 100) == b"begun\n"
