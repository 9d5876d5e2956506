"""Every recorded case, answered by the callables, over S3 as a server at AWS_ENDPOINT_URL."""

from __future__ import annotations

import json
import os
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from chalicelib.core.errors import InvalidRequest, NotFound
from chalicelib.worker import handlers
from tests.clouds.clients import client
from tests.unit.demand_cases import FIXTURES

REQUEST_ID = "12345678-1234-1234-1234-123456789012"
OWN_KINDS = {"demand_execution_model"}
"""Replayed in ``test_demand_replay``: no operation, but a model."""

ERRORS = {
    "FileNotFoundError": (NotFound, FileNotFoundError),
    "ValidationError": (InvalidRequest, ValueError),
    "ValueError": (InvalidRequest, ValueError),
    "AWSError": (InvalidRequest, ValueError),
}
"""The recorded class → ours, and the base that a caller of the original catches."""


def recorded() -> list[dict[str, Any]]:
    index = json.loads((FIXTURES / "index.json").read_text())["fixtures"]
    names = [each["id"] for each in index if each["kind"] not in OWN_KINDS]
    return [json.loads((FIXTURES / f"{name}.json").read_text()) for name in names]


def as_recommended(case: dict[str, Any]) -> dict[str, Any]:
    """Where the original's behaviour is a quirk, what the specification recommends instead."""
    match case["id"]:
        case "sync-021-quirk-checksum-difference":
            answer = {"bytes_transferred": 0, "files_transferred": 0}
            echo = {**plain_echo(case), "size_only": False}
            then = json.loads(json.dumps(case["then"]).replace("OLD", "NEW"))
            return {**case, "response": {"request": echo, "result": answer}, "then": then} | {
                "error": None
            }
        case "prepare-014-key-without-slash":
            requests = [
                {
                    **plain_echo(case),
                    "source_path": f"s3://interop-bucket/data/{name}",
                    "destination_path": f"s3://interop-bucket/out/{name}",
                    "filter_root": "s3://interop-bucket/data",
                }
                for name in "ab"
            ]
            batches = [{"requests": [each], "allow_partial_failure": False} for each in requests]
            return {**case, "response": {"requests": batches}}
        case other:
            assert "quirk" not in case, other
            return case


def plain_echo(case: dict[str, Any]) -> dict[str, Any]:
    asked = {key: text for key, text in case["request"].items() if key.endswith("_path")}
    return {
        **asked,
        "max_concurrency": 25,
        "retain_source_data": True,
        "delete": True,
        "require_lock": False,
        "force": False,
        "size_only": False,
        "fail_if_missing": True,
        "include_detailed_response": False,
        "remote_to_local_config": {"use_custom_tmp_dir": False},
    }


class Context:
    aws_request_id = REQUEST_ID


class Stage:
    """The bucket and the folder of one case."""

    def __init__(self, endpoint: str, root: Path):
        self.s3 = client("s3", endpoint)
        self.root = root

    def set(self, given: dict[str, Any]) -> None:
        for bucket in [each["Name"] for each in self.s3.list_buckets()["Buckets"]]:
            for key in self.keys(bucket):
                self.s3.delete_object(Bucket=bucket, Key=key)
        for bucket, objects in given.get("s3", {}).items():
            self.s3.create_bucket(Bucket=bucket)
            for key, what in objects.items():
                self.s3.put_object(Bucket=bucket, Key=key, Body=content(what))
        for name, what in given.get("local", {}).items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content(what))
            if (seconds := modified(what)) is not None:
                os.utime(path, (seconds, seconds))

    def keys(self, bucket: str) -> list[str]:
        found = self.s3.list_objects_v2(Bucket=bucket).get("Contents", [])
        return [each["Key"] for each in found]

    def seen(self) -> dict[str, Any]:
        local = {
            path.relative_to(self.root).as_posix(): shown(path.read_bytes())
            for path in sorted(self.root.rglob("*"))
            if path.is_file()
        }
        s3 = {}
        for bucket in [each["Name"] for each in self.s3.list_buckets()["Buckets"]]:
            if objects := {key: self.object(bucket, key) for key in self.keys(bucket)}:
                s3[bucket] = objects
        return {"local": local, "s3": s3}

    def object(self, bucket: str, key: str) -> dict[str, Any]:
        body = self.s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        tags = self.s3.get_object_tagging(Bucket=bucket, Key=key)["TagSet"]
        found = shown(body)
        return {**found, "tags": {t["Key"]: t["Value"] for t in tags}} if tags else found


