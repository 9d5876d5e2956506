"""The console command, as a user runs it: a process, its output, its exit code."""

from __future__ import annotations

import fcntl
import io
import json
import os
import pty
import re
import signal
import subprocess
import sys
import tarfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from chalicelib.cli import command_line, main
from chalicelib.version import VERSION
from tests.flow.doors import (
    command,
    copying_demand,
    environment,
    eventually,
    falsework,
    has_settled,
    put,
    shell_demand,
    until,
)
from tests.flow.test_server import serving


@pytest.fixture
def here(tmp_path):
    """A folder to work in, with one input in the bucket."""
    (tmp_path / "in.txt").write_text("hello\n")
    put(tmp_path / "in.txt", "s3://bucket/in.txt", root=tmp_path / ".falsework")
    return tmp_path


def _show(cwd, run_id, *flags):
    done = falsework("show", run_id, "--json", *flags, cwd=cwd)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def _settled(cwd, run_id):
    eventually(lambda: has_settled(cwd / ".falsework", run_id))
    return _show(cwd, run_id)


def _is_free(root):
    """Whether no process holds the lock of that root."""
    with (root / "engine.lock").open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def _heed_interrupts():
    """Whoever runs the tests in a shell's background hands down that SIGINT is ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.fixture
def waiting(here):
    """Start ``run - --wait`` and return the process; it is ended at the end, if need be."""
    started = []

    def start(demand, *flags):
        process = subprocess.Popen(
            command("run", "-", "--wait", *flags), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, cwd=here, env=environment(), text=True, start_new_session=True,
            preexec_fn=_heed_interrupts,  # noqa: PLW1509 -- a disposition is all it sets
        )  # fmt: skip
        started.append(process)
        process.stdin.write(json.dumps(demand))
        process.stdin.close()
        process.stdin = None
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_waiting_for_a_run_shows_its_stages_and_where_its_outputs_are(here):
    done = falsework("run", "-", "--wait", stdin=copying_demand("e1"), cwd=here)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert any(line.startswith("execute COMPLETE after ") for line in lines)
    assert "run e1 SUCCESS" in lines
    table = [line.split() for line in lines if re.match(r"[a-z-]+ +COMPLETE +1 ", line)]
    assert [row[0] for row in table] == [
        "scaffold", "define-jobs", "stage-in", "execute", "stage-out", "clean-up"
    ]  # fmt: skip
    assert "output   out: s3://bucket/results/e1/res/ (1 file, 6 bytes)" in lines
    folder = here / ".falsework/s3/bucket/results/e1/res"
    assert f"         {folder}" in lines
    assert (folder / "copy").read_text() == "hello\n"


def test_a_run_that_fails_exits_1_and_tells_why(here):
    done = falsework(
        "run", "-", "--wait", stdin=shell_demand("e1", "echo oh no; exit 7"), cwd=here
    )
    assert done.returncode == 1
    assert "state    ERROR" in done.stdout
    assert re.search(r"^error .*execute.*7", done.stdout, re.MULTILINE)
    assert "oh no" in falsework("logs", "e1", "--stage", "execute", cwd=here).stdout


def test_a_run_that_is_canceled_meanwhile_exits_3(here, waiting):
    process = waiting(shell_demand("e1", "sleep 300"))
    eventually(lambda: "e1" in falsework("list", cwd=here).stdout)
    assert falsework("cancel", "e1", cwd=here).stdout == "e1 CANCELED\n"
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 3, out
    again = falsework("run", "-", "--wait", stdin=shell_demand("e1", "sleep 300"), cwd=here)
    assert again.returncode == 3
    assert "has ended: CANCELED. It is not executed again" in again.stderr
    assert falsework("cancel", "e1", cwd=here).returncode == 2


def test_without_wait_a_detached_engine_finishes_the_run_and_leaves(here):
    done = falsework("run", "-", stdin=copying_demand("e1"), cwd=here)
    assert (done.returncode, done.stdout) == (0, "e1\n"), done.stderr
    assert _settled(here, "e1")["state"] == "SUCCESS"
    eventually(lambda: _is_free(here / ".falsework"))
    assert (here / ".falsework/engine.log").read_text() == ""


def test_many_runs_at_once_start_one_engine_that_forgets_none(here):
    def start(number):
        return falsework("run", "-", stdin=shell_demand(f"e{number}", "true"), cwd=here).stdout

    with ThreadPoolExecutor(6) as pool:
        started = list(pool.map(start, range(6)))
    assert started == [f"e{number}\n" for number in range(6)]
    for number in range(6):
        assert _settled(here, f"e{number}")["state"] == "SUCCESS"
    eventually(lambda: _is_free(here / ".falsework"))


def test_ctrl_c_leaves_the_run_going_on_and_says_how_to_end_it(here, waiting):
    gate = here / "gate"
    script = until(gate)
    process = waiting(shell_demand("e1", script), "--runner", "host")
    for line in process.stdout:
        if line == "execute RUNNING\n":
            break
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "run e1 goes on. To end it: falsework cancel e1 --root .falsework" in errors
    assert "Traceback" not in errors
    gate.touch()
    assert _settled(here, "e1")["state"] == "SUCCESS"


def test_who_waits_takes_over_from_an_engine_that_dies(here, waiting):
    gate = here / "gate"
    script = until(gate)
    with serving(here / ".falsework", "--runner", "host") as (server, _):
        process = waiting(shell_demand("e1", script), "--runner", "host")
        for line in process.stdout:
            if line == "execute RUNNING\n":
                break
        server.kill()
        server.wait()
    gate.touch()
    out, errors = process.communicate(timeout=30)
    assert process.returncode == 0, out + errors


def test_on_a_terminal_the_stages_are_a_live_table(here):
    (here / "demand.json").write_text(json.dumps(shell_demand("e1", "true")))
    mine, theirs = pty.openpty()
    process = subprocess.Popen(
        command("run", "demand.json", "--wait"), stdout=theirs, stderr=theirs, cwd=here,
        env=environment(TERM="xterm", COLUMNS="100"),
    )  # fmt: skip
    os.close(theirs)
    seen = b""
    try:
        while chunk := os.read(mine, 65536):
            seen += chunk
    except OSError:  # the other end is closed: that is how a terminal ends
        pass
    os.close(mine)
    assert process.wait(timeout=30) == 0
    assert b"\x1b[" in seen
    assert b"attempts" in seen
    assert b"ATTEMPTS" in seen


def test_validate_says_what_would_happen_and_creates_nothing(here):
    done = falsework("validate", "-", stdin=copying_demand("e1"), cwd=here)
    assert done.returncode == 0
    assert re.search(r": 1 object, \d+ bytes, at s3://bucket/in.txt$", done.stdout, re.MULTILINE)
    assert (
        falsework("list", "--json", cwd=here).stdout
        == '{\n  "runs": [],\n  "next_cursor": null\n}\n'
    )


BAD = {
    "no-json": ("nonsense", "line 1, column 1"),
    "no-utf-8": (b'{"execution_id": "\xff"}', "UTF-8"),
    "nothing": ("", "not JSON"),
    "no-image": ({"execution_type": "t", "execution_id": "e"}, "execution_image"),
    "bad-id": ({**shell_demand("e", "true"), "execution_id": "../e"}, "execution_id"),
    "queue": ({**shell_demand("e", "true"),
               "execution_platform": {"aws_batch": {"job_queue_name": "nope"}}}, "job_queue_name"),
    "option": ({**shell_demand("e", "true"), "options": {"x": 1}}, "options.x"),
    "option-name": ({**shell_demand("e", "true"), "options": {"clenup": "never"}},
                    "leave it out, or correct its name"),
    "attempts": ({**shell_demand("e", "true"), "options": {"max_attempts": True}}, "max_attempts"),
    "fallback": ({**shell_demand("e", "true"), "options": {"fallback_job_queue_name": "no"}},
                 "fallback_job_queue_name"),
    "too-large": (b" " * 6_400_000, "too"),
}  # fmt: skip


@pytest.fixture
def inside(tmp_path, monkeypatch, capsys):
    """Run the command in this process, which is faster; return (exit code, stdout, stderr)."""
    for name in [name for name in os.environ if name.startswith("FALSEWORK_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)

    def run(*words, stdin=b""):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        try:
            code = main(words)
        except SystemExit as exc:
            code = exc.code
        return code, *capsys.readouterr()

    return run


@pytest.mark.parametrize("verb", ["run", "validate"])
@pytest.mark.parametrize("bad", BAD.values(), ids=BAD.keys())
def test_a_bad_request_exits_2_with_one_clear_block(inside, verb, bad):
    document, word = bad
    content = json.dumps(document) if isinstance(document, dict) else document
    content = content if isinstance(content, bytes) else content.encode()
    code, out, errors = inside(verb, "-", stdin=content)
    assert (code, out) == (2, "")
    assert errors.startswith("falsework:\n  what:  ")
    assert "  mend:  " in errors
    assert word in errors
    assert json.loads(inside("list", "--json")[1])["runs"] == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["show", "nope"], "nope"),
        (["why", "nope"], "nope"),
        (["logs", "nope"], "nope"),
        (["cancel", "nope"], "nope"),
        (["resume", "nope"], "nope"),
        (["rollback", "nope", "execute"], "nope"),
        (["rollback", "e1"], "STAGE"),
        (["run", "missing.json"], "No such file"),
        (["run", "."], "directory"),
        (["show", "e1", "--root", "a b"], "blanks"),
        (["list", "--root", "in.txt"], "in.txt"),
        (["put", "in.txt", "s3://bucket/x", "--root", "in.txt"], "in.txt"),
        (["serve", "--root", "in.txt", "--port", "0"], "in.txt"),
        (["engine", "--root", "in.txt"], "in.txt"),
        (["show", "e1", "--site", "missing.json"], "missing.json"),
        (["show", "e1", "--url", "ftp://example.org"], "http"),
        (["show", "e1", "--url", "nonsense"], "http"),
        (["show", "e1", "--url", "http://["], "http"),
        (["show", "e1", "--url", "http://a:99999"], "http"),
        (["show", "e1", "--url", "http://a b/"], "http"),
        (["list", "--state", "DONE"], "CANCELED"),
        (["list", "--limit", "0"], "limit"),
        (["put", "missing", "s3://bucket/x"], "missing"),
        (["put", "in.txt", "nonsense"], "S3 path"),
        (["get", "s3://bucket/nope", "x"], "nothing has that name"),
        (["get", "nonsense", "x"], "S3 path"),
        (["put", "in.txt", "s3://bucket/x", "--url", "http://127.0.0.1:1"], "aws s3 cp"),
        (["get", "s3://bucket/x", "x", "--url", "http://127.0.0.1:1"], "aws s3 cp"),
        (["show", "e1", "--root", "r", "--url", "http://127.0.0.1:1"], "not allowed"),
        ([], "VERB"),
        (["dance"], "dance"),
        (["show", ""], "id is empty"),
        (["delete", ""], "id is empty"),
        (["paths", "remove", "s3://bucket/x"], "objects are not removed"),
        (["list", "--site", "gone.json"], "no such site file"),
        (["list", "--limit", "x"], "'x' is no number from 1 to 1000000"),
        (["show", "läuft"], '"läuft"'),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_users_mistake_exits_2_without_a_traceback(tmp_path, inside, words, said):
    (tmp_path / "in.txt").touch()
    code, _, errors = inside(*words)
    assert code == 2
    assert said in errors


@pytest.mark.parametrize(
    "words",
    [
        ["show", "nope"],
        ["get", "s3://bucket/nope", "x"],
        ["put", "missing", "s3://bucket/x"],
        ["show", ""],
        ["run", "missing.json"],
        ["put", ".", "s3://"],
        ["list", "--site", "missing.json"],
        ["paths", "remove", "s3://bucket/x"],
        ["export", "--asl", "pipeline.json", "--output", "missing/x"],
        ["simulate", "pipeline.json"],
    ],
    ids=" ".join,
)
def test_a_complaint_names_the_field_the_value_and_the_mend(tmp_path, inside, words):
    value = {"name": "v", "kind": "value", "value": 1}
    (tmp_path / "pipeline.json").write_text(json.dumps({"stages": [value]}))
    _, _, errors = inside(*words)
    assert [line.split(":")[0].strip() for line in errors.splitlines()] == [
        "falsework", "what", "field", "value", "mend"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("variable", "field"),
    [("FALSEWORK_RUNNER", "runner"), ("FALSEWORK_BATCH_BYTES", "batch_bytes")],
    ids=["a setting", "a fact of the site"],
)
def test_a_wrong_setting_is_told_without_words_for_programmers(
    inside, monkeypatch, variable, field
):
    monkeypatch.setenv(variable, "many")
    code, _, errors = inside("list")
    assert code == 2
    assert f'field: {field}\n  value: "many"\n  mend:' in errors
    assert variable in errors
    assert "pydantic" not in errors


def test_a_misspelt_verb_is_told_the_verbs_that_are_for_people(inside):
    code, _, errors = inside("dance")
    assert code == 2
    assert "'serve'" in errors
    assert "'engine'" not in errors


def test_a_dry_run_and_the_list_of_files_are_there_as_json(inside):
    document = json.dumps(shell_demand("e1", "true")).encode()
    told = json.loads(inside("validate", "-", "--json", stdin=document)[1])
    assert {"stages", "findings", "price"} <= told.keys()
    assert "RUN" in inside("files", "nope", "--json")[2]


def test_ctrl_c_before_the_verb_begins_shows_no_traceback(inside, monkeypatch):
    def interrupted(**_):
        raise KeyboardInterrupt

    monkeypatch.setattr(command_line, "parser", interrupted)
    assert inside("list") == (130, "", "")


def test_help_fits_a_terminal(inside, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    code, out, _ = inside("--help")
    assert code == 0
    assert max(map(len, out.splitlines())) <= 80


def test_runs_are_shown_and_listed(here):
    falsework("run", "-", "--wait", stdin=shell_demand("e1", "true"), cwd=here)
    falsework("run", "-", "--wait", stdin=shell_demand("e2", "false"), cwd=here)
    listed = falsework("list", cwd=here).stdout.splitlines()
    assert [line.split()[:2] for line in listed[1:]] == [["e2", "ERROR"], ["e1", "SUCCESS"]]
    only = json.loads(falsework("list", "--state", "ERROR", "--json", cwd=here).stdout)
    assert [run["id"] for run in only["runs"]] == ["e2"]
    assert "more" in falsework("list", "--limit", "1", cwd=here).stdout
    assert "state    SUCCESS" in falsework("show", "e1", cwd=here).stdout
    assert _show(here, "e1")["state"] == "SUCCESS"
    assert "==> execute (falsework-" in falsework("logs", "e1", cwd=here).stdout


def test_why_a_run_failed_is_told_in_lines_and_as_json(here):
    falsework("run", "-", "--wait", stdin=shell_demand("e1", "exit 7"), cwd=here)
    done = falsework("why", "e1", cwd=here)
    lines = done.stdout.splitlines()
    assert (done.returncode, lines[0], lines[2]) == (
        0,
        "The run failed in stage execute: the command ran and failed (exit code 7).",
        "Look at what it wrote: falsework logs e1 --stage execute",
    )
    told = json.loads(falsework("why", "e1", "--json", cwd=here).stdout)
    assert told == {"run": "e1", "state": "ERROR", "why": lines}


def _failing_once(here):
    """A demand that fails until the file ``mended`` is there; the host's runner sees it."""
    return shell_demand("e1", f"[ -e {here}/mended ] || exit 7")


