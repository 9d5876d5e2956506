"""What every Documents does."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest

from chalicelib.document_ports import Document, StaleDocument
from tests.contract.openers import HOMES_OF_STATE, NOON, nimble_threads

pytestmark = pytest.mark.parametrize("opener", HOMES_OF_STATE, indirect=True)

SECOND = timedelta(seconds=1)
FULL = {"text": "ü\u2028\n", "number": 1.5, "none": None, "list": [1, {"a": True}], "empty": ""}
"""Something of every kind, so that nothing can be changed on the way unseen."""


@pytest.fixture
def documents(opener):
    return opener.documents(NOON)


def keys(found):
    return [each.key for each in found]


def test_a_document_comes_back_as_it_was_saved(documents):
    saved = documents.save("p", "k", FULL)
    assert saved == Document("k", FULL, 1)
    assert documents.load("p", "k") == saved
    assert documents.list("p") == (saved,)


def test_what_was_never_saved_is_not_there(documents):
    assert documents.load("p", "k") is None
    assert documents.list("p") == ()
    documents.remove("p", "k")


@pytest.mark.parametrize("after", ["\U0010ffff" * 2, "ü" * 1000], ids=["behind all", "long"])
def test_behind_what_no_key_can_be_there_is_nothing(documents, after):
    documents.save("p", "k", FULL)
    assert documents.list("p", after=after) == ()


def test_the_ports_of_a_home_have_documents(ports):
    ports.documents.save("p", "k", FULL)
    assert ports.documents.load("p", "k") == Document("k", FULL, 1)


def test_each_save_raises_the_version(documents):
    documents.save("p", "k", {"n": 1})
    assert documents.save("p", "k", {"n": 2}, version=1) == Document("k", {"n": 2}, 2)
    assert documents.load("p", "k") == Document("k", {"n": 2}, 2)


@pytest.mark.parametrize(
    ("is_there", "version"),
    [(True, 0), (True, 2), (False, 1)],
    ids=["there already", "a later one", "none there"],
)
def test_a_save_under_another_version_is_stale_and_changes_nothing(documents, is_there, version):
    before = documents.save("p", "k", {"n": 1}) if is_there else None
    with pytest.raises(StaleDocument):
        documents.save("p", "k", {"n": 1}, version=version)
    assert documents.load("p", "k") == before


def test_the_same_content_saved_by_somebody_else_is_stale(opener):
    opener.documents(NOON).save("p", "k", FULL)
    with pytest.raises(StaleDocument):
        opener.documents(NOON).save("p", "k", FULL)


def test_partitions_and_keys_are_apart(documents):
    for partition, key in [("p", "k"), ("p", "k2"), ("p2", "k"), ("p#k", "k")]:
        documents.save(partition, key, {"at": [partition, key]})
    assert documents.load("p2", "k") == Document("k", {"at": ["p2", "k"]}, 1)
    assert keys(documents.list("p")) == ["k", "k2"]
    documents.remove("p", "k")
    assert keys(documents.list("p")) == ["k2"]
    assert keys(documents.list("p2")) == keys(documents.list("p#k")) == ["k"]


def test_what_was_removed_is_gone_and_its_key_is_new_again(documents):
    documents.save("p", "k", {"n": 1})
    documents.save("p", "k", {"n": 2}, version=1)
    for _ in range(2):
        documents.remove("p", "k")
    assert documents.load("p", "k") is None
    assert documents.save("p", "k", {"n": 3}).version == 1


def test_what_has_expired_is_not_there_and_its_key_is_new_again(opener):
    at_noon, later = opener.documents(NOON), opener.documents(NOON + SECOND)
    at_noon.save("p", "k", {"n": 1}, expires_at=NOON + SECOND)
    at_noon.save("p", "stays", {})
    assert at_noon.load("p", "k") == Document("k", {"n": 1}, 1)
    assert later.load("p", "k") is None
    assert keys(later.list("p")) == ["stays"]
    with pytest.raises(StaleDocument):
        later.save("p", "k", {"n": 2}, version=1)
    assert later.save("p", "k", {"n": 2}) == Document("k", {"n": 2}, 1)
    assert opener.documents(NOON + 9 * SECOND).load("p", "k") == Document("k", {"n": 2}, 1)


def test_a_save_says_anew_when_the_document_expires(opener):
    at_noon = opener.documents(NOON)
    at_noon.save("p", "k", {}, expires_at=NOON + SECOND)
    at_noon.save("p", "k", {}, version=1, expires_at=NOON + 9 * SECOND)
    assert opener.documents(NOON + SECOND).load("p", "k").version == 2
    at_noon.save("p", "k", {}, version=2)
    assert opener.documents(NOON + 99 * SECOND).load("p", "k").version == 3


def test_pages_follow_each_other_by_key(documents):
    named = [f"k{number:02}" for number in range(25)]
    for key in reversed(named):
        documents.save("p", key, {})
    found: list[str] = []
    sizes = []
    while page := documents.list("p", after=found[-1] if found else "", limit=10):
        sizes.append(len(page))
        found += keys(page)
    assert (found, sizes) == (named, [10, 10, 5])


def test_keys_sort_by_their_code_points(documents):
    named = ["#", "1", "10", "2", "B", "a", "aa", "ü", "丽", "😀"]
    for key in sorted(named, reverse=True):
        documents.save("p", key, {})
    assert keys(documents.list("p")) == named
    assert keys(documents.list("p", after="aa")) == ["ü", "丽", "😀"]
    assert keys(documents.list("p", after="b")) == ["ü", "丽", "😀"]


def test_what_has_expired_takes_no_room_on_a_page(opener):
    at_noon = opener.documents(NOON)
    for number in range(12):
        is_short = number < 9
        at_noon.save("p", f"k{number:02}", {}, expires_at=NOON + SECOND if is_short else None)
    assert keys(opener.documents(NOON + SECOND).list("p", limit=3)) == ["k09", "k10", "k11"]


@pytest.mark.parametrize("version", [0, 1], ids=["new", "again"])
def test_of_many_that_save_at_once_one_wins(opener, version):
    if version:
        opener.documents(NOON).save("p", "k", {})
    barrier = Barrier(8)

    def save(number):
        documents = opener.documents(NOON)
        barrier.wait()
        try:
            return documents.save("p", "k", {"by": number}, version=version)
        except StaleDocument:
            return None

    with nimble_threads(), ThreadPoolExecutor(8) as pool:
        won = [saved for saved in pool.map(save, range(8)) if saved]
    assert len(won) == 1
    assert opener.documents(NOON).load("p", "k") == won[0]


def test_of_many_that_meet_an_expired_one_one_wins(opener):
    opener.documents(NOON).save("p", "k", {}, expires_at=NOON + SECOND)

    def save(number):
        try:
            return opener.documents(NOON + SECOND).save("p", "k", {"by": number})
        except StaleDocument:
            return None

    with nimble_threads(), ThreadPoolExecutor(8) as pool:
        won = [saved for saved in pool.map(save, range(8)) if saved]
    assert len(won) == 1
    assert opener.documents(NOON + SECOND).load("p", "k") == won[0]
