"""What pipelines can do, on a real embedded home: choices, maps, hooks, and every way to end."""

from __future__ import annotations

import pytest

from chalicelib import bootstrap, children, engine, kinds
from chalicelib.accepting import begin_again
from chalicelib.core.errors import Conflict
from chalicelib.core.events import CancelRequested, ResumeRequested, RollbackRequested
from chalicelib.core.run import RunState, StageStatus
from chalicelib.core.states.failures import failure_of
from chalicelib.core.why import why
from chalicelib.run_manager.removal import delete
from chalicelib.settings import Settings
from tests.flow.pipeline_parts import choice, fails, hook, pipeline, ran, says, sleeps, value
from tests.flow.test_pipelines import drive


@pytest.fixture
def ports(tmp_path):
    bootstrap.use(Settings(root=tmp_path / "root", runner="host"))
    yield bootstrap.ports()
    bootstrap.use(Settings(root=tmp_path / "gone"))


def start(ports, *stages, **fields):
    return kinds.submit_pipeline(pipeline(*stages, **fields), ports)


def done(ports, *stages, **fields):
    return drive(start(ports, *stages, **fields).id)


def until(is_so, seconds=30.0):
    found = []
    bootstrap.local_loop().run_until(lambda: found or (found.append(1) if is_so() else None))


def started(ports, run):
    return children.page_of(run, ports, cursor=None, limit=100).children


def results(run):
    return {stage.stage_name: stage.result for stage in run.stages}


class TestWhatIsPerformed:
    @pytest.mark.parametrize(("given", "taken"), [(1, "a"), (2, "b"), (3, "other")])
    def test_a_choice_takes_one_branch_and_leaves_the_others_out(self, ports, given, taken):
        run = done(
            ports,
            choice("c", "$.input", a=1, b=2),
            value("x", "A", when={"choice": "c", "branch": "a"}, after=["c"]),
            value("y", "B", when={"choice": "c", "branch": "b"}, after=["c"]),
            value("end", ["$.stages.c.result", "$.stages.x.result", "$.stages.y.result"],
                  after=["x", "y"]),
            input=given,
        )  # fmt: skip
        taken_x, taken_y = {"a": ("A", None), "b": (None, "B")}.get(taken, (None, None))
        assert run.stage("end").result == [taken, taken_x, taken_y]

    def test_a_map_runs_once_for_each_item_and_keeps_their_order(self, ports):
        run = done(ports, ran("m", says({"n": "$.item", "i": "$.index"}), for_each="$.input"),
                   input=[5, 3, 4])  # fmt: skip
        assert run.stage("m").result == [{"n": n, "i": i} for i, n in enumerate([5, 3, 4])]
        assert [child.state for child in started(ports, run)] == [RunState.SUCCESS] * 3

    def test_the_whole_request_may_be_a_reference_with_defaults_under_it(self, ports):
        stage = ran("m", "$.item", for_each="$.input", defaults={"output": ["$.run.id"]})
        run = done(ports, stage, input=[says(1), {**says(2), "output": "own"}])
        assert run.stage("m").result == [["p1"], "own"]

    def test_results_that_are_not_kept_are_null(self, ports):
        run = done(ports, ran("m", says("$.item"), for_each="$.input", keep_results=False),
                   input=[1, 2])  # fmt: skip
        assert (run.state, run.stage("m").result) == (RunState.SUCCESS, None)

    def test_pipelines_are_nested_and_the_innermost_result_comes_out(self, ports):
        inner = pipeline(ran("in", says("deep")))
        del inner["run_id"]
        run = done(ports, ran("mid", {**inner, "output": {"x": "$.stages.in.result"}}),
                   output="$.stages.mid.result.x")  # fmt: skip
        assert run.stage("output").result == "deep"

    def test_one_that_starts_itself_over_and_over_is_stopped(self, ports):
        again = ran("a", {"input": "$.input", "stages": "$.input.stages"})
        run = done(ports, again, input={"stages": [again]})
        assert run.state is RunState.ERROR
        assert "nested deeper than 5" in run.error.message
        assert len(ports.runs.list(limit=100).runs) == 5

    def test_what_may_fail_is_noted_and_the_rest_goes_on(self, ports):
        run = done(ports, ran("a", fails(), may_fail=True), value("b", "$.stages.a.result.Error"))
        assert (run.state, run.stage("b").result) == (RunState.SUCCESS, "States.TaskFailed")

    def test_a_result_that_is_too_large_is_told(self, ports):
        run = done(ports, ran("a", says("x" * 1000), for_each="$.input"), input=list(range(300)))
        assert run.error.cause == "pipeline"
        assert "can be kept" in run.error.message

    def test_values_that_double_do_not_grow_without_bound(self, ports):
        doubled = [value(f"d{n}", [f"$.stages.d{n - 1}.result"] * 2) for n in range(1, 60)]
        run = done(ports, value("d0", "x" * 1000), *doubled)
        assert run.state is RunState.ERROR
        assert "a result may have 262,144" in run.error.message

    def test_a_request_that_repeats_a_result_does_not_grow_without_bound(self, ports):
        run = done(
            ports, value("big", "x" * 100_000), ran("a", says(["$.stages.big.result"] * 99))
        )
        assert (run.state, run.error.stage) == (RunState.ERROR, "a")
        assert "more than 6,291,456 bytes" in run.error.message

    @pytest.mark.parametrize(
        "text", ["[" * 50_000 + "]" * 50_000, '"\\ud800"', "NaN"], ids=["deep", "half", "NaN"]
    )
    def test_a_text_that_no_json_is_made_of_fails_the_run_and_not_the_engine(self, ports, text):
        run = done(ports, value("a", "States.StringToJson($.input)"), input=text)
        assert (run.state, run.error.stage) == (RunState.ERROR, "a")

    @pytest.mark.parametrize("found", [None, "text", {"a": 1}], ids=["null", "text", "object"])
    def test_there_is_no_run_for_what_is_no_list(self, ports, found):
        run = done(ports, value("a", found), ran("b", says(1), for_each="$.stages.a.result"))
        assert "there is no list at $.stages.a.result" in run.error.message
        assert started(ports, run) == ()