def test_a_run_that_failed_goes_on_when_it_is_resumed(here):
    demand = _failing_once(here)
    assert (
        falsework("run", "-", "--wait", "--runner", "host", stdin=demand, cwd=here).returncode == 1
    )
    again = falsework("run", "-", "--wait", stdin=demand, cwd=here)
    assert again.returncode == 1
    assert "To let it go on: falsework resume e1 --root .falsework" in again.stderr
    on = ("resume", "e1", "--wait", "--runner", "host", "--generation")
    still = falsework(*on, "1", cwd=here)
    assert (still.returncode, "execute ERROR after" in still.stdout) == (1, True)
    late = falsework(*on, "1", cwd=here)
    assert (late.returncode, "name 2 to leave that one" in late.stderr) == (2, True)
    (here / "mended").touch()
    done = falsework(*on, "2", cwd=here)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "run e1 SUCCESS" in done.stdout
    assert "again    3 (its generation: resumed or rolled back)" in done.stdout
    assert "execute COMPLETE" in done.stdout
    assert falsework("resume", "e1", cwd=here).returncode == 2
    told = falsework("run", "-", stdin=demand, cwd=here).stderr
    assert "falsework rollback e1 STAGE --root .falsework" in told


def test_a_rollback_leaves_an_engine_behind_as_a_run_does(here):
    falsework("run", "-", "--wait", stdin=copying_demand("e1"), cwd=here)
    done = falsework("rollback", "e1", "execute", cwd=here)
    assert (done.returncode, done.stdout) == (0, "e1\n"), done.stderr
    run = _settled(here, "e1")
    assert (run["state"], run["generation"]) == ("SUCCESS", 2)
    eventually(lambda: _is_free(here / ".falsework"))
    done = falsework("rollback", "e1", "stage-out", "--wait", "--generation", "2", cwd=here)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "output   out: s3://bucket/results/e1/res/ (1 file, 6 bytes)" in done.stdout
    refused = falsework("rollback", "e1", "clean-up", cwd=here)
    assert (refused.returncode, "field: stage" in refused.stderr) == (2, True)
    assert "stage-out" in refused.stderr


