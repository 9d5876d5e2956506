"""Costs as people read them."""

from __future__ import annotations

import pytest

from chalicelib import bootstrap
from chalicelib.cli import main
from chalicelib.cli.costing import amount, cost_text, range_text
from chalicelib.settings import Settings
from tests.flow.worlds import World, a_demand

NOTHING = {"vcpu_seconds": 0, "memory_gib_seconds": 0, "gpu_seconds": 0, "amount": 0}
USED = {"vcpu_seconds": 7200, "memory_gib_seconds": 3600, "gpu_seconds": 0, "amount": 1.5}
COST = {
    "run": "e1",
    "currency": "EUR",
    "amount": 1.75,
    "is_final": False,
    "used": USED,
    "wasted": {"retries": NOTHING, "interruptions": {**NOTHING, "amount": 0.5}},
    "moved": {"amount": 0.25},
    "stages": {"execute": USED},
    "not_counted": ["stage-in: an array\x1b[31m"],
    "prices": "our contract",
}


@pytest.fixture(autouse=True)
def _forget():
    yield
    bootstrap.use(Settings())


def test_a_cost_is_a_table_with_what_it_leaves_out_below():
    lines = [line.split() for line in cost_text(COST).splitlines()]
    assert lines[0] == ["WHAT", "VCPU-H", "GIB-H", "GPU-H", "EUR"]
    assert lines[1] == ["execute", "2.0000", "1.0000", "0", "1.5000"]
    assert lines[2] == ["bytes", "0.2500"]
    assert lines[3] == ["all", "2.0000", "1.0000", "0", "1.7500"]
    assert lines[5][:3] == ["of", "it", "interruptions"]
    assert lines[-1] == ["prices:", "our", "contract"]
    text = cost_text(COST)
    assert "so far: the run is not done" in text
    assert "not counted: stage-in: an array" in text
    assert "\x1b" not in text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0 USD"),
        (5.3e-05, "0.000053 USD"),
        (0.01234, "0.0123 USD"),
        (12.345, "12.35 USD"),
    ],
    ids=["nothing", "seconds of a job", "little", "much"],
)
def test_small_amounts_have_more_decimals(value, text):
    assert amount(value, "USD") == text


PRICE = {"execution_type": "align", "looked_at": 9, "currency": "USD"}


def test_a_price_range_is_a_sentence():
    told = {**PRICE, "runs": 3, "lowest": 0.5, "median": 1, "highest": 2}
    assert range_text(told) == (
        "price: 0.5000 USD to 2.00 USD, mostly 1.00 USD; 3 runs of the type align"
    )


def test_the_price_of_one_run_is_no_range():
    told = {**PRICE, "runs": 1, "lowest": 0.5, "median": 0.5, "highest": 0.5}
    assert range_text(told) == "price: 0.5000 USD, as 1 run of the type align cost"


def test_figures_of_a_cost_end_below_each_other():
    table = cost_text(COST).splitlines()[:6]
    assert {len(line) for line in table} == {len(table[0])}


def test_without_a_history_nobody_knows_the_price():
    assert range_text({**PRICE, "runs": 0}).startswith("price: nobody knows; none of the")


def test_the_command_line_shows_costs_of_the_embedded_home(tmp_path, capsys):
    World(tmp_path).submit(a_demand())
    where = ["--root", str(tmp_path)]
    assert main(["cost", "e1", *where]) == 0
    assert "so far" in capsys.readouterr().out
    assert main(["list", "--cost", *where]) == 0
    heading, row = capsys.readouterr().out.splitlines()
    assert heading.split()[-1] == "COST"
    assert row.split()[-2:] == ["0", "USD"]
    assert main(["list", *where]) == 0
    assert "COST" not in capsys.readouterr().out


def test_the_cost_of_a_run_that_is_not_there_is_a_complaint(tmp_path, capsys):
    World(tmp_path).runs.list()
    assert main(["cost", "nobody", "--root", str(tmp_path)]) == 2
    assert "nobody" in capsys.readouterr().err