class TestHooks:
    def stage(self, request, **status):
        return ran("t", request, status={name: hook(each) for name, each in status.items()})

    def test_they_are_performed_in_the_order_of_the_construct(self, ports):
        names = ("augment_input", "started", "pre_run", "post_run", "completed", "failed")
        run = done(ports, self.stage(says(1), **{name: says(name) for name in names}))
        assert run.state is RunState.SUCCESS
        assert [stage.name for stage in run.plan.stages] == [
            "t.augment_input", "t.started", "t.pre_run", "t", "t.post_run", "t.completed",
            "t.failed",
        ]  # fmt: skip
        assert run.stage("t.failed").status is StageStatus.CREATED
        begun = [s.history[0].begin_ts for s in run.stages[:-1]]
        assert begun == sorted(begun)

    def test_what_augments_the_input_is_seen_by_the_task_and_its_result_by_what_follows(
        self, ports
    ):
        run = done(
            ports,
            self.stage(
                says("$.stages['t.augment_input'].result.n"),
                augment_input=says({"n": 7}),
                completed=says({"of": "$.stages.t.result"}),
            ),
        )
        assert results(run)["t"] == 7
        assert results(run)["t.completed"] == {"of": 7}

    @pytest.mark.parametrize("name", ["started", "completed"])
    def test_a_status_hook_that_fails_fails_nothing(self, ports, name):
        run = done(ports, self.stage(says(1), **{name: fails()}))
        assert run.state is RunState.SUCCESS
        assert results(run)[f"t.{name}"]["Error"] == "States.TaskFailed"

    @pytest.mark.parametrize("name", ["augment_input", "pre_run", "post_run"])
    def test_any_other_hook_that_fails_fails_the_run(self, ports, name):
        run = done(ports, self.stage(says(1), **{name: fails()}))
        assert (run.state, run.error.stage) == (RunState.ERROR, f"t.{name}")

    def test_the_failure_of_the_task_is_told_to_its_own_hook_only(self, ports):
        other = ran("u", says(1), status={"failed": hook(says("u"))})
        run = done(ports, self.stage(fails(), failed=says("$.error.Cause")), other)
        assert (run.state, run.error.stage) == (RunState.ERROR, "t")
        assert "ended in ERROR" in results(run)["t.failed"]
        assert run.stage("u.failed").status is StageStatus.CREATED
        assert run.settled_at is not None

    def test_the_hook_of_a_failure_is_told_its_name(self, ports):
        task = {"name": "t", "kind": "lambda-function", "request": {"function_name": "none"}}
        run = done(ports, {**task, "status": {"failed": hook(says("$.error"))}})
        assert results(run)["t.failed"] == failure_of(run).model_dump()
        assert failure_of(run).Error == "InvalidRequest"


