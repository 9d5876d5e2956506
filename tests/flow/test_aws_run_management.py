"""Run management on AWS: files and archives are links, and the run goes from table and buckets."""

from __future__ import annotations

import io
import json
import tarfile
import urllib.parse

import pytest

from chalicelib.bootstrap import WorkerPorts
from chalicelib.core.data_sync.manifest import ManifestFile, manifest_of, manifest_uri
from chalicelib.core.group_rules import GroupRules
from chalicelib.core.plans.archives import archive_run_id
from chalicelib.core.principals import LOCAL
from chalicelib.core.run import RunState
from chalicelib.run_manager import archives
from chalicelib.web.gateway import Gateway
from chalicelib.worker import __main__ as worker
from tests.flow.aws_worlds import a_request, aws_account
from tests.unit.flowserv.values import AT, a_run, an_output


@pytest.fixture
def world():
    with aws_account() as world:
        world.s3.create_bucket(Bucket="bkt")
        yield world


def made(world):
    uri = "s3://bkt/r1/"
    entry = ManifestFile(path="a.txt", bytes=3, sha256="0" * 64)
    manifest = manifest_of((entry,), run="r1", param="out", source="fs-1:/x", created_at=AT)
    objects = world.home.ports.objects
    objects.write(f"{uri}a.txt", b"abc")
    objects.write(manifest_uri(uri), manifest.model_dump_json().encode())
    return world.home.ports.runs.save(a_run(outputs={"out": an_output(uri)}))


def keys(world, bucket):
    return [each["Key"] for each in world.s3.list_objects_v2(Bucket=bucket).get("Contents", [])]


def ask(method, target, document=None):
    headers = {"Content-Type": "application/json"} if document else {}
    body = json.dumps(document).encode() if document else b""
    return Gateway(trusted=LOCAL).request(method, target, headers, body)


def linked_object(world, answer):
    """The object that the answer's link is for."""
    assert (answer.status, answer.headers["Cache-Control"]) == (307, "no-store")
    parts = urllib.parse.urlsplit(answer.headers["Location"])
    bucket = parts.netloc.partition(".")[0]
    body = world.s3.get_object(Bucket=bucket, Key=parts.path.lstrip("/"))["Body"]
    return body.read()


@pytest.mark.parametrize("target", ["/runs/r1/files?key=out/a.txt", "/runs/r1/files/{}"])
def test_a_file_is_a_link(world, target):
    made(world)
    file_id = world_file_id()
    assert linked_object(world, ask("GET", target.format(file_id))) == b"abc"


def world_file_id():

    return json.loads(ask("GET", "/runs/r1/files").body)["files"][0]["id"]


def test_links_are_entered_in_the_audit_and_never_the_url(world):
    made(world)
    ask("GET", "/runs/r1/files?key=out/a.txt")
    world.pass_time(1)
    ask("GET", "/flowserv/runs/r1/downloads/archive")
    found = [each.content for each in world.home.ports.documents.list("audit#r1")]
    assert [(each["what"], each["who"], each["detail"]) for each in found] == [
        ("link", "local", "out/a.txt"),
        ("archive", "local", ""),
    ]


def test_an_archive_is_made_once_and_kept(world):
    run = made(world)
    content = linked_object(world, ask("GET", "/runs/r1/archive"))
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as tar:
        assert tar.getnames() == ["out/a.txt"]
    assert keys(world, "falsework") == [f"archives/r1/{run.uid}-1.tar.gz"]
    world.s3.put_object(Bucket="falsework", Key=keys(world, "falsework")[0], Body=b"kept")
    assert linked_object(world, ask("GET", "/runs/r1/archive")) == b"kept"


@pytest.fixture
def large(world, monkeypatch):
    """A run whose archive is too much for a call."""
    monkeypatch.setattr(archives, "MADE_IN_A_CALL_BYTES", 2)
    return made(world)


