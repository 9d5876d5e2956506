"""What groups may use and how much, through every way in."""

from __future__ import annotations

import json

import pytest

from chalicelib import bootstrap, engine, file_intake, intake, kinds, request_files
from chalicelib.core.errors import Forbidden, TooManyRequests
from chalicelib.core.group_rules import GroupRules, Quota
from chalicelib.core.principals import Caller, Principal, Scope
from chalicelib.core.site import Site
from chalicelib.local.folders import OWN_FILE_SYSTEM_ID as FS
from chalicelib.owned import owned_by
from chalicelib.settings import Settings
from tests.flow.aws_worlds import SITE, a_request, aws_account
from tests.flow.doors import TrustedHttp, copying_demand, shell_demand

JSON = {"Content-Type": "application/json"}
OPEN = GroupRules()


@pytest.fixture
def site(tmp_path):
    """Set the groups of a home of this machine, as often as the test wishes."""

    def use(**groups):
        named = {name.replace("_all", "*"): rules for name, rules in groups.items()}
        told = Site(groups=named, default_job_queue="default")
        bootstrap.use(Settings(root=tmp_path / "root", site=told))
        return TrustedHttp()

    yield use
    bootstrap.use(Settings(root=tmp_path / "gone"))


def cancel(http, run_id):
    """Cancel the run, and let it be found that its jobs have ended."""
    assert post(http, f"/runs/{run_id}/cancel").status_code == 202
    engine.sweep(bootstrap.ports(), everything=True)


def post(http, path, document=None, **headers):
    return http.post(path, headers={**JSON, **headers}, body=json.dumps(document or {}).encode())


def problem(response, status):
    assert response.status_code == status, response.body
    return json.loads(response.body)


def demand(run_id, group="lab", **changes):
    return {**shell_demand(run_id, "true"), "options": {"group": group}, **changes}


DEMAND_LISTS = {
    "demand_execution.execution_platform.aws_batch.job_queue_name": {"job_queues": ("other",)},
    "demand_execution.execution_parameters.params.in": {"buckets": ("other",)},
    "file_system_configurations.scratch": {"roots": (f"{FS}:/shared",)},
}


@pytest.mark.parametrize("field", DEMAND_LISTS)
@pytest.mark.parametrize("path", ["", "/check", "/scaffolding"])
def test_a_demand_outside_its_groups_lists_is_refused_with_the_fields_name(site, field, path):
    http = site(lab=GroupRules.model_validate(DEMAND_LISTS[field]))
    document = {**copying_demand("e1"), "options": {"group": "lab"}}
    found = problem(post(http, f"/demand-executions{path}", document), 403)
    assert found["errors"][0]["field"] == field
    assert found["errors"][0]["mend"]
    assert http.get("/runs").json_body["runs"] == []


FILE_JOBS = {
    "/data-syncs": (
        {"source_path": "s3://bucket/in/", "destination_path": f"{FS}:/scratch/in"},
        "source_path",
        "destination_path",
    ),
    "/data-paths/stats": ({"path": "s3://bucket/in/"}, "path", None),
    "/data-paths/list": ({"path": f"{FS}:/scratch"}, None, "path"),
    "/data-paths/outdated": ({"path": f"{FS}:/scratch"}, None, "path"),
    "/data-paths/remove": ({"paths": [f"{FS}:/scratch/x"]}, None, "paths.0"),
    "/file-system-cleanups": ({"path": f"{FS}:/scratch"}, None, "path"),
}


@pytest.mark.parametrize("path", FILE_JOBS)
def test_a_job_over_files_outside_its_groups_lists_is_refused_with_the_fields_name(site, path):
    request, bucket_field, root_field = FILE_JOBS[path]
    document = {**request, "options": {"group": "lab"}}
    for rules, field in (
        ({"buckets": ("other",)}, bucket_field),
        ({"roots": (f"{FS}:/other",)}, root_field),
        ({"job_queues": ("other",)}, "site.default_job_queue"),
    ):
        response = post(site(lab=GroupRules.model_validate(rules)), path, document)
        if field is None:
            assert response.status_code in {200, 202}, response.body
        else:
            assert problem(response, 403)["errors"][0]["field"] == field


