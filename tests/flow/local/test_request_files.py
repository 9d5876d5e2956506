"""Request files and their receipts."""

from __future__ import annotations

import hashlib
import json
import os
import time

import pytest

from chalicelib.core.errors import Conflict, InvalidRequest, Unavailable
from chalicelib.core.limits import LAMBDA_PAYLOAD_BYTES
from chalicelib.local.request_files import RequestFiles
from tests.contract.openers import LocalOpener, a_run


class Submitter:
    """Accepts documents with an ``id``; refuses, or fails, as the document says."""

    def __init__(self):
        self.documents = []
        self.trouble = []

    def __call__(self, document, ports, origin):
        self.documents.append(document)
        if self.trouble:
            raise self.trouble.pop(0)
        if "id" not in document:
            raise InvalidRequest("no id", field="id", value=document, mend="give an id")
        return a_run(document["id"])


class Bucket:
    """The requests bucket, with files that were finished a minute ago."""

    def __init__(self, root):
        self.folder = root / "s3/requests"
        self.submit = Submitter()
        self.ports = LocalOpener(root).open()
        self.root = root
        self.files = self.restarted()

    def restarted(self):
        return RequestFiles(self.root, self.ports, self.submit)

    def drop(self, name, content, age_seconds=60.0):
        path = self.folder / "requests" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
        self.touch(name, age_seconds)
        return hashlib.sha256(path.read_bytes()).hexdigest()

    def touch(self, name, age_seconds):
        at = time.time() - age_seconds
        os.utime(self.folder / "requests" / name, (at, at))

    def receipt(self, name):
        return json.loads((self.folder / "receipts" / name).read_text())

    def statuses(self, name):
        return [version["status"] for version in self.receipt(name)["versions"]]


@pytest.fixture
def bucket(tmp_path):
    return Bucket(tmp_path / "root")


def test_a_request_is_submitted_and_its_receipt_says_where_the_run_is(bucket):
    version = bucket.drop("team/a b.json", {"id": "r1"})
    assert bucket.files.scan() == 1
    assert bucket.submit.documents == [{"id": "r1"}]
    receipt = bucket.receipt("team/a b.json")
    assert receipt["object"] == "s3://requests/requests/team/a b.json"
    (entry,) = receipt["versions"]
    assert entry.pop("seen_at")
    assert entry == {
        "version": version,
        "status": "accepted",
        "run_id": "r1",
        "location": "/runs/r1",
    }


def test_a_version_is_submitted_once_also_by_the_next_process_and_when_it_comes_back(bucket):
    bucket.drop("a.json", {"id": "r1"})
    bucket.files.scan()
    assert bucket.files.scan() == 0
    bucket.restarted().scan()
    bucket.drop("a.json", {"id": "r2"}, 50)
    bucket.files.scan()
    bucket.drop("a.json", {"id": "r1"}, 40)
    bucket.files.scan()
    assert [document["id"] for document in bucket.submit.documents] == ["r1", "r2"]
    assert [entry["run_id"] for entry in bucket.receipt("a.json")["versions"]] == ["r1", "r2"]


def test_a_refused_version_hides_none_that_was_accepted(bucket):
    bucket.drop("a.json", {"id": "r1"})
    bucket.files.scan()
    bucket.drop("a.json", {"wrong": "x"}, 50)
    bucket.files.scan()
    assert bucket.statuses("a.json") == ["accepted", "refused"]
    accepted, refused = bucket.receipt("a.json")["versions"]
    assert accepted["run_id"] == "r1"
    assert refused["problem"]["status"] == 400
    (error,) = refused["problem"]["errors"]
    assert (error["field"], error["mend"]) == ("id", "give an id")


@pytest.mark.parametrize(
    ("content", "status", "words"),
    [
        pytest.param(b"{", 400, "not JSON", id="broken"),
        pytest.param(b"", 400, "not JSON", id="empty"),
        pytest.param(b"[]", 400, "not an object", id="list"),
        pytest.param(b"\xff\xfe{}", 400, "not UTF-8", id="encoding"),
        pytest.param(b"[" * 200_000, 400, "deep", id="deep"),
        pytest.param(b" " * 10_000_000, 413, "too large", id="10 MB"),
        pytest.param(b'{"a": 1, "a": 2}', 400, "twice", id="key twice"),
    ],
)
def test_what_is_no_request_is_refused_with_a_problem(bucket, content, status, words):
    version = bucket.drop("a.json", content)
    bucket.files.scan()
    (entry,) = bucket.receipt("a.json")["versions"]
    assert (entry["version"], entry["status"]) == (version, "refused")
    assert entry["problem"]["status"] == status
    assert words in entry["problem"]["detail"]
    assert bucket.submit.documents == []


