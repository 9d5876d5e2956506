"""Random uses of a run store: drawn from a seed, done on any store, told in what they brought.

Whatever two stores may tell differently and yet both be right is made equal here, in ``_page``
and ``_told``, and nowhere else:

* A page of DynamoDB may be short, or empty, and still have a cursor: it stops after so many items
  looked at, or days. Pages are read on until they are full or nothing is left.
* A cursor is opaque. What is told is whether anything follows it at this moment.
* An error is told by its class; its words name places that the other store does not have.

No others are excused. An index of DynamoDB lags behind, but moto's and dynalite's do not; and an
item has an end, but nothing that is drawn comes near it.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import timedelta, timezone
from typing import Any, NamedTuple

from chalicelib.core.errors import FalseworkError
from chalicelib.core.job_state import JobState
from chalicelib.core.plans.plan import Plan
from chalicelib.core.run import HistoryEntry, RunError, RunState, Stage, StageStatus
from chalicelib.ports import RunStore
from tests.contract.openers import NOON, a_run

IDS = ("a", "A", "a-1", "ü.1", "z" * 100)
GROUPS = ("default", "a", "göttingen")
FILTERS = [
    {"group": group, "state": state}
    for group in (None, None, None, *GROUPS)
    for state in (None, None, None, RunState.PENDING, RunState.RUNNING)
]
LARGE = 70_000
"""Bytes of a payload that DynamoDB's store puts beside the item."""


class Create(NamedTuple):
    """Save a new run, if there is none of that id."""

    run_id: str
    fields: dict[str, Any]


class Change(NamedTuple):
    """Load a run and save it changed, under its version or one that is not its own."""

    run_id: str
    fields: dict[str, Any]
    version_offset: int


class Load(NamedTuple):
    """Load a run."""

    run_id: str


class Page(NamedTuple):
    """Read a page: the next one of a walk, or the first again where the walk has ended."""

    walk: int
    filters: dict[str, Any] | None
    """None: those that the walk goes by. Others do not fit its cursor."""
    is_first: bool
    limit: int


class Due(NamedTuple):
    """Ask what is due."""

    minutes: float
    limit: int
    skip: tuple[str, ...]


Operation = Create | Change | Load | Page | Due


def sequence(seed: int, length: int = 12) -> list[tuple[int, Operation]]:
    """Return operations, each with the number of the opening that does it.

    A store is opened twice, so that what one remembers is tried on what the other wrote.
    """
    rng = random.Random(seed)
    makers: list[Callable[[random.Random], Operation]] = [_create, _change, _load, _page_of, _due]
    ids = rng.sample(IDS, rng.randint(1, len(IDS)))
    first = [(rng.randrange(2), _create(rng)._replace(run_id=run_id)) for run_id in ids]
    drawn = rng.choices(makers, weights=(2, 7, 2, 8, 5), k=length - len(first))
    return first + [(rng.randrange(2), make(rng)) for make in drawn]


class Walks:
    """One store, opened twice, and where the walks through its lists have come to."""

    def __init__(self, *openings: RunStore) -> None:
        self._openings = openings
        self._walks: dict[int, tuple[dict[str, Any], str | None]] = {}

    def do(self, opening: int, operation: Operation) -> object:
        """Return what the operation brought."""
        try:
            return self._do(self._openings[opening], operation)
        except FalseworkError as exc:
            return type(exc).__name__

    def _do(self, runs: RunStore, operation: Operation) -> object:
        match operation:
            case Create(run_id, fields):
                return runs.save(a_run(run_id, **fields))
            case Change(run_id, fields, version_offset):
                run = runs.load(run_id)
                version = run.version + version_offset
                return runs.save(run.model_copy(update={**fields, "version": version}))
            case Load(run_id):
                return runs.load(run_id)
            case Page():
                return self._page(runs, operation)
            case Due(minutes, limit, skip):
                return runs.due(NOON + timedelta(minutes=minutes), limit, skip)

    def _page(self, runs: RunStore, asked: Page) -> object:
        begun_with, cursor = self._walks.get(asked.walk, ({}, None))
        filters = begun_with if asked.filters is None else asked.filters
        if asked.is_first:
            cursor = None
        size, found = max(1, asked.limit), []
        while len(found) < size:
            page = runs.list(**filters, cursor=cursor, limit=size - len(found))
            found += page.runs
            cursor = page.next_cursor
            if cursor is None:
                break
        is_last = cursor is None or not _follows(runs, filters, cursor)
        self._walks[asked.walk] = (filters, None if is_last else cursor)
        return found, is_last


