"""What a run announces: every change that was asked for, at least once, whatever happens."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.announcing import tell
from chalicelib.core.commands import Announce
from chalicelib.core.events import (
    Announced,
    CancelRequested,
    ResumeRequested,
    RollbackRequested,
    TimerFired,
)
from chalicelib.core.job_state import JobStatus
from chalicelib.core.lifecycle import decide, owed, prompt
from chalicelib.core.lifecycle.notices import due, targets_of
from chalicelib.core.notice import Notice
from chalicelib.core.plans.announcements import Announcement, Target
from chalicelib.core.run import Run, RunState
from chalicelib.core.site import Site
from chalicelib.simulation.ears import EVERY_STATE, EVERY_STATUS, Ears
from chalicelib.simulation.violations import Findings
from tests.simulation.model import Budget, State, begin, run_key, successors
from tests.simulation.model import a_plan as a_plan_of_one_job
from tests.unit.runs import a_plan, a_run, at, seen
from tests.unit.test_lifecycle_attempts import Player, a_chain

ANN = Target(kind="mail", name="ann@example.org")
CI = Target(kind="webhook", name="ci")
ALL = Announcement(states=EVERY_STATE, stages=("*",), stages_on=EVERY_STATUS, targets=(CI,))
ENDS = Announcement(states=("SUCCESS", "ERROR", "CANCELED"), targets=(CI,))


def keys(run: Run) -> list[str]:
    return [change.key for change in due(run)]


def announced(run: Run, *told: str, when: float = 9) -> Run:
    return decide(run, Announced(run_id="r1", at=at(when), keys=told)).run


def told_all(run: Run) -> Run:
    return announced(run, *keys(run))


def a_told_run(*wanted: Announcement, until: str = "", **plan: Any) -> Run:
    """A run that has come so far, of whose changes nobody was told."""
    quiet = a_run(until=until, plan=a_plan(**plan))
    return quiet.model_copy(
        update={"plan": a_plan(**plan).model_copy(update={"notices": wanted or (ENDS,)})}
    )


class TestDue:
    def test_what_was_passed_within_one_decision_is_told_as_well(self):
        run = a_told_run(Announcement(states=EVERY_STATE, targets=(CI,)))
        assert keys(run) == ["1:PENDING", "1:RUNNING", "1:SUCCESS"]

    def test_only_what_was_asked_for_is_told(self):
        run = a_told_run(Announcement(states=("SUCCESS",), targets=(CI,)))
        assert keys(run) == ["1:SUCCESS"]

    def test_a_run_that_was_canceled_before_it_began_never_ran(self):
        plan = a_chain("a", notices=(ALL,))
        player = Player(plan)
        player.apply(CancelRequested(run_id="r1", at=at(1)))
        assert keys(player.run) == ["1:PENDING", "1:CANCELED", "1:a:0:CANCELED"]

    def test_each_attempt_of_a_stage_is_a_change_of_its_own(self):
        player = Player(a_chain("a", retry_policy="STAGE", max_attempts=2, notices=(ALL,)))
        player.play([1, 0])
        assert [key for key in keys(player.run) if ":a:" in key] == [
            "1:a:1:RUNNING",
            "1:a:1:RETRY",
            "1:a:2:RUNNING",
            "1:a:2:COMPLETE",
        ]

    def test_a_retry_that_was_given_up_is_told_as_one(self):
        player = Player(a_chain("a", retry_policy="STAGE", max_attempts=2, notices=(ALL,)))
        player.end(player.submit(), 1)
        player.apply(CancelRequested(run_id="r1", at=at(70)))
        assert [key for key in keys(player.run) if ":a:" in key] == [
            "1:a:1:RUNNING",
            "1:a:1:RETRY",
            "1:a:1:CANCELED",
        ]

    def test_only_the_stages_that_were_named_are_told_of(self):
        named = Announcement(stages=("execute",), stages_on=("COMPLETE",), targets=(CI,))
        assert keys(a_told_run(named)) == ["1:execute:1:COMPLETE"]

    def test_who_is_named_twice_is_told_once(self):
        run = a_told_run(ENDS, Announcement(states=("SUCCESS",), targets=(ANN, CI)))
        (change,) = due(run)
        assert targets_of(run.plan, change) == (CI, ANN)

    def test_the_reason_of_a_failure_goes_with_it(self):
        run = a_told_run(until="execute")
        failed = seen("job-2", JobStatus.FAILED, 2, ended_attempts=1, exit_code=3, reason="no")
        (change,) = due(decide(run, failed).run)
        assert (change.status, change.at) == ("ERROR", at(5))
        assert "exit" in change.why


class TestOwed:
    def test_it_is_owed_until_it_was_handed_on_also_when_the_run_has_settled(self):
        run = a_told_run()
        assert run.settled_at is not None
        assert prompt(run) == (Announce(key="1:SUCCESS"),)
        looked = decide(run, TimerFired(run_id="r1", at=at(1000)))
        assert looked.commands == (Announce(key="1:SUCCESS"),)
        assert looked.run.next_check_at == at(1000 + 30)
        run = told_all(looked.run)
        assert (run.announced, run.next_check_at) == (("1:SUCCESS",), None)
        assert owed(run, at(2000)) == ()

    def test_the_decision_that_makes_it_due_orders_it(self):
        run = a_told_run(until="execute")
        decision = decide(run, CancelRequested(run_id="r1", at=at(7)))
        assert Announce(key="1:CANCELED") in decision.commands

    def test_being_told_twice_that_it_was_changes_nothing_and_repeats_nothing(self):
        run = a_told_run(Announcement(states=("RUNNING", "SUCCESS"), targets=(CI,)))
        run = announced(run, "1:SUCCESS")
        assert prompt(run) == (Announce(key="1:RUNNING"),)
        event = Announced(run_id="r1", at=at(10), keys=("1:SUCCESS",))
        assert decide(run, event) == (run, ())

    def test_a_key_that_is_none_is_not_remembered(self):
        run = a_told_run()
        assert announced(run, "1:ERROR", "7:SUCCESS", "") is run

    @pytest.mark.parametrize("until", ["execute", ""], ids=["running", "ended"])
    def test_a_run_that_announces_nothing_is_owed_nothing(self, until):
        run = a_run(until=until)
        assert (due(run), run.announced, run.left_over) == ((), (), ())
        assert not any(isinstance(command, Announce) for command in owed(run, at(9999)))
        assert all(stage.attempts_before is None for stage in run.stages)


class TestGenerations:
    def failed(self) -> Run:
        run = a_told_run(until="execute", digest="d")
        failed = seen("job-2", JobStatus.FAILED, 2, ended_attempts=1, exit_code=3)
        return decide(run, failed).run

    def test_what_was_not_told_goes_along_into_the_next_one(self):
        run = decide(self.failed(), ResumeRequested(run_id="r1", at=at(50))).run
        assert (run.state, run.error) == (RunState.RUNNING, None)
        assert keys(run) == ["1:ERROR"]
        (left,) = run.left_over
        assert (left.generation, left.status) == (1, "ERROR")
        assert "exit" in left.why
        run = told_all(run)
        assert (run.left_over, run.announced) == ((), ())

    def test_it_ends_once_in_each(self):
        run = told_all(self.failed())
        run = decide(run, ResumeRequested(run_id="r1", at=at(50))).run
        assert (keys(run), run.announced) == ([], ())
        run = decide(run, CancelRequested(run_id="r1", at=at(60))).run
        assert keys(run) == ["2:CANCELED"]

    def test_a_stage_that_does_not_run_again_is_not_told_of_again(self):
        plan = a_chain("a", "b", notices=(ALL,), clean_up="never")
        player = Player(plan)
        player.play([0, 0])
        run = told_all(player.run)
        run = decide(run, RollbackRequested(run_id="r1", at=at(500), stage="b")).run
        assert [key for key in keys(run) if ":a:" in key] == []
        assert keys(run) == ["2:PENDING", "2:RUNNING"]

    def test_attempts_that_are_counted_on_are_not_told_of_again(self):
        plan = a_chain("a", notices=(ALL,), retry_policy="GLOBAL", max_attempts=3)
        player = Player(plan)
        player.play([0])
        player.run = told_all(player.run)
        player.apply(RollbackRequested(run_id="r1", at=at(500), stage="a"))
        player.now = 600
        player.end(player.submit())
        assert [key for key in keys(player.run) if ":a:" in key] == [
            "2:a:2:RUNNING",
            "2:a:2:COMPLETE",
        ]


BUDGET = Budget(losses=1, reclaims=2, failures=2, copies=1, resumes=2, cancels=2)
QUIET = a_plan_of_one_job(max_attempts=2)
TOLD = QUIET.model_copy(update={"notices": (ALL,)})


class Walk:
    """One way through the model, with and without somebody who wants to be told."""

    def __init__(self) -> None:
        self.findings = Findings()
        self.ears = Ears(self.findings)
        self.told, self.quiet = begin(TOLD, BUDGET), begin(QUIET, BUDGET)
        self.ears.note_save(None, self.told.run)

    def go(self, choice: int) -> None:
        ways, quiet = list(successors(self.told)), list(successors(self.quiet))
        assert [words for words, _ in ways] == [words for words, _ in quiet]
        self._save(ways[choice % len(ways)][1])
        self.quiet = quiet[choice % len(quiet)][1]
        assert run_key(self.told.run, self.told.now) == run_key(self.quiet.run, self.quiet.now)

    def announce(self, *, dies: bool = False) -> None:
        """Somebody performs what is owed, and may die before he can say that he did."""
        for change in due(self.told.run):
            told = tell(self.told.run, change, Site())
            self.ears.announce(Notice(target=CI, told=told))
            if not dies:
                event = Announced(run_id="r1", at=self.told.now, keys=(change.key,))
                after = decide(self.told.run, event).run
                self._save(self.told._replace(run=after))

    def _save(self, after: State) -> None:
        if after.run is not self.told.run:
            self.ears.note_save(self.told.run, after.run)
        assert len(set(keys(after.run))) == len(keys(after.run))
        self.told = after


MOVES = st.one_of(st.integers(0, 999), st.sampled_from(["announce", "die"]))


@settings(max_examples=300, deadline=None)
@given(st.lists(MOVES, max_size=60))
def test_whatever_happens_each_change_is_told_and_the_run_goes_on_as_if_nobody_cared(moves):
    walk = Walk()
    for move in moves:
        match move:
            case "announce":
                walk.announce()
            case "die":
                walk.announce(dies=True)
            case _:
                walk.go(move)
    walk.announce()
    assert list(walk.ears.unheard([walk.told.run])) == []
    assert due(walk.told.run) == ()
    assert due(walk.quiet.run) == ()
    assert walk.findings.found == []
