"""The SDK repeats a request whose answer was lost: a save knows its own effect by its mark."""

from __future__ import annotations

import pytest

from chalicelib.document_ports import Document, StaleDocument
from tests.contract.faulty import Faulty
from tests.contract.openers import NOON

pytestmark = pytest.mark.parametrize("opener", ["moto", "dynalite"], indirect=True)
FULL = {"text": "x", "number": 1.5}


@pytest.mark.parametrize("version", [0, 1], ids=["new", "again"])
def test_a_save_whose_answer_was_lost_is_recognised(opener, version):
    if version:
        opener.documents(NOON).save("p", "k", {})
    repeating = opener.documents(NOON, lambda c: Faulty(c, "put_item", is_repeated=True))
    saved = repeating.save("p", "k", {"n": 1}, version=version)
    assert saved == Document("k", {"n": 1}, version + 1)
    assert opener.documents(NOON).load("p", "k") == saved


def test_a_repeat_does_not_take_the_work_of_another_for_its_own(opener):
    """The same content under the same version: only the mark tells the two apart."""
    opener.documents(NOON).save("p", "k", FULL)
    repeating = opener.documents(NOON, lambda c: Faulty(c, "put_item", is_repeated=True))
    with pytest.raises(StaleDocument):
        repeating.save("p", "k", FULL)
