"""SQLite and DynamoDB tell the same, whatever is asked of them, in whatever order.

A seed that fails: ``pytest -k differential`` names it and the operations up to the difference.
"""

from __future__ import annotations

import itertools

import pytest

from tests.clouds.clients import client
from tests.clouds.foundation import create_table
from tests.contract.aws_opener import AwsOpener
from tests.contract.openers import LocalOpener
from tests.contract.operations import Walks, sequence

SLICES = {"moto": range(25), "dynalite": range(25, 100)}
ALL = range(5_000)
CHUNK = 50


def chunks(slices):
    """Servers with ranges of seeds, so that several processes can share them."""
    return [
        pytest.param(server, seeds[start : start + CHUNK], id=f"{server} from {seeds[start]}")
        for server, seeds in slices.items()
        for start in range(0, len(seeds), CHUNK)
    ]


@pytest.mark.parametrize(("server", "seeds"), chunks(SLICES))
def test_both_stores_tell_the_same_of_some_sequences(server, seeds, request, tmp_path):
    endpoint = request.getfixturevalue(f"{server}_endpoint")
    for seed in seeds:
        assert_same(seed, endpoint, tmp_path)


@pytest.mark.campaign
@pytest.mark.parametrize(("server", "seeds"), chunks(dict.fromkeys(SLICES, ALL)))
def test_both_stores_tell_the_same_of_every_sequence(server, seeds, request, tmp_path):
    endpoint = request.getfixturevalue(f"{server}_endpoint")
    for seed in seeds:
        assert_same(seed, endpoint, tmp_path)


def assert_same(seed, endpoint, root):
    dynamodb = client("dynamodb", endpoint)
    here = LocalOpener(root / f"local{seed}")
    there = AwsOpener(endpoint, endpoint, create_table(dynamodb), "", root / f"aws{seed}")
    try:
        compare(seed, walks(here), walks(there))
    finally:
        dynamodb.delete_table(TableName=there.table)


def walks(opener):
    return Walks(opener.open().runs, opener.open().runs)


def compare(seed, here, there):
    """Fail with the operations up to the first difference."""
    done = []
    for opening, operation in sequence(seed):
        done.append(f"{opening} {operation!r:.300}")
        ours, theirs = here.do(opening, operation), there.do(opening, operation)
        assert ours == theirs, "\n".join([f"seed {seed}:", *done])


def test_every_outcome_is_met_among_the_sequences(tmp_path):
    """A campaign that only meets errors, or empty lists, would prove nothing."""
    met = set()
    for seed in range(60):
        home = LocalOpener(tmp_path / str(seed))
        store = walks(home)
        for opening, operation in sequence(seed):
            outcome = store.do(opening, operation)
            told = outcome if isinstance(outcome, str) else bool(outcome)
            met.add((type(operation).__name__, told))
    kinds = ("Create", "Change", "Load", "Page")
    expected = set(itertools.product(kinds, [True])) | {("Due", True), ("Due", False)}
    expected |= {("Create", "StaleRun"), ("Change", "StaleRun"), ("Change", "NotFound")}
    expected |= {("Load", "NotFound"), ("Page", "InvalidRequest")}
    assert expected <= met
