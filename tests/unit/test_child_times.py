"""How long an array's children ran: asked once it has ended, kept in pieces, priced."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from chalicelib import child_times, engine
from chalicelib.aws.batch_events import read_event, read_job
from chalicelib.aws.batch_jobs import BatchJobRunner
from chalicelib.core.commands import TimeChildren
from chalicelib.core.errors import Unavailable
from chalicelib.core.events import ChildrenTimed, TimerFired
from chalicelib.core.job_state import SUCCEEDED, ChildTimes, JobState, JobStatus
from chalicelib.core.lifecycle import decide, owed
from chalicelib.core.limits import BATCH_DESCRIBE_IDS, BATCH_REMEMBERS_ENDED_JOBS_SECONDS
from chalicelib.core.run import Run
from chalicelib.job_ports import JobSeen
from tests.unit import runs
from tests.unit.test_costs import a_job, a_run

SIZE = 2500


def an_array(**told: Any) -> JobState:
    return a_job(1, stage="stage-in", children=SIZE, **told)


def timing(run: Run) -> list[TimeChildren]:
    return [each for each in owed(run, runs.at(2000)) if isinstance(each, TimeChildren)]


def told_of(first: int, end: int, **told: Any) -> ChildrenTimed:
    times = ChildTimes(next=end, known=end - first, seconds={SUCCEEDED: 1.5}, **told)
    return ChildrenTimed(run_id="r1", at=runs.at(2000), job_id="j1", first=first, times=times)


@pytest.mark.parametrize(
    ("job", "is_asked"),
    [
        pytest.param(an_array(), True, id="it has ended"),
        pytest.param(an_array(status=JobStatus.FAILED), True, id="it has failed"),
        pytest.param(an_array(is_own=False), True, id="an extra copy"),
        pytest.param(a_job(1, children=2), True, id="the smallest array"),
        pytest.param(an_array(status=JobStatus.RUNNING), False, id="it runs"),
        pytest.param(an_array(status=None, is_absent=True), False, id="it never was there"),
        pytest.param(a_job(1, children=1), False, id="one batch is a plain job"),
        pytest.param(a_job(1), False, id="no array"),
        pytest.param(an_array(child_times=ChildTimes(next=SIZE)), False, id="all looked at"),
    ],
)
def test_who_has_ended_is_asked_about(job, is_asked):
    commands = [TimeChildren(serial=1, job_id="j1", first=0)] if is_asked else []
    assert timing(a_run(job, next_check_at=runs.at(1500))) == commands


def test_a_run_that_has_settled_is_looked_at_until_its_children_are_counted():
    run = a_run(an_array(), next_check_at=runs.at(1500))
    looked = decide(run, TimerFired(run_id="r1", at=runs.at(2000)))
    assert looked.run.next_check_at > runs.at(2000)
    assert looked.commands == (TimeChildren(serial=1, job_id="j1", first=0),)
    after, commands = decide(looked.run, told_of(0, 1000))
    assert commands == (TimeChildren(serial=1, job_id="j1", first=1000),)
    after, commands = decide(after, told_of(1000, SIZE))
    assert commands == ()
    assert (after.next_check_at, after.settled_at) == (None, run.settled_at)
    assert after.jobs[0].child_times == ChildTimes(next=SIZE, known=SIZE, seconds={SUCCEEDED: 3})


@pytest.mark.parametrize(
    ("seconds", "is_given_up"), [(7 * 86_400 - 1, False), (7 * 86_400, True)], ids=str
)
def test_what_batch_has_forgotten_without_an_answer_is_not_asked_for_ever(seconds, is_given_up):
    so_far = ChildTimes(next=1000, known=1000, seconds={SUCCEEDED: 2})
    run = a_run(an_array(child_times=so_far), next_check_at=runs.at(1500))
    at = run.settled_at + timedelta(seconds=seconds)
    after, commands = decide(run, TimerFired(run_id="r1", at=at))
    assert (after.next_check_at is None, commands == ()) == (is_given_up, is_given_up)
    end = SIZE if is_given_up else 1000
    assert after.jobs[0].child_times == so_far.model_copy(update={"next": end})


def test_children_of_whom_nobody_ever_told_anything_are_given_up_as_well():
    run = a_run(an_array(), next_check_at=runs.at(1500))
    later = run.settled_at + timedelta(seconds=BATCH_REMEMBERS_ENDED_JOBS_SECONDS)
    after, commands = decide(run, TimerFired(run_id="r1", at=later))
    assert (after.jobs[0].child_times, commands) == (ChildTimes(next=SIZE), ())


def test_a_settled_run_that_is_due_for_nothing_is_not_due_for_ever():
    """The version that put it into the due index saw something to do that this one does not."""
    run = a_run(a_job(1), next_check_at=runs.at(1500))
    looked = decide(run, TimerFired(run_id="r1", at=runs.at(1500)))
    assert (looked.run.next_check_at, looked.commands) == (None, ())
    assert decide(looked.run, TimerFired(run_id="r1", at=runs.at(1600))) == (looked.run, ())


@pytest.mark.parametrize("first", [0, 2000], ids=["it comes twice", "it comes too early"])
def test_a_piece_that_is_not_the_next_one_changes_nothing(first):
    run = a_run(an_array(child_times=ChildTimes(next=1000, known=1000)))
    assert decide(run, told_of(first, first + 500)).run is run


@pytest.mark.parametrize(
    "job",
    [an_array(status=JobStatus.RUNNING), a_job(2, children=SIZE), a_job(1)],
    ids=["it runs", "another's", "no array"],
)
def test_a_piece_of_what_is_not_asked_about_changes_nothing(job):
    run = a_run(job)
    assert decide(run, told_of(0, 1000)).run is run


def test_a_piece_is_added_to_the_array_that_it_is_of():
    run = decide(a_run(a_job(2, children=SIZE), an_array()), told_of(0, 1000)).run
    assert [job.child_times and job.child_times.known for job in run.jobs] == [None, 1000]


def test_the_first_start_of_all_pieces_is_kept():
    run = a_run(an_array())
    late, soon = runs.at(90), runs.at(60)
    run = decide(run, told_of(0, 1000, first_started_at=late)).run
    run = decide(run, told_of(1000, 2000, first_started_at=soon)).run
    assert decide(run, told_of(2000, SIZE)).run.jobs[0].child_times.first_started_at == soon


class Backend:
    """Describes children: each ran ten seconds, every fifth lost its host after two."""

    def __init__(self, *, knows: int = SIZE) -> None:
        self.knows = knows
        self.asked: list[int] = []

    def describe(self, job_ids):
        self.asked.append(len(job_ids))
        indexes = (int(each.removeprefix("j1:")) for each in job_ids)
        return tuple(self._seen(each) for each in indexes if each < self.knows)

    def _seen(self, index: int) -> JobSeen:
        began = runs.at(index)
        ok = index % 5 != 0
        return JobSeen(
            job_id=f"j1:{index}", name="n1", queue="q",
            status=JobStatus.SUCCEEDED if ok else JobStatus.FAILED,
            reason=None if ok else "Host EC2 (instance i-1) terminated.",
            started_at=began, stopped_at=began + timedelta(seconds=10 if ok else 2),
        )  # fmt: skip


class Silent:
    def describe(self, job_ids):
        raise Unavailable("Batch does not answer")


class Asking:
    """As much of the ports as a look needs."""

    def __init__(self, jobs: Any) -> None:
        self.jobs = jobs

    def clock(self):
        return runs.at(2000)


def look(backend: Any, first: int):
    run = a_run(an_array())
    command = TimeChildren(serial=1, job_id="j1", first=first)
    return child_times.look(command, run, Asking(backend))


def test_a_look_takes_in_a_thousand_a_hundred_at_a_time():
    backend = Backend()
    (event,) = look(backend, 1000)
    assert backend.asked == [BATCH_DESCRIBE_IDS] * 10
    assert event.first == 1000
    assert event.times == ChildTimes(
        next=2000, known=1000, seconds={SUCCEEDED: 8000, "infrastructure": 400},
        first_started_at=runs.at(1000),
    )  # fmt: skip


def test_the_last_look_ends_with_the_last_child_and_what_is_forgotten_is_not_known():
    backend = Backend(knows=2040)
    (event,) = look(backend, 2000)
    assert sum(backend.asked) == 500
    assert (event.times.next, event.times.known) == (SIZE, 40)


def test_a_backend_that_does_not_answer_makes_no_event_fail():
    assert look(Silent(), 0) == []


DETAIL = {
    "jobName": "n1",
    "jobId": "j1:3",
    "jobQueue": "q",
    "status": "SUCCEEDED",
    "arrayProperties": {"index": 3},
    "startedAt": 30_000,
    "stoppedAt": 40_000,
}
ATTEMPTS = [{"startedAt": 1_000, "stoppedAt": 6_000}, {"startedAt": 30_000, "stoppedAt": 40_000}]


def test_a_child_that_was_asked_for_is_shown_and_moves_no_run_else():
    assert read_job(DETAIL) is None
    assert read_event({"detail-type": "Batch Job State Change", "detail": DETAIL}) is None
    seen = read_job(DETAIL, is_child_wanted=True)
    assert (seen.job_id, seen.seconds) == ("j1:3", 10)


def test_attempts_that_batch_made_by_itself_count_with_what_each_of_them_took():
    seen = read_job({**DETAIL, "attempts": ATTEMPTS}, is_child_wanted=True)
    assert seen.seconds == 15


def test_batch_is_asked_for_children_by_their_ids():
    class Client:
        def describe_jobs(self, jobs):
            assert jobs == ["j1:3"]
            return {"jobs": [DETAIL]}

    (seen,) = BatchJobRunner(Client(), None, None).describe(["j1:3"])
    assert (seen.job_id, seen.seconds) == ("j1:3", 10)


def test_the_engine_asks_by_itself_when_an_array_has_ended(tmp_path):
    """From the end of the array to the sum at its job, with the embedded home's own store."""
    from tests.flow.worlds import World, a_demand

    world = World(tmp_path)
    world.submit(a_demand())
    run = world.runs.load("e1")
    job = run.jobs[0].model_copy(
        update={"children": 3, "status": JobStatus.SUCCEEDED, "job_id": "j1", "is_read": True}
    )
    world.runs.save(run.model_copy(update={"jobs": (job,), "next_check_at": world.now}))

    class Jobs:
        def __getattr__(self, name):
            return getattr(world.ports.jobs, name)

        def describe(self, job_ids):
            return Backend().describe([each for each in job_ids if ":" in each])

    engine.sweep(world.ports._replace(jobs=Jobs()))
    times = world.runs.load("e1").jobs[0].child_times
    assert (times.next, times.known, times.seconds[SUCCEEDED]) == (3, 3, 20)
