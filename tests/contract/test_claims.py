"""What every Claims does."""

from __future__ import annotations

import pytest

from chalicelib.ports import Claim
from tests.contract.openers import HOMES_OF_STATE, LocalOpener, in_processes

pytestmark = pytest.mark.parametrize("opener", HOMES_OF_STATE, indirect=True)


@pytest.fixture
def claims(ports):
    return ports.claims


def test_nobody_holds_what_was_never_claimed(claims):
    assert claims.holder("job", 0) is None


def test_the_first_to_claim_holds_it_for_good(claims):
    assert claims.claim("job", 0, "a", 1) == Claim("a", 1)
    assert claims.claim("job", 0, "b", 1) == Claim("a", 1)
    assert claims.claim("job", 0, "b", 9) == Claim("a", 1)
    assert claims.holder("job", 0) == Claim("a", 1)


def test_the_holder_may_claim_again_and_its_attempt_never_falls(claims):
    claims.claim("job", 0, "a", 1)
    assert claims.claim("job", 0, "a", 1) == Claim("a", 1)
    assert claims.claim("job", 0, "a", 3) == Claim("a", 3)
    assert claims.claim("job", 0, "a", 2) == Claim("a", 3)


def test_names_and_indexes_are_claimed_apart(claims):
    claims.claim("job", 0, "a", 1)
    assert claims.claim("job", 1, "b", 1) == Claim("b", 1)
    assert claims.claim("job-2", 0, "c", 1) == Claim("c", 1)


def claim_many(opener: LocalOpener, job_id: str, names: int) -> list[str]:
    claims = opener.open().claims
    return [claims.claim(f"job-{number}", 0, job_id, 1).job_id for number in range(names)]


def test_of_many_processes_one_holds_each_name(opener):
    told = in_processes(claim_many, *[(opener, f"id-{number}", 60) for number in range(3)])
    claims = opener.open().claims
    holders = [claims.holder(f"job-{number}", 0).job_id for number in range(60)]
    assert told == [holders] * 3
