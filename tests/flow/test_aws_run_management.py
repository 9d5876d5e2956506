"""Run management on AWS: files and archives are links, and the run goes from table and buckets."""

from __future__ import annotations

import io
import json
import tarfile
import urllib.parse

import pytest

from chalicelib.core.data_sync.manifest import ManifestFile, manifest_of, manifest_uri
from chalicelib.core.principals import LOCAL
from chalicelib.run_manager import archives
from chalicelib.web.gateway import Gateway
from tests.flow.aws_worlds import aws_account
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


def ask(method, target):
    return Gateway(trusted=LOCAL).request(method, target, {})


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


def test_an_archive_is_made_once_and_kept(world):
    run = made(world)
    content = linked_object(world, ask("GET", "/runs/r1/archive"))
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as tar:
        assert tar.getnames() == ["out/a.txt"]
    assert keys(world, "falsework") == [f"archives/r1/{run.uid}-1.tar.gz"]
    world.s3.put_object(Bucket="falsework", Key=keys(world, "falsework")[0], Body=b"kept")
    assert linked_object(world, ask("GET", "/runs/r1/archive")) == b"kept"


def test_an_archive_that_is_too_much_for_a_call_is_refused_in_words(world, monkeypatch):
    made(world)
    monkeypatch.setattr(archives, "MADE_IN_A_CALL_BYTES", 2)
    answer = ask("GET", "/runs/r1/archive")
    assert (answer.status, b"one by one" in answer.body) == (413, True)
    assert keys(world, "falsework") == []


def test_a_deleted_run_leaves_neither_items_nor_objects(world):
    made(world)
    ask("GET", "/runs/r1/archive")
    assert ask("DELETE", "/runs/r1").status == 204
    assert keys(world, "bkt") == keys(world, "falsework") == []
    items = world.dynamodb.scan(TableName=world.settings.table)["Items"]
    assert [item for item in items if item["pk"]["S"].startswith("run#")] == []
    assert ask("DELETE", "/runs/r1").status == 404
