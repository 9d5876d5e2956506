"""One seed's world: the strict services, our real code between them, and time that only we move.

::

    users ─▶ intake ─┐                       ┌─▶ store  claims  objects  pace
    bus ──────────▶ engine ─▶ boundary ──────┼─▶ batch ─▶ containers ─▶ store, objects, files
    the sweep ───────┘        (faults)       └─▶ timers ─▶ bus

It goes on until nothing is left to happen: every run settled, every job ended, every event
delivered. The faults are over after ``STORM_SECONDS``; what is left must heal by itself.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Iterable
from datetime import timedelta
from typing import Any, Final, cast

from chalicelib import engine
from chalicelib.core.job_names import UID_CHARACTERS, UID_LETTERS
from chalicelib.core.run import Run
from chalicelib.core.site import FileSystems, Site
from chalicelib.ports import Ports
from chalicelib.simulation.batch import StrictBatch
from chalicelib.simulation.batch_jobs import DAY, HOUR, SimulatedJob
from chalicelib.simulation.boundary import Boundary, Service, Troubled, WorkerBoundary
from chalicelib.simulation.bus import Bus
from chalicelib.simulation.containers import Containers
from chalicelib.simulation.dice import Dice, Recipe
from chalicelib.simulation.ears import Ears
from chalicelib.simulation.ending import wrong_at_the_end
from chalicelib.simulation.facts import Facts, facts_of
from chalicelib.simulation.files import Files
from chalicelib.simulation.lambdas import Lambdas, Listening, never
from chalicelib.simulation.outages import plan_outages
from chalicelib.simulation.schedule import Schedule
from chalicelib.simulation.services import (
    LossyTimers,
    NothingAside,
    Papers,
    StrictFacilities,
    StrictPace,
    file_systems_of,
)
from chalicelib.simulation.stores import StrictClaims, StrictObjects, StrictRunStore
from chalicelib.simulation.users import Users
from chalicelib.simulation.violations import Findings

STORM_SECONDS: Final = 2 * DAY
SWEEP_SECONDS: Final = 60.0
MOST_STEPS: Final = 10_000
"""A world takes some hundreds. One that takes so many does not come to rest."""


class World:
    """Everything of one seed."""

    kind_of_containers = Containers

    def __init__(
        self,
        recipe: Recipe,
        site: Site | None = None,
        file_systems: FileSystems | None = None,
    ) -> None:
        self.recipe = recipe
        self.site = site or Site(check_seconds=3600)
        self.findings = Findings()
        self.schedule = Schedule()
        self.dice = Dice(recipe)
        self.boundary = Boundary(self.schedule, self.dice)
        self.worker_boundary = WorkerBoundary(self.schedule, self.dice)
        self.lambdas = Lambdas(self.schedule, self.boundary, self.findings)
        self.bus = Bus(self.schedule, self.dice, self.lambdas)
        self.batch = StrictBatch(self.schedule, self.dice, self.bus, self.findings)
        self.store = StrictRunStore(self.schedule, self.dice, self.findings)
        self.claims = StrictClaims()
        self.objects = StrictObjects(self.schedule, self.findings)
        self.files = Files(self.findings)
        self.ears = Ears(self.findings)
        self.users = Users(self.schedule, self.dice, self.lambdas)
        self._facilities = StrictFacilities(file_systems or file_systems_of(self.site))
        self.containers = self._containers()
        self.ports = self._ports()
        self._facts: dict[str, Facts] = {}
        self._next_sweep: float | None = None
        self._connect()
        boundaries = (self.boundary, self.worker_boundary)
        self._down_seconds = plan_outages(self.dice, boundaries, self.lambdas)

    def live(self) -> None:
        """Let everything happen until nothing is left, or something is found."""
        state = random.getstate()
        random.seed(self.recipe.seed)  # the engine draws its pauses from the library's own stream
        listening = Listening(self.findings)
        log = logging.getLogger("chalicelib")
        was = (log.level, log.propagate)
        log.setLevel(logging.WARNING)
        log.propagate = False
        log.addHandler(listening)
        try:
            self._live()
        finally:
            log.removeHandler(listening)
            log.setLevel(was[0])
            log.propagate = was[1]
            random.setstate(state)

    def _live(self) -> None:
        found, schedule = self.findings.found, self.schedule
        while not found and schedule.step():
            if schedule.seconds > STORM_SECONDS:
                self.dice.is_calm = True
            if schedule.steps > MOST_STEPS:
                self.findings.violate("it does not come to rest")
        if not found:
            found.extend(wrong_at_the_end(self))
            found.extend(self.ears.unheard(self.runs()))

    def _ports(self) -> Ports:
        def troubled(port: object, service: Service) -> Any:
            return cast("Any", Troubled(port, service, self.boundary))

        return Ports(
            runs=troubled(self.store, Service.DYNAMODB),
            claims=troubled(self.claims, Service.DYNAMODB),
            jobs=troubled(self.batch, Service.BATCH),
            objects=troubled(self.objects, Service.S3),
            facilities=troubled(self._facilities, Service.S3),
            timers=troubled(LossyTimers(self.bus), Service.SQS),
            pace=troubled(StrictPace(), Service.DYNAMODB),
            dead_letters=NothingAside(),
            documents=troubled(Papers(), Service.DYNAMODB),
            site=self.site,
            clock=self.schedule.now,
            mint_uid=self._mint_uid,
            pause=self.schedule.pass_time,
            announcer=troubled(self.ears, Service.SQS),
        )

    def _containers(self) -> Containers:
        met = self.worker_boundary
        return self.kind_of_containers(
            self.dice,
            self.files,
            cast("Any", Troubled(self.objects, Service.S3, met)),
            cast("Any", Troubled(self.claims, Service.DYNAMODB, met)),
            self.findings,
        )

    def _connect(self) -> None:
        """Tie together what knows of each other only by what it asks."""
        self.bus.ports = self.users.ports = lambda: self.ports
        self.batch.intent = self.store.intent
        self.batch.program = self.containers.program
        self.batch.copied = self.files.copied
        self.containers.facts = lambda run_id: self.facts_of(self.store.runs[run_id])
        self.objects.may_touch = self._is_of_a_run
        self.files.too_late = self._too_late
        self.store.saved += [self._check_settled, self._expect_sweep]
        self.store.saved += [self.users.hear, self.ears.note_save]

    def _mint_uid(self) -> str:
        throws = self.dice.stream("uid")
        return "".join(throws.choice(UID_LETTERS) for _ in range(UID_CHARACTERS))

    def _is_of_a_run(self, uri: str) -> bool:
        own = f"s3://{self.site.scratch_bucket}/runs/"
        if uri.startswith(own):
            run_id, uid = uri.removeprefix(own).split("/")[:2]
            return run_id in self.store.runs and self.store.runs[run_id].uid == uid
        runs = self.store.runs.values()
        return any(uri.startswith(place) for run in runs for place in self.facts_of(run).places)

    def _too_late(self, job: SimulatedJob) -> str:
        """A run that is over has its waiting jobs stopped: at once, or by the next look at it."""
        run = self.store.runs[job.run_id]
        is_closing = run.plan.stage(job.intent.stage).is_closing
        if run.ended_at is None or is_closing or job.is_copy:
            return ""
        late = self.schedule.now() - run.ended_at
        allowed = timedelta(seconds=3 * run.plan.check_seconds + HOUR) + self.downtime()
        return f"{late} after its run had ended in {run.state}" if late > allowed else ""

    def _check_settled(self, before: Run | None, after: Run) -> None:
        """What says that it is settled has no job left; but of a copy nobody may have told."""
        if after.settled_at is None or (before and before.settled_at is not None):
            return
        for job in self.jobs_of(after):
            if job.is_live and job.seen.name not in self.files.copied:
                self.findings.violate(f"run {after.id} has settled, and {job.seen.name} lives")

    def _expect_sweep(self, _: Run | None, run: Run) -> None:
        """The sweep comes every minute; only those that find something due are played."""
        if run.next_check_at is not None:
            self._plan_sweep(self.schedule.seconds_of(run.next_check_at))

    def _plan_sweep(self, due: float) -> None:
        earliest = max(due, self.lambdas.off_until() or self.schedule.seconds)
        at = (earliest // SWEEP_SECONDS + 1) * SWEEP_SECONDS
        if self._next_sweep is None or at < self._next_sweep:
            self._next_sweep = at
            self.schedule.at(at, "sweep", lambda: self._sweep(at))

    def _sweep(self, at: float) -> None:
        if self._next_sweep != at:
            return  # an earlier one took its place
        self._next_sweep = None
        self.lambdas.invoke("sweep", self._sweep_all, never)
        for run in self.store.runs.values():
            self._expect_sweep(None, run)

    def _sweep_all(self) -> None:
        engine.sweep(self.ports)

    def runs(self) -> Iterable[Run]:
        """Return every run."""
        return self.store.runs.values()

    def jobs_of(self, run: Run) -> Iterable[SimulatedJob]:
        """Return the jobs that Batch ever ran for the run."""
        return (job for job in self.batch.jobs.values() if job.run_id == run.id)

    def facts_of(self, run: Run) -> Facts:
        """Return what its plan says about its files."""
        if run.uid not in self._facts:
            self._facts[run.uid] = facts_of(run.plan)
        return self._facts[run.uid]

    def content(self, uri: str) -> bytes | None:
        """Return an object's content, if there is one."""
        found = self.objects.content.get(uri)
        return found[0] if found else None

    def downtime(self) -> timedelta:
        """Return how long it was that something did not work at all."""
        return timedelta(seconds=self._down_seconds)
