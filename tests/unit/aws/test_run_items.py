"""A run comes back from its items exactly as it was, whatever is in it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.aws.attributes import from_item, size_bytes, to_attribute, to_item
from chalicelib.aws.run_indexes import day_partitions, index_keys
from chalicelib.aws.run_items import (
    INLINE_BYTES,
    keys_beside,
    pack,
    pack_plan,
    unpack,
    unpack_plan,
    unpack_run,
)
from chalicelib.aws.table import ITEM_BYTES
from chalicelib.core.job_state import JobState, JobStatus
from chalicelib.core.plans.plan import Plan
from chalicelib.core.run import HistoryEntry, Run, RunError, RunState, Stage, StageStatus
from tests.contract.openers import NOON, a_run

texts = st.text(max_size=30)
numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
json_values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=8,
)
zones = st.integers(-720, 720).map(lambda minutes: timezone(timedelta(minutes=minutes)))
times = st.datetimes(datetime(1970, 1, 3), datetime(2200, 1, 1), timezones=zones)  # noqa: DTZ001
entries = st.builds(
    HistoryEntry,
    attempt=st.integers(0, 10**6),
    begin_status=st.sampled_from(StageStatus),
    end_status=st.sampled_from(StageStatus),
    begin_ts=times.map(datetime.isoformat),
    end_ts=times.map(datetime.isoformat),
    message=texts,
    run_time_seconds=st.floats(allow_nan=False, allow_infinity=False),
)
stages = st.builds(
    Stage,
    task_id=texts,
    stage_name=texts,
    status=st.sampled_from(StageStatus),
    attempts=st.integers(0, 10**50),
    history=st.lists(entries, max_size=3).flatmap(
        lambda some: st.sampled_from([1, 40, 70]).map(lambda times: tuple(some * times))
    ),
    result=json_values,
    begun_at=st.none() | times,
)
jobs = st.builds(
    JobState,
    stage=texts,
    serial=st.integers(1, 10**9),
    attempt=st.integers(0, 9),
    name=texts,
    queue=texts,
    submit_started_at=times,
    job_id=st.none() | texts,
    status=st.none() | st.sampled_from(JobStatus),
    exit_code=st.none() | st.integers(-(10**40), 10**40),
    reason=st.none() | texts,
    stopped_at=st.none() | times,
    is_own=st.booleans(),
)
runs = st.builds(
    Run,
    id=st.from_regex(r"[A-Za-z0-9._-]{1,80}", fullmatch=True),
    uid=st.just("abcdefghijklmnopqrst"),
    kind=texts,
    group=texts,
    state=st.sampled_from(RunState),
    version=st.integers(0, 10**6),
    created_at=times,
    ended_at=st.none() | times,
    next_check_at=st.none() | times,
    stages=st.lists(stages, max_size=2).map(tuple),
    jobs=st.lists(jobs, max_size=2).map(tuple),
    outputs=st.dictionaries(texts, json_values, max_size=3),
    error=st.none() | st.builds(RunError, stage=st.none() | texts, cause=texts, message=texts),
    plan=st.builds(
        Plan,
        stages=st.just(()),
        request=st.dictionaries(texts, json_values, max_size=3),
        request_digest=texts,
    ),
)


def through_the_table(key, values):
    """What DynamoDB would give back, by way of JSON as on the wire."""
    present = {name: value for name, value in values.items() if value is not None}
    assert size_bytes(present) < ITEM_BYTES
    return from_item(json.loads(json.dumps(to_item({**key._asdict(), **present}))))


def there_and_back(run):
    packed, plan = pack(run, "scratch"), pack_plan(run, "scratch")
    payloads = packed.payloads | plan.payloads
    beside = {key: through_the_table(key, values) for key, values in packed.history.items()}
    item = through_the_table(plan.key._replace(sk="run"), packed.values)
    assert set(keys_beside(item)) == set(packed.history)
    unpacked_plan = unpack_plan(through_the_table(plan.key, plan.values), payloads.__getitem__)
    return (
        unpack(item, beside, payloads.__getitem__),
        unpack_run(item, unpacked_plan, beside, payloads.__getitem__),
    )


def spelt(run):
    """What the user gave, in the way he spelt it: 1, 1.0 and true are equal in Python."""
    return json.dumps([run.outputs, run.plan.request, [stage.result for stage in run.stages]])


@settings(max_examples=60)
@given(runs)
def test_a_run_comes_back_from_its_items(run):
    record, whole = there_and_back(run)
    assert whole == run
    assert spelt(whole) == spelt(run)
    assert record.model_dump() == run.model_dump(exclude={"plan"})


def an_entry(number=1, message="it broke"):
    return HistoryEntry(
        attempt=number,
        begin_status=StageStatus.RUNNING,
        end_status=StageStatus.RETRY,
        begin_ts=NOON.isoformat(),
        end_ts=NOON.isoformat(),
        message=message,
        run_time_seconds=number / 7,
    )


def history(count):
    return tuple(an_entry(number) for number in range(count))


@pytest.mark.parametrize(
    ("count", "kept", "chunks"),
    [(0, 0, 0), (50, 50, 0), (51, 26, 1), (75, 50, 1), (76, 26, 2), (200, 50, 6)],
)
def test_old_entries_of_a_history_lie_beside_the_item(count, kept, chunks):
    run = a_run(stages=(Stage(stage_name="execute", history=history(count)),))
    packed = pack(run, "scratch")
    assert (len(packed.values["stages"][0]["history"]), len(packed.history)) == (kept, chunks)
    assert there_and_back(run)[1] == run


def test_a_longer_history_leaves_the_chunks_of_the_shorter_one_alone():
    def chunks(count):
        return set(pack(a_run(stages=(Stage(history=history(count)),)), "scratch").history)

    assert chunks(199) < chunks(260)


@pytest.mark.parametrize("size", [INLINE_BYTES - 2, INLINE_BYTES - 1])
def test_a_large_result_goes_to_the_object_store(size):
    run = a_run(stages=(Stage(stage_name="execute", result="x" * size),))
    packed = pack(run, "scratch")
    assert bool(packed.payloads) is (size + 2 > INLINE_BYTES)
    assert all(uri.startswith("s3://scratch/runs/r1/payloads/") for uri in packed.payloads)
    assert there_and_back(run)[1] == run


def test_a_large_plan_goes_to_the_object_store_under_its_digest():
    run = a_run(plan=Plan(stages=(), request={"text": "ü" * 50_000}))
    packed = pack_plan(run, "scratch")
    (uri,) = packed.payloads
    digest = packed.key.sk.removeprefix("plan#")
    assert (uri, packed.values) == (f"s3://scratch/runs/r1/plans/{digest}.json", {"body_uri": uri})
    assert there_and_back(run)[1] == run


def test_many_things_that_are_not_large_by_themselves_make_room_together():
    stages = [
        Stage(stage_name=f"s{n}", result="x" * 60_000, history=(an_entry(message="m" * 900),) * 50)
        for n in range(8)
    ]
    run = a_run(stages=tuple(stages), outputs={"o": "x" * 60_000})
    assert there_and_back(run)[1] == run


def test_what_an_operator_looks_for_is_not_hidden_in_text():
    stage = Stage(
        stage_name="execute", status=StageStatus.RETRY, history=history(1), result={"ö": 1.0}
    )
    item = pack(a_run(stages=(stage,), state=RunState.RUNNING, version=3), "scratch").values
    assert to_attribute(item["state"]) == {"S": "RUNNING"}
    assert to_attribute(item["version"]) == {"N": "3"}
    (seen,) = to_attribute(item["stages"])["L"]
    assert seen["M"]["status"] == {"S": "RETRY"}
    assert seen["M"]["result"] == {"S": '{"ö":1.0}'}
    assert seen["M"]["history"]["L"][0]["M"]["message"] == {"S": "it broke"}


@pytest.mark.parametrize("zone", [UTC, timezone(timedelta(hours=-11))], ids=["utc", "west"])
def test_the_keys_of_a_run_sort_by_instant(zone):
    early = pack(a_run("r2", created_at=NOON.astimezone(zone)), "s").values
    late = pack(a_run("r1", created_at=NOON + timedelta(microseconds=1)), "s").values
    assert early["created_key"] < late["created_key"]
    assert early["day_key"].startswith("2026-05-01#")


def test_the_keys_of_a_run_are_these():
    """Runs of an earlier release stand under them: change them only with a plan for those."""
    run = a_run("r1", group="ml", next_check_at=NOON + timedelta(minutes=15))
    assert index_keys(run) == {
        "created_key": "2026-05-01T12:00:00.000000+00:00#r1",
        "group_key": "group#ml",
        "state_key": "PENDING#2026-05-01#1",
        "day_key": "2026-05-01#1",
        "due_key": "due#1",
        "due_at": "2026-05-01T12:15:00.000000+00:00#r1",
    }
    settled = index_keys(a_run("r1"))
    assert (settled["due_key"], settled["due_at"]) == (None, None)


def test_runs_are_spread_over_the_shards():
    days = {index_keys(a_run(f"r{number}"))["day_key"] for number in range(50)}
    assert days == set(day_partitions("2026-05-01", None))
