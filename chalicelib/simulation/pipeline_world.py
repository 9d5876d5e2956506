"""Pipelines in the simulated world: runs that start runs, with all that strikes there.

::

    users ─▶ pipeline_intake ─▶ run ─▶ child_runs ─▶ kinds ─▶ runs ─▶ jobs ─▶ PipelineContainers
                                 ▲                              │
                                 └──── wake-ups, which get lost ┘

Besides what holds of every run: a run is born only while its parent waits for runs of that very
attempt, and no more of them live than may; none lives when its parent has settled, unless a user
let it go on by itself; what a stage's result says is what its runs came to, none forgotten; and
the tally of a run that nobody started has all that came of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from chalicelib import descendants, kinds
from chalicelib.accepting import begin_again
from chalicelib.child_progress import Progress, child_id, key_of, partition_of
from chalicelib.core.plans.run_actions import RunsAction
from chalicelib.core.run import Run, RunState, Stage, StageStatus
from chalicelib.core.site import Site
from chalicelib.core.states.failures import output_of
from chalicelib.ports import Ports
from chalicelib.simulation.batch_jobs import HOUR, Exit, Program, SimulatedJob
from chalicelib.simulation.boundary import Service, Troubled
from chalicelib.simulation.containers import Containers
from chalicelib.simulation.dice import Fault, Recipe
from chalicelib.simulation.pipeline_requests import draw_pipeline
from chalicelib.simulation.services import Papers
from chalicelib.simulation.world import World


def build_pipelines(recipe: Recipe) -> PipelineWorld:
    """Return the world of a seed: one or two pipelines."""
    world = PipelineWorld(recipe)
    throws = world.dice.stream("pipelines")
    for number in range(throws.choice((1, 1, 2))):
        run_id = f"run-{number}"
        document, at = draw_pipeline(throws, run_id), throws.uniform(0, HOUR) * number
        if number not in recipe.absent:
            world.users.plan(document, run_id, at)
    return world


class PipelineContainers(Containers):
    """Jobs that have no working directory of ours: they work, and end well or not."""

    def _user(self, job: SimulatedJob) -> Program:
        self._files.did_work(job)
        yield self._duration()
        return Exit(1 if self._dice.strikes(Fault.USER_FAILS) else 0)


class PipelineWorld(World):
    """Everything of one seed."""

    kind_of_containers = PipelineContainers

    def __init__(self, recipe: Recipe) -> None:
        super().__init__(recipe, Site.model_validate({"check_seconds": 3600}))
        self.users.submit = kinds.submit_pipeline
        self.users.begin_again = begin_again
        self.store.saved.append(self._check_birth)
        self.store.saved.append(self._check_family)

    def _ports(self) -> Ports:
        self.papers = Papers()
        papers = cast("Any", Troubled(self.papers, Service.DYNAMODB, self.boundary))
        return kinds.connected(super()._ports()._replace(documents=papers))

    def _check_birth(self, before: Run | None, after: Run) -> None:
        """Somebody waits for it, and may wait for it now."""
        if before is not None or after.plan.parent is None:
            return
        parent = self.store.runs[after.plan.parent]
        place = self._place_of(parent, after)
        if place is None:
            self.findings.violate(f"run {after.id} was born, and {parent.id} waits for none such")
            return
        stage, living = place
        action = parent.plan.stage(stage.stage_name).action
        assert isinstance(action, RunsAction)  # noqa: S101 -- such a stage has children
        if len(living) > action.at_once:
            self.findings.violate(f"{len(living)} runs of stage {stage.stage_name} live at once")
        for other in self._family(parent):
            is_older = other.id not in living and other.settled_at is None
            if (
                is_older
                and self._is_of(parent, stage.stage_name, other)
                and not _is_on_its_own(other)
            ):
                self.findings.violate(f"{other.id} of an earlier attempt lives beside {after.id}")

    def _check_family(self, before: Run | None, after: Run) -> None:
        """When it settles nothing of its own lives."""
        if after.settled_at is None or (before and before.settled_at is not None):
            return
        for child in self._family(after):
            if child.settled_at is None and not _is_on_its_own(child):
                self.findings.violate(f"run {after.id} has settled, and {child.id} lives")

    def _place_of(self, parent: Run, child: Run) -> tuple[Stage, set[str]] | None:
        """Return the stage that waits for the run, and the ids of those of it that live."""
        for stage in parent.stages if parent.settled_at is None else ():
            if stage.children is None:
                continue
            key = key_of(stage.stage_name, stage.children.generation, stage.children.attempt)
            ids = self._ids(parent, key)
            if child.id in ids:
                living = {r.id for r in self._family(parent) if r.settled_at is None}
                return stage, living & set(ids)
        return None

    def _family(self, parent: Run) -> list[Run]:
        return [run for run in self.store.runs.values() if run.plan.parent == parent.id]

    def _is_of(self, parent: Run, stage: str, child: Run) -> bool:
        return child.id.startswith(f"{parent.id}.{stage}.")

    def _ids(self, parent: Run, key: str) -> list[str]:
        """Of the runs that were started, or were to be, in that attempt."""
        progress = self._progress(parent, key)
        return [child_id(parent, key, index) for index in progress.started()]

    def _progress(self, parent: Run, key: str) -> Progress:
        found = self.papers.load(partition_of(parent), key)
        return Progress.model_validate(found.content) if found else Progress(count=0)

    def _live(self) -> None:
        super()._live()
        if not self.findings.found:
            for run in self.store.runs.values():
                self.findings.found.extend(self._wrong_results(run))
                self.findings.found.extend(self._uncounted(run))

    def _wrong_results(self, run: Run) -> Iterator[str]:
        """What is complete tells of every run that its document asks for."""
        for stage in run.stages:
            action = run.plan.stage(stage.stage_name).action
            told = stage.history[-1].message if stage.history else ""
            is_complete = stage.status is StageStatus.COMPLETE and told != "not chosen"
            if not isinstance(action, RunsAction) or not is_complete:
                continue
            ids = self._last_ids(run, stage)
            missing = [each for each in ids if each not in self.store.runs]
            if missing:
                yield f"run {run.id}: {missing} of stage {stage.stage_name} were never there"
                continue
            children = [self.store.runs[each] for each in ids]
            if any(_is_on_its_own(child) for child in children):
                continue
            is_good = all(child.state is RunState.SUCCESS for child in children)
            if not is_good and not action.may_fail:
                yield f"run {run.id}: stage {stage.stage_name} is COMPLETE, and its runs are not"
            expected: Any = [output_of(child) for child in children]
            if is_good and stage.result != (expected if action.for_each else expected[0]):
                yield f"run {run.id}: the result of {stage.stage_name} is not its runs'"
            if action.for_each and is_good and len(ids) != len(_items(run)):
                yield f"run {run.id}: stage {stage.stage_name} forgot items"

    def _uncounted(self, run: Run) -> Iterator[str]:
        """Who is about to start runs counts them first."""
        below = [other for other in self.store.runs.values() if other.plan.root == run.uid]
        found = self.papers.load(descendants.partition_of(run), descendants.KEY)
        counted = found.content["count"] if found else 0
        if run.plan.root is None and len(below) > counted:
            yield f"run {run.id}: {len(below)} runs came of it, and {counted} were counted"

    def _last_ids(self, run: Run, stage: Stage) -> list[str]:
        """Of the attempt that completed it, which may be of an earlier generation, and of those
        before it whose runs stand for its own."""
        for generation in range(run.generation, 0, -1):
            key = key_of(stage.stage_name, generation, stage.attempts)
            if self.papers.load(partition_of(run), key) is not None:
                progress = self._progress(run, key)
                owners = progress.owners()
                places = range(progress.next)
                return [child_id(run, owners.get(place, key), place) for place in places]
        return []


def _items(run: Run) -> list[Any]:
    given = cast("Any", run.plan.request["input"])
    return cast("list[Any]", given["items"])


def _is_on_its_own(child: Run) -> bool:
    """A user let it go on after it had ended: nobody has to wait for it any more."""
    return child.generation > 1
