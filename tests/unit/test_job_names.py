from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.core.job_names import JobName, job_name, parse_job_name
from tests.unit.runs import UID

uids = st.text("abcdefghijklmnopqrstuvwxyz234567", min_size=20, max_size=20)
prefixes = st.from_regex(r"[a-z0-9][a-z0-9-]{0,30}", fullmatch=True)
words = st.from_regex(r"[a-z0-9-]{1,40}", fullmatch=True)


@given(prefixes, uids, st.text(min_size=1, max_size=150), st.integers(1, 10**9))
def test_every_name_is_one_that_batch_takes(prefix, uid, stage, serial):
    name = job_name(prefix, uid, stage, serial)
    assert len(name) <= 128
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")


@given(uids, words, st.integers(1, 10**9))
def test_a_name_gives_back_who_it_belongs_to(uid, stage, serial):
    found = parse_job_name(job_name("falsework", uid, stage, serial))
    assert found is not None
    assert (found.uid, found.serial) == (uid, serial)


def test_the_parts_come_back():
    name = job_name("falsework", UID, "stage-in", 3)
    assert parse_job_name(name) == JobName("falsework", UID, "stage-in", 3)


@pytest.mark.parametrize(
    "name", ["", "somebody-elses", f"falsework-{UID}-execute", f"falsework-{UID}-x-1-", UID]
)
def test_a_foreign_name_is_not_ours(name):
    assert parse_job_name(name) is None