def content(what: dict[str, Any]) -> bytes:
    return what["text"].encode() if "text" in what else b"x" * what["size"]


def shown(body: bytes) -> dict[str, Any]:
    return {"size": len(body), "text": body.decode()[:200]}


def modified(what: dict[str, Any]) -> float | None:
    if "mtime" in what:
        return datetime.fromisoformat(what["mtime"]).timestamp()
    if "mtime_offset_s" in what:
        return (datetime.now(UTC) + timedelta(seconds=what["mtime_offset_s"])).timestamp()
    return None


def filled(value: Any, root: Path) -> Any:
    text = json.dumps(value).replace("{{ROOT}}", str(root)).replace("{{MOUNT}}", str(root / "mnt"))
    return json.loads(text)


@pytest.fixture
def stage(moto_endpoint, tmp_path, monkeypatch) -> Stage:
    site = tmp_path / "site.json"
    inventory = json.loads((FIXTURES / "efs_inventory.json").read_text())
    switches = {
        "account_id": "123456789012",
        "allow_privileged": True,
        "mirror_outputs": True,
        "literal_environment_file": False,
        "delete_by_default": True,
    }
    site.write_text(json.dumps({**switches, **inventory}))
    for name in [name for name in os.environ if name.startswith(("AWS_", "FALSEWORK_"))]:
        monkeypatch.delenv(name)
    told = {
        "AWS_ENDPOINT_URL": moto_endpoint,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "FALSEWORK_SITE": str(site),
    }
    for name, text in told.items():
        monkeypatch.setenv(name, text)
    root = tmp_path / "root"
    root.mkdir()
    return Stage(moto_endpoint, root)


def surround(case: dict[str, Any], stage: Stage, monkeypatch) -> None:
    told = dict(case["environment"])
    for number, mount in enumerate(filled(told.pop("efs_locally_mounted"), stage.root)):
        Path(mount["mount_path"]).mkdir(parents=True, exist_ok=True)
        monkeypatch.setenv(f"EFS_MOUNT_POINT_ID_{number}", mount["access_point_id"])
        monkeypatch.setenv(f"EFS_MOUNT_POINT_PATH_{number}", mount["mount_path"])
    for name, text in told.items():
        monkeypatch.setenv(name, text)


def without_revision(answer: Any) -> Any:
    return json.loads(re.sub(r"(job-definition/[^:\"]+):\d+", r"\1:1", json.dumps(answer)))


@pytest.mark.parametrize("case", recorded(), ids=lambda case: case["id"])
def test_a_recorded_case_is_answered_as_recorded(case, stage, monkeypatch):
    case = filled(as_recommended(case), stage.root)
    surround(case, stage, monkeypatch)
    stage.set(case.get("given") or {})
    handler = handlers.resolve(case["kind"])
    if case["error"]:
        ours, base = ERRORS[case["error"]["type"]]
        with pytest.raises(ours) as caught:
            handler(case["request"], Context())
        assert isinstance(caught.value, base)
    else:
        answer = handler(case["request"], Context())
        assert without_revision(answer) == case["response"]
        json.dumps(answer)
    for path, text in case.get("side_effects", {}).get("efs_files_written", {}).items():
        assert (stage.root / "mnt" / path.lstrip("/")).read_text() == text
    if case.get("then") is not None:
        assert stage.seen() == {"local": {}, **case["then"]}


def test_no_recorded_case_is_left_out():
    kinds = {case["kind"] for case in recorded()}
    assert kinds == set(handlers.HANDLERS)


@pytest.mark.parametrize("name", handlers.ALIASES)
def test_the_neighbours_names_resolve(name):
    assert handlers.resolve(name) in handlers.HANDLERS.values()
    assert handlers.resolve(name.removeprefix(handlers.NEIGHBOURS)) is handlers.resolve(name)


@pytest.mark.parametrize("name", ["", "os.system", "chalicelib.worker.handlers.resolve", "Desk"])
def test_no_other_name_is_called(name):
    with pytest.raises(InvalidRequest, match="no handler"):
        handlers.resolve(name)