class TestEndings:
    def test_a_cancel_ends_what_was_started_before_the_run_settles(self, ports):
        run = start(ports, ran("m", sleeps(), for_each="$.input"), input=[1, 2])
        until(lambda: len([c for c in started(ports, run) if c.state is RunState.RUNNING]) == 2)
        engine.handle(CancelRequested(run_id="p1", at=ports.clock()), ports)
        ended = drive("p1")
        assert ended.state is RunState.CANCELED
        for child in started(ports, ended):
            assert ports.runs.load(child.id).settled_at <= ended.settled_at
            assert child.state is RunState.CANCELED

    def test_a_timeout_of_the_stage_cancels_its_runs(self, ports):
        run = done(ports, ran("m", sleeps(), timeout_seconds=1))
        assert (run.state, run.error.cause) == (RunState.ERROR, "timeout")
        assert [child.state for child in started(ports, run)] == [RunState.CANCELED]

    def test_one_failure_of_a_map_cancels_the_others(self, ports):
        run = done(ports, ran("m", "$.item", for_each="$.input"), input=[sleeps(), fails()])
        states = {child.index: child.state for child in started(ports, run)}
        assert states == {0: RunState.CANCELED, 1: RunState.ERROR}
        assert run.error.stage == "m"

    def test_a_resumed_run_keeps_what_is_done_and_starts_the_rest_anew(self, ports, tmp_path):
        gate = tmp_path / "gate"
        job = {"image": "ghcr.io/lab/tool:1", "command": ["test", "-e", str(gate)]}
        run = done(
            ports,
            ran("a", says(1)),
            {"name": "b", "kind": "batch-job", "request": job},
            value("c", "$.stages.a.result"),
        )
        assert run.error.stage == "b"
        first = {child.id for child in started(ports, run)}
        gate.touch()
        begin_again(ResumeRequested(run_id="p1", at=ports.clock()), ports)
        again = drive("p1")
        assert (again.state, again.stage("c").result) == (RunState.SUCCESS, 1)
        later = {child.id for child in started(ports, again)} - first
        assert [child.rpartition(".")[0] for child in later] == ["p1.b.0"]

    def test_a_resumed_map_starts_only_the_items_that_had_not_succeeded(self, ports, tmp_path):
        gate = tmp_path / "gate"
        said = f"States.Format('test {{}} != b || test -e {gate}', $.item)"
        job = {"image": "ghcr.io/lab/tool:1", "command": ["sh", "-c", said]}
        stage = {"name": "m", "kind": "batch-job", "request": job, "for_each": "$.input"}
        run = done(ports, {**stage, "at_once": 1}, input=["a", "b", "c"])
        assert [child.item for child in started(ports, run)] == ['"a"', '"b"']
        gate.touch()
        begin_again(ResumeRequested(run_id="p1", at=ports.clock()), ports)
        again = drive("p1")
        assert again.state is RunState.SUCCESS
        names = [result["JobName"] for result in again.stage("m").result]
        assert len(set(names)) == 3
        later = [c.index for c in started(ports, again) if c.generation == 2]
        assert later == [1, 2]

    def test_a_run_that_is_rolled_back_starts_runs_of_its_own_again(self, ports):
        run = done(ports, ran("a", says("$.input")), ran("b", says("$.stages.a.result")), input=3)
        begin_again(RollbackRequested(run_id="p1", at=ports.clock(), stage="b"), ports)
        again = drive("p1")
        assert (again.state, results(again)["b"]) == (RunState.SUCCESS, 3)
        stages = [child.stage for child in started(ports, again)]
        assert stages == ["a", "b", "b"]
        assert len({child.id for child in started(ports, run)}) == 3

    def test_a_stage_that_may_be_tried_again_starts_another_run(self, ports):
        run = done(ports, ran("a", fails()), options={"max_attempts": 2})
        assert (run.state, run.stage("a").attempts) == (RunState.ERROR, 2)
        assert len({child.id for child in started(ports, run)}) == 2

    def test_what_cannot_be_looked_up_is_not_tried_again(self, ports):
        run = done(ports, value("v", {}), ran("a", says(1), for_each="$.stages.v.result.nothing"),
                   options={"max_attempts": 2})  # fmt: skip
        assert (run.error.cause, run.stage("a").attempts) == ("pipeline", 1)
        assert "could not be worked out" in why(run, run.settled_at)[0]