def test_inside_all_lists_a_demand_is_accepted(site):
    rules = GroupRules(
        job_queues=("default",),
        job_roles=(),
        buckets=("bucket",),
        roots=(f"{FS}:/scratch", f"{FS}:/shared"),
    )
    document = {**copying_demand("e1"), "options": {"group": "lab"}}
    assert post(site(lab=rules), "/demand-executions", document).status_code == 202


def test_a_job_role_that_is_not_listed_is_refused(site):
    platform = {"aws_batch": {"job_queue_name": "default", "job_role": "arn:aws:iam::1:role/x"}}
    http = site(lab=GroupRules(job_roles=()))
    found = problem(
        post(http, "/demand-executions", demand("e1", execution_platform=platform)), 403
    )
    assert found["errors"][0]["field"].endswith("job_role")


@pytest.mark.parametrize("path", ["/demand-executions", "/data-syncs"])
def test_a_group_that_is_not_listed_may_not_submit(site, path):
    document = demand("e1", "stranger") if path == "/demand-executions" else {
        **FILE_JOBS[path][0], "options": {"group": "stranger"}
    }  # fmt: skip
    found = problem(post(site(lab=OPEN), path, document), 403)
    assert found["errors"][0]["field"] == "options.group"
    assert post(site(lab=OPEN, _all=OPEN), path, document).status_code in {200, 202}


def test_a_job_definition_takes_a_group_that_may_use_it_all(site):
    volumes = [{"name": "v", "efsVolumeConfiguration": {"fileSystemId": FS}}]
    request = {"image": "busybox", "job_definition_name": "d", "job_queue_name": "default",
               "command": ["true"], "volumes": volumes}  # fmt: skip
    site(lab=GroupRules(roots=()), rich=OPEN)
    bound = {
        name: owned_by(
            Caller(Principal(name=name, scopes=frozenset(Scope), groups=frozenset({name})), "x"),
            bootstrap.ports(),
        )
        for name in ("lab", "rich")
    }
    with pytest.raises(Forbidden) as caught:
        intake.define_job(request, bound["lab"])
    assert caught.value.field == "volumes.0"


def test_a_job_definition_of_its_machines_folders_takes_a_site_that_allows_it(site):
    volumes = [{"name": "v", "host": {"sourcePath": "/"}}]
    request = {"image": "busybox", "job_definition_name": "d", "job_queue_name": "default",
               "command": ["true"], "volumes": volumes}  # fmt: skip
    site(lab=OPEN)
    with pytest.raises(Forbidden) as caught:
        intake.define_job(request, bootstrap.ports())
    assert caught.value.field == "volumes.0.host.sourcePath"


def test_over_the_quota_a_submission_is_turned_away_until_a_run_has_settled(site):
    http = site(lab=GroupRules(quota=Quota(live_runs=1)))
    assert post(http, "/demand-executions", demand("e1")).status_code == 202
    assert post(http, "/demand-executions", demand("e1")).status_code == 202
    over = post(http, "/demand-executions", demand("e2"))
    assert problem(over, 429)["type"] == "urn:falsework:problem:too-many-requests"
    assert int(over.headers["Retry-After"]) > 0
    assert http.get("/runs/e2").status_code == 404
    sync = {**FILE_JOBS["/data-syncs"][0], "options": {"group": "lab"}}
    problem(post(http, "/data-syncs", sync), 429)
    cancel(http, "e1")
    assert post(http, "/demand-executions", demand("e2")).status_code == 202


def test_other_groups_are_not_touched_by_a_quota(site):
    http = site(lab=GroupRules(quota=Quota(live_runs=1)), other=OPEN)
    for run_id, group in (("e1", "lab"), ("e2", "other"), ("e3", "other")):
        assert post(http, "/demand-executions", demand(run_id, group)).status_code == 202
    assert [each.key for each in bootstrap.ports().documents.list("quotas")] == ["lab"]


@pytest.mark.parametrize("word", ["resume", "rollback"])
def test_a_run_that_begins_again_takes_up_the_quota(site, word):
    http = site(lab=GroupRules(quota=Quota(live_runs=1)))
    for run_id in ("e1", "e2"):
        assert post(http, "/demand-executions", demand(run_id)).status_code == 202
        if run_id == "e1":
            cancel(http, "e1")
    body = {"stage": "execute"} if word == "rollback" else {}
    problem(post(http, f"/runs/e1/{word}", body), 429)
    cancel(http, "e2")
    assert post(http, f"/runs/e1/{word}", body).status_code == 202
    problem(post(http, "/demand-executions", demand("e3")), 429)


