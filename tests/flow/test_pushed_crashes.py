"""Pushing a work, killed before and after every outside call; and what may happen beside it.

However it died, the work has one run for each attempt, is executed once for each, and ends.
"""

from __future__ import annotations

import itertools
from contextlib import suppress
from pathlib import Path

import pytest

from chalicelib import engine
from chalicelib.bootstrap import WorkerPorts
from chalicelib.core.errors import Refused, Unavailable
from chalicelib.core.events import ResumeRequested
from chalicelib.core.run import RunState
from chalicelib.core.site import Site
from chalicelib.core.work.leases import lease_name
from chalicelib.core.worker_documents import Outcome, WorkOrder
from chalicelib.local.carrier import LocalCarrier
from chalicelib.local.database import Database
from chalicelib.local.work_store import open_work_ports
from chalicelib.run_manager.changes import cancel
from chalicelib.work_ports import WorkPorts
from chalicelib.worker.work_job import work_on
from chalicelib.worker_settings import WorkerSettings
from chalicelib.works import audits, buckets
from chalicelib.works.pushing import push
from chalicelib.works.slack import Slack
from chalicelib.works.work_runs import WorkRuns
from tests.contract.openers import a_run
from tests.flow.worlds import Killed, World

PLACE = {"queue": "default", "image": "python:3.11"}
SITE = Site.model_validate(
    {"work_sites": {"batch": PLACE}, "submit_grace_seconds": 10, "check_seconds": 30}
)
ENOUGH_ROUNDS = 12


class PushWorld(World):
    """A small world whose works are pushed, and whose Batch executes them with our worker."""

    def __init__(self, root: Path, script: str = "true") -> None:
        super().__init__(root, SITE)
        self.script = script
        self.executed = root / "executed"
        self.posted: list[bytes] = []
        store = open_work_ports(Database(root))
        self.works = store._replace(pause=lambda _: None)
        slack = Slack({"default": "env:X"}, lambda _: "https://x", self._post)
        counted = WorkPorts(
            self._counting(store.works), store.results, store.mint_entropy, lambda _: None
        )
        self.counted = counted
        ports = self.ports
        calls = WorkRuns(counted, ports.runs, ports.claims, ports.objects, slack)
        uids = map("".join, itertools.product("abcdefghijklmnop", repeat=4))
        self.ports = ports._replace(
            works=calls, mint_uid=lambda: f"{'a' * 16}{next(uids)}", pause=lambda _: None
        )
        self.batch._work = self._execute  # type: ignore[method-assign]

    def _post(self, _: str, body: bytes) -> int:
        self.posted.append(body)
        return 200

    def deposit(self, **told: object) -> str:
        work = {
            "pipeline": "p",
            "site": "batch",
            "user": "u",
            "notify": {"slack": {"message": "m"}},
        }
        command = [f"echo once >> {self.executed}; {self.script}"]
        document = {**work, "command": command, **told}
        (work_id,) = buckets.deposit([document], self.works, self.now)
        return work_id

    def document(self, work_id: str) -> dict:
        (kept,) = self.works.works.get([work_id])
        return kept.document

    def times_executed(self) -> int:
        return len(self.executed.read_text().splitlines()) if self.executed.exists() else 0

    def push(self) -> int:
        return push(self.counted, self.ports)

    def turn(self, *, is_lossy: bool = False) -> None:
        """Dispatch, let the jobs end, tell the engine of it, and sweep."""
        self.push()
        for run in self.runs.list().runs:
            self.deliver(run.id, is_lossy=is_lossy)
        self.pass_time()
        engine.sweep(self.ports)

    def rounds(self, count: int = ENOUGH_ROUNDS, *, is_lossy: bool = False) -> None:
        for _ in range(count):
            with suppress(Killed):
                self.turn(is_lossy=is_lossy)

    def _execute(self, job, environment: dict[str, str]) -> None:
        if self.claims.claim(job.name, 0, job.job_id, 1).job_id != job.job_id:
            return
        uri = environment["FALSEWORK_OUTCOME_URI"]
        order = WorkOrder.model_validate_json(
            self.objects.read(environment["FALSEWORK_REQUEST_URI"])
        )
        told = WorkerSettings(
            job_name=job.name, job_id=job.job_id, request_uri="", outcome_uri=uri
        )
        ports = WorkerPorts(self.objects, self.claims, lambda: LocalCarrier(self.objects))
        about = {"job_name": job.name, "job_id": job.job_id, "attempt": 1}
        try:
            outcome = Outcome(**about, result=work_on(order, told, ports, lambda: self.now))
        except Refused as exc:
            outcome = Outcome(**about, error=str(exc))
        self.objects.write(uri, outcome.model_dump_json().encode())


@pytest.mark.parametrize("is_lossy", [False, True], ids=["events arrive", "events are lost"])
@pytest.mark.parametrize("dies_after", [False, True], ids=["before", "after"])
def test_a_pushed_work_survives_death_at_any_call(tmp_path, dies_after, is_lossy):
    dry = PushWorld(tmp_path / "dry")
    dry.deposit()
    dry.rounds(is_lossy=is_lossy)
    assert len(dry.trace) > 40
    for die_at, name in enumerate(dry.trace, 1):
        world = PushWorld(tmp_path / str(die_at))
        work_id = world.deposit()
        world.die_at, world.dies_after = die_at, dies_after
        world.rounds(is_lossy=is_lossy)
        work, where = world.document(work_id), f"call {die_at}, {name}"
        assert (work["status"], work["attempt"]) == ("success", 1), where
        assert world.times_executed() == 1, where
        runs = [world.runs.load(each.id) for each in world.runs.list().runs]
        assert [run.state for run in runs] == [RunState.SUCCESS], where
        assert runs[0].settled_at is not None, where
        assert world.batch.accepted == {"work": 1}, where
        assert len(world.posted) <= 1, where


