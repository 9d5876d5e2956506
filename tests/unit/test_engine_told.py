"""What is told of the engine while it works: the run in each line of the log, and in traces."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from chalicelib import engine
from chalicelib.core.errors import Unavailable
from chalicelib.core.events import TimerFired
from chalicelib.core.job_state import JobStatus
from chalicelib.core.run import Run
from chalicelib.log_ids import ids
from chalicelib.tracing import Note
from tests.flow.worlds import World, a_demand
from tests.unit.test_engine_edges import alter


class Traces:
    """Keeps what was traced, with the ids that a line of the log would have had."""

    def __init__(self) -> None:
        self.kept: list[tuple[str, str, dict[str, str], dict[str, str]]] = []

    @contextmanager
    def __call__(self, what: str, run_id: str) -> Iterator[Note]:
        notes: dict[str, str] = {}
        self.kept.append((what, run_id, dict(ids()), notes))
        yield notes.__setitem__


@pytest.fixture
def world(tmp_path) -> World:
    return World(tmp_path)


@pytest.fixture
def traces(world) -> Traces:
    kept = Traces()
    world.submit(a_demand())
    world.ports = world.ports._replace(trace=kept)
    return kept


def of_the_run(what: str) -> tuple[Any, ...]:
    return (what, "e1", {"run_id": "e1"}, {"kind": "demand-execution"})


def test_an_event_is_traced_with_its_run_and_what_that_is(world, traces):
    engine.handle(TimerFired(run_id="e1", at=world.now), world.ports)
    assert traces.kept == [of_the_run("TimerFired")]
    assert ids() == {}


def test_a_sweep_traces_each_look_and_each_job_that_was_asked_about(world, traces):
    job = world.runs.load("e1").jobs[-1]
    world.batch.end(job.job_id, JobStatus.FAILED)
    engine.sweep(world.ports, everything=True)
    assert traces.kept == [of_the_run("TimerFired"), of_the_run("JobChanged")]
    assert ids() == {}


class Hearing(logging.Handler):
    """Keeps the ids that each line has."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[dict[str, str]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.heard.append(dict(ids()))


@pytest.fixture
def hearing() -> Iterator[Hearing]:
    handler = Hearing()
    engine.log.addHandler(handler)
    yield handler
    engine.log.removeHandler(handler)


@pytest.mark.usefixtures("traces")
def test_what_is_written_of_a_job_that_a_sweep_cannot_take_in_names_its_run(world, hearing):
    loaded: list[str] = []

    def load(run_id: str) -> Run:
        loaded.append(run_id)
        if len(loaded) > 1:
            raise Unavailable("the store does not answer")
        return world.runs.load(run_id)

    alter(world, "runs", load=load)
    engine.sweep(world.ports, everything=True)
    assert (len(loaded), hearing.heard) == (2, [{"run_id": "e1"}])