def test_the_largest_request_is_read(bucket):
    content = b'{"id": "r1"}'
    bucket.drop("a.json", content + b" " * (LAMBDA_PAYLOAD_BYTES - len(content)))
    bucket.files.scan()
    assert bucket.statuses("a.json") == ["accepted"]


def test_a_file_of_many_has_a_result_for_each_line(bucket):
    bucket.drop("a.jsonl", b'{"id": "r1"}\r\n\n{"id": "r2"\n{"id": "r3"}')
    assert bucket.files.scan() == 1
    (entry,) = bucket.receipt("a.jsonl")["versions"]
    assert (entry["status"], entry["accepted"], entry["refused"]) == ("read", 2, 1)
    assert [(line["line"], line.get("run_id")) for line in entry["lines"]] == [
        (1, "r1"),
        (3, None),
        (4, "r3"),
    ]


def test_a_conflict_is_said(bucket):
    bucket.submit.trouble = [Conflict("run r1 exists already")]
    bucket.drop("a.json", {"id": "r1"})
    bucket.files.scan()
    (entry,) = bucket.receipt("a.json")["versions"]
    assert (entry["problem"]["status"], entry["problem"]["detail"]) == (
        409,
        "run r1 exists already",
    )


def test_a_file_that_is_still_being_written_waits(bucket):
    bucket.drop("a.json", {"id": "r1"}, age_seconds=0)
    assert bucket.files.scan() == 0
    bucket.touch("a.json", 1)
    assert bucket.files.scan() == 1


def test_a_file_from_the_future_is_taken_once_it_rests(bucket):
    bucket.drop("a.json", {"id": "r1"}, age_seconds=-3600)
    assert [bucket.files.scan(), bucket.files.scan(), bucket.files.scan()] == [0, 1, 0]


def test_an_outage_leaves_the_request_for_the_next_look(bucket):
    bucket.submit.trouble = [Unavailable("busy")]
    bucket.drop("a.json", {"id": "r1"})
    assert bucket.files.scan() == 0
    assert not (bucket.folder / "receipts").exists()
    assert bucket.files.scan() == 1
    assert bucket.statuses("a.json") == ["accepted"]


def test_a_bug_is_not_called_a_refusal_and_does_not_stop_the_others(bucket):
    bucket.submit.trouble = [RuntimeError("a bug")]
    bucket.drop("a.json", {"id": "r1"})
    bucket.drop("b.json", {"id": "r2"})
    bucket.files.scan()
    assert bucket.statuses("b.json") == ["accepted"]
    assert not (bucket.folder / "receipts/a.json").exists()
    bucket.files.scan()
    assert len(bucket.submit.documents) == 2
    bucket.restarted().scan()
    assert bucket.statuses("a.json") == ["accepted"]


def test_a_receipt_that_was_spoiled_is_written_anew(bucket):
    bucket.drop("a.json", {"id": "r1"})
    (bucket.folder / "receipts").mkdir(parents=True)
    (bucket.folder / "receipts/a.json").write_text("{")
    bucket.files.scan()
    assert bucket.statuses("a.json") == ["accepted"]


@pytest.mark.parametrize("name", ["a.txt", "a.json.part", "a"])
def test_only_json_files_are_requests(bucket, name):
    bucket.drop(name, {"id": "r1"})
    assert bucket.files.scan() == 0


def test_links_are_not_followed(bucket, tmp_path):
    (tmp_path / "outside.json").write_text('{"id": "r1"}')
    bucket.drop("real.json", {"id": "r2"})
    (bucket.folder / "requests/link.json").symlink_to(tmp_path / "outside.json")
    (bucket.folder / "requests/folder").symlink_to(tmp_path)
    bucket.files.scan()
    assert bucket.submit.documents == [{"id": "r2"}]


def test_files_outside_of_requests_are_not_requests(bucket):
    bucket.folder.mkdir(parents=True)
    (bucket.folder / "b.json").write_text('{"id": "r1"}')
    assert bucket.files.scan() == 0
    assert bucket.submit.documents == []


def test_a_file_that_is_larger_than_any_request_is_refused_without_being_read(bucket):
    path = bucket.folder / "requests" / "big.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.truncate(50 * 1024**3)  # sparse: reading it would take minutes
    os.utime(path, (1_700_000_000, 1_700_000_000))
    bucket.files.scan()
    (entry,) = bucket.receipt("big.json")["versions"]
    assert (entry["status"], entry["problem"]["status"]) == ("refused", 413)


def test_what_is_no_file_is_no_request_and_stops_nobody(bucket):
    (bucket.folder / "requests").mkdir(parents=True, exist_ok=True)
    os.mkfifo(bucket.folder / "requests" / "pipe.json")
    bucket.drop("a.json", {"id": "r1"})
    assert bucket.files.scan() == 1
