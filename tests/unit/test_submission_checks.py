"""What a submission must not ask for, told with the field, the value and the mend."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.core.demand.scaffolding import prepare
from chalicelib.core.errors import InvalidRequest
from chalicelib.core.site import Site
from chalicelib.core.submission import parse_submission
from chalicelib.core.submission_checks import check_submission
from chalicelib.core.worker_documents import LEFTOVERS
from chalicelib.local.folders import own_file_systems
from tests.flow.worlds import a_demand

PARAMS = "demand_execution.execution_parameters.params"


def check(document: dict[str, Any]) -> None:
    submission, site = parse_submission(document), Site()
    check_submission(submission, prepare(submission.request, site, own_file_systems(site)), site)


def with_file(way: str, local: str) -> dict[str, Any]:
    return a_demand(
        execution_parameters={
            "command": ["true"],
            way: ["x"],
            "params": {"x": {"local": local, "remote": "s3://bucket/x"}},
        }
    )


@pytest.mark.parametrize(
    ("document", "field", "value"),
    [
        pytest.param(
            a_demand(execution_id=LEFTOVERS),
            "demand_execution.execution_id",
            LEFTOVERS,
            id="working directory",
        ),
        *(
            pytest.param(
                with_file(way, f"/opt/efs/scratch/{LEFTOVERS}{below}"),
                f"{PARAMS}.x",
                f"fs-0000000000000001:/scratch/{LEFTOVERS}{below}",
                id=f"{way} {below}",
            )
            for way in ("inputs", "outputs")
            for below in ("", "/e1", "/e1/falsework-uid-execute-2/x")
        ),
    ],
)
def test_nobody_works_where_leftovers_are_kept(document, field, value):
    with pytest.raises(InvalidRequest) as refused:
        check(document)
    assert (refused.value.field, refused.value.value) == (field, value)
    assert refused.value.mend


@pytest.mark.parametrize("name", [f"{LEFTOVERS}-2", f"x{LEFTOVERS}", LEFTOVERS[1:]])
def test_names_that_only_resemble_it_are_fine(name):
    check(a_demand(execution_id=name))
    check(with_file("inputs", name))
    check(with_file("outputs", f"a/{name}"))
