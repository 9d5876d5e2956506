"""Run management through the front door of the embedded home: files, archives, results, age."""

from __future__ import annotations

import http.client
import io
import json
import os
import tarfile
import threading
from datetime import timedelta

import pytest

from chalicelib import bootstrap
from chalicelib.core.data_sync.manifest import ManifestFile, manifest_of, manifest_uri
from chalicelib.core.principals import LOCAL
from chalicelib.core.run import RunState
from chalicelib.core.site import Site
from chalicelib.settings import Settings
from chalicelib.web.gateway import Gateway
from chalicelib.web.server import Server
from tests.unit.flowserv.values import AT, a_run, an_output

SCHEMA = {"file": "out/m.json", "schema": [{"name": "auc", "label": "AUC", "dtype": "float"}]}


@pytest.fixture
def home(tmp_path):
    site = Site.model_validate({"result_schemas": {"lab": SCHEMA}})
    bootstrap.use(Settings(root=tmp_path / "root", site=site))
    yield bootstrap.home()
    bootstrap.use(Settings(root=tmp_path / "gone"))


@pytest.fixture
def ask(home):
    gateway = Gateway(trusted=LOCAL)

    def request(method, target, body=b"", **headers):
        content = json.dumps(body).encode() if isinstance(body, dict) else body
        return gateway.request(method, target, headers, content)

    return request


def made(home, run_id="r1", files=None, **fields):
    """Save a run that ended, with an output of these files."""
    uri = f"s3://bkt/{run_id}/"
    content = {"a.txt": b"0123456789", "d/b.json": b"{}"} if files is None else files
    for path, data in content.items():
        home.ports.objects.write(uri + path, data)
    entries = tuple(
        ManifestFile(path=path, bytes=len(data), sha256="0" * 64) for path, data in content.items()
    )
    manifest = manifest_of(entries, run=run_id, param="out", source="fs-1:/x", created_at=AT)
    home.ports.objects.write(manifest_uri(uri), manifest.model_dump_json().encode())
    return home.ports.runs.save(a_run(run_id, outputs={"out": an_output(uri)}, **fields))


def shown(answer):
    return json.loads(answer.body)


def objects(home, uri="s3://bkt"):
    return [found.uri for found in home.ports.objects.list(uri)]


# --- files


def test_the_files_of_a_run_are_listed_with_type_and_size(home, ask):
    made(home)
    files = shown(ask("GET", "/runs/r1/files"))["files"]
    assert [(f["key"], f["mime_type"], f["size_bytes"]) for f in files] == [
        ("out/a.txt", "text/plain", 10),
        ("out/d/b.json", "application/json", 2),
    ]


@pytest.mark.parametrize("by", ["key", "id", "flowserv"])
def test_a_file_is_handed_out_as_an_attachment(home, ask, by):
    made(home)
    file_id = shown(ask("GET", "/runs/r1/files"))["files"][0]["id"]
    target = {
        "key": "/runs/r1/files?key=out%2Fa.txt",
        "id": f"/runs/r1/files/{file_id}",
        "flowserv": f"/flowserv/runs/r1/downloads/files/{file_id}",
    }[by]
    answer = ask("GET", target)
    assert (answer.status, answer.body) == (200, b"0123456789")
    assert answer.headers["Content-Type"] == "text/plain"
    assert answer.headers["Content-Disposition"] == "attachment; filename*=UTF-8''a.txt"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        pytest.param("bytes=2-4", (206, b"234", "bytes 2-4/10"), id="middle"),
        pytest.param("bytes=7-", (206, b"789", "bytes 7-9/10"), id="from"),
        pytest.param("bytes=-3", (206, b"789", "bytes 7-9/10"), id="last"),
        pytest.param("bytes=0-99", (206, b"0123456789", "bytes 0-9/10"), id="too-long"),
        pytest.param("bytes=-99", (206, b"0123456789", "bytes 0-9/10"), id="too-many"),
        pytest.param("bytes=10-", (416, b"", "bytes */10"), id="past-the-end"),
        pytest.param("bytes=-0", (416, b"", "bytes */10"), id="none"),
        pytest.param("bytes=5-2", (200, b"0123456789", None), id="backwards"),
        pytest.param("bytes=0-1,3-4", (200, b"0123456789", None), id="several"),
        pytest.param("lines=1-2", (200, b"0123456789", None), id="another-unit"),
        pytest.param("bytes=-", (200, b"0123456789", None), id="nothing"),
    ],
)
def test_a_part_of_a_file_can_be_asked_for(home, ask, asked, expected):
    made(home)
    answer = ask("GET", "/runs/r1/files?key=out/a.txt", Range=asked)
    assert (answer.status, answer.body, answer.headers.get("Content-Range")) == expected


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("/runs/nobody/files", 404),
        ("/runs/r1/files?key=out/x", 404),
        ("/runs/r1/files?key=", 400),
        ("/runs/r1/files/abc", 404),
        ("/runs/r1/files?key=../x", 404),
        ("/runs/r1/files?path=a", 400),
    ],
)
def test_what_is_not_there_or_wrong_is_a_problem(home, ask, target, status):
    made(home)
    answer = ask("GET", target)
    assert answer.status == status
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_a_file_that_was_replaced_or_removed_is_not_the_runs_any_more(home, ask):
    made(home)
    home.ports.objects.write("s3://bkt/r1/a.txt", b"another")
    home.ports.objects.remove("s3://bkt/r1/d/b.json")
    for key, word in [("out/a.txt", "replaced"), ("out/d/b.json", "removed")]:
        answer = ask("GET", f"/runs/r1/files?key={key}")
        assert (answer.status, word in shown(answer)["detail"]) == (404, True)


