"""A group's share in a queue that shares fairly."""

from __future__ import annotations

import pytest

from chalicelib.aws.batch_arguments import share_identifier, submit_arguments
from chalicelib.job_ports import JobRequest

JOB = JobRequest(name="n", queue="fair", definition_arn="arn:aws:batch:d", group="imaging")


def test_a_job_names_its_share_only_where_the_queue_asks_for_one():
    assert submit_arguments(JOB, ("fair",))["shareIdentifier"] == "imaging"
    assert "shareIdentifier" not in submit_arguments(JOB, ("other",))
    assert "shareIdentifier" not in submit_arguments(JOB)


@pytest.mark.parametrize("group", ["a-b", "a_b", "ä", "a b" * 99, "-"])
def test_a_share_has_letters_and_digits_and_room(group):
    share = share_identifier(group)
    assert share.isascii()
    assert share.isalnum()
    assert len(share) <= 255


def test_groups_that_differ_in_marks_only_have_shares_of_their_own():
    assert len({share_identifier(each) for each in ("ab", "a-b", "a_b", "a.b")}) == 4