def work(world, run_id):
    """Let the real worker do the job that waits, in this process, and tell of it."""
    (job_id,) = world.waiting(run_id)
    told = {**world.jobs[job_id]["environment"], "AWS_BATCH_JOB_ID": job_id}
    home = world.home
    ports = WorkerPorts(home.ports.objects, home.ports.claims, no_carrier, lambda: home.contents)
    world.tell(job_id, "RUNNING")
    code = worker.main(["archive"], environ=told | {"AWS_BATCH_JOB_ATTEMPT": "1"}, ports=ports)
    world.set_status(job_id, "SUCCEEDED" if code == 0 else "FAILED")
    world.tell(job_id, "SUCCEEDED" if code == 0 else "FAILED")
    return world.run(run_id)


def no_carrier():
    raise AssertionError("packing needs no carrier")


@pytest.mark.parametrize(
    ("target", "runs"),
    [("/runs/r1/archive", "/runs"), ("/flowserv/runs/r1/downloads/archive", "/flowserv/runs")],
)
def test_an_archive_that_is_too_much_for_a_call_is_made_by_a_job(world, large, target, runs):
    answer = ask("GET", target)
    making = json.loads(answer.body)["run"]
    assert (answer.status, answer.headers["Location"]) == (202, f"{runs}/{making}")
    assert int(answer.headers["Retry-After"]) > 0
    assert json.loads(ask("GET", target).body)["run"] == making
    run = work(world, making)
    assert (run.state, run.kind, run.group) == (RunState.SUCCESS, "archive", large.group)
    with tarfile.open(fileobj=io.BytesIO(linked_object(world, ask("GET", target)))) as tar:
        assert tar.getnames() == ["out/a.txt"]
    assert len(world.jobs) == 1


def test_very_many_files_are_too_much_for_a_call_however_small(world, monkeypatch):
    monkeypatch.setattr(archives, "MADE_IN_A_CALL_FILES", 0)
    made(world)
    assert ask("GET", "/runs/r1/archive").status == 202


def test_an_archive_that_aged_is_made_again(world, large):
    making = json.loads(ask("GET", "/runs/r1/archive").body)["run"]
    work(world, making)
    world.pass_time(8 * 24 * 3600)
    for _ in range(2):
        assert json.loads(ask("GET", "/runs/r1/archive").body)["run"] == making
    assert work(world, making).generation == 2
    (kept,) = world.home.ports.objects.list(archives.archive_uri(large, world.home.ports))
    world.now = kept.modified_at
    assert ask("GET", "/runs/r1/archive").status == 307
    assert len(world.jobs) == 2


def test_an_archive_that_was_removed_is_made_again(world, large):
    making = json.loads(ask("GET", "/runs/r1/archive").body)["run"]
    work(world, making)
    world.home.ports.objects.remove(archives.archive_uri(large, world.home.ports))
    assert ask("GET", "/runs/r1/archive").status == 202
    work(world, making)
    assert ask("GET", "/runs/r1/archive").status == 307


def test_an_archive_that_cannot_be_made_says_why(world, large):
    making = json.loads(ask("GET", "/runs/r1/archive").body)["run"]
    world.home.ports.objects.remove("s3://bkt/r1/a.txt")
    assert work(world, making).state is RunState.ERROR
    answer = ask("GET", "/runs/r1/archive")
    assert answer.status == 409
    assert f"resume the run {making}" in json.loads(answer.body)["detail"]
    assert "s3://bkt/r1/a.txt" in json.loads(answer.body)["detail"]
    world.home.ports.objects.write("s3://bkt/r1/a.txt", b"abc")
    assert ask("POST", f"/runs/{making}/resume").status == 202
    assert ask("GET", "/runs/r1/archive").status == 202
    assert work(world, making).state is RunState.SUCCESS
    assert ask("GET", "/runs/r1/archive").status == 307


