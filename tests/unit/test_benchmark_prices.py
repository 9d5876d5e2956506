"""The arithmetic of the benchmarks. Nothing here measures time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import prices
from benchmarks.demand_cost import EVENTS, count_demand
from benchmarks.dynamodb_units import Index, item_bytes, query_units, read_units, write_units
from benchmarks.prices import PRICES, Usage
from benchmarks.rounds import rotated, rows

DUE = Index(("due_key", "due_at"), ("due_key", "due_at", "pk"))
NOTHING = Usage(0, 0, 0, 0, 0, 0, 0, 0)


def an_item(**values):
    return {"pk": "run#1", **values}


def of_bytes(size):
    return {"a": "x" * (size - 1)}


@pytest.mark.parametrize(
    ("name", "amount", "usd"),
    [
        pytest.param("state-transition", 242, 0.00605, id="the fragment's transitions"),
        pytest.param("dynamodb-write", 1_000_000, 0.625, id="a million writes"),
        pytest.param("s3-put", 1, 0.000005, id="one put"),
        pytest.param("lambda-time", 60, 0.001000002, id="a minute of a gigabyte"),
    ],
)
def test_an_amount_costs_its_share_of_the_list_price(name, amount, usd):
    assert prices.usd(name, amount) == pytest.approx(usd)


def test_every_price_has_a_source_and_every_amount_a_price():
    assert all(price.source.startswith("https://aws.amazon.com/") for price in PRICES.values())
    assert NOTHING.amounts().keys() | {"state-transition"} == PRICES.keys()


def test_the_fragment_costs_six_dollars_and_five_cents_for_a_thousand_demands():
    assert prices.fragment_usd_per_thousand() == pytest.approx(6.05)


def test_nothing_used_costs_nothing():
    assert set(prices.usd_per_thousand(NOTHING).values()) == {0}


def test_the_bill_is_the_sum_of_what_was_used():
    usage = NOTHING._replace(lambda_invocations=10, lambda_aws_calls=100, sqs_requests=3)
    bill = prices.usd_per_thousand(usage)
    assert bill["lambda-request"] == pytest.approx(0.002)
    # 10 times 20 ms and 100 times 10 ms at half a gigabyte
    assert bill["lambda-time"] == pytest.approx(1000 * 0.6 * 0.0000166667)
    assert bill["sqs"] == pytest.approx(0.0012)
    assert bill["dynamodb-write"] == 0


@pytest.mark.parametrize(
    ("usd", "is_reached"),
    [pytest.param(0.1209, True, id="below"), pytest.param(0.1211, False, id="above")],
)
def test_the_goal_is_a_fiftieth_of_the_fragment(usd, is_reached):
    assert prices.is_goal_reached(usd) is is_reached


@pytest.mark.parametrize(
    ("before", "after", "units"),
    [
        pytest.param(None, of_bytes(1024), 1, id="a new item of a KB"),
        pytest.param(None, of_bytes(1025), 2, id="a byte more"),
        pytest.param(of_bytes(3000), of_bytes(10), 3, id="the larger of old and new"),
        pytest.param(None, None, 1, id="a condition that fails on an item that is not there"),
        pytest.param(of_bytes(2000), of_bytes(2000), 2, id="a condition that fails"),
        pytest.param(None, an_item(due_key="a", due_at="1"), 2, id="an index entry is added"),
        pytest.param(
            an_item(due_key="a", due_at="1"),
            an_item(due_key="a", due_at="2"),
            3,
            id="an index key changes: an entry goes, an entry comes",
        ),
        pytest.param(
            an_item(due_key="a", due_at="1", state="x"),
            an_item(due_key="a", due_at="1", state="y"),
            1,
            id="what the index does not hold costs it nothing",
        ),
        pytest.param(an_item(due_key="a", due_at="1"), an_item(), 2, id="an entry is removed"),
        pytest.param(an_item(), an_item(due_key="a"), 1, id="half a key is no entry"),
    ],
)
def test_write_units(before, after, units):
    assert write_units(before, after, [DUE]) == units


def test_an_update_of_what_an_index_includes_is_one_write_of_it():
    index = Index(("g",), ("g", "state"))
    assert write_units({"g": "a", "state": "x"}, {"g": "a", "state": "y"}, [index]) == 2


@pytest.mark.parametrize(
    ("items", "is_consistent", "units"),
    [
        pytest.param([of_bytes(4096)], True, 1, id="4 KB"),
        pytest.param([of_bytes(4097)], True, 2, id="a byte more"),
        pytest.param([None], True, 1, id="nothing there"),
        pytest.param([of_bytes(10), of_bytes(10)], True, 2, id="each by itself"),
        pytest.param([of_bytes(4097)], False, 1, id="half, when it may be stale"),
    ],
)
def test_read_units(items, is_consistent, units):
    assert read_units(items, is_consistent=is_consistent) == units


def test_a_query_rounds_its_items_together():
    assert query_units([of_bytes(3000)] * 2, is_consistent=False) == 1


def test_an_items_size_is_that_of_its_names_and_values():
    assert item_bytes({"pk": "abc", "é": True}) == 2 + 3 + 2 + 1


def test_a_row_is_of_medians_and_its_ratio_of_pairs():
    first = {"ours": [0.004, 0.002, 0.100], "theirs": [0.008, 0.008]}
    slowed = {"ours": [0.040], "theirs": [0.080]}
    third = {"ours": [0.004], "theirs": [0.012]}
    ours, theirs = rows([first, slowed, third], 4, ["ours"])
    assert (ours.stage_ms, ours.best_ms, ours.worst_ms) == pytest.approx((1, 1, 10))
    assert ours.runs_per_second == pytest.approx(250)
    assert ours.ratios == (1,)
    assert theirs.ratios == pytest.approx((2,))


def test_who_missed_a_round_has_no_row():
    assert [row.name for row in rows([{"a": [1.0], "b": [1.0]}, {"a": [1.0]}], 1, [])] == ["a"]


def test_every_contender_begins_a_round_in_turn():
    orders = [rotated("abc", number) for number in range(4)]
    assert orders == [[*"abc"], [*"bca"], [*"cab"], [*"abc"]]


def test_the_script_runs_and_names_the_peers_that_are_missing():
    script = [sys.executable, "-m", "benchmarks.engine", "--skip-price", "--stages", "2"]
    done = subprocess.run(
        [*script, "--rounds", "1", "--runs", "2"],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for name in ("falsework-calls", "falsework-jobs", "dbos", "redun"):
        assert f"| {name}" in done.stdout or f"{name} is left out: " in done.stdout
    assert "journal_mode=WAL, synchronous=NORMAL" in done.stdout


def test_a_demand_is_counted_with_all_that_its_workers_ask():
    counted = count_demand()
    assert (counted.jobs, counted.calls["batch.SubmitJob"]) == (4, 4)
    # One by REST, and one for each event of each job.
    assert counted.usage.lambda_invocations == 1 + 4 * len(EVENTS)
    assert counted.worker_calls == {"dynamodb.PutItem": 3, "s3.GetObject": 3, "s3.PutObject": 3}
    assert counted.usage.dynamodb_write_units > counted.calls["dynamodb.UpdateItem"]
