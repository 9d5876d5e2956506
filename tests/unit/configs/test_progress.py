"""What becomes of a pipeline, whatever becomes of its works."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.core.configs import ids, progress
from chalicelib.core.configs.expansion import read_config
from chalicelib.core.configs.pipeline import OVER, Header, Pipeline, Status, joint
from chalicelib.core.work.ids import is_id
from tests.flow.config_world import a_config, a_step

AT = datetime(2026, 1, 1, tzinfo=UTC)
S = Status
GRACE = timedelta(seconds=10)


def a_pipeline():
    config = read_config(a_config(a_step("one", matrix={"n": [1, 2]}), a_step("two", 2)))
    return Pipeline.of(config, "0" * 23 + "1", {}, AT)


def deposited(pipeline, at=AT):
    fresh = (f"{number:024x}" for number in range(int(at.timestamp()), 1 << 62))
    planned = progress.planned(pipeline, fresh, at)
    return progress.released(progress.placed(planned), at)


@pytest.mark.parametrize(
    ("found", "status"),
    [
        ({S.SUCCESS}, S.SUCCESS),
        ({S.SUCCESS, S.FAILURE, S.CANCELLED}, S.FAILURE),
        ({S.SUCCESS, S.CANCELLED}, S.CANCELLED),
        ({S.FAILURE, S.RUNNING}, S.RUNNING),
        ({S.FAILURE, S.QUEUED}, S.RUNNING),
        ({S.QUEUED}, S.QUEUED),
        ({S.CREATED, S.QUEUED}, S.QUEUED),
        ({S.CREATED}, S.CREATED),
        ({S.CREATED, S.SUCCESS}, S.RUNNING),
    ],
    ids=lambda value: "+".join(sorted(value)) if isinstance(value, set) else str(value),
)
def test_things_side_by_side_have_one_status(found, status):
    assert joint(found) is status


ENDS = st.sampled_from([S.QUEUED, S.RUNNING, S.SUCCESS, S.FAILURE])
MOVES = st.lists(
    st.one_of(
        st.dictionaries(st.integers(0, 2), ENDS),
        st.sampled_from(["deposit", "cancel", "retry", "back"]),
    ),
    max_size=25,
)


@given(MOVES)
def test_whatever_happens_stages_keep_their_order_and_ids_are_used_once(moves):
    pipeline, at, used = a_pipeline(), AT, set()
    for move in moves:
        at += timedelta(days=1)
        match move:
            case "deposit" if progress.has_due(pipeline):
                before = {work.id for work in pipeline.works}
                pipeline = deposited(pipeline, at)
                new = {work.id for work in pipeline.works} - before
                assert new
                assert not new & used
                used |= new
                assert not progress.has_due(pipeline)
            case "cancel":
                pipeline = progress.cancelled(pipeline, at) or pipeline
            case "retry":
                pipeline = progress.retried(pipeline) or pipeline
            case "back" if pipeline.is_cancelled:
                pipeline = progress.taken_back(pipeline, progress.to_look_at(pipeline), at)
                assert pipeline.is_settled
            case dict():
                live = list(progress.to_look_at(pipeline))
                found = {live[n]: status for n, status in move.items() if n < len(live)}
                rest = dict.fromkeys(live, S.RUNNING)
                pipeline = progress.followed(pipeline, {**rest, **found}, at)
        one, two = pipeline.steps
        if any(work.id for work in two.works):
            assert one.status is S.SUCCESS
        assert (pipeline.stop is not None) is (pipeline.status in OVER)
        assert not (pipeline.is_settled and progress.has_due(pipeline))


def test_somebody_elses_plan_is_carried_out_after_a_grace_only():
    planned = progress.planned(a_pipeline(), iter(["1" * 24, "2" * 24]), AT)
    assert progress.taken_over(planned, GRACE, AT + GRACE) is None
    later = AT + GRACE + timedelta(seconds=1)
    taken = progress.taken_over(planned, GRACE, later)
    assert taken is not None
    assert taken.planned_at == later
    assert progress.taken_over(progress.placed(planned), GRACE, later) is None


def test_what_is_planned_is_not_looked_at_before_it_is_released():
    planned = progress.planned(a_pipeline(), iter(["1" * 24, "2" * 24]), AT)
    assert progress.to_look_at(planned) == {}
    assert progress.in_flight(planned) == {"1" * 24: "one", "2" * 24: "one"}
    assert progress.followed(planned, {}, AT) == planned


def test_a_config_is_not_over_before_each_pipeline_has_carried_out_its_last_wish():
    pipeline = progress.cancelled(a_pipeline(), AT)
    assert pipeline is not None
    over = progress.taken_back(pipeline, (), AT)
    assert over.is_settled
    header = Header(
        id="0" * 24, name="sample", version="2", user=None, creation=AT, count=1, tally={}
    )
    assert progress.tallied(header, [over], AT).stop == AT
    again = progress.wished(header, "retry")
    assert progress.tallied(again, [over], AT).stop is None
    assert progress.tallied(header, [], AT).stop is None
    obeyed = progress.obeyed(over, again, AT)
    assert (obeyed.status, obeyed.generation) == (S.CREATED, 2)
    assert progress.obeyed(obeyed, again, AT) == obeyed


def test_ids_tell_their_config_and_where_it_is():
    config = ids.config_id(AT, "sample", 0xABCDEF12)
    assert is_id(config)
    assert ids.is_config_id(config)
    made = ids.pipeline_ids(config, 300)
    assert len(set(made)) == 300
    assert {ids.config_of(each) for each in made} == {config}
    assert [ids.number_of(each) for each in made] == list(range(1, 301))
    later = ids.config_id(AT + timedelta(seconds=1), "sample", 0)
    assert ids.newest_first(later) < ids.newest_first(config)
    assert ids.newest_first(ids.newest_first(config)) == config


def test_a_tick_of_a_schedule_has_one_config():
    other = AT + timedelta(minutes=1)
    made = {ids.tick_entropy(name, at) for name in ("a", "b") for at in (AT, other)}
    assert len(made) == 4
    assert ids.tick_entropy("a", AT) in made
