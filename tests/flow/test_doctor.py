"""``falsework doctor`` on an embedded home and on an API: what it says, and its exit code."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import threading
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from chalicelib import bootstrap
from chalicelib.cli import main
from chalicelib.cli.doctoring import check_certificate
from chalicelib.core.findings import Verdict
from chalicelib.local import checkup
from chalicelib.local.engine_lock import EngineLock
from chalicelib.local.schema import STEPS
from chalicelib.settings import Settings
from tests.flow.worlds import World, a_demand

PASSWORD = "fw_hunter2hunter2"


@pytest.fixture(autouse=True)
def _forget():
    yield
    bootstrap.use(Settings())


@pytest.fixture
def root(tmp_path):
    return tmp_path / "home"


def look(capsys, *words: str) -> tuple[int, dict[str, dict[str, str]]]:
    code = main(["doctor", *words, "--json"])
    told = json.loads(capsys.readouterr().out)
    return code, {each["about"]: each for each in told["findings"]}


def verdicts(found: dict[str, dict[str, str]], *about: str) -> list[str]:
    return [found[each]["verdict"] for each in about]


def test_a_home_that_is_not_there_yet_is_fine_and_is_not_made(root, capsys):
    code, found = look(capsys, "--root", str(root), "--runner", "host")
    assert code == 0
    assert "not there yet" in found["root"]["says"]
    assert not root.exists()


def test_a_home_that_is_whole_has_nothing_to_mend(root, capsys):
    World(root).runs.list()
    code, found = look(capsys, "--root", str(root), "--runner", "host")
    assert code == 0
    assert verdicts(found, "python", "root", "database", "schema", "engine") == ["ok"] * 5
    assert found["sandbox"]["verdict"] == "warning"
    assert found["sandbox"]["mend"]


def test_runs_that_nobody_drives_are_a_warning(root, capsys):
    World(root).submit(a_demand())
    _, found = look(capsys, "--root", str(root))
    assert found["engine"]["verdict"] == "warning"
    assert found["engine"]["says"].startswith("nobody drives 1 unsettled runs")
    lock = EngineLock(root)
    assert lock.acquire()
    _, found = look(capsys, "--root", str(root))
    assert found["engine"]["says"] == "somebody drives 1 unsettled runs"
    lock.release()


def test_a_database_of_a_later_version_is_a_fault(root, capsys):
    World(root).runs.list()
    with closing(sqlite3.connect(root / "falsework.db")) as connection:
        connection.execute(f"PRAGMA user_version={len(STEPS) + 1}")
    code, found = look(capsys, "--root", str(root))
    assert (code, found["schema"]["verdict"]) == (1, "fault")


def test_a_database_of_an_earlier_version_is_not_brought_up_to_date_by_looking(root, capsys):
    World(root).runs.list()
    with closing(sqlite3.connect(root / "falsework.db")) as connection:
        connection.execute("PRAGMA user_version=1")
    code, found = look(capsys, "--root", str(root))
    assert (code, found["schema"]["verdict"]) == (0, "ok")
    with closing(sqlite3.connect(root / "falsework.db")) as connection:
        assert connection.execute("PRAGMA user_version").fetchone()[0] == 1


def test_a_database_that_is_none_is_a_fault_and_says_how_to_save_it(root, capsys):
    root.mkdir()
    (root / "falsework.db").write_bytes(b"not a database, but long enough to be looked at" * 40)
    code, found = look(capsys, "--root", str(root))
    assert (code, found["database"]["verdict"]) == (1, "fault")
    assert "recover" in found["database"]["mend"]


def test_a_root_with_blanks_is_a_fault(tmp_path, capsys):
    (tmp_path / "a b").mkdir()
    code, found = look(capsys, "--root", str(tmp_path / "a b"))
    assert (code, found["root"]["verdict"]) == (1, "fault")


@pytest.mark.parametrize(
    ("free", "verdict"),
    [(checkup.FULL_BYTES - 1, "fault"), (4 << 30, "warning"), (50 << 30, "ok")],
    ids=["full", "nearly-full", "room"],
)
def test_room_on_the_disk_is_looked_at(root, capsys, monkeypatch, free, verdict):
    root.mkdir()
    usage = shutil._ntuple_diskusage(total=100 << 30, used=0, free=free)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    _, found = look(capsys, "--root", str(root))
    assert found["disk"]["verdict"] == verdict


@contextmanager
def served(answers: dict[str, tuple[int, bytes]], date: datetime | None = None):
    """An API that says what it is told to, on this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = answers[self.path.partition("?")[0]]
            self.send_response_only(status)
            if date is not None:
                self.send_header("Date", date.strftime("%a, %d %b %Y %H:%M:%S GMT"))
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