def test_a_large_file_does_not_fit_into_an_answer_in_memory(home, ask):
    made(home, files={"big": bytes(6 * 1024 * 1024 + 1)})
    assert ask("GET", "/runs/r1/files?key=out/big").status == 413


# --- archives


@pytest.mark.parametrize("target", ["/runs/r1/archive", "/flowserv/runs/r1/downloads/archive"])
def test_an_archive_holds_every_file_under_its_key(home, ask, target):
    made(home)
    answer = ask("GET", target)
    assert answer.headers["Content-Type"] == "application/gzip"
    assert answer.headers["Content-Disposition"].endswith("run.r1.tar.gz")
    with tarfile.open(fileobj=io.BytesIO(answer.body), mode="r:gz") as tar:
        content = {m.name: tar.extractfile(m).read() for m in tar}
    assert content == {"out/a.txt": b"0123456789", "out/d/b.json": b"{}"}


@pytest.mark.parametrize("state", [s for s in RunState if s is not RunState.SUCCESS])
def test_only_a_successful_run_has_an_archive(home, ask, state):
    home.ports.runs.save(a_run("r1", state))
    answer = ask("GET", "/flowserv/runs/r1/downloads/archive")
    assert (answer.status, list(shown(answer))) == (404, ["message"])


@pytest.fixture
def served(home):
    server = Server("127.0.0.1", 0, Gateway(trusted=LOCAL))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield http.client.HTTPConnection(*server.server_address[:2], timeout=30)
    server.shutdown()
    server.server_close()
    thread.join()


def test_files_and_archives_are_streamed_over_one_connection(home, served):
    big = bytes(range(256)) * 4 * 10_000
    made(home, files={"big": big, "a.txt": b"x"})
    served.request("GET", "/runs/r1/files?key=out/big")
    answer = served.getresponse()
    assert (answer.getheader("Content-Length"), answer.read() == big) == (str(len(big)), True)
    served.request("HEAD", "/runs/r1/archive")
    answer = served.getresponse()
    assert (answer.status, answer.read()) == (200, b"")
    served.request("GET", "/runs/r1/archive")
    answer = served.getresponse()
    assert answer.getheader("Transfer-Encoding") == "chunked"
    with tarfile.open(fileobj=io.BytesIO(answer.read()), mode="r:gz") as tar:
        assert [(m.name, m.size) for m in tar] == [("out/a.txt", 1), ("out/big", len(big))]
    served.close()


def test_an_archive_that_breaks_off_is_seen_to(home, served):
    made(home)
    home.ports.objects.write("s3://bkt/r1/d/b.json", b"longer than it was")
    served.request("GET", "/runs/r1/archive")
    answer = served.getresponse()
    with pytest.raises(http.client.IncompleteRead):
        answer.read()
    served.close()


# --- the flowserv paths


def test_a_group_lists_its_runs_as_flowserv_shows_them(home, ask):
    for number, state in enumerate([RunState.ERROR, RunState.SUCCESS]):
        home.ports.runs.save(
            a_run(f"r{number}", state, group="lab", created_at=AT + timedelta(seconds=number))
        )
    home.ports.runs.save(a_run("other"))
    runs = shown(ask("GET", "/flowserv/groups/lab/runs"))
    assert runs == {
        "runs": [
            {"id": "r1", "state": "SUCCESS", "createdAt": "2026-05-01T12:00:01.000000+00:00"},
            {"id": "r0", "state": "ERROR", "createdAt": "2026-05-01T12:00:00.000000+00:00"},
        ]
    }
    failed = shown(ask("GET", "/flowserv/groups/lab/runs?state=ERROR"))["runs"]
    assert [run["id"] for run in failed] == ["r0"]
    assert shown(ask("GET", "/flowserv/groups/nobody/runs")) == {"runs": []}
    ours = shown(ask("GET", "/groups/l%61b/runs?state=ERROR"))
    assert ([run["id"] for run in ours["runs"]], ours["next_cursor"]) == (["r0"], None)