@pytest.mark.parametrize(
    ("quota", "first", "second"),
    [({"vcpus": 6}, {"vcpus": 4}, {"vcpus": 3}), ({"gpus": 1}, {"gpu": 1}, {"gpu": 1})],
    ids=["vcpus", "gpus"],
)
def test_processors_are_counted_over_the_live_runs(site, quota, first, second):
    http = site(lab=GroupRules(quota=Quota.model_validate(quota)))
    post(http, "/demand-executions", demand("e1", resource_requirements=first))
    wanted = demand("e2", resource_requirements=second)
    problem(post(http, "/demand-executions", wanted), 429)
    cancel(http, "e1")
    assert post(http, "/demand-executions", wanted).status_code == 202


def test_what_never_fits_is_refused_and_not_turned_away(site):
    http = site(lab=GroupRules(quota=Quota(vcpus=2)))
    wanted = demand("e1", resource_requirements={"vcpus": 4})
    found = problem(post(http, "/demand-executions", wanted), 403)
    assert found["errors"][0]["field"] == "resource_requirements.vcpus"


def test_submissions_of_a_minute_are_counted(site):
    http = site(lab=GroupRules(quota=Quota(submissions_per_minute=2)))
    for run_id in ("e1", "e2"):
        assert post(http, "/demand-executions", demand(run_id)).status_code == 202
    over = post(http, "/demand-executions", demand("e3"))
    problem(over, 429)
    assert 1 <= int(over.headers["Retry-After"]) <= 61