def test_a_canceled_run_is_resumed_through_a_url_and_exits_3_when_canceled_again(here, waiting):
    with serving(here / ".falsework", "--runner", "host") as (_, port):
        url = f"http://127.0.0.1:{port}"
        process = waiting(shell_demand("e1", "sleep 300"), "--url", url)
        eventually(lambda: "e1" in falsework("list", cwd=here).stdout)
        falsework("cancel", "e1", "--url", url, cwd=here)
        process.communicate(timeout=30)
        assert falsework("resume", "e1", "--url", url, cwd=here).stdout == "e1\n"
        assert _show(here, "e1", "--url", url)["generation"] == 2
        assert falsework("cancel", "e1", "--url", url, cwd=here).stdout == "e1 CANCELED\n"
        _settled(here, "e1")


def test_an_attempt_that_failed_is_told_while_the_run_goes_on(here):
    demand = shell_demand("e1", f"[ -e {here}/tried ] || {{ touch {here}/tried; exit 7; }}")
    demand["options"] = {"max_attempts": 2}
    done = falsework("run", "-", "--wait", "--runner", "host", stdin=demand, cwd=here)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^execute RETRY after .*exit code 7", done.stdout, re.MULTILINE), done.stdout
    assert re.search(r"^execute +COMPLETE +2 ", done.stdout, re.MULTILINE)


