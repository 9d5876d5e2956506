"""What holds of chains, however they are put together."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.core.plans.combinators import (
    EMPTY,
    Chain,
    Hooks,
    choice,
    enclose,
    for_each,
    only_if,
    parallel,
    sequence,
    single,
    with_defaults,
    with_status,
)
from chalicelib.core.plans.plan import NoAction, StagePlan
from chalicelib.core.plans.run_actions import Choose, RunsAction


def stage(name, **fields):
    return StagePlan(name=name, action=NoAction(), **fields)


def task(name="t", request=None):
    return StagePlan(name=name, action=RunsAction(kind="k", request=request or {}))


@st.composite
def chains(draw, names=None):
    """Chains of all kinds; no two stages of one test have one name."""
    names = names or (f"s{n}" for n in itertools.count())
    made = st.deferred(lambda: st.one_of(leaves, st.tuples(joins, st.lists(made, max_size=3))))
    leaves = st.sampled_from(["stage", "closing", "empty"])
    joins = st.sampled_from([sequence, parallel, "choice"])

    def build(tree):
        match tree:
            case "empty":
                return EMPTY
            case "stage" | "closing":
                return single(stage(next(names), is_closing=tree == "closing"))
            case ("choice", parts):
                asked = StagePlan(name=next(names), action=Choose(cases=()))
                return choice(asked, {str(n): build(part) for n, part in enumerate(parts)})
            case (join, parts):
                return join(*map(build, parts))

    return build(draw(made))


@st.composite
def three(draw):
    names = (f"s{n}" for n in itertools.count())
    return [draw(chains(names)) for _ in range(3)]


def names_of(chain: Chain) -> list[str]:
    return [each.name for each in chain.all()]


def upstream(chain: Chain) -> dict[str, set[str]]:
    """Each stage's name and all that is done before it; fails where there is a cycle."""
    after = {each.name: set(each.after) for each in chain.stages}
    done: dict[str, set[str]] = {}
    while len(done) < len(after):
        free = [name for name in after.keys() - done.keys() if after[name] <= done.keys()]
        assert free, f"a knot, or a stage that is not there: {after}"
        for name in free:
            done[name] = after[name].union(*(done[each] for each in after[name]))
    return done


@given(three())
def test_a_sequence_is_one_however_it_is_bracketed(parts):
    a, b, c = parts
    assert sequence(sequence(a, b), c) == sequence(a, sequence(b, c)) == sequence(a, b, c)


@given(three())
def test_what_is_side_by_side_is_so_however_it_is_bracketed(parts):
    a, b, c = parts
    assert parallel(parallel(a, b), c) == parallel(a, parallel(b, c)) == parallel(a, b, c)


@given(chains())
def test_nothing_before_or_after_or_beside_a_chain_changes_it(chain):
    assert sequence(EMPTY, chain) == sequence(chain, EMPTY) == parallel(chain, EMPTY) == chain


@given(three())
def test_every_stage_is_kept_once_and_none_waits_for_itself(parts):
    for whole in (sequence(*parts), parallel(*parts)):
        assert sorted(names_of(whole)) == sorted(name for part in parts for name in names_of(part))
        upstream(whole)


@given(three())
def test_in_a_sequence_each_part_comes_after_all_of_the_one_before(parts):
    whole = sequence(*parts)
    before = upstream(whole)
    filled = [part for part in parts if part.stages]
    for earlier, later in itertools.pairwise(filled):
        for each in later.stages:
            assert before[each.name] >= {other.name for other in earlier.stages}


@given(three())
def test_side_by_side_nobody_waits_for_another_part(parts):
    before = upstream(parallel(*parts))
    for part in parts:
        own = {each.name for each in part.stages}
        assert all(before[name] <= own for name in own)


@given(chains())
def test_a_chain_begins_where_nobody_is_waited_for_and_ends_where_nobody_waits(chain):
    before = upstream(chain)
    waited_for = {name for each in chain.stages for name in each.after}
    assert set(chain.first) == {name for name, found in before.items() if not found}
    assert set(before) - waited_for <= set(chain.last) <= set(before)


@given(chains())
def test_left_out_is_all_of_a_part_that_waits_for_no_choice_of_its_own(chain):
    for each, was in zip(only_if("c", "x", chain).stages, chain.stages, strict=True):
        expected = ("c", "x") if was.when is None else (was.when.stage, was.when.branch)
        assert (each.when.stage, each.when.branch) == expected


@given(three())
def test_whatever_is_chosen_what_comes_next_comes_after_it(parts):
    asked = StagePlan(name="c", action=Choose(cases=()))
    branches = dict(zip("xyz", parts, strict=True))
    whole = sequence(choice(asked, branches), stage("next"))
    everything = {each.name for part in parts for each in part.stages}
    assert upstream(whole)["next"] == {"c", *everything}


HOOKS = [name for name in Hooks._fields if name != "failed"]


@given(st.sets(st.sampled_from(HOOKS)), st.booleans())
def test_hooks_come_in_the_order_of_the_construct(named, is_told):
    hooks = Hooks(**{name: stage(f"t.{name}") for name in named})
    if is_told:
        hooks = hooks._replace(failed=stage("t.failed"))
    chain = with_status(task(), hooks)
    order = ["t.augment_input", "t.started", "t.pre_run", "t", "t.post_run", "t.completed"]
    expected = [name for name in order if name == "t" or name.removeprefix("t.") in named]
    assert [each.name for each in chain.stages] == expected
    assert [each.after for each in chain.stages] == [(), *((name,) for name in expected[:-1])]
    told = [(each.name, each.closes_on, each.closes_for) for each in chain.closing]
    assert told == ([("t.failed", "error", "t")] if is_told else [])


def test_defaults_are_merged_under_the_request_twice_as_once():
    stage_ = with_defaults(task(request={"a": 9}), {"a": 1, "b": 2})
    assert stage_.action.request == {"a": 9, "b": 2}
    assert with_defaults(stage_, {"a": 1, "b": 2}) == stage_


def test_defaults_of_a_request_that_is_referred_to_are_kept_for_later():
    stage_ = with_defaults(task(request="$.item"), {"a": 1})
    assert (stage_.action.request, stage_.action.defaults) == ("$.item", {"a": 1})
    assert with_defaults(stage_, {"a": 2, "b": 3}).action.defaults == {"a": 1, "b": 3}


def test_for_each_changes_how_often_and_nothing_else():
    made = for_each(task(), "$.input", 3)
    assert (made.action.for_each, made.action.at_once) == ("$.input", 3)
    undone = made.action.model_copy(update={"for_each": None, "at_once": task().action.at_once})
    assert made.model_copy(update={"action": undone}) == task()


def test_what_is_enclosed_sees_its_own_input_only():
    made = enclose("e", [{"name": "v", "kind": "value", "value": "$.input"}], "$.stages.a.result")
    assert made.action.kind == "pipeline"
    assert made.action.request["input"] == "$.stages.a.result"


@pytest.mark.parametrize("combine", [for_each, with_defaults])
def test_only_what_starts_runs_has_requests_and_items(combine):
    with pytest.raises(AssertionError):
        combine(stage("s"), {} if combine is with_defaults else "$.input")
