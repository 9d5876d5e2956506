"""The work queue in the simulated world: works that workers withdraw, and works that are pushed.

::

    clients ─▶ works/ ──▶ boundary (faults) ──▶ the strict work store
    the sweep ─▶ works/pushing ─▶ runs ─▶ jobs ─▶ WorkContainers ─▶ endings ─▶ works/work_runs

It is a World, with all that strikes there. Besides, no work is ever lost, held by two, or
executed more often than its retries allow; and when all is quiet every work is over.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, cast

from pydantic import JsonValue

from chalicelib import engine
from chalicelib.core.run import RunState, StageStatus
from chalicelib.core.site import Site
from chalicelib.core.work.leases import Ending
from chalicelib.core.work.model import WorkStatus
from chalicelib.core.worker_documents import WorkOrder
from chalicelib.ports import Ports
from chalicelib.simulation.batch_jobs import HOUR, SimulatedJob
from chalicelib.simulation.boundary import Service, Troubled
from chalicelib.simulation.containers import Containers, Refusal, Steps
from chalicelib.simulation.dice import Fault, Recipe
from chalicelib.simulation.work_clients import PUSHED, Clients
from chalicelib.simulation.work_holders import Attempt, Holder, Holders
from chalicelib.simulation.work_store import StrictWorkStore, is_over
from chalicelib.simulation.world import SWEEP_SECONDS, World
from chalicelib.work_ports import WorkPorts
from chalicelib.works.pushing import push, push_deposited
from chalicelib.works.slack import Slack
from chalicelib.works.work_runs import WorkRuns

PLACE: Final = {"queue": "q", "image": "i", "queue_wait_seconds": 6 * 3600}


def build_works(recipe: Recipe) -> WorkWorld:
    """Return the world of a seed: a few deposits, three workers, one site that is pushed."""
    world = WorkWorld(recipe)
    throws = world.dice.stream("deposits")
    for number in range(throws.choice((1, 2, 4))):
        world.clients.plan_deposit(throws.uniform(0, HOUR) * number)
    world.clients.begin()
    return world


class WorkContainers(Containers):
    """Containers that know the verb ``work``, too."""

    holders: Holders

    def _carry_out(self, job: SimulatedJob, order: bytes) -> Steps:
        """The lease first, then the user's code, then the ending: as in ``worker/work_job.py``."""
        told = WorkOrder.model_validate_json(order)
        lease, work = told.lease, told.work
        holder = self._claims.holder(lease.name, 0)
        if holder is None:
            holder = self._claims.claim(lease.name, 0, job.job_id, 1)
            holder = None if holder.job_id == job.job_id else holder
        if holder is not None:
            raise Refusal("the attempt was begun before")
        attempt = Attempt(lease.work_id, lease.attempt)
        self.holders.begin(
            Holder(job.seen.name, attempt, lambda: job.is_live), max(1, work.retries)
        )
        yield min(self._how.lognormvariate(0, 0.7) * self.usual_seconds, work.timeout)
        is_failed = self._dice.strikes(Fault.USER_FAILS)
        status = WorkStatus.FAILURE if is_failed else WorkStatus.SUCCESS
        ending = Ending(status=status, results={"by": job.seen.name}, start=lease.start, stop=0.0)
        self._objects.write(lease.ending_uri, ending.model_dump_json().encode())
        yield self._how.uniform(0, 1)
        if is_failed:
            raise Refusal("the work failed")
        done: dict[str, JsonValue] = {"status": status.value, "outputs": {}}
        return done


class WorkWorld(World):
    """Everything of one seed."""

    kind_of_containers = WorkContainers

    def __init__(self, recipe: Recipe) -> None:
        site = Site.model_validate({"check_seconds": 3600, "work_sites": {PUSHED: PLACE}})
        super().__init__(recipe, site)
        self.holders = Holders(self.findings)
        cast("WorkContainers", self.containers).holders = self.holders
        self.clients = Clients(
            self.schedule, self.dice, self.lambdas, self.work_store, self.holders
        )
        self.clients.ports = lambda: self.works
        self.clients.push = lambda: cast("None", push_deposited(self.works, self.ports))
        self.work_store.may_delete = self.clients.deleted.__contains__
        self.work_store.changed = self._expect_push

    def _ports(self) -> Ports:
        self.work_store = StrictWorkStore(self.findings)
        throws = self.dice.stream("entropy")
        troubled = cast("Any", Troubled(self.work_store, Service.DYNAMODB, self.boundary))
        self.works = WorkPorts(
            works=troubled,
            results=cast("Any", None),
            mint_entropy=lambda: throws.getrandbits(32),
            pause=self.schedule.pass_time,
        )
        ports = super()._ports()
        slack = Slack({}, str)
        calls = WorkRuns(self.works, ports.runs, ports.claims, ports.objects, slack)
        return ports._replace(works=calls)

    def _expect_push(self) -> None:
        """The sweep dispatches whatever is queued for Batch."""
        rows = self.work_store.rows.values()
        if any((r.work.site, r.work.status) == (PUSHED, WorkStatus.QUEUED) for r in rows):
            self._plan_sweep(self.schedule.seconds)

    def _sweep_all(self) -> None:
        try:
            engine.sweep(self.ports)
        finally:
            self.schedule.after(SWEEP_SECONDS, "look for queued works", self._expect_push)
        push(self.works, self.ports)

    def _live(self) -> None:
        super()._live()
        if not self.findings.found:
            self.findings.found.extend(self._wrong_about_works())

    def _wrong_about_works(self) -> Iterator[str]:
        rows = self.work_store.rows
        for work_id, row in rows.items():
            work = row.work
            if not is_over(work):
                told = f"{work.status}, attempt {work.attempt} of {work.retries}, for ever"
                yield f"work {work_id} is {told}"
        lost = self.clients.acknowledged - rows.keys() - self.clients.deleted
        yield from (f"work {work_id} is lost" for work_id in sorted(lost))
        yield from self._unreported()

    def _unreported(self) -> Iterator[str]:
        """What a run says it told the queue it did tell; after an outage the lease may be over."""
        for run in () if self._down_seconds else self.runs():
            row = self.work_store.rows.get(str(run.plan.request["work"]))
            is_its_own = row is not None and row.work.attempt == run.plan.request["attempt"]
            has_done = (run.state, run.generation) == (RunState.SUCCESS, 1)
            has_told = run.stage("report").status is StageStatus.COMPLETE
            if (
                row
                and is_its_own
                and has_done
                and has_told
                and row.work.status is not WorkStatus.SUCCESS
            ):
                yield f"run {run.id} succeeded, and its work is {row.work.status}"