RETRYING = {
    "id": "e1", "kind": "k", "group": "default", "state": "RUNNING", "generation": 1,
    "created_at": "2026-01-01T10:00:00Z", "started_at": None, "ended_at": None,
    "settled_at": None, "outputs": {}, "error": None,
    "stages": [{"task_id": "e1", "stage_name": "execute", "status": "RETRY", "attempts": 1,
                "history": [], "result": None}],
}  # fmt: skip


@pytest.mark.parametrize("status", ["RETRY", "RUNNING"])
def test_show_tells_when_a_stage_is_tried_again(inside, monkeypatch, status):
    run = {**RETRYING, "stages": [{**RETRYING["stages"][0], "status": status}]}
    told = {"run": "e1", "state": "RUNNING", "why": ["attempt 2 begins at \x1b[31mnoon"]}
    answers = {"/runs/e1": run, "/runs/e1/why": told}
    monkeypatch.setattr("chalicelib.cli.connection.Connection.get", lambda _, path: answers[path])
    code, out, _ = inside("show", "e1")
    assert (code, "attempt 2 begins at" in out, "\x1b" in out) == (0, status == "RETRY", False)
    assert re.search(rf"^execute +{status} +1 ", out, re.MULTILINE)


@pytest.mark.parametrize("words", [("why", "e1"), ("why", "e1", "--json")], ids=["text", "json"])
def test_why_cannot_steer_the_terminal(inside, monkeypatch, words):
    told = {"run": "e1", "state": "ERROR", "why": ["it said \x1b[31mred\nand more"]}
    monkeypatch.setattr("chalicelib.cli.connection.Connection.get", lambda *_: told)
    code, out, _ = inside(*words)
    assert (code, "\x1b" in out) == (0, False)
    assert len(out.splitlines()) == (1 if len(words) == 2 else 7)


