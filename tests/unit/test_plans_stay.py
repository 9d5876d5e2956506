"""The plans of the built-in kinds, to the byte: a refactored builder must not change one.

What a saved run was planned to do is in its store; the same request submitted again must say the
same. The digests are of what differs from the defaults, so that a new field with a default is no
change. ``python -m tests.unit.test_plans_stay`` prints the digests of now.
"""

from __future__ import annotations

import hashlib
import json

import pytest

from chalicelib.core.file_requests import KINDS, SYNC
from chalicelib.core.function_requests import BATCH_EXECUTOR, LAMBDA_FUNCTION
from chalicelib.core.plans.plan import Plan
from tests.unit import test_file_plans, test_function_plans, test_plans, test_pushed_works

PATH = {"path": f"{test_file_plans.FS}:/a"}
EXECUTOR = {"image": "ghcr.io/lab/tool:1", "executor": "pkg.Run", "payload": [1], "gpu": 1}

PLANS = {
    "demand": test_plans.the_plan,
    "demand, far file systems": lambda: test_plans.the_plan(has_file_systems=False),
    "demand, no data": lambda: test_plans.the_plan(document=test_plans.without_data()),
    "demand, options": lambda: test_plans.the_plan(
        cleanup="never", timeout_seconds={"execute": 5}, fallback_job_queue_name="other",
        retry_policy="GLOBAL", max_attempts=9,
    ),
    "sync": lambda: test_file_plans.plan({**test_file_plans.ENDS, "delete": True}),
    "sync, timeout": lambda: test_file_plans.plan(
        {**test_file_plans.ENDS, "options": {"timeout_seconds": {"sync": 9}}}, SYNC
    ),
    **{
        kind: lambda kind=kind: test_file_plans.plan(
            {"paths": [PATH["path"]]} if kind == "remove-data-paths" else PATH, kind
        )
        for kind in KINDS
    },
    "batch-lambda": lambda: test_function_plans.plan(test_function_plans.BODY),
    "batch-executor": lambda: test_function_plans.plan(EXECUTOR, BATCH_EXECUTOR),
    "lambda-function": lambda: test_function_plans.plan(
        {"function_name": "lab-count", "payload": {"n": 1}}, LAMBDA_FUNCTION
    ),
    "work": lambda: test_pushed_works.requested(test_pushed_works.a_work(timeout=60)).plan,
}  # fmt: skip

DIGESTS = {
    "demand": "15ffa692584dd1f3",
    "demand, far file systems": "15ffa692584dd1f3",
    "demand, no data": "08b3a2769a4bf376",
    "demand, options": "b50da2ae8008a82c",
    "sync": "aa54090be22298b6",
    "sync, timeout": "67725c6c0289991c",
    "data-path-stats": "55f615747efc4471",
    "list-data-paths": "55ee308493ece699",
    "outdated-data-paths": "f7bb82f9fa46b894",
    "remove-data-paths": "e63198e22ea9929a",
    "file-system-cleanup": "f81af052652eef17",
    "batch-lambda": "fa723c5abb738306",
    "batch-executor": "482c6cc873d0080a",
    "lambda-function": "af2b3326589bf056",
    "work": "da3d4fdbf8f442bc",
}


def digest_of(plan: Plan) -> str:
    told = plan.model_dump(mode="json", exclude_defaults=True)
    actions = [stage.action.action for stage in plan.stages]
    text = json.dumps([told, actions], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@pytest.mark.parametrize("name", PLANS)
def test_the_plan_of_a_built_in_kind_has_not_changed(name):
    assert digest_of(PLANS[name]()) == DIGESTS[name]


if __name__ == "__main__":
    print(json.dumps({name: digest_of(made()) for name, made in PLANS.items()}, indent=4))  # noqa: T201