class TestWhoAsks:
    def test_why_names_the_run_that_is_waited_for_and_the_one_that_failed(self, ports):
        run = start(ports, ran("m", sleeps()))
        until(lambda: children.waited_for(ports.runs.load("p1"), ports).get("m"))
        known = children.waited_for(ports.runs.load("p1"), ports)
        (child,) = known["m"]
        told = why(ports.runs.load("p1"), ports.clock(), known)
        assert f"Stage m waits for run {child}." in told[0]
        engine.handle(CancelRequested(run_id=child, at=ports.clock()), ports)
        run = drive("p1")
        said = " ".join(why(run, run.settled_at))
        assert "a run that it started did not succeed" in said
        assert f"falsework why {child}" in said
        path = why(run, run.settled_at, None, children.failed_below(run, ports))
        assert path[0] == f"The run failed in stage m: run {child}."
        assert path[1].startswith("That was canceled by a request")

    def test_one_question_tells_which_item_of_which_stage_failed_three_levels_down(self, ports):
        inner = {**ran("parts", "$.item", for_each="$.input"), "at_once": 1}
        middle = {"stages": [inner], "input": [says(1), fails()]}
        run = done(ports, ran("samples", "$.item", for_each="$.input"), input=[middle])
        below = children.failed_below(run, ports)
        assert [child.id.count(".") // 3 for child in below] == [1, 2]
        told = why(run, run.settled_at, None, below)
        assert told[0].startswith('The run failed in stage samples, at item 0 ({"stages": [')
        assert told[0].endswith(f": run {below[0].id}.")
        assert told[1].startswith("That failed in stage parts, at item 1 (")
        assert told[1].endswith(f": run {below[1].id}.")
        assert told[2].startswith("That failed in stage c: ")
        assert "resume it: falsework resume p1" in " ".join(told)
        assert told[-2].endswith(f"falsework resume {below[0].id}")

    def test_a_run_that_has_gone_on_or_is_gone_is_no_reason_any_more(self, ports):
        run = done(ports, ran("m", fails()))
        (child,) = children.failed_below(run, ports)
        on_its_way = child.model_copy(update={"error": None, "state": RunState.RUNNING})
        ports.runs.save(on_its_way)
        assert children.failed_below(run, ports) == ()
        ports.runs.save(child.model_copy(update={"version": child.version + 1}))
        assert children.failed_below(run, ports) != ()
        delete(child.id, ports)
        assert children.failed_below(run, ports) == ()

    def test_its_list_of_runs_says_which_item_each_is_for(self, ports):
        run = done(ports, ran("m", says("$.item"), for_each="$.input"), ran("n", says(1)),
                   input=["a", {"b": 2}])  # fmt: skip
        listed = [(child.stage, child.index, child.item) for child in started(ports, run)]
        assert listed == [("m", 0, '"a"'), ("m", 1, '{"b": 2}'), ("n", 0, None)]

    def test_why_of_a_cancelled_run_names_those_that_are_still_to_end(self, ports):
        start(ports, ran("m", sleeps()))
        until(lambda: started(ports, ports.runs.load("p1")))
        run = engine.handle(CancelRequested(run_id="p1", at=ports.clock()), ports)
        told = " ".join(why(run, ports.clock(), children.waited_for(run, ports)))
        assert "The runs that stage m started are cancelled, and waited for: p1.m.0." in told
        drive("p1")

    def test_a_run_cannot_be_deleted_while_its_parent_may_ask_for_it(self, ports):
        start(ports, ran("a", says(1)), ran("b", sleeps()))
        until(lambda: ports.runs.load("p1").stage("b").children)
        (child, *_) = started(ports, ports.runs.load("p1"))
        with pytest.raises(Conflict, match="belongs to run p1"):
            delete(child.id, ports)
        engine.handle(CancelRequested(run_id="p1", at=ports.clock()), ports)
        drive("p1")
        delete(child.id, ports)
        told = {each.id: each.state for each in started(ports, ports.runs.load("p1"))}
        assert told[child.id] is None

    def test_the_pages_of_its_runs_are_one_after_another(self, ports):
        run = done(ports, ran("m", says("$.item"), for_each="$.input"), ran("n", says(1)),
                   input=[1, 2, 3])  # fmt: skip
        seen, cursor = [], None
        while True:
            page = children.page_of(run, ports, cursor=cursor, limit=2)
            seen += [(child.stage, child.index) for child in page.children]
            if (cursor := page.next_cursor) is None:
                break
        assert seen == [("m", 0), ("m", 1), ("m", 2), ("n", 0)]