def test_folders_are_put_and_got_whole(here):
    for name in ("a", "sub/b", "sub/deep/c d"):
        path = here / "tree" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    assert falsework("put", "tree", "s3://bucket/tree/", cwd=here).stdout.startswith("3 files")
    assert falsework("get", "s3://bucket/tree", "back", cwd=here).stdout.startswith("3 files")
    back = {
        p.relative_to(here / "back").as_posix() for p in (here / "back").rglob("*") if p.is_file()
    }
    assert back == {"a", "sub/b", "sub/deep/c d"}
    assert falsework("put", "in.txt", "s3://bucket/tree/", cwd=here).returncode == 0
    assert falsework("get", "s3://bucket/tree/in.txt", "one", cwd=here).returncode == 0
    assert (here / "one").read_text() == "hello\n"
    assert falsework("get", "s3://bucket/tree/in.txt", "back/", cwd=here).returncode == 0
    assert (here / "back/in.txt").read_text() == "hello\n"


def test_the_same_verbs_work_through_a_url(here):
    with serving(here / ".falsework") as (_, port):
        url = f"http://127.0.0.1:{port}"
        done = falsework("run", "-", "--wait", "--url", url, stdin=copying_demand("e1"), cwd=here,
                         http_proxy="http://127.0.0.1:1")  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        assert "s3://bucket/results/e1/res/ (1 file, 6 bytes)" in done.stdout
        assert str(here) not in done.stdout
        assert _show(here, "e1", "--url", url)["state"] == "SUCCESS"
        by_environment = falsework("list", cwd=here / "..", FALSEWORK_URL=url)
        assert "e1" in by_environment.stdout
        assert falsework("cancel", "e1", cwd=here, FALSEWORK_URL=url).returncode == 2
        bad = falsework("run", "-", cwd=here, stdin="[]", FALSEWORK_URL=url)
        assert (bad.returncode, "not an object" in bad.stderr) == (2, True)


