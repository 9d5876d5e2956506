"""The options of a submission: what they mean, and what is wrong with the wrong ones."""

from __future__ import annotations

import pytest

from chalicelib.core.errors import InvalidRequest
from chalicelib.core.options import LONGEST_SECONDS, Options, check_options
from chalicelib.core.plans.demand_execution import CLOSING, STAGES
from chalicelib.core.plans.plan import Plan, RetryPolicy
from chalicelib.core.submission import parse_submission
from tests.flow.worlds import a_demand

NONE, STAGE, GLOBAL = RetryPolicy.NONE, RetryPolicy.STAGE, RetryPolicy.GLOBAL


def parsed(**options):
    found = parse_submission({**a_demand(), "options": options}).options
    check_options(found, STAGES, CLOSING)
    return found


def refused(**options):
    with pytest.raises(InvalidRequest) as caught:
        parsed(**options)
    return caught.value


@pytest.mark.parametrize(
    ("given", "policy", "attempts"),
    [
        ({}, NONE, 1),
        ({"max_attempts": 1}, NONE, 1),
        ({"max_attempts": 2}, STAGE, 2),
        ({"max_attempts": 100}, STAGE, 100),
        ({"retry_policy": "STAGE"}, STAGE, 3),
        ({"retry_policy": "STAGE", "max_attempts": 1}, STAGE, 1),
        ({"retry_policy": "STAGE", "max_attempts": 7}, STAGE, 7),
        ({"retry_policy": "NONE"}, NONE, 1),
        ({"retry_policy": "NONE", "max_attempts": 7}, NONE, 7),
        ({"retry_policy": "GLOBAL", "max_attempts": 5}, GLOBAL, 5),
        ({"retry_policy": None, "max_attempts": None}, NONE, 1),
    ],
    ids=str,
)
def test_the_policy_and_the_attempts_follow_from_what_is_given(given, policy, attempts):
    limits = parsed(**given).limits()
    assert (limits["retry_policy"], limits["max_attempts"]) == (policy, attempts)


@pytest.mark.parametrize(
    ("given", "run", "execute"),
    [
        ({}, Plan(stages=()).timeout_seconds, None),
        ({"timeout_seconds": 1}, 1, None),
        ({"timeout_seconds": LONGEST_SECONDS}, LONGEST_SECONDS, None),
        ({"timeout_seconds": {"run": 60}}, 60, None),
        ({"timeout_seconds": {"execute": 60}}, Plan(stages=()).timeout_seconds, 60),
        ({"timeout_seconds": {"run": 50, "execute": 60}}, 50, 60),
        ({"timeout_seconds": {}}, Plan(stages=()).timeout_seconds, None),
    ],
    ids=str,
)
def test_a_timeout_is_the_runs_or_a_stages(given, run, execute):
    options = parsed(**given)
    assert Plan(stages=(), **options.limits()).timeout_seconds == run
    assert options.stage_timeout("execute") == execute
    assert options.stage_timeout("stage-in") is None