@pytest.fixture
def world(tmp_path):
    return PushWorld(tmp_path)


def test_two_dispatchers_at_a_time_make_one_run(world):
    work_id = world.deposit()
    assert (world.push(), world.push()) == (1, 0)
    world.rounds()
    assert [run.id for run in world.runs.list().runs] == [lease_name(work_id, 1)]
    assert world.times_executed() == 1


def test_a_client_that_is_faster_has_the_work_and_the_run_leaves_it_alone(world):
    work_id = world.deposit()
    world.counted.works._target.walk = _withdrawing(world)  # between the look and the run
    world.push()
    world.rounds()
    held = world.document(work_id)
    assert (held["status"], held["attempt"]) == ("running", 1)
    assert world.times_executed() == 0
    (run,) = world.runs.list().runs
    assert run.state is RunState.ERROR
    assert "withdrawn" in run.error.message


def _withdrawing(world):
    walk = world.works.works.walk

    def withdrawing(scope):
        found = list(walk(scope))
        buckets.withdraw({"pipeline": "p"}, world.works, world.now)  # in the same microsecond
        return iter(found)

    return withdrawing


def test_a_job_that_is_lost_in_the_midst_is_not_executed_again_within_its_attempt(world):
    work_id = world.deposit(retries=2)
    claim = world.claims.claim
    claim(lease_name(work_id, 1), 0, "a job that a reclaimed host took with it", 1)
    world.rounds()
    work = world.document(work_id)
    assert (work["status"], world.times_executed()) == ("failure", 0)
    assert "was begun by a job that was lost" in work["results"]["error"]
    assert audits.audit_failed(world.works) == 1
    world.rounds()
    work = world.document(work_id)
    assert (work["status"], work["attempt"], world.times_executed()) == ("success", 2, 1)


def test_a_cancelled_run_that_is_resumed_executes_nothing(world):
    work_id = world.deposit()
    world.push()
    run_id = lease_name(work_id, 1)
    cancel(run_id, world.ports)
    world.rounds()
    assert world.document(work_id)["status"] == "failure"
    engine.handle(ResumeRequested(run_id=run_id, at=world.now), world.ports)
    world.rounds()
    assert world.times_executed() == 0
    assert world.runs.load(run_id).state is RunState.ERROR


def test_a_run_cancelled_before_it_took_its_work_fails_it(world):
    work_id = world.deposit(retries=1)
    calls = world.ports.works
    world.ports = world.ports._replace(works=_Down())
    with suppress(Unavailable):
        world.push()
    cancel(lease_name(work_id, 1), world.ports)
    assert world.document(work_id)["status"] == "queued"
    world.ports = world.ports._replace(works=calls)
    world.rounds()
    work = world.document(work_id)
    assert (work["status"], work["attempt"], world.times_executed()) == ("failure", 1, 0)


class _Down:
    """A work queue that does not answer."""

    def perform(self, call, at):
        raise Unavailable("down")


def test_a_run_of_that_id_that_is_not_ours_ends_the_attempt_instead_of_blocking_the_queue(world):
    blocked = world.deposit(priority=5)
    other = world.deposit()
    world.runs.save(a_run(lease_name(blocked, 1)))
    world.push()
    work = world.document(blocked)
    assert (work["status"], work["attempt"]) == ("failure", 1)
    assert "exists already" in work["results"]["error"]
    assert world.document(other)["status"] == "running"


def test_what_a_user_changed_meanwhile_is_left_as_it_is(world):
    work_id = world.deposit()
    world.push()
    document = world.document(work_id)
    buckets.update([{**document, "status": "success", "results": {"by": "hand"}}], world.works)
    world.rounds()
    assert world.document(work_id)["results"] == {"by": "hand"}


def test_a_work_that_was_deleted_ends_its_run_all_the_same(world):
    work_id = world.deposit()
    world.push()
    buckets.delete([work_id], world.works)
    world.rounds()
    run = world.runs.load(lease_name(work_id, 1))
    assert run.settled_at is not None
    assert list(world.works.works.get([work_id])) == []


def test_a_message_goes_out_when_the_last_attempt_has_failed_and_not_before(tmp_path):
    world = PushWorld(tmp_path, script="exit 1")
    work_id = world.deposit(retries=2)
    world.rounds()
    assert world.posted == []
    audits.audit_failed(world.works)
    world.rounds()
    assert world.document(work_id)["attempt"] == 2
    assert len(world.posted) == 1


def test_a_queue_that_is_not_there_leaves_the_works_waiting(tmp_path, caplog):
    world = PushWorld(tmp_path)
    place = {**PLACE, "queue": "no-such"}
    site = SITE.model_copy(update=Site.model_validate({"work_sites": {"batch": place}}).__dict__)
    world.ports = world.ports._replace(site=site)
    work_id = world.deposit()
    assert world.push() == 0
    assert world.document(work_id)["status"] == "queued"
    assert "no-such" in caplog.text
    assert world.batch.accepted == {}