@pytest.mark.parametrize("is_remote", [False, True], ids=["embedded", "by a url"])
def test_what_a_run_left_is_shown_brought_and_deleted(here, is_remote):
    assert falsework("run", "-", "--wait", stdin=copying_demand("e1"), cwd=here).returncode == 0
    with serving(here / ".falsework") as (_, port):
        told = {"FALSEWORK_URL": f"http://127.0.0.1:{port}"} if is_remote else {}

        def ask(*words):
            done = falsework(*words, cwd=here, **told)
            return done.returncode, done.stdout

        assert "out/copy  6" in ask("files", "e1")[1]
        assert ask("archive", "e1")[0] == 0
        with tarfile.open(here / "run.e1.tar.gz") as packed:
            assert packed.getnames() == ["out/copy"]
        assert ask("delete", "e1", "--files") == (0, "e1 deleted\n")
        assert ask("delete", "e1")[0] == ask("archive", "e1")[0] == ask("files", "e1")[0] == 2
    assert not (here / ".falsework/s3/bucket/results/e1/res/copy").exists()


def test_a_root_on_the_command_line_overrules_a_url_of_the_environment(here):
    done = falsework("list", "--root", ".falsework", cwd=here, FALSEWORK_URL="http://127.0.0.1:1")
    assert done.returncode == 0, done.stderr


