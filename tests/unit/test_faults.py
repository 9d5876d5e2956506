"""What is told of an exception: its name and its place, and nothing that it says."""

from __future__ import annotations

import pytest

from chalicelib.core.commands import (
    FindJob,
    MakeCall,
    ReadOutcome,
    StartJob,
    SubmitJob,
    TendRuns,
    WakeAt,
)
from chalicelib.core.documents import parse_document
from chalicelib.core.pipelines.model import Hook
from chalicelib.core.run import Run
from chalicelib.faults import told, tried
from tests.unit.runs import a_run, at

SECRET = "hunter2"


def caught() -> Exception:
    try:
        {}[SECRET]
    except KeyError as exc:
        return exc
    raise AssertionError


def with_faults(run: Run, stage: str) -> Run:
    changed = (
        each.model_copy(update={"faults": 1}) if each.stage_name == stage else each
        for each in run.stages
    )
    return run.model_copy(update={"stages": tuple(changed)})


def test_its_text_is_not_told_for_it_may_hold_anything():
    error = caught()
    error.add_note("item 3: starting the run")
    words = told(error)
    assert SECRET not in words
    assert words.startswith("KeyError in ")
    assert words.endswith("(item 3: starting the run)")


def test_the_place_is_the_last_one_of_our_own_code():
    with pytest.raises(Exception) as caught_there:
        parse_document(Hook, {"kind": 1})
    assert told(caught_there.value).partition(" in ")[2].startswith("core/documents.py, line ")


def test_a_library_that_our_code_has_called_is_not_the_place():
    ours = compile("import json\njson.loads('{')", "/lib/chalicelib/notes.py", "exec")
    with pytest.raises(ValueError, match="Expecting") as caught_there:
        exec(ours)
    assert told(caught_there.value) == "JSONDecodeError in notes.py, line 2"


ATTEMPT = {"generation": 1, "attempt": 1}
STEPS = {
    "call": MakeCall(stage="stage-in", **ATTEMPT),
    "runs": TendRuns(stage="stage-in", is_over=False, **ATTEMPT),
    "outcome": ReadOutcome(stage="stage-in", serial=1),
    "submission": SubmitJob(stage="stage-in", serial=1),
}


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
def test_a_stages_step_is_told_of_with_its_attempt(step):
    run = a_run(until="stage-in")
    event = tried(step, run, at(9), caught())
    assert (event.stage, event.generation, event.attempt) == ("stage-in", 1, 1)
    assert event.fault.startswith("KeyError")
    assert tried(step, run, at(9)) is None
    assert tried(step, with_faults(run, "stage-in"), at(9)).fault is None


OTHERS = {
    "wake": WakeAt(at=at(0)),
    "start": StartJob(stage="stage-in", serial=2),
    "find": FindJob(stage="stage-in", serial=1, is_overdue=False),
}


@pytest.mark.parametrize("command", OTHERS.values(), ids=OTHERS)
def test_what_a_job_may_depend_on_is_never_given_up(command):
    """A job that lives has to be found and stopped, however often that fails."""
    assert tried(command, a_run(until="stage-in"), at(9), caught()) is None