def test_a_run_that_has_taken_the_makers_id_is_not_waited_for(world, large):
    world.home.ports.runs.save(a_run(archive_run_id(large), RunState.RUNNING))
    answer = ask("GET", "/runs/r1/archive")
    assert (answer.status, b"delete it" in answer.body) == (409, True)


@pytest.mark.parametrize("kind", ["demand", "sync"])
def test_nobody_takes_the_id_that_an_archive_will_want(world, large, kind):
    wanted = archive_run_id(large)
    path, body = {
        "demand": ("/demand-executions", a_request(wanted)),
        "sync": ("/data-syncs", {"source_path": "s3://data/a", "destination_path": "s3://data/b",
                                 "run_id": wanted}),
    }[kind]  # fmt: skip
    answer = ask("POST", path, body)
    assert answer.status == 400
    assert "Falsework gives to its own archive runs" in json.loads(answer.body)["detail"]
    assert ask("GET", "/runs/r1/archive").status == 202


def bind(world, **rules):
    """Set what every group may use."""
    groups = {"*": GroupRules.model_validate(rules)}
    world.restart(site=world.settings.site.model_copy(update={"groups": groups}))


def test_an_archive_counts_in_the_quota_of_its_group(world, large):
    bind(world, quota={"submissions_per_minute": 1})
    making = json.loads(ask("GET", "/runs/r1/archive").body)["run"]
    work(world, making)
    world.home.ports.objects.remove(archives.archive_uri(large, world.home.ports))
    answer = ask("GET", "/runs/r1/archive")
    assert (answer.status, "Retry-After" in answer.headers) == (429, True)
    world.pass_time(61)
    assert ask("GET", "/runs/r1/archive").status == 202


def test_a_group_that_may_not_use_the_sites_queue_has_no_archives_made(world, large):
    bind(world, job_queues=[])
    answer = ask("GET", "/runs/r1/archive")
    assert answer.status == 403
    assert json.loads(answer.body)["errors"][0]["field"] == "site.default_job_queue"


def test_an_archive_is_not_made_again_in_a_queue_that_its_group_lost(world, large):
    making = json.loads(ask("GET", "/runs/r1/archive").body)["run"]
    work(world, making)
    world.home.ports.objects.remove(archives.archive_uri(large, world.home.ports))
    bind(world, job_queues=[])
    answer = ask("GET", "/runs/r1/archive")
    assert answer.status == 403
    assert json.loads(answer.body)["errors"][0]["field"] == "site.default_job_queue"
    assert world.run(making).generation == 1


def test_the_run_that_makes_an_archive_is_not_among_flowservs(world, large):
    making = json.loads(ask("GET", "/runs/r1/archive").body)["run"]
    listed = {path: ask("GET", f"{path}/groups/default/runs") for path in ("", "/flowserv")}
    ids = {
        path: {run["id"] for run in json.loads(answer.body)["runs"]}
        for path, answer in listed.items()
    }
    assert ids == {"": {"r1", making}, "/flowserv": {"r1"}}


def test_a_deleted_run_takes_its_archive_and_who_made_it(world, large):
    making = json.loads(ask("GET", "/runs/r1/archive").body)["run"]
    work(world, making)
    assert ask("DELETE", "/runs/r1").status == 204
    assert keys(world, "falsework") == []
    assert ask("GET", f"/runs/{making}").status == 404
    assert "r1/a.txt" in keys(world, "bkt")


def test_a_deleted_run_leaves_neither_items_nor_objects(world):
    made(world)
    ask("GET", "/runs/r1/archive")
    assert ask("DELETE", "/runs/r1?files=true").status == 204
    assert keys(world, "bkt") == keys(world, "falsework") == []
    items = world.dynamodb.scan(TableName=world.settings.table)["Items"]
    assert [item for item in items if item["pk"]["S"].startswith("run#")] == []
    assert ask("DELETE", "/runs/r1").status == 404