def test_a_deployment_that_does_not_answer_is_told_and_exits_1(tmp_path):
    done = falsework("list", "--url", "http://127.0.0.1:1", cwd=tmp_path)
    assert (done.returncode, "does not answer" in done.stderr) == (1, True)
    assert "Traceback" not in done.stderr


def test_a_token_is_sent_but_never_in_clear_text_to_another_machine_nor_after_a_redirect(tmp_path):
    seen = []

    class Redirect(BaseHTTPRequestHandler):
        def do_GET(self):
            seen.append((self.path, self.headers["Authorization"]))
            self.send_response(302)
            self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Redirect)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        done = falsework("show", "e1", "--url", f"http://127.0.0.1:{server.server_port}",
                         cwd=tmp_path, FALSEWORK_TOKEN="t0ken")  # fmt: skip
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert seen == [("/runs/e1", "Bearer t0ken")]
    assert done.returncode == 2
    clear = falsework(
        "show", "e1", "--url", "http://example.org", cwd=tmp_path, FALSEWORK_TOKEN="t0ken"
    )
    assert (clear.returncode, "clear text" in clear.stderr) == (2, True)
    assert "t0ken" not in done.stderr + clear.stderr


def test_the_host_is_warned_of_once(tmp_path):
    done = falsework(
        "run", "-", "--wait", "--runner", "host", stdin=shell_demand("e1", "true"), cwd=tmp_path
    )
    assert done.stderr.count("without a sandbox") == 1
    assert done.returncode == 0, done.stdout


def test_a_site_file_reaches_the_detached_engine(tmp_path):
    site = {"prefix": "mine", "requests_bucket": "orders"}
    (tmp_path / "site.json").write_text(json.dumps(site))
    falsework("run", "-", "--site", "site.json", stdin=shell_demand("e1", "true"), cwd=tmp_path)
    assert _settled(tmp_path, "e1")["state"] == "SUCCESS"
    assert "(mine-" in falsework("logs", "e1", cwd=tmp_path).stdout
    assert (tmp_path / ".falsework/s3/orders/requests").is_dir()  # the engine watches it


def test_a_reader_that_has_seen_enough_is_no_error(here):
    done = subprocess.run(
        ["sh", "-c", f"{' '.join(command('list'))} | true"],
        capture_output=True, cwd=here, env=environment(), check=False, timeout=60,
    )  # fmt: skip
    assert done.stderr == b""


def test_a_terminal_that_lacks_letters_is_no_error(here):
    done = falsework("put", "in.txt", "s3://bucket/x", cwd=here, PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stdout) == (0, "1 file ? s3://bucket/x\n")


def test_the_version(tmp_path):
    assert falsework("--version", cwd=tmp_path).stdout == f"falsework {VERSION}\n"


