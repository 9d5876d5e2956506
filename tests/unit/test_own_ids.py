"""Ids of runs that Falsework makes by itself, and those who would take them."""

from __future__ import annotations

import pytest

from chalicelib.core.errors import InvalidRequest
from chalicelib.core.own_ids import check_not_own_id
from chalicelib.core.plans.archives import archive_run_id
from chalicelib.core.work.leases import lease_name
from tests.unit.runs import a_run

ARCHIVE = archive_run_id(a_run())
WORK = lease_name("b" * 24, 2)
CLEAN_UP = "file-system-cleanup-2026-01-02-0123abcd"


@pytest.mark.parametrize(
    ("run_id", "kind", "field"),
    [
        (ARCHIVE, "data-sync", "run_id"),
        (ARCHIVE, "demand-execution", "demand_execution.execution_id"),
        (ARCHIVE, "work", "run_id"),
        (WORK, "pipeline", "run_id"),
        (WORK, "archive", "run_id"),
        (CLEAN_UP, "file-system-cleanup", "run_id"),
        (CLEAN_UP, "data-sync", "run_id"),
    ],
)
def test_an_id_of_ours_is_nobody_elses(run_id, kind, field):
    with pytest.raises(InvalidRequest, match="Falsework gives to its own") as caught:
        check_not_own_id(run_id, kind)
    assert (caught.value.field, caught.value.value) == (field, run_id)
    check_not_own_id(caught.value.mend.rpartition(" ")[2], kind)


@pytest.mark.parametrize(
    ("run_id", "kind"),
    [
        (ARCHIVE, "archive"),
        (WORK, "work"),
        ("archive-2026", "demand-execution"),
        (f"file-system-cleanup-{'0' * 20}", "file-system-cleanup"),
        (f"my-{ARCHIVE}", "demand-execution"),
        ("work-1", "data-sync"),
        (f"{WORK}.stage.0.0123456789", "batch-job"),
    ],
)
def test_others_may_be_called_as_they_like(run_id, kind):
    check_not_own_id(run_id, kind)


def test_the_sites_own_clean_up_has_the_id_that_nobody_else_has():
    check_not_own_id(CLEAN_UP, "file-system-cleanup", is_ours=True)
    with pytest.raises(InvalidRequest):
        check_not_own_id(CLEAN_UP, "data-sync", is_ours=True)
