"""What is known of an Idempotency-Key, and what follows for the next request that bears it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from chalicelib.core.errors import InvalidRequest, KeyReused, UnderWay
from chalicelib.core.idempotency import (
    KEPT,
    LONGEST_TRY,
    Answered,
    Begun,
    checked_key,
    digest_of,
    is_worth_keeping,
    next_try,
)
from chalicelib.core.limits import BATCH_REMEMBERS_ENDED_JOBS_SECONDS

AT = datetime(2026, 1, 1, tzinfo=UTC)
FIRST = Begun(request="same", seed="s" * 20, first_at=AT, tried_at=AT)
ANSWERED = FIRST.model_copy(update={"answer": Answered(status=202, headers={}, body="{}")})


@pytest.mark.parametrize("key", ["k", "a b", "~" * 255, ' "quoted" ', "\x20!"])
def test_a_key_is_up_to_255_printable_characters(key):
    assert checked_key(key) == key.strip(" ")


@pytest.mark.parametrize("key", ["", "  ", "k" * 256, "a\tb", "ü", "a\x7f", "\0"])
def test_anything_else_is_no_key(key):
    with pytest.raises(InvalidRequest) as caught:
        checked_key(key)
    assert caught.value.field == "Idempotency-Key"
    assert caught.value.mend


def test_the_first_request_begins():
    assert next_try(None, "same", "s" * 20, AT) == FIRST


@pytest.mark.parametrize("known", [FIRST, ANSWERED], ids=["under way", "answered"])
def test_another_request_with_the_key_is_refused_for_good(known):
    with pytest.raises(KeyReused):
        next_try(known, "other", "t" * 20, AT + KEPT)


def test_the_same_request_finds_the_answer():
    assert next_try(ANSWERED, "same", "t" * 20, AT) is ANSWERED


def test_the_same_request_waits_for_the_one_that_is_under_way():
    with pytest.raises(UnderWay) as caught:
        next_try(FIRST, "same", "t" * 20, AT + LONGEST_TRY - timedelta(seconds=1))
    assert caught.value.retry_after_seconds > 0


@pytest.mark.parametrize(
    ("known", "after"),
    [(FIRST, LONGEST_TRY), (FIRST.model_copy(update={"tried_at": None}), timedelta(0))],
    ids=["that must have died", "that ended without an answer"],
)
def test_after_a_try_another_one_has_its_seed(known, after):
    again = next_try(known, "same", "t" * 20, AT + after)
    assert again == FIRST.model_copy(update={"tried_at": AT + after})


@pytest.mark.parametrize(
    ("status", "expected"),
    [(200, True), (202, True), (400, True), (403, True), (404, True), (409, True), (422, True),
     (429, False), (500, False), (503, False)],
)  # fmt: skip
def test_what_failed_or_came_too_early_is_not_kept(status, expected):
    assert is_worth_keeping(status) is expected


def test_where_one_part_ends_and_the_next_begins_matters():
    assert digest_of("ab", "c") != digest_of("a", "bc")
    assert digest_of("ab", b"c") == digest_of("ab", "c")


def test_an_answer_is_kept_longer_than_batch_remembers_a_name():
    assert timedelta(seconds=BATCH_REMEMBERS_ENDED_JOBS_SECONDS) < KEPT >= timedelta(days=8)