@pytest.mark.parametrize(
    ("body", "message"),
    [(b"", "canceled at user request"), ({"reason": "too dear"}, "too dear")],
)
def test_a_put_cancels_at_once_and_says_why(home, ask, body, message):
    home.ports.runs.save(a_run("r1", RunState.PENDING))
    answer = ask("PUT", "/flowserv/runs/r1", body, **{"Content-Type": "application/json"})
    assert answer.status == 200
    assert (shown(answer)["state"], shown(answer)["messages"]) == ("CANCELED", [message])
    again = ask("PUT", "/flowserv/runs/r1")
    assert (again.status, shown(again)["messages"]) == (200, [message])


@pytest.mark.parametrize("body", [{}, {"reason": "x", "more": 1}, b"[]", b"nonsense"])
def test_a_put_with_another_body_is_refused(home, ask, body):
    home.ports.runs.save(a_run("r1", RunState.PENDING))
    answer = ask("PUT", "/flowserv/runs/r1", body, **{"Content-Type": "application/json"})
    assert (answer.status, list(shown(answer))) == (400, ["message"])
    assert home.ports.runs.load("r1").state is RunState.PENDING


@pytest.mark.parametrize(
    ("method", "target", "status"),
    [
        ("GET", "/flowserv/runs/nobody", 404),
        ("PUT", "/flowserv/runs/nobody", 404),
        ("DELETE", "/flowserv/runs/nobody", 404),
        ("PUT", "/flowserv/runs/ended", 400),
        ("DELETE", "/flowserv/runs/active", 400),
        ("DELETE", "/flowserv/runs/unsettled", 400),
        ("GET", "/flowserv/runs/ended/downloads/files/x", 404),
    ],
)
def test_errors_have_flowservs_form_there(home, ask, method, target, status):
    home.ports.runs.save(a_run("ended"))
    home.ports.runs.save(a_run("active", RunState.RUNNING))
    home.ports.runs.save(a_run("unsettled", settled_at=None))
    answer = ask(method, target)
    assert (answer.status, list(shown(answer))) == (status, ["message"])


def test_a_successful_run_shows_its_files_there(home, ask):
    made(home)
    names = [file["name"] for file in shown(ask("GET", "/flowserv/runs/r1"))["files"]]
    assert names == ["out/a.txt", "out/d/b.json"]


# --- deletion


@pytest.mark.parametrize("target", ["/runs/r1?files=true", "/flowserv/runs/r1"])
def test_deleting_a_run_takes_its_files_and_nobody_elses(home, ask, target):
    run = made(home)
    made(home, "r2")
    home.ports.objects.write("s3://bkt/r1/not-ours", b"x")
    home.ports.objects.write(f"s3://falsework/runs/r1/{run.uid}/order.json", b"x")
    assert ask("DELETE", target).status == 204
    assert objects(home) == [
        "s3://bkt/r1/not-ours",
        "s3://bkt/r2/.falsework-manifest.json",
        "s3://bkt/r2/a.txt",
        "s3://bkt/r2/d/b.json",
    ]
    assert objects(home, "s3://falsework") == []
    assert ask("GET", "/runs/r1").status == 404
    assert ask("DELETE", target).status == 404


def test_files_of_a_run_that_took_the_same_place_stay(home, ask):
    made(home)
    run = home.ports.runs.load("r1")
    home.ports.runs.save(a_run("older", outputs=run.outputs))
    assert ask("DELETE", "/runs/older?files=true").status == 204
    assert "s3://bkt/r1/a.txt" in objects(home)


@pytest.mark.parametrize("target", ["/runs/r1", "/runs/r1?files=false"])
def test_what_lies_at_a_destination_stays_unless_it_is_asked_for(home, ask, target):
    run = made(home)
    home.ports.objects.write(f"s3://falsework/runs/r1/{run.uid}/order.json", b"x")
    assert ask("DELETE", target).status == 204
    assert len(objects(home)) == 3
    assert objects(home, "s3://falsework") == []
    assert ask("GET", "/runs/r1").status == 404


def test_a_file_that_was_replaced_by_a_younger_one_or_of_another_size_is_not_deleted(home, ask):
    made(home)
    path = home.root / "s3/bkt/r1/a.txt"
    path.write_bytes(b"9876543210")
    later = path.stat().st_mtime + 60
    os.utime(path, (later, later))
    other = home.root / "s3/bkt/r1/d/b.json"
    earlier = other.stat().st_mtime - 60
    home.ports.objects.write("s3://bkt/r1/d/b.json", b"another size")
    os.utime(other, (earlier, earlier))
    assert ask("DELETE", "/runs/r1?files=true").status == 204
    assert objects(home) == ["s3://bkt/r1/a.txt", "s3://bkt/r1/d/b.json"]