HEALTHY = {
    "/health": (200, b'{"status": "ok", "version": "0.1.0", "home": "aws"}'),
    "/runs": (200, b'{"runs": [], "next_cursor": null}'),
}


def test_an_api_that_answers_is_fine(capsys, monkeypatch):
    monkeypatch.setenv("FALSEWORK_TOKEN", PASSWORD)
    with served(HEALTHY, datetime.now(UTC)) as url:
        code, found = look(capsys, "--url", url)
    assert code == 0
    assert verdicts(found, "API", "version", "clock", "token") == ["ok"] * 4
    assert PASSWORD not in str(found)


def test_an_api_of_another_version_is_a_warning(capsys):
    body = b'{"status": "ok", "version": "9.9.9", "home": "aws"}'
    with served({**HEALTHY, "/health": (200, body)}) as url:
        code, found = look(capsys, "--url", url)
    assert (code, found["version"]["verdict"]) == (0, "warning")


def test_a_token_that_is_not_good_is_a_fault_and_is_not_shown(capsys, monkeypatch):
    monkeypatch.setenv("FALSEWORK_TOKEN", PASSWORD)
    with served({**HEALTHY, "/runs": (401, b"{}")}) as url:
        code, found = look(capsys, "--url", url)
    assert (code, found["token"]["verdict"]) == (1, "fault")
    assert PASSWORD not in str(found)


def test_an_api_that_fails_is_a_fault(capsys):
    with served({**HEALTHY, "/health": (500, b"{}")}) as url:
        code, found = look(capsys, "--url", url)
    assert (code, found["API"]["says"]) == (1, "/health answers 500")


def test_an_api_that_is_not_there_is_a_fault(capsys):
    with served(HEALTHY) as url:
        pass
    code, found = look(capsys, "--url", url)
    assert (code, found["API"]["verdict"]) == (1, "fault")
    assert "does not answer" in found["API"]["says"]


def test_a_host_that_shows_no_certificate_is_no_fault():
    with served(HEALTHY) as url:
        port = int(url.rpartition(":")[2])
        found = check_certificate("127.0.0.1", port, datetime.now(UTC))
    assert found.verdict is Verdict.UNKNOWN


def test_without_credentials_nothing_is_known_and_that_is_not_well(capsys, monkeypatch, tmp_path):
    for name in [each for each in os.environ if each.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", str(tmp_path))
    code, found = look(capsys, "--deployment", "falsework-dev")
    assert code == 1
    assert {about: each["verdict"] for about, each in found.items()} == {"credentials": "unknown"}
    assert "credentials" in found["credentials"]["says"]


def test_people_are_told_in_lines_with_what_to_do(root, capsys):
    World(root).submit(a_demand())
    assert main(["doctor", "--root", str(root), "--runner", "host"]) == 0
    lines = capsys.readouterr().out.splitlines()
    (engine,) = [number for number, line in enumerate(lines) if " engine " in line]
    assert lines[engine].startswith("WARNING")
    assert lines[engine + 1].strip().startswith("mend: falsework serve")
