"""What the calls of functions' runs do to the outside: what is read, and which token is shown."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from chalicelib.core.errors import NotFound, StepFailed, Unavailable
from chalicelib.core.events import CallEnded, TimerFired
from chalicelib.core.lifecycle import decide, prompt
from chalicelib.core.limits import STATES_PAYLOAD_BYTES
from chalicelib.core.plans.operations import get_payload, invoke
from chalicelib.core.plans.plan import Plan
from chalicelib.function_calls import make_call
from chalicelib.perform import perform
from chalicelib.ports import ObjectInfo
from tests.flow.worlds import World
from tests.unit.runs import UID, at, requested

URI = "s3://b/scratch/r/t/response.json"


class Shelf:
    """One object of which a listing tells that size; reading it is counted."""

    def __init__(self, uri, size_bytes, content=None):
        self.entry = ObjectInfo(uri, size_bytes, datetime(2026, 1, 1, tzinfo=UTC))
        self.content = content
        self.reads = 0

    def list(self, uri):
        return iter([self.entry])

    def read(self, uri):
        self.reads += 1
        if self.content is None:
            raise NotFound(uri)
        return self.content


def call_of(tmp_path, shelf):
    run, _ = decide(None, requested(Plan(stages=(get_payload("read", URI, written_by="job"),))))
    ports = World(tmp_path).ports._replace(objects=shelf)
    return make_call(run.plan.stage("read").action, run, "read", ports)


def test_what_is_too_large_is_not_even_read(tmp_path):
    shelf = Shelf(URI, STATES_PAYLOAD_BYTES + 1, b"{}")
    with pytest.raises(StepFailed, match="262,145 bytes") as failed:
        call_of(tmp_path, shelf)
    assert (failed.value.cause, shelf.reads) == ("bad_response", 0)
    assert call_of(tmp_path, Shelf(URI, STATES_PAYLOAD_BYTES, b"{}")) == {}


@pytest.mark.parametrize(
    "shelf",
    [Shelf(f"{URI}/below", 2, b"{}"), Shelf(URI, 2)],
    ids=["only something below it", "gone meanwhile"],
)
def test_what_is_not_there_is_missing_and_whose_it_was_is_said(tmp_path, shelf):
    with pytest.raises(StepFailed, match="stage job ended well and did not write it") as failed:
        call_of(tmp_path, shelf)
    assert failed.value.cause == "no_response"


class Silent:
    """Functions that never answer; the tokens that they were shown."""

    def __init__(self):
        self.tokens = []

    def invoke(self, name, payload, token):
        self.tokens.append(token)
        raise Unavailable("no answer")


def test_a_call_that_is_made_again_bears_the_same_token(tmp_path):
    silent = Silent()
    ports = World(tmp_path).ports._replace(functions=silent)
    plan = Plan(stages=(invoke("invoke", "f", {}),), retry_policy="STAGE", max_attempts=2)
    run, _ = decide(None, requested(plan))
    for seconds in (10, 20):
        (call,) = prompt(run)
        (event,) = perform(call, run, ports)
        run, _ = decide(run, event.model_copy(update={"at": at(seconds)}))
        run, _ = decide(run, TimerFired(run_id="r1", at=at(seconds + 9)))
    assert silent.tokens == [f"{UID}-invoke-1-1"] * 2
    about = {"run_id": "r1", "stage": "invoke", "attempt": 3}
    run, _ = decide(run, CallEnded(**about, at=at(30), error="it raised", cause="function"))
    run, _ = decide(run, TimerFired(run_id="r1", at=at(200)))
    (call,) = prompt(run)
    list(perform(call, run, ports))
    assert silent.tokens[-1] == f"{UID}-invoke-1-2"
