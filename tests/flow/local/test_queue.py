"""The one queue: order, width, many pumps, tokens, and what survives the server."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path

import pytest

from chalicelib.core.job_state import ENDED_JOBS, JobStatus
from chalicelib.local import wrapper
from chalicelib.local.launcher import Launcher
from chalicelib.local.lost_jobs import LostJobs
from chalicelib.local.pump import Pump
from tests.contract.openers import in_processes, nimble_threads, until
from tests.flow.local.workshop import Workshop, workshop


@pytest.fixture
def shop(tmp_path):
    with workshop(tmp_path / "root", runner="host") as shop:
        yield shop


def statuses(shop: Workshop, ids: list[str]) -> list[JobStatus]:
    return [shop.seen(job_id).status for job_id in ids]


def test_jobs_start_in_order_as_long_as_there_is_room(shop):
    ids = [shop.submit("sleep 1000", name=f"job-{number}") for number in range(3)]
    shop.started(ids[0])
    shop.started(ids[1])
    assert not shop.jobs.pump()
    assert shop.seen(ids[2]).status is JobStatus.RUNNABLE
    shop.jobs.stop(ids[0], "make room")
    shop.started(ids[2])


def test_a_wide_job_is_not_overtaken_and_takes_at_most_the_whole_width(shop):
    first = shop.submit("sleep 1000")
    wide = shop.submit("sleep 1000", cores=64)
    narrow = shop.submit("sleep 1000")
    shop.started(first)
    assert not shop.jobs.pump()
    assert statuses(shop, [wide, narrow]) == [JobStatus.RUNNABLE] * 2
    shop.jobs.stop(first, "make room")
    shop.started(wide)
    assert not shop.jobs.pump()
    assert shop.seen(narrow).status is JobStatus.RUNNABLE


def pump_all(root: Path, ids: list[str]) -> None:
    shop = Workshop(root, 2, runner="host")

    def are_done() -> bool:
        shop.jobs.pump()
        return all(status in ENDED_JOBS for status in statuses(shop, ids))

    until(are_done)


def test_several_pumps_start_each_job_once_and_never_more_than_there_is_room_for(shop):
    arn = shop.define()
    script = 'echo "$AWS_BATCH_JOB_ID" >> $FALSEWORK_ROOT/starts; sleep 0.05'
    ids = [shop.submit(script, arn=arn) for _ in range(12)]
    in_processes(pump_all, *[(shop.root, ids)] * 3)
    assert sorted((shop.root / "starts").read_text().split()) == sorted(ids)
    assert statuses(shop, ids) == [JobStatus.SUCCEEDED] * 12
    times = [shop.seen(job_id) for job_id in ids]
    for one in times:
        at_once = [x for x in times if x.started_at <= one.started_at < x.stopped_at]
        assert len(at_once) <= 2


def test_one_of_many_takes_a_job_that_waits(shop):
    homes = [Workshop(shop.root) for _ in range(6)]
    gate = threading.Barrier(len(homes))

    def take(home):
        gate.wait()
        return home.jobs._pump._take_starts()

    arn = shop.define()
    with nimble_threads(), ThreadPoolExecutor(len(homes)) as pool:
        for _ in range(30):
            job_id = shop.submit("true", arn=arn)
            starts = list(chain(*pool.map(take, homes)))
            assert [start.job_id for start in starts] == [job_id]
            shop.jobs.stop(job_id, "taken")


# --- tokens


def test_a_job_whose_wrapper_never_came_is_started_again(shop):
    job_id = shop.submit("echo once >> $FALSEWORK_ROOT/starts")
    with shop.home.database.writing() as connection:
        connection.execute(
            "UPDATE jobs SET status = 'STARTING', token = 'old',"
            " starting_at = '2026-01-01T00:00:00.000000+00:00' WHERE job_id = ?", (job_id,)
        )  # fmt: skip
    assert shop.ended(job_id).status is JobStatus.SUCCEEDED
    assert (shop.root / "starts").read_text() == "once\n"


def test_a_job_that_is_just_starting_is_left_alone(shop):
    job_id = shop.submit("true")
    with shop.home.database.writing() as connection:
        connection.execute(
            "UPDATE jobs SET status = 'STARTING', token = 'new', starting_at = ?"
            " WHERE job_id = ?", ("9999-01-01T00:00:00.000000+00:00", job_id),
        )  # fmt: skip
    assert not shop.jobs.pump()
    assert shop.seen(job_id).status is JobStatus.STARTING


def run_wrapper(shop: Workshop, job_id: str, token: str) -> None:
    folder = shop.root / "jobs" / job_id
    argv = [sys.executable, wrapper.__file__, str(folder), token]
    subprocess.run(argv, check=True, cwd=Path(wrapper.__file__).parents[2],
                   env={"PYTHONPATH": str(Path(wrapper.__file__).parents[2])})  # fmt: skip


@pytest.mark.parametrize("status", ["STARTING", "RUNNABLE", "FAILED", "SUCCEEDED"])
def test_a_wrapper_that_comes_too_late_runs_nothing(shop, status):
    job_id = shop.submit("echo once >> $FALSEWORK_ROOT/starts")
    shop.ended(job_id)
    with shop.home.database.writing() as connection:
        connection.execute(
            "UPDATE jobs SET status = ?, token = 'new', starting_at = ? WHERE job_id = ?",
            (status, "9999-01-01T00:00:00.000000+00:00", job_id),
        )
    run_wrapper(shop, job_id, "old")
    assert (shop.root / "starts").read_text() == "once\n"
    assert shop.seen(job_id).status == status


def test_of_two_wrappers_with_one_token_one_runs(shop):
    job_id = shop.submit("echo once >> $FALSEWORK_ROOT/starts")
    shop.ended(job_id)
    with shop.home.database.writing() as connection:
        connection.execute(
            "UPDATE jobs SET status = 'STARTING', token = 'one', starting_at = ?"
            " WHERE job_id = ?", ("9999-01-01T00:00:00.000000+00:00", job_id),
        )  # fmt: skip
    in_processes(run_wrapper_of, (shop.root, job_id), (shop.root, job_id))
    assert (shop.root / "starts").read_text() == "once\nonce\n"


def run_wrapper_of(root: Path, job_id: str) -> None:
    run_wrapper(Workshop(root), job_id, "one")


def test_a_job_that_was_stopped_before_its_wrapper_came_does_not_run(shop):
    job_id = shop.submit("echo once >> $FALSEWORK_ROOT/starts")
    home = shop.home
    launcher = Launcher(shop.root, home.database, shop.jobs._definitions, shop.jobs._sandbox)
    pump = Pump(home.database, launcher, LostJobs(shop.root, home.database), width=2)
    (start,) = pump._take_starts()
    launcher._prepare(start)
    shop.jobs.stop(job_id, "changed my mind")
    run_wrapper(shop, job_id, start.token)
    assert not (shop.root / "starts").exists()
    seen = shop.seen(job_id)
    assert (seen.status, seen.reason) == (JobStatus.FAILED, "changed my mind")


# --- changes


def test_every_change_is_told_once_and_in_order(shop):
    first = shop.submit("true")
    seen, last = shop.jobs.changes(0)
    assert [each.job_id for each in seen] == [first]
    assert shop.jobs.changes(last) == ([], last)
    second = shop.submit("false")
    shop.ended(first)
    shop.ended(second)
    seen, newest = shop.jobs.changes(last)
    assert {each.job_id: each.status for each in seen} == {
        first: JobStatus.SUCCEEDED,
        second: JobStatus.FAILED,
    }
    assert newest > last
    assert shop.jobs.changes(newest) == ([], newest)


def test_what_was_acknowledged_is_remembered_per_reader(shop):
    assert shop.jobs.acknowledged() == 0
    shop.jobs.acknowledge(7)
    shop.jobs.acknowledge(9)
    shop.jobs.acknowledge(1, reader="other")
    assert Workshop(shop.root).jobs.acknowledged() == 9


# --- the server's death

SERVER = """
import sys, time
from pathlib import Path
from tests.flow.local.workshop import Workshop
shop = Workshop(Path(sys.argv[1]), 2, runner=sys.argv[2])
job_id = shop.submit(sys.argv[3])
shop.started(job_id)
print(job_id, flush=True)
while True:
    shop.jobs.pump()
    time.sleep(0.05)
"""


@pytest.mark.parametrize("runner", ["host", "auto"])
def test_a_job_survives_the_servers_death_and_a_new_one_learns_how_it_ended(tmp_path, runner):
    root = tmp_path / "root"
    script = f"while ! test -e {tmp_path}/go; do sleep 0.02; done; echo survived; exit 5"
    server = subprocess.Popen(
        [sys.executable, "-c", SERVER, str(root), runner, script],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": str(Path(wrapper.__file__).parents[2])},
    )
    with server, workshop(root, runner=runner) as shop:
        job_id = server.stdout.readline().strip()
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()
        assert shop.seen(job_id).status is JobStatus.RUNNING
        (tmp_path / "go").touch()
        # no pump is needed for a job to end
        seen = until(lambda: shop.seen(job_id).ended_attempts and shop.seen(job_id))
        assert (seen.status, seen.exit_code) == (JobStatus.FAILED, 5)
        assert shop.output(seen) == "survived\n"


def test_a_home_that_is_only_read_starts_nothing(shop):
    job_id = shop.submit("true")
    other = Workshop(shop.root)
    other.jobs.describe([job_id])
    other.jobs.changes(0)
    assert shop.seen(job_id).status is JobStatus.RUNNABLE