def test_a_site_may_keep_the_outputs_of_deleted_runs(home, ask, monkeypatch):
    made(home)
    made(home, "r2", created_at=AT - timedelta(days=1))
    kept = home.ports.site.model_copy(update={"delete_outputs_with_run": False})
    monkeypatch.setattr(bootstrap, "ports", lambda: home.ports._replace(site=kept))
    for target in ("/runs/r1?files=true", "/runs?created_before=2026-05-01&files=true"):
        answer = ask("DELETE", target)
        assert (answer.status, shown(answer)["errors"][0]["field"]) == (403, "files")
    assert ask("DELETE", "/flowserv/runs/r1").status == 204
    assert len(objects(home)) == 6


def test_obsolete_runs_go_with_their_outputs_where_that_is_asked(home, ask):
    for number, files in enumerate(["", "&files=true"]):
        made(home, f"r{number}", created_at=AT - timedelta(days=1))
        done = shown(ask("DELETE", f"/runs?created_before=2026-05-01{files}"))
        assert done["ids"] == [f"r{number}"]
    assert {uri.split("/")[3] for uri in objects(home)} == {"r0"}


def test_a_run_that_is_not_over_keeps_its_files(home, ask):
    made(home, settled_at=None)
    assert ask("DELETE", "/runs/r1").status == 409
    assert len(objects(home)) == 3


# --- age and rankings


def test_obsolete_runs_are_listed_and_deleted_but_not_those_in_use(home, ask):
    day = timedelta(days=1)
    made(home, "best", {"m.json": b'{"auc": 0.9}'}, group="lab", created_at=AT - 3 * day)
    made(home, "worse", {"m.json": b'{"auc": "0.5"}'}, group="lab", created_at=AT - 2 * day)
    made(home, "young")
    home.ports.runs.save(a_run("active", RunState.RUNNING, created_at=AT - day))
    home.ports.runs.save(a_run("unsettled", created_at=AT - day, settled_at=None))
    home.ports.runs.save(a_run("failed", RunState.ERROR, created_at=AT - day))
    query = "/runs?created_before=2026-05-01"
    listed = [run["id"] for run in shown(ask("GET", query))["runs"]]
    assert sorted(listed) == ["failed", "unsettled", "worse"]
    done = shown(ask("DELETE", f"{query}&state=ERROR"))
    assert done == {"deleted": 1, "ids": ["failed"], "kept": {}, "next_cursor": None}
    done = shown(ask("DELETE", "/runs?created_before=2026-05-01T00:00:00%2B00:00"))
    assert (done["ids"], list(done["kept"])) == (["worse"], ["unsettled"])
    left = [run["id"] for run in shown(ask("GET", "/runs"))["runs"]]
    assert sorted(left) == ["active", "best", "unsettled", "young"]


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("", 400),
        ("?state=ERROR", 400),
        ("?created_before=yesterday", 400),
        ("?created_before=0001-01-01T00:00:00%2B14:00", 400),
        ("?created_before=9999-12-31T23:59:59-14:00", 400),
        ("?created_before=2026-05-01T00:00:00", 400),
        ("?created_before=2026-05-01&state=RUNNING", 409),
    ],
)
def test_nothing_is_deleted_without_a_date_nor_while_active(home, ask, query, status):
    home.ports.runs.save(a_run("r1", created_at=AT - timedelta(days=1)))
    assert ask("DELETE", f"/runs{query}").status == status
    assert home.ports.runs.load("r1").id == "r1"


def test_a_groups_runs_are_ranked_by_their_results(home, ask):
    for number, auc in enumerate(["0.5", "0.9", "none"]):
        data = json.dumps({"auc": auc}).encode()
        made(home, f"r{number}", {"m.json": data}, group="lab")
    home.ports.runs.save(a_run("nothing", group="lab"))
    answer = shown(ask("GET", "/groups/lab/ranking"))
    assert [(r["run"], r["results"]) for r in answer["ranking"]] == [
        ("r1", {"auc": 0.9}),
        ("r0", {"auc": 0.5}),
    ]
    assert answer["schema"]["schema"][0]["name"] == "auc"
    assert shown(ask("GET", "/runs/r0/results")) == {"run": "r0", "results": {"auc": 0.5}}
    assert ask("GET", "/runs/r2/results").status == 400
    assert ask("GET", "/runs/nothing/results").status == 404
    assert ask("GET", "/groups/nobody/ranking").status == 404
    assert ask("DELETE", "/runs/r1").status == 204
    ranked = shown(ask("GET", "/groups/lab/ranking"))["ranking"]
    assert [run["run"] for run in ranked] == ["r0"]