def _follows(runs: RunStore, filters: dict[str, Any], cursor: str | None) -> bool:
    while cursor is not None:
        page = runs.list(**filters, cursor=cursor, limit=1)
        if page.runs:
            return True
        cursor = page.next_cursor
    return False


def _create(rng: random.Random) -> Create:
    zone = timezone(timedelta(hours=rng.choice((0, 0, 9, -8))))
    days = rng.choice((0, 0, 0, 1, -40, -100))
    at = NOON + timedelta(days=days, minutes=rng.choice((0, 0, 1.5, -720, 721)))
    plan = Plan(stages=(), request_digest=f"d{rng.randrange(3)}", request={"of": _json(rng)})
    fields = {
        "next_check_at": _moment(rng),
        **_some_fields(rng),
        "created_at": at.astimezone(zone),
        "plan": plan,
    }
    return Create(rng.choice(IDS), fields)


def _change(rng: random.Random) -> Change:
    return Change(rng.choice(IDS), _some_fields(rng), rng.choice((0, 0, 0, 0, 0, -1, 1)))


def _load(rng: random.Random) -> Load:
    return Load(rng.choice((*IDS, "nobody")))


def _page_of(rng: random.Random) -> Page:
    is_first = rng.random() < 0.3
    is_named = is_first or rng.random() < 0.2
    filters = rng.choice(FILTERS) if is_named else None
    return Page(rng.randrange(2), filters, is_first, rng.choice((1, 1, 1, 2, 3, 50, 0)))


def _due(rng: random.Random) -> Due:
    skip = tuple(rng.sample(IDS, rng.choice((0, 0, 1, 3))))
    return Due(rng.choice((-1, 0, 0, 1, 2.5, 10**7)), rng.choice((1, 2, 3, 100, 0)), skip)


def _some_fields(rng: random.Random) -> dict[str, Any]:
    made = {
        "group": lambda: rng.choice(GROUPS),
        "state": lambda: rng.choice((RunState.PENDING, RunState.RUNNING, RunState.SUCCESS)),
        "next_check_at": lambda: rng.choice((None, _moment(rng), _moment(rng))),
        "settled_at": lambda: rng.choice((None, _moment(rng))),
        "generation": lambda: rng.randint(1, 3),
        "serial": lambda: rng.randrange(2**40),
        "stages": lambda: tuple(_stage(rng, f"s{n}") for n in range(rng.choice((0, 1, 2)))),
        "jobs": lambda: tuple(_job(rng, n) for n in range(1, rng.choice((1, 2, 20)))),
        "outputs": lambda: {f"o{n}": _json(rng) for n in range(rng.choice((0, 1, 3)))},
        "error": lambda: rng.choice((None, RunError(stage=None, cause="user", message="ü\n"))),
    }
    return {name: made[name]() for name in rng.sample(sorted(made), rng.randint(1, 5))}


def _moment(rng: random.Random) -> Any:
    return NOON + timedelta(minutes=rng.choice((-1, 0, 0, 1, 2)), microseconds=rng.choice((0, 1)))


def _stage(rng: random.Random, name: str) -> Stage:
    count = rng.choice((0, 0, 1, 5, 50, 51, 80))
    return Stage(
        stage_name=name,
        status=StageStatus.RETRY,
        attempts=count,
        history=tuple(_entry(number, rng.choice((1, 1, 1000))) for number in range(count)),
        result=_json(rng),
    )


def _entry(number: int, length: int) -> HistoryEntry:
    return HistoryEntry(
        attempt=number,
        begin_status=StageStatus.CREATED,
        end_status=StageStatus.ERROR,
        begin_ts=NOON.isoformat(),
        end_ts=NOON.isoformat(),
        message="é" * length,
        run_time_seconds=0.1 * number,
    )


def _job(rng: random.Random, serial: int) -> JobState:
    return JobState(
        stage="s0",
        serial=serial,
        attempt=1,
        name=f"falsework-{serial}",
        queue="default",
        submit_started_at=_moment(rng),
        exit_code=rng.choice((None, 0, 137)),
    )


def _json(rng: random.Random) -> Any:
    return rng.choice(
        (
            None,
            True,
            2**53 + 1,
            0.1,
            -1e300,
            "",
            '"\\\u2028\x00',
            [],
            {"": {"a": [None, 1.5]}},
            "x" * rng.choice((10, 1_100, LARGE)),
        )
    )
