"""What runs inside the jobs: the user's command, and our worker, which claims and reports.

Each is a program that yields the seconds of its next step; between two steps its host may be
lost. The worker's verbs do to the modelled working directory and to the objects what
``chalicelib/worker`` does to real ones, and in the same order: claim, order, work, manifest,
outcome.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Final

from pydantic import JsonValue

from chalicelib.core.data_sync.manifest import manifest_uri
from chalicelib.core.errors import FalseworkError
from chalicelib.core.worker_documents import (
    CleanUpOrder,
    Outcome,
    StageInOrder,
    StageOutOrder,
    read_order,
)
from chalicelib.ports import Claims, ObjectStore
from chalicelib.simulation.batch_jobs import HOUR, Exit, Program, SimulatedJob
from chalicelib.simulation.dice import Dice, Fault
from chalicelib.simulation.facts import Facts
from chalicelib.simulation.files import Files
from chalicelib.simulation.violations import Findings, Killed

CLAIMED_BY_ANOTHER: Final = 75
_OUT_OF_MEMORY: Final = "OutOfMemoryError: Container killed due to memory usage"
Steps = Generator[float, None, dict[str, JsonValue]]
"""Of a verb, with its result at the end."""


class Refusal(Exception):
    """What the user must mend, as a worker's outcome says it."""


class Containers:
    """Makes the program of each job. ``facts`` finds what a run's plan says of its files."""

    def __init__(
        self, dice: Dice, files: Files, objects: ObjectStore, claims: Claims, findings: Findings
    ) -> None:
        self._dice = dice
        self._how = dice.stream("containers")
        self._files = files
        self._objects = objects
        self._claims = claims
        self._findings = findings
        self.usual_seconds = 600.0
        """Of the user's command."""
        self.facts: Callable[[str], Facts]

    def program(self, job: SimulatedJob) -> Program:
        """Return what runs in the job."""
        return self._worker(job) if job.is_worker else self._user(job)

    def _user(self, job: SimulatedJob) -> Program:
        facts = self.facts(job.run_id)
        self._files.begin(job, needs_inputs=facts.has_stage_in)
        yield self._duration()
        if self._dice.strikes(Fault.OUT_OF_MEMORY):
            return Exit(137, _OUT_OF_MEMORY)
        if self._dice.strikes(Fault.USER_FAILS):
            return Exit(self._how.choice((1, 2, 127, 255)), "Essential container in task exited")
        directory = self._files.of(job.run_id)
        for param in facts.outputs:
            directory.outputs[param] = job.seen.name
        return Exit(0)

    def _duration(self) -> float:
        if self._how.random() < 0.03:
            return self._how.uniform(1, 12) * HOUR
        return self._how.lognormvariate(0, 0.5) * self.usual_seconds

    def _worker(self, job: SimulatedJob) -> Program:
        try:
            return (yield from self._work(job))
        except FalseworkError:
            return Exit(2)
        except Killed:
            return Exit(137)

    def _work(self, job: SimulatedJob) -> Program:
        told = job.request.environment
        holder = self._claims.claim(told["FALSEWORK_JOB_NAME"], 0, job.job_id, 1)
        if holder.job_id != job.job_id:
            return Exit(CLAIMED_BY_ANOTHER)
        self._files.did_work(job)
        yield self._how.uniform(0, 5)
        order = read_order(self._objects.read, told["FALSEWORK_REQUEST_URI"])
        try:
            result, error = (yield from self._carry_out(job, order)), None
        except Refusal as exc:
            result, error = None, str(exc)
        if self._dice.strikes(Fault.WORKER_FAILS):
            return Exit(2)
        yield self._how.uniform(0, 1)
        outcome = Outcome(
            job_name=job.seen.name, job_id=job.job_id, attempt=1, result=result, error=error
        )
        self._objects.write(told["FALSEWORK_OUTCOME_URI"], outcome.model_dump_json().encode())
        yield self._how.uniform(0, 1)
        return Exit(1 if error else 0)

    def _carry_out(self, job: SimulatedJob, order: bytes) -> Steps:
        if self._dice.strikes(Fault.WORKER_REFUSES):
            yield self._how.uniform(0, 10)
            raise Refusal("the input is not there")
        command = job.request.command or ()
        if job.intent.is_preparation:
            return (yield from self._prepare(job))
        match command[1:]:
            case ("stage-in", *_):
                return (yield from self._stage_in(job, order))
            case ("stage-out", *_):
                return (yield from self._stage_out(job, order))
            case ("clean-up", *rest):
                return (yield from self._clean_up(job, order, keeps="--keep-outputs" in rest))
        raise self._findings.violate(f"no worker understands {command}")

    def _prepare(self, job: SimulatedJob) -> Steps:
        yield self._how.uniform(1, 60)
        self._files.prepare(job)
        return {}

    def _stage_in(self, job: SimulatedJob, order: bytes) -> Steps:
        told = StageInOrder.model_validate_json(order)
        yield self._how.uniform(1, 300)
        directory = self._files.of(job.run_id)
        directory.root = told.root
        directory.has_inputs = True
        return {}

    def _stage_out(self, job: SimulatedJob, order: bytes) -> Steps:
        """Old manifests go, files come, and only then the manifests."""
        directory = self._files.of(job.run_id)
        syncs = StageOutOrder.model_validate_json(order).syncs
        places = [(sync.param, sync.request.destination_path) for sync in syncs]
        missing = [param for param, _ in places if param not in directory.outputs]
        if missing:
            raise Refusal(f"the output {missing[0]} has nothing to store")
        made = dict(directory.outputs)
        for param, uri in places:
            directory.saved.pop(param, None)
            self._objects.remove(manifest_uri(uri))
        for param, uri in places:
            yield self._how.uniform(0, 200)
            self._objects.write(f"{uri.rstrip('/')}/file", made[param].encode())
        told: dict[str, JsonValue] = {}
        for param, uri in places:
            yield self._how.uniform(0, 2)
            self._objects.write(manifest_uri(uri), made[param].encode())
            directory.saved[param] = made[param]
            told[param] = {"uri": uri, "manifest": manifest_uri(uri), "files": 1, "bytes": 1}
        return {"outputs": told}

    def _clean_up(self, job: SimulatedJob, order: bytes, *, keeps: bool) -> Steps:
        told = CleanUpOrder.model_validate_json(order)
        yield self._how.uniform(0, 30)
        if told.paths:
            self._files.clean_up(job, told.root, keeps_outputs=keeps)
        return {"size_bytes_removed": 0, "paths_removed": list(told.paths), "paths_kept": []}