@pytest.mark.parametrize(
    ("given", "field", "value"),
    [
        ({"retry_policy": "stage"}, "retry_policy", "stage"),
        ({"retry_policy": 1}, "retry_policy", 1),
        ({"max_attempts": 0}, "max_attempts", 0),
        ({"max_attempts": 101}, "max_attempts", 101),
        ({"max_attempts": True}, "max_attempts", True),
        ({"max_attempts": "3"}, "max_attempts", "3"),
        ({"max_attempts": 2.5}, "max_attempts", 2.5),
        ({"retry_policy": "GLOBAL"}, "max_attempts", None),
        ({"retry_policy": "GLOBAL", "max_attempts": 4}, "max_attempts", 4),
        ({"timeout_seconds": 0}, "timeout_seconds", 0),
        ({"timeout_seconds": True}, "timeout_seconds", True),
        ({"timeout_seconds": "60"}, "timeout_seconds", "60"),
        ({"timeout_seconds": 1.5}, "timeout_seconds", 1.5),
        ({"timeout_seconds": [60]}, "timeout_seconds", "[60]"),
        ({"timeout_seconds": LONGEST_SECONDS + 1}, "timeout_seconds", LONGEST_SECONDS + 1),
        ({"timeout_seconds": {"run": 0}}, "timeout_seconds.run", 0),
        ({"timeout_seconds": {"run": None}}, "timeout_seconds.run", None),
        ({"timeout_seconds": {"execute": False}}, "timeout_seconds.execute", False),
        ({"timeout_seconds": {"execute": -1}}, "timeout_seconds.execute", -1),
        ({"timeout_seconds": {"Execute": 60}}, "timeout_seconds.Execute", "Execute"),
        ({"timeout_seconds": {"": 60}}, "timeout_seconds.", ""),
        ({"queue_wait_timeout_seconds": 0}, "queue_wait_timeout_seconds", 0),
        ({"queue_wait_timeout_seconds": True}, "queue_wait_timeout_seconds", True),
        ({"queue_wait_timeout_seconds": {"run": 1}}, "queue_wait_timeout_seconds", "{'run': 1}"),
        ({"fallback_job_queue_name": ""}, "fallback_job_queue_name", ""),
        ({"fallback_job_queue_name": 7}, "fallback_job_queue_name", 7),
        ({"retries": 3}, "retries", 3),
    ],
    ids=str,
)
def test_a_wrong_option_names_its_field_its_value_and_its_mend(given, field, value):
    problem = refused(**given)
    shown = (problem.field, problem.value, type(problem.value))
    assert shown == (f"options.{field}", value, type(value))
    assert problem.mend


def test_an_unknown_stage_is_answered_with_the_stages():
    mend = refused(timeout_seconds={"excute": 60}).mend
    assert all(name in mend for name in ("run", *STAGES))


def test_a_long_wrong_name_is_cut_short():
    assert len(refused(timeout_seconds={"x" * 10_000: 60}).field) < 300


def test_global_needs_an_attempt_for_every_stage_that_is_not_closing():
    assert "5" in refused(retry_policy="GLOBAL", max_attempts=4).mend
    few = Options(retry_policy="GLOBAL", max_attempts=2)
    check_options(few, ("a", "b", "end"), ("end",))


class TestDigests:
    @pytest.mark.parametrize(
        ("options", "digest"),
        [
            ({}, "6eeef1ad58e34e12c015f25479d706cf42280e1059daa5c6a1191eccc20052ef"),
            (
                {"cleanup": "never", "group": "g"},
                "b133978db987eebed0c3dc42dc820bb5707c355b8b603a39c1576a739205ec88",
            ),
        ],
        ids=["bare", "old options"],
    )
    def test_runs_from_before_the_new_options_are_still_found_again(self, options, digest):
        assert parse_submission({**a_demand(), "options": options}).digest() == digest

    @pytest.mark.parametrize(
        "options",
        [
            {"max_attempts": 1},
            {"retry_policy": "NONE"},
            {"timeout_seconds": 60},
            {"queue_wait_timeout_seconds": 60},
            {"fallback_job_queue_name": "spare"},
        ],
        ids=str,
    )
    def test_every_option_is_content(self, options):
        document = {**a_demand(), "options": options}
        assert parse_submission(document).digest() != parse_submission(a_demand()).digest()

    def test_no_timeout_in_an_object_is_none_at_all(self):
        empty = {**a_demand(), "options": {"timeout_seconds": {}}}
        assert parse_submission(empty).digest() == parse_submission(a_demand()).digest()

    def test_two_spellings_of_one_timeout_are_the_same(self):
        one, other = (
            parse_submission({**a_demand(), "options": {"timeout_seconds": seconds}})
            for seconds in (60, {"run": 60})
        )
        assert one.digest() == other.digest()
