"""Runs created as flowserv's clients create them: real jobs, through the embedded front door."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from pathlib import Path

import pytest

from chalicelib import bootstrap
from chalicelib.core.errors import Forbidden, InvalidRequest, NotFound
from chalicelib.core.flowserv.workflows import ORIGIN, Argument
from chalicelib.core.group_rules import GroupRules, Quota
from chalicelib.core.plans.plan import Plan
from chalicelib.core.principals import LOCAL, Caller, Principal, Scope
from chalicelib.core.run import RunState
from chalicelib.core.site import Site
from chalicelib.local.engine_loop import Loop
from chalicelib.owned import owned_by
from chalicelib.run_manager.creation import create_run, current_run
from chalicelib.run_manager.results import rank_workflow
from chalicelib.settings import Settings
from chalicelib.web.gateway import Gateway
from tests.unit.flowserv.values import AT, a_run


def a_template(script):
    """A demand whose one output is the folder ``out``."""
    return {
        "execution_type": "test",
        "execution_image": "none",
        "execution_parameters": {
            "command": ["sh", "-c", f"'mkdir -p ${{OUT}} && {script}'"],
            "params": {"out": "out", "seed": 1},
            "outputs": ["out"],
            "output_s3_prefix": "s3://data/results",
        },
        "execution_platform": {"aws_batch": {"job_queue_name": "default"}},
    }


SITE = {
    "workflows": {
        "align": {
            "template": a_template("cp ${SAMPLE} ${OUT}/m.json && echo ${SEED} > ${OUT}/seed"),
            "parameters": [
                {"name": "sample", "dtype": "file"},
                {"name": "seed", "dtype": "int", "required": False},
            ],
            "outputs": [{"source": "out/m.json", "key": "metrics", "title": "Metrics"}],
            "result_schema": {
                "file": "out/m.json",
                "schema": [{"name": "auc", "label": "AUC", "dtype": "float"}],
            },
            "post_processing": {
                "template": a_template("cat ${RUN_1_1} ${RUN_2_1} > ${OUT}/all"),
                "inputs": ["out/m.json"],
            },
        },
        "bare": {"template": a_template("true > ${OUT}/x")},
    },
    "group_workflows": {"lab": "align", "other": "align", "small": "bare"},
}


@pytest.fixture
def home(tmp_path):
    bootstrap.use(Settings(root=tmp_path / "root", site=Site.model_validate(SITE)))
    yield bootstrap.home()
    bootstrap.use(Settings(root=tmp_path / "gone"))


@pytest.fixture
def ask(home):
    gateway = Gateway(trusted=LOCAL)

    def request(method, target, body=None):
        content = b"" if body is None else json.dumps(body).encode()
        answer = gateway.request(method, target, {"Content-Type": "application/json"}, content)
        is_json = "json" in answer.headers.get("Content-Type", "")
        return answer.status, json.loads(answer.body) if is_json else answer.body

    return request


def ended(home, run_id):
    Loop(home).run_until(lambda: home.ports.runs.load(run_id).settled_at)
    return home.ports.runs.load(run_id)


def sample(uri):
    return {"name": "sample", "value": {"type": "$file", "value": {"fileId": uri}}}


def test_a_groups_run_is_made_from_its_workflow_and_its_arguments(home, ask):
    home.ports.objects.write("s3://data/in/a.json", b'{"auc": 0.5}')
    arguments = [sample("s3://data/in/a.json"), {"name": "seed", "value": "7"}]
    status, made = ask("POST", "/flowserv/groups/lab/runs", {"arguments": arguments})
    assert (status, made["workflowId"], made["groupId"]) == (201, "align", "lab")
    assert (made["arguments"], len(made["id"])) == (arguments, 32)
    run = ended(home, made["id"])
    assert (run.state, run.kind, run.group) == (RunState.SUCCESS, "demand-execution", "lab")
    place = f"s3://data/results/align/runs/{run.id}/out"
    assert home.ports.objects.read(f"{place}/seed") == b"7\n"
    _, shown = ask("GET", f"/flowserv/runs/{run.id}")
    assert [(file["name"], file["title"]) for file in shown["files"]] == [("metrics", "Metrics")]
    file_id = shown["files"][0]["id"]
    assert ask("GET", f"/flowserv/runs/{run.id}/downloads/files/{file_id}")[1] == {"auc": 0.5}
    assert ask("GET", f"/runs/{run.id}/files?key=out/seed")[0] == 404
    assert ask("GET", f"/runs/{run.id}/results")[1]["results"] == {"auc": 0.5}


def a_ranked(home, run_id, auc):
    """A run of the workflow that has ended with this result."""
    uri = f"s3://data/{run_id}"
    home.ports.objects.write(f"{uri}.json", json.dumps({"auc": auc}).encode())
    group = "lab" if run_id.startswith("lab") else "other"
    arguments = [Argument(name="sample", value=sample(f"{uri}.json")["value"])]
    return ended(home, create_run(home.ports, group=group, arguments=arguments).id).id


def test_a_post_processing_run_is_made_from_the_files_of_others_in_their_order(home, ask):
    worse, best = a_ranked(home, "lab1", 0.5), a_ranked(home, "other1", 0.9)
    status, board = ask("GET", "/flowserv/workflows/align/leaderboard")
    assert [each["run"]["id"] for each in board["ranking"]] == [best, worse]
    assert board["ranking"][0]["results"] == [{"name": "auc", "value": 0.9}]
    assert (status, board["schema"][0]["name"], "postproc" in board) == (200, "auc", False)
    ranking = [best, worse, "nobody"]
    status, made = ask("POST", "/flowserv/workflows/align/runs", {"runs": ranking})
    assert (status, made["workflowId"], "groupId" in made) == (201, "align", False)
    run = ended(home, made["id"])
    assert run.plan.request[ORIGIN]["ranking"] == ranking
    _, board = ask("GET", "/flowserv/workflows/align/leaderboard")
    (file,) = board["postproc"]["files"]
    content = ask("GET", f"/flowserv/workflows/align/downloads/files/{file['id']}")
    assert content == (200, b'{"auc": 0.9}{"auc": 0.5}')
    assert ask("GET", "/flowserv/workflows/align/downloads/archive")[1][:2] == b"\x1f\x8b"


def test_the_site_in_the_documentation_works(home, tmp_path):
    text = Path("docs/run-management.md").read_text(encoding="utf-8")
    (site,) = re.findall(r"```json\n(.*?)```", text, re.DOTALL)
    requests = re.findall(r"```\n(POST .*?)```", text, re.DOTALL)
    assert len(requests) > 1
    site = Site.model_validate(json.loads(site))
    bootstrap.use(Settings(root=tmp_path / "root", site=site))
    for block in requests:
        line, _, body = block.replace("<", "").replace(">", "").partition("\n")
        method, target = line.split()
        headers = {"Content-Type": "application/json"}
        answer = Gateway(trusted=LOCAL).request(method, target, headers, body.encode())
        assert answer.status == 201, answer.body


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        pytest.param({}, InvalidRequest, id="neither"),
        pytest.param({"group": "lab", "workflow": "align"}, InvalidRequest, id="both"),
        pytest.param({"group": "small", "runs": []}, InvalidRequest, id="group-and-runs"),
        pytest.param({"group": "nobody"}, NotFound, id="group-without-workflow"),
        pytest.param({"workflow": "none"}, NotFound, id="no-such-workflow"),
        pytest.param({"workflow": "bare"}, InvalidRequest, id="no-post-processing"),
        pytest.param({"group": "lab"}, InvalidRequest, id="argument-missing"),
    ],
)
def test_a_run_that_cannot_be_created_changes_nothing(home, asked, error):
    with pytest.raises(error):
        create_run(home.ports, **asked)
    assert home.ports.runs.list().runs == ()


def test_runs_of_a_workflow_that_are_left_out_are_none(home):
    run = create_run(home.ports, workflow="align")
    assert run.plan.request[ORIGIN]["ranking"] == []
    assert create_run(home.ports, group="small").plan.request[ORIGIN]["arguments"] == []


@pytest.mark.parametrize(
    ("target", "body", "status"),
    [
        pytest.param("groups/lab/runs", {"arguments": 1}, 400, id="no-list"),
        pytest.param("groups/lab/runs", {"more": 1}, 400, id="unknown-key"),
        pytest.param("groups/lab/runs", {"arguments": [{"name": "seed"}]}, 400, id="no-value"),
        pytest.param("groups/lab/runs", None, 400, id="no-argument"),
        pytest.param("groups/nobody/runs", None, 404, id="no-workflow"),
        pytest.param("workflows/align/runs", {"runs": ["../x"]}, 400, id="no-run-id"),
        pytest.param("workflows/none/runs", None, 404, id="no-such-workflow"),
    ],
)
def test_a_refusal_says_in_flowservs_form_what_is_wrong(home, ask, target, body, status):
    answer = ask("POST", f"/flowserv/{target}", body)
    assert (answer[0], list(answer[1])) == (status, ["message"])
    assert home.ports.runs.list().runs == ()


def test_the_message_of_a_refusal_names_field_and_mend(ask):
    body = {"arguments": [{"name": "other", "value": 1}]}
    message = ask("POST", "/flowserv/groups/lab/runs", body)[1]["message"]
    assert message == (
        "arguments.0.name: the workflow has no parameter 'other'; its parameters are: sample, seed"
    )


# --- the current post-processing run, and what it protects


def a_post_processing_run(run_id, age, ranking):
    origin = {"workflow": "align", "ranking": ranking}
    return a_run(
        run_id,
        group="workflow.align",
        created_at=AT - timedelta(days=age),
        plan=Plan(stages=(), request={ORIGIN: origin}, request_digest=run_id),
    )


def test_the_newest_post_processing_run_is_the_current_one(home, ask):
    assert current_run("align", home.ports) is None
    assert ask("GET", "/flowserv/workflows/align/downloads/archive")[0] == 404
    home.ports.runs.save(a_post_processing_run("old", 3, ["a"]))
    home.ports.runs.save(a_post_processing_run("new", 2, ["b"]))
    home.ports.runs.save(a_run("stray", group="workflow.align"))
    assert current_run("align", home.ports).id == "new"
    home.ports.runs.delete("new")
    assert current_run("align", home.ports).id == "old"


def test_runs_in_a_current_ranking_are_not_obsolete_but_post_processing_runs_are(home, ask):
    for run_id in ("a", "b"):
        home.ports.runs.save(a_run(run_id, group="lab", created_at=AT - timedelta(days=1)))
    home.ports.runs.save(a_post_processing_run("old", 3, ["a"]))
    home.ports.runs.save(a_post_processing_run("new", 2, ["b"]))
    _, done = ask("DELETE", "/runs?created_before=2026-05-01")
    assert sorted(done["ids"]) == ["a", "new", "old"]
    assert home.ports.runs.load("b").id == "b"


def test_over_its_quota_a_group_learns_when_to_come_again(home, tmp_path):
    rules = {"*": GroupRules(quota=Quota(submissions_per_minute=1))}
    site = home.ports.site.model_copy(update={"groups": rules})
    bootstrap.use(Settings(root=tmp_path / "root", site=site))
    made = [
        Gateway(trusted=LOCAL).request("POST", "/flowserv/groups/small/runs", {}) for _ in range(2)
    ]
    assert [answer.status for answer in made] == [201, 429]
    assert 1 <= int(made[1].headers["Retry-After"]) <= 61


# --- who sees what


def seen_by(home, *groups):
    """The ports of somebody in these groups."""
    principal = Principal(name="ann", scopes=frozenset(Scope), groups=frozenset(groups))
    return owned_by(Caller(principal, "here"), home.ports)


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param({"group": "other"}, id="foreign-group"),
        pytest.param({"workflow": "bare"}, id="foreign-workflow"),
        pytest.param({"group": "nobody"}, id="no-group"),
    ],
)
def test_what_is_foreign_is_not_there(home, asked):
    with pytest.raises(NotFound, match="there is no"):
        create_run(seen_by(home, "lab"), **asked)
    assert home.ports.runs.list().runs == ()


def test_only_who_is_in_a_workflows_own_group_makes_runs_of_others_runs(home):
    home.ports.runs.save(a_post_processing_run("p", 1, []))
    with pytest.raises(Forbidden):
        create_run(seen_by(home, "lab"), workflow="align")
    assert current_run("align", seen_by(home, "lab")) is None
    own = seen_by(home, "lab", "workflow.align")
    assert current_run("align", own).id == "p"
    assert create_run(own, workflow="align").group == "workflow.align"


def test_a_leaderboard_shows_the_groups_that_its_reader_is_in(home):
    best, mine = a_ranked(home, "other1", 0.9), a_ranked(home, "lab1", 0.5)
    assert [run.run_id for run in rank_workflow("align", home.ports)] == [best, mine]
    assert [run.run_id for run in rank_workflow("align", seen_by(home, "lab"))] == [mine]
    with pytest.raises(NotFound):
        rank_workflow("align", seen_by(home, "small"))


def test_files_of_runs_that_its_maker_does_not_see_are_not_brought(home):
    foreign = a_ranked(home, "other1", 0.9)
    run = create_run(seen_by(home, "workflow.align"), workflow="align", runs=[foreign])
    demand = run.plan.request["request"]["demand_execution"]
    assert list(demand["execution_parameters"]["params"]) == ["out", "seed", "ranking"]
