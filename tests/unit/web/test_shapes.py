"""The shapes of the document against what the routes really show: neither changes alone."""

from __future__ import annotations

from datetime import timedelta

import pytest
from pydantic import TypeAdapter

from chalicelib.core.audit import AuditEntry
from chalicelib.core.demand.batch_args import CreateDefinitionAndPrepareArgsRequest
from chalicelib.core.errors import Forbidden, InvalidRequest, NotFound, TooManyRequests
from chalicelib.core.file_requests import parse_file_request
from chalicelib.core.flowserv.files import RunFile
from chalicelib.core.flowserv.views import file_view, flowserv_view, listed_view
from chalicelib.core.principals import ENGINE, Scope
from chalicelib.core.problem import problem_of
from chalicelib.core.run import RunError, RunState, Stage, StageState, StageStatus
from chalicelib.core.site import Site
from chalicelib.core.submission import parse_submission
from chalicelib.core.tokens import Token
from chalicelib.core.view import run_view, stages_view
from chalicelib.core.work.counting import status_document
from chalicelib.dead_letters import Redriven
from chalicelib.run_manager.ageing import Deleted
from chalicelib.web.shapes import examples, requests
from chalicelib.web.shapes.files import FileView
from chalicelib.web.shapes.flowserv import FlowservRun, ListedRun
from chalicelib.web.shapes.problems import Problem
from chalicelib.web.shapes.runs import DeletedRuns, RunView, SentBack
from chalicelib.web.shapes.tokens import TokenView
from chalicelib.web.shapes.works import Works, WorksStatus
from chalicelib.works.views import ViewBody
from tests.flow.doors import copying_demand
from tests.flow.worlds import a_demand
from tests.unit.flowserv.values import AT, a_run, an_output

STAGE = Stage(
    task_id="r1",
    stage_name="execute",
    status=StageStatus.COMPLETE,
    attempts=1,
    result={"outputs": {}},
    begun_at=AT,
)
RUNS = {state.value: a_run(state=state, stages=(STAGE,)) for state in RunState} | {
    "with-outputs": a_run(outputs={"out": an_output("s3://b/out/")}),
    "with-an-error": a_run(
        state=RunState.ERROR, error=RunError(stage="execute", cause="exit", message="it fell")
    ),
    "not-begun-and-canceled": a_run(state=RunState.CANCELED, started_at=None),
}
FILE = RunFile(id="0" * 32, key="out/a", uri="s3://b/a", size_bytes=1, mime_type=None)
each_run = pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)


def read_as(shape, shown):
    """Return what is shown, read by its shape: no key may be missing, and none be unknown."""
    return TypeAdapter(shape).validate_python(shown)


def fits(shape, shown):
    """Tell whether all that the shape has is shown."""
    read = read_as(shape, shown)
    return read.model_fields_set == set(type(read).model_fields)


@each_run
def test_a_run_is_shown_in_its_shape(run):
    assert fits(RunView, run_view(run))


@each_run
def test_its_stages_are_shown_in_theirs(run):
    assert all(fits(StageState, shown) for shown in stages_view(run))


@each_run
def test_flowserv_sees_a_run_in_the_shape_of_its_state(run):
    assert read_as(FlowservRun, flowserv_view(run, [FILE])).state is run.state
    assert fits(ListedRun, listed_view(run))


def _token():
    return Token(
        id="a" * 20, name="ann", salt="s", digest="d", scopes=frozenset(Scope), created_at=AT,
        groups=frozenset({"lab"}), created_by="local", expires_at=AT + timedelta(days=1),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("shape", "shown"),
    [
        pytest.param(FileView, file_view(FILE), id="file"),
        pytest.param(TokenView, _token().view(), id="token"),
        pytest.param(WorksStatus, status_document([]), id="works"),
        pytest.param(
            DeletedRuns,
            {"deleted": 1, **Deleted(("r1",), {"r2": "because"}, None)._asdict()},
            id="deleted",
        ),
        pytest.param(SentBack, Redriven({"q": 1}, 0, has_more=False)._asdict(), id="redriven"),
        pytest.param(
            AuditEntry, AuditEntry.of("r1", "submit", ENGINE, AT).model_dump(), id="audit"
        ),
    ],
)
def test_what_else_is_shown_has_its_shape(shape, shown):
    assert fits(shape, shown)


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(NotFound("there is no such run"), id="not-found"),
        pytest.param(InvalidRequest("no", field="a", value=[1], mend="do"), id="invalid"),
        pytest.param(Forbidden("no", field="a"), id="forbidden"),
        pytest.param(TooManyRequests("no", retry_after_seconds=3), id="too-many"),
    ],
)
def test_a_refusal_is_a_problem(error):
    shown = problem_of(error)
    assert Problem.model_validate(shown).model_dump(mode="json", exclude_unset=True) == shown


# --- bodies: what the document says is taken is what the intake reads


@pytest.mark.parametrize("demand", [a_demand(), copying_demand("e2")], ids=["paths", "copies"])
@pytest.mark.parametrize("is_bare", [True, False], ids=["bare", "with-surroundings"])
def test_a_demand_is_read_as_its_body_says(demand, is_bare):
    body = {**(demand if is_bare else {"demand_execution": demand}), "options": {"group": "lab"}}
    read = TypeAdapter(requests.Demand).validate_python(body)
    parsed = parse_submission(body)
    whole = parsed.request.demand_execution.to_wire() if is_bare else parsed.request.to_wire()
    assert {**whole, "options": parsed.document()["options"]} == _wire(read)


@pytest.mark.parametrize(
    ("kind", "model", "body"),
    [
        ("data-sync", requests.DataSync, {"source_path": "s3://abc/d", "destination_path": "/x"}),
        ("data-path-stats", requests.DataPathStats, {"path": "/x"}),
        ("list-data-paths", requests.DataPathList, {"path": "/x", "include": ".*"}),
        ("outdated-data-paths", requests.OutdatedDataPaths, {"path": "/x"}),
        ("remove-data-paths", requests.DataPathRemoval, {"paths": ["/x"]}),
        ("file-system-cleanup", requests.FileSystemCleanup, {"path": "/x"}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_job_over_files_is_read_as_its_body_says(kind, model, body):
    given = {**body, "run_id": "f1", "options": {"max_attempts": 2}}
    parsed = parse_file_request(kind, given, Site(has_local_paths=True))
    assert {
        **parsed.request.to_wire(),
        "run_id": parsed.run_id,
        "options": parsed.document()["options"],
    } == _wire(model.model_validate(given))


def _wire(read):
    return read.to_wire() | {"options": read.options.model_dump(mode="json", exclude_none=True)}


@pytest.mark.parametrize(
    ("model", "example"),
    [
        (requests.Demand, examples.DEMAND),
        (CreateDefinitionAndPrepareArgsRequest, examples.JOB_DEFINITION),
        (requests.DataSync, examples.DATA_SYNC),
        (requests.DataPathStats, examples.DATA_PATH),
        (requests.FileSystemCleanup, examples.CLEAN_UP),
        (Works, examples.WORKS),
        (Works, examples.ENDED_WORKS),
        (ViewBody, examples.VIEW),
    ],
    ids=[
        "demand", "definition", "sync", "path", "clean-up", "works", "ended-works", "view"
    ],
)  # fmt: skip
def test_an_example_is_what_its_body_says(model, example):
    TypeAdapter(model).validate_python(example)