def test_a_hidden_verb_is_not_shown(tmp_path):
    text = falsework("--help", cwd=tmp_path).stdout
    assert "serve" in text
    assert not re.search(r"^ +engine", text, re.MULTILINE)
    begun = time.monotonic()
    assert falsework("engine", cwd=tmp_path).returncode == 0
    assert time.monotonic() - begun < 10


def test_a_token_is_printed_once_alone_on_its_line_and_can_be_revoked(here):
    done = falsework("token", "create", "alice", "--scope", "read", "--days", "0.5", cwd=here)
    text = done.stdout.removesuffix("\n")
    assert re.fullmatch(r"fw_[a-z2-7]{20}_[A-Za-z0-9_-]{43}", text)
    assert text not in done.stderr
    assert "read for group default, until" in done.stderr
    listed = falsework("token", "list", cwd=here)
    assert [line.split()[:4] for line in listed.stdout.splitlines()[1:]] == [
        [text[3:23], "alice", "read", "default"]
    ]
    assert text[24:] not in listed.stdout
    assert falsework("token", "revoke", text[3:23], cwd=here).stdout == f"{text[3:23]} revoked\n"
    assert json.loads(falsework("token", "list", "--json", cwd=here).stdout)["tokens"] == []
    assert falsework("token", "revoke", text[3:23], cwd=here).returncode == 2


@pytest.mark.parametrize(
    ("flags", "scopes", "groups"),
    [
        ([], ["read", "submit"], ["default"]),
        (["--scope", "admin", "--all-groups"], ["admin"], None),
        (["--scope", "read", "--scope", "submit", "--group", "b", "--group", "a"],
         ["read", "submit"], ["a", "b"]),
    ],
    ids=["usual", "admin", "some"],
)  # fmt: skip
def test_a_token_is_what_the_flags_say(inside, flags, scopes, groups):
    _, out, _ = inside("token", "create", "alice", "--json", *flags)
    made = json.loads(out)
    assert (made["name"], made["scopes"], made["groups"]) == ("alice", scopes, groups)
    assert made["token"].startswith(f"fw_{made['id']}_")


@pytest.mark.parametrize(
    "words",
    [
        ["create"],
        ["create", "a", "--days", "0"],
        ["create", "a", "--days", "nan"],
        ["create", "a", "--days", "1e99"],
        ["create", "a", "--days", "400"],
        ["create", "a", "--scope", "all"],
        ["create", "a", "--group", "b", "--all-groups"],
        ["create", "a\nb"],
        ["revoke", "../tokens"],
        ["list", "--limit", "3"],
        [],
    ],
    ids=repr,
)
def test_a_wrong_token_command_exits_2(inside, words):
    code, out, errors = inside("token", *words)
    assert (code, out) == (2, "")
    assert errors


def test_tokens_are_made_and_used_through_a_url(here):
    with serving(here / ".falsework", "--tokens") as (_, port):
        url = f"http://127.0.0.1:{port}"
        first = falsework("token", "create", "boss", "--scope", "admin", "--all-groups", cwd=here)
        boss = {"FALSEWORK_URL": url, "FALSEWORK_TOKEN": first.stdout.strip()}
        second = falsework("token", "create", "bob", "--scope", "read", cwd=here, **boss)
        bob = {"FALSEWORK_URL": url, "FALSEWORK_TOKEN": second.stdout.strip()}
        assert falsework("list", cwd=here, **bob).returncode == 0
        assert falsework("cancel", "e1", cwd=here, **bob).returncode == 2
        assert falsework("token", "list", cwd=here, **bob).returncode == 2
        falsework("token", "revoke", bob["FALSEWORK_TOKEN"][3:23], cwd=here, **boss)
        done = falsework("list", cwd=here, **bob)
        assert (done.returncode, "revoked" in done.stderr) == (2, True)
        assert falsework("list", cwd=here, FALSEWORK_URL=url).returncode == 2