@pytest.mark.parametrize(
    ("kind", "request_"),
    [
        ("demand-execution", {k: v for k, v in copying_demand("e1").items() if k != "options"}),
        ("data-sync", {"source_path": "s3://bkt/a/", "destination_path": "s3://bkt/b/"}),
        ("batch-job", {"image": "busybox", "command": ["true"], "job_queue": "default"}),
        ("batch-lambda", {"image": "busybox", "handler": "h.h", "payload": {}}),
        ("lambda-function", {"function_name": "list_data_paths"}),
        ("pipeline", {"stages": [{"name": "one", "kind": "value", "value": {"n": 1}}]}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_another_group_may_use_cannot_be_learned_by_trying(site, kind, request_):
    site(lab=GroupRules(job_queues=("secret",), buckets=("secret",)))
    stranger = Principal(name="s", scopes=frozenset(Scope), groups=frozenset({"other"}))
    ports = owned_by(Caller(stranger, "x"), bootstrap.ports())
    told = {
        name: refusal(kind, {**request_, "options": {"group": name}}, ports)
        for name in ("lab", "none")
    }
    assert told["lab"] == told["none"].replace("none", "lab")


@pytest.mark.parametrize("kind", ["batch-job", "batch-lambda"])
def test_no_groups_job_gets_the_role_of_our_worker_unasked(tmp_path, kind):
    role = "arn:aws:iam::123456789012:role/falsework-worker"
    told = Site(groups={"lab": OPEN}, worker_role_arn=role, default_job_queue="default")
    bootstrap.use(Settings(root=tmp_path / "root", site=told))
    document = {
        "batch-job": {"image": "busybox", "command": ["true"], "job_queue": "default"},
        "batch-lambda": {"image": "busybox", "handler": "h.h", "payload": {}},
    }[kind]
    document |= {"job_role_arn": role, "options": {"group": "lab"}}
    assert "role/falsework-worker" in refusal(kind, document, bootstrap.ports())
    bootstrap.use(Settings(root=tmp_path / "gone"))


def refusal(kind, document, ports):
    with pytest.raises(Forbidden) as caught:
        kinds.start(kind, document, ports)
    return f"{caught.value} {caught.value.field} {caught.value.mend}"


def test_nobody_uses_up_the_quota_of_a_group_that_is_not_theirs(site):
    site(lab=GroupRules(quota=Quota(live_runs=1)))
    stranger = Principal(name="s", scopes=frozenset(Scope), groups=frozenset({"other"}))
    ports = owned_by(Caller(stranger, "x"), bootstrap.ports())
    with pytest.raises(Forbidden) as caught:
        intake.submit(demand("e1"), ports)
    assert caught.value.field == "options.group"
    assert bootstrap.ports().documents.list("quotas") == ()


def test_the_sites_own_clean_ups_are_bound_by_no_group(tmp_path):
    told = Site(groups={}, file_system_cleanups=({"path": f"{FS}:/scratch"},))
    bootstrap.use(Settings(root=tmp_path / "root", site=told))
    answer = file_intake.submit_cleanups(bootstrap.ports())
    assert (len(answer["runs"]), answer["problems"]) == (1, [])
    bootstrap.use(Settings(root=tmp_path / "gone"))


def test_nobody_takes_the_id_that_a_clean_up_of_the_site_will_want(site):
    wanted = "file-system-cleanup-2026-01-02-0123abcd"
    document = {"path": f"{FS}:/scratch", "run_id": wanted}
    found = problem(post(site(lab=OPEN, _all=OPEN), "/file-system-cleanups", document), 400)
    assert found["errors"][0]["field"] == "run_id"


class Receipt:
    """A receipt that is kept in memory."""

    def __init__(self):
        self.content = None

    def load(self, name):
        return request_files.Stored(self.content, None)

    def save(self, name, content, tag):
        self.content = content


def test_a_request_file_over_the_quota_comes_again_and_one_outside_the_lists_is_refused(site):
    site(lab=GroupRules(quota=Quota(live_runs=1), job_queues=("default",)))
    ports, receipt = bootstrap.ports(), Receipt()

    def drop(name, document):
        content = json.dumps(document).encode()
        file = request_files.RequestFile(name, f"s3://requests/{name}", "v1", content, 9)
        return request_files.answer(file, receipt, ports, kinds.submit)

    assert drop("a.json", demand("e1"))
    receipt.content = None
    with pytest.raises(TooManyRequests):
        drop("b.json", demand("e2"))
    assert receipt.content is None
    elsewhere = {"aws_batch": {"job_queue_name": "other"}}
    assert drop("c.json", demand("e3", execution_platform=elsewhere))
    assert b'"status": 403' in receipt.content


@pytest.fixture
def world():
    with aws_account() as world:
        yield world


def grouped(world, **rules):
    site = SITE.model_copy(update={"groups": {"lab": GroupRules.model_validate(rules)}})
    world.restart(site=site, reports_batch_item_failures=True)


def in_lab(run_id, **changes):
    return a_request(run_id, options={"group": "lab"}, **changes)


def test_a_message_over_the_quota_comes_again_and_one_outside_the_lists_is_buried(world):
    grouped(world, quota={"live_runs": 1}, buckets=["data"])
    answer = world.submit_by_queue(in_lab("r1"), in_lab("r2"), a_request("r3"))
    assert answer == {"batchItemFailures": [{"itemIdentifier": "message-1"}]}
    assert {run.id for run in world.home.ports.runs.list().runs} == {"r1"}
    ((letter),) = world.received("dead")
    assert json.loads(letter["Body"])["reason"]["errors"][0]["field"] == "options.group"
    TrustedHttp().post("/runs/r1/cancel", headers=JSON)
    while waiting := world.waiting("r1"):
        for job_id in waiting:
            world.finish(job_id, is_good=False)
            world.tell(job_id, "FAILED")
    assert world.run("r1").settled_at
    assert world.submit_by_queue(in_lab("r2")) == {"batchItemFailures": []}
    assert world.run("r2").group == "lab"


def test_a_request_object_over_the_quota_is_answered_by_a_later_sweep(world):
    grouped(world, quota={"submissions_per_minute": 1})
    world.invoke(
        "on_object_created", world.drop("requests/a.json", json.dumps(in_lab("r1")).encode())
    )
    event = world.drop("requests/b.json", json.dumps(in_lab("r2")).encode())
    with pytest.raises(TooManyRequests):
        world.invoke("on_object_created", event)
    world.pass_time(200)
    world.sweep()
    assert world.receipt("b.json")["versions"][0]["status"] == "accepted"
