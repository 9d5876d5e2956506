"""The callables beyond what was recorded: objects as paths, the envelope, the embedded home."""

from __future__ import annotations

import json
import os
import uuid
from pathlib import Path

import pytest

from chalicelib.core.errors import InvalidRequest
from chalicelib.local.carrier import LocalCarrier
from chalicelib.local.object_store import LocalObjectStore
from chalicelib.worker import envelope, handlers
from chalicelib.worker.sync.locations import Locations
from chalicelib.worker.sync.syncing import DataSync
from tests.clouds.clients import client
from tests.unit.sync_world import tree


class Bucket:
    def __init__(self, endpoint: str):
        self.s3 = client("s3", endpoint)
        self.name = f"bkt-{uuid.uuid4().hex}"
        self.s3.create_bucket(Bucket=self.name)

    def put(self, **objects: str) -> None:
        for key, text in objects.items():
            self.s3.put_object(Bucket=self.name, Key=key.replace("__", "/"), Body=text.encode())

    def text(self, key: str) -> str:
        return self.s3.get_object(Bucket=self.name, Key=key)["Body"].read().decode()

    @property
    def uri(self) -> str:
        return f"s3://{self.name}"


@pytest.fixture
def bucket(moto_endpoint, monkeypatch) -> Bucket:
    for name in [name for name in os.environ if name.startswith(("AWS_", "FALSEWORK_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto_endpoint)
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    return Bucket(moto_endpoint)


def test_objects_are_listed_and_counted_by_their_keys(bucket):
    bucket.put(in__a="aaa", in__b__c="c", in2__z="z")
    listed = handlers.list_data_paths({"path": f"{bucket.uri}/in"}, None)
    assert listed == {"paths": ["in/", "in/a", "in/b/", "in/b/c"]}
    stats = handlers.get_data_path_stats({"path": f"{bucket.uri}/in/"}, None)
    assert stats["path"] == "in"
    assert (stats["path_stats"]["size_bytes"], stats["path_stats"]["object_count"]) == (4, 2)
    assert stats["children"]["b"]["object_count"] == 1
    assert handlers.list_data_paths({"path": f"{bucket.uri}/none"}, None) == {"paths": []}
    whole = handlers.list_data_paths({"path": bucket.uri, "include": "in2"}, None)
    assert whole == {"paths": ["in2/", "in2/z"]}
    excluded = handlers.list_data_paths({"path": f"{bucket.uri}/in", "exclude": ["b", "$"]}, None)
    assert excluded == {"paths": ["in/a"]}


def test_absent_delete_means_false(bucket, tmp_path):
    bucket.put(in__a="a")
    (tmp_path / "old").write_text("old")
    answer = handlers.data_sync(
        {"source_path": f"{bucket.uri}/in/", "destination_path": str(tmp_path)}, None
    )
    assert answer["request"]["delete"] is False
    assert tree(tmp_path) == {"a": "a", "old": "old"}


def test_a_mount_of_a_whole_file_system_needs_no_look_up(bucket, tmp_path, monkeypatch):
    bucket.put(in__a="a")
    monkeypatch.setenv("EFS_MOUNT_POINT_ID_1", "fs-0a1000000000000a")
    monkeypatch.setenv("EFS_MOUNT_POINT_PATH_1", str(tmp_path))
    destination = "fs-0a1000000000000a:/x"
    handlers.data_sync({"source_path": f"{bucket.uri}/in/", "destination_path": destination}, None)
    assert tree(tmp_path) == {"x/a": "a"}


def test_an_access_point_is_looked_up_where_aws_knows_it(
    bucket, tmp_path, monkeypatch, moto_endpoint
):
    efs = client("efs", moto_endpoint)
    file_system = efs.create_file_system(CreationToken=uuid.uuid4().hex)["FileSystemId"]
    point = efs.create_access_point(
        ClientToken=uuid.uuid4().hex, FileSystemId=file_system, RootDirectory={"Path": "/shared"}
    )["AccessPointId"]
    monkeypatch.setenv("EFS_MOUNT_POINT_ID_1", point)
    monkeypatch.setenv("EFS_MOUNT_POINT_PATH_1", str(tmp_path))
    bucket.put(in__a="a")
    destination = f"{file_system}:/shared/x"
    handlers.data_sync({"source_path": f"{bucket.uri}/in/", "destination_path": destination}, None)
    assert tree(tmp_path) == {"x/a": "a"}


def test_an_efs_path_that_is_not_mounted_is_refused(bucket):
    with pytest.raises(InvalidRequest, match="not on a file system that is mounted here"):
        handlers.get_data_path_stats({"path": "fs-0a1000000000000a:/x"}, None)


@pytest.mark.parametrize("content", [None, [], 0, {"b": {"ü": 1}}], ids=repr)
@pytest.mark.parametrize("is_local", [True, False])
def test_json_comes_back_as_it_went(bucket, tmp_path, content, is_local):
    path = str(tmp_path / "deep/f.json") if is_local else f"{bucket.uri}/f.json"
    assert handlers.put_json_to_file({"content": content, "path": path}, None) == {"path": path}
    assert handlers.get_json_from_file({"path": path}, None) == {"content": content}


def test_json_that_is_missing_is_the_clients_error(bucket, tmp_path):
    with pytest.raises(ValueError, match="there is no object"):
        handlers.get_json_from_file({"path": f"{bucket.uri}/none"}, None)
    with pytest.raises(FileNotFoundError):
        handlers.get_json_from_file({"path": str(tmp_path / "none")}, None)


def test_a_clean_up_removes_what_the_scan_found(bucket, tmp_path):
    (tmp_path / "old").mkdir()
    (tmp_path / "old/a").write_text("a")
    os.utime(tmp_path / "old/a", (1, 1))
    (tmp_path / "new").write_text("b")
    asked = {"path": str(tmp_path), "days_since_last_accessed": 3.0, "min_depth": 1}
    found = handlers.outdated_data_path_scanner(asked, None)
    assert found == {"paths": [f"{tmp_path}/old/"]}
    removed = handlers.remove_data_paths(found, None)
    assert removed == {"size_bytes_removed": 1, "paths_removed": [f"{tmp_path}/old"]}
    assert tree(tmp_path) == {"new": "b"}


def test_a_lambda_calls_the_handler_that_its_event_names(bucket):
    bucket.put(x="{}")
    event = {"handler": "get_json_from_file", "event": {"path": f"{bucket.uri}/x"}}
    assert envelope.call(event, None) == {"content": {}}


@pytest.mark.parametrize("event", [{}, {"handler": 3}, {"handler": "data_sync", "event": []}])
def test_what_is_no_envelope_is_refused(event):
    with pytest.raises(InvalidRequest):
        envelope.call(event, None)


@pytest.mark.parametrize("payload", ["inline", "object", "file", "enveloped"])
@pytest.mark.parametrize("answer", ["object", "file"])
def test_a_batch_job_calls_what_its_environment_names(bucket, tmp_path, payload, answer):
    bucket.put(x='{"a": 1}')
    event = {"path": f"{bucket.uri}/x"}
    name = f"{handlers.NEIGHBOURS}data_sync.get_json_from_file_handler"
    environ = {"AWS_LAMBDA_FUNCTION_HANDLER": name}
    match payload:
        case "inline":
            environ["AWS_LAMBDA_EVENT_PAYLOAD"] = json.dumps(event)
        case "object":
            bucket.put(request=json.dumps(event))
            environ["AWS_LAMBDA_EVENT_PAYLOAD"] = f"{bucket.uri}/request"
        case "file":
            (tmp_path / "request").write_text(json.dumps(event))
            environ["AWS_LAMBDA_EVENT_PAYLOAD"] = str(tmp_path / "request")
        case _:
            text = json.dumps({"handler": name, "event": event})
            environ = {"AWS_LAMBDA_EVENT_PAYLOAD": text}
    place = f"{bucket.uri}/response" if answer == "object" else str(tmp_path / "deep/response")
    environ["AWS_LAMBDA_EVENT_RESPONSE_LOCATION"] = place
    assert envelope.run(environ) == {"content": {"a": 1}}
    written = bucket.text("response") if answer == "object" else Path(place).read_text()
    assert json.loads(written) == {"content": {"a": 1}}


@pytest.mark.parametrize("payload", ["s3://none-of-ours/x", "/none/such"])
def test_a_payload_that_cannot_be_read_is_told(bucket, payload):
    with pytest.raises(InvalidRequest, match="cannot be read"):
        envelope.run({"_HANDLER": "data_sync", "AWS_LAMBDA_EVENT_PAYLOAD": payload})


def test_the_embedded_carrier_serves_every_direction(tmp_path):
    carrier = LocalCarrier(LocalObjectStore(tmp_path / "root"))
    sync = DataSync(carrier, Locations())
    (tmp_path / "src/b").mkdir(parents=True)
    (tmp_path / "src/a").write_text("a")
    (tmp_path / "src/b/c").write_text("c")

    def bring(source: str, destination: str, **options: object) -> list[str]:
        asked = {"source_path": source, "destination_path": destination, **options}
        plan = sync.sync(handlers.read_sync(asked, delete_by_default=False)).plan
        assert plan is not None
        return [file.name for file in (*plan.copied, *plan.overwritten)]

    assert bring(str(tmp_path / "src"), "s3://bkt/one") == ["a", "b/c"]
    assert bring(str(tmp_path / "src"), "s3://bkt/one") == []
    assert bring("s3://bkt/one", "s3://bkt/two/", retain_source_data=False) == ["a", "b/c"]
    assert bring("s3://bkt/two/", str(tmp_path / "dst"), delete=True) == ["a", "b/c"]
    assert bring("s3://bkt/two/", str(tmp_path / "dst"), delete=True) == []
    assert tree(tmp_path / "dst") == {"a": "a", "b/c": "c"}
    assert [entry.uri for entry in carrier.list("s3://bkt")] == [
        "s3://bkt/two/a",
        "s3://bkt/two/b/c",
    ]
