"""Data syncs as runs of the embedded home: real worker processes, real folders."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from chalicelib import bootstrap, engine, file_intake
from chalicelib.core.errors import Conflict, InvalidRequest, NotFound
from chalicelib.core.events import ResumeRequested
from chalicelib.core.file_requests import CLEAN_UP, SYNC
from chalicelib.core.job_names import job_name
from chalicelib.core.run import RunState
from chalicelib.core.site import Site
from chalicelib.local.engine_loop import Loop
from chalicelib.local.folders import OWN_FILE_SYSTEM_ID as FS
from chalicelib.settings import Settings
from tests.flow.waiting import DEADLINE_SECONDS

NAMES = ("a", "b/1", "b/2", "c/d/1", "e")
KEPT_ON_A_DISK = 5


class Home:
    """The embedded home of this process, and its three kinds of places."""

    def __init__(self, root: Path, site: Site | None = None) -> None:
        bootstrap.use(Settings(root=root / "root", site=site or Site()))
        self.root = bootstrap.home().root
        self.home = bootstrap.home()
        self.places = {
            "s3": ("s3://bucket/{}/", self.root / "s3/bucket"),
            "efs": (FS + ":/{}", self.root / "efs" / FS),
            "local": (f"{root}/{{}}", root),
        }

    def path(self, kind: str, name: str) -> str:
        return self.places[kind][0].format(name)

    def folder(self, kind: str, name: str) -> Path:
        return self.places[kind][1] / name

    def fill(self, kind: str, name: str, *names: str, text: str = "12345678") -> None:
        for each in names:
            path = self.folder(kind, name) / each
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            os.utime(path, (1_700_000_000, 1_700_000_000))

    def there(self, kind: str, name: str) -> dict[str, str]:
        folder = self.folder(kind, name)
        return {
            path.relative_to(folder).as_posix(): path.read_text()
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }

    def start(self, source: str, destination: str, **options):
        ends = {"source_path": source, "destination_path": destination}
        return self.submit(SYNC, {**ends, "include_detailed_response": True, **options})

    def submit(self, kind: str, document: dict):
        return file_intake.submit_file_job(kind, document, self.home.ports)

    def load(self, run_id: str):
        return self.home.ports.runs.load(run_id)

    def drive(self, run_id: str):
        end = time.monotonic() + DEADLINE_SECONDS
        is_over = lambda: self.load(run_id).settled_at or time.monotonic() > end  # noqa: E731
        Loop(self.home).run_until(is_over)
        run = self.load(run_id)
        assert run.settled_at, run
        return run

    def sync(self, source: str, destination: str, **options):
        return self.drive(self.start(source, destination, **options).id)

    def documents(self, run) -> dict[int, dict]:
        uri = f"{run.plan.results_prefix}sync-{run.generation}"
        found = self.home.ports.objects.list(uri)
        return {
            int(each.uri[-11:-5]): json.loads(self.home.ports.objects.read(each.uri))
            for each in found
            if "error" not in each.uri
        }


@pytest.fixture
def home(tmp_path):
    yield Home(tmp_path)
    bootstrap.use(Settings(root=tmp_path / "gone"))


def counts(run):
    return run.stages[-1].result["result"]


@pytest.mark.parametrize(
    ("source", "destination"),
    [
        ("s3", "efs"),
        ("efs", "s3"),
        ("local", "s3"),
        ("s3", "local"),
        ("s3", "s3"),
        ("local", "efs"),
    ],
)
def test_every_direction_is_one_job_where_it_fits(home, source, destination):
    home.fill(source, "in", *NAMES)
    run = home.sync(home.path(source, "in"), home.path(destination, "out"))
    assert (run.state, run.kind) == (RunState.SUCCESS, "data-sync")
    assert home.there(destination, "out") == dict.fromkeys(NAMES, "12345678")
    assert counts(run) == {"files_transferred": 5, "bytes_transferred": 40}
    assert [each.stage_name for each in run.stages] == ["orders", "define-jobs", "sync"]
    assert len(run.jobs) == 1
    assert home.there(source, "in")


@pytest.mark.parametrize("limit", [1000, 10], ids=["whole", "divided"])
@pytest.mark.parametrize(
    ("source", "destination", "left"),
    [("local", "s3", 0), ("s3", "s3", 0), ("efs", "efs", 0), ("s3", "efs", KEPT_ON_A_DISK)],
)
def test_a_move_gives_the_source_up_but_for_objects_that_go_to_a_disk(
    home, source, destination, left, limit
):
    home.fill(source, "in", *NAMES)
    ends = home.path(source, "in"), home.path(destination, "out")
    run = home.sync(*ends, retain_source_data=False, batch_size_bytes_limit=limit)
    assert run.state is RunState.SUCCESS
    assert home.there(destination, "out") == dict.fromkeys(NAMES, "12345678")
    assert len(home.there(source, "in")) == left


@pytest.mark.parametrize("limit", [1000, 10], ids=["whole", "divided"])
@pytest.mark.parametrize("deletes", [False, True], ids=["kept", "deleted"])
@pytest.mark.parametrize("destination", ["s3", "efs"])
def test_what_is_extra_goes_only_if_the_request_says_so(home, destination, deletes, limit):
    home.fill("s3", "in", *NAMES)
    home.fill(destination, "out", "extra", "b/extra")
    told = {"delete": True} if deletes else {}
    ends = home.path("s3", "in"), home.path(destination, "out")
    home.sync(*ends, batch_size_bytes_limit=limit, **told)
    extra = set() if deletes else {"extra", "b/extra"}
    assert set(home.there(destination, "out")) == {*NAMES, *extra}


def test_what_is_too_much_for_one_job_is_done_by_an_array(home):
    home.fill("s3", "in", *NAMES)
    ends = home.path("s3", "in"), home.path("efs", "out")
    run = home.sync(*ends, batch_size_bytes_limit=17)
    assert run.state is RunState.SUCCESS
    assert home.there("efs", "out") == dict.fromkeys(NAMES, "12345678")
    assert counts(run) == {"files_transferred": 5, "bytes_transferred": 40}
    assert [job.children for job in run.jobs] == [None, 3, None]
    assert set(home.documents(run)) == {0, 1, 2}
    assert run.stages[-1].attempts == 1


def test_a_batch_whose_worker_is_killed_is_done_again_alone(home):
    home.fill("s3", "in", *NAMES)
    ends = home.path("s3", "in"), home.path("efs", "out")
    killed = []
    stop = threading.Event()
    killer = threading.Thread(target=_kill_child, args=(home.root, 1, killed, stop))
    killer.start()
    try:
        run = home.sync(*ends, batch_size_bytes_limit=17)
    finally:
        stop.set()
        killer.join()
    assert len(killed) == 1
    assert run.state is RunState.SUCCESS
    assert [job.children for job in run.jobs] == [None, 3, 1, None]
    array, alone = run.jobs[1].name, run.jobs[2].name
    writers = {number: each["job_name"] for number, each in home.documents(run).items()}
    assert writers == {0: array, 1: alone, 2: array}
    assert home.there("efs", "out") == dict.fromkeys(NAMES, "12345678")


def _kill_child(root: Path, index: int, killed: list[int], stop: threading.Event) -> None:
    """Kill the first worker of that root that does that child; nothing else has these marks."""
    marks = {
        f"FALSEWORK_ROOT={root}".encode(),
        f"AWS_BATCH_JOB_ARRAY_INDEX={index}".encode(),
    }
    while not stop.wait(0.005) and not killed:
        for folder in Path("/proc").iterdir():
            try:
                found = set((folder / "environ").read_bytes().split(b"\0"))
                words = (folder / "cmdline").read_bytes()
            except OSError:
                continue
            if marks <= found and words.endswith(b"sync-batch\0") and b"bwrap" not in words:
                os.kill(int(folder.name), signal.SIGKILL)
                killed.append(int(folder.name))
                return


def test_a_batch_that_another_job_claimed_is_done_by_the_next_one(home):
    home.fill("s3", "in", *NAMES)
    ends = home.path("s3", "in"), home.path("efs", "out")
    run = home.start(*ends, batch_size_bytes_limit=17)
    array = job_name("falsework", run.uid, "sync", 2)
    home.home.ports.claims.claim(array, 0, "nobody", 1)
    run = home.drive(run.id)
    assert run.state is RunState.SUCCESS
    assert [job.children for job in run.jobs] == [None, 3, 1, None]
    assert set(home.documents(run)) == {0, 1, 2}


def test_a_batch_that_the_user_must_mend_ends_the_run_and_a_resume_goes_on(home):
    home.fill("s3", "in", *NAMES)
    home.fill("efs", "out", "b")  # a file where a folder is needed
    ends = home.path("s3", "in"), home.path("efs", "out")
    run = home.sync(*ends, batch_size_bytes_limit=17)
    assert run.state is RunState.ERROR
    assert "batch" in run.error.message
    assert "where a folder is to arrive" in run.error.message
    (home.folder("efs", "out") / "b").unlink()
    engine.handle(ResumeRequested(run_id=run.id, at=datetime.now(UTC)), home.home.ports)
    run = home.drive(run.id)
    assert run.state is RunState.SUCCESS
    assert home.there("efs", "out") == dict.fromkeys(NAMES, "12345678")


def test_a_source_that_is_missing_is_told_in_words(home):
    run = home.sync(home.path("s3", "nothing"), home.path("efs", "out"))
    assert run.state is RunState.ERROR
    assert "nothing" in run.error.message
    may = home.sync(home.path("s3", "nothing"), home.path("efs", "out"), fail_if_missing=False)
    assert may.state is RunState.SUCCESS


def test_the_same_content_under_one_id_is_one_run(home):
    home.fill("s3", "in", "a")
    ends = home.path("s3", "in"), home.path("efs", "out")
    first = home.start(*ends, run_id="nightly")
    assert home.start(*ends, run_id="nightly").uid == first.uid
    with pytest.raises(Conflict):
        home.start(*ends, run_id="nightly", force=True)
    assert home.start(*ends).id.startswith("data-sync-")
    with pytest.raises(Conflict):
        home.submit("data-path-stats", {"path": "s3://bucket/in/", "run_id": "nightly"})


def test_a_queue_that_is_not_there_is_refused(tmp_path):
    home = Home(tmp_path, Site(default_job_queue="big"))
    with pytest.raises(InvalidRequest, match="'big'") as refused:
        home.start("s3://bucket/in/", "s3://bucket/out/")
    assert refused.value.field == "site.default_job_queue"
    home = Home(tmp_path)
    options = {"fallback_job_queue_name": "spot"}
    with pytest.raises(InvalidRequest, match="'spot'") as refused:
        home.start("s3://bucket/in/", "s3://bucket/out/", options=options)
    assert refused.value.field == "options.fallback_job_queue_name"
    assert home.home.ports.runs.list().runs == ()


def test_a_clean_up_removes_what_nobody_wrote_for_days(home):
    home.fill("efs", "scratch", "old/1", "old/2")
    fresh = home.folder("efs", "scratch") / "new"
    fresh.write_text("new")
    request = {"path": f"{FS}:/scratch", "days_since_last_accessed": 3.0, "min_depth": 1}
    run = home.drive(home.submit(CLEAN_UP, request).id)
    assert run.stages[-1].result["size_bytes_removed"] == 16
    assert set(home.there("efs", "scratch")) == {"new"}


class TestDaily:
    @pytest.fixture
    def cleaning(self, tmp_path):
        told = [{"path": f"{FS}:/{name}", "days_since_last_accessed": 3.0, "min_depth": 1,
                 "max_depth": 1} for name in ("scratch", "tmp")]  # fmt: skip
        return Home(tmp_path, Site.model_validate({"file_system_cleanups": told}))

    def on(self, home, at):
        return home.home.ports._replace(clock=lambda: at)

    def test_there_is_one_run_for_each_and_a_second_time_starts_nothing(self, cleaning):
        noon = datetime(2026, 5, 4, 12, tzinfo=UTC)
        first = file_intake.submit_cleanups(self.on(cleaning, noon))
        assert len(set(first["runs"])) == 2
        assert all("2026-05-04" in run for run in first["runs"])
        later = self.on(cleaning, noon + timedelta(hours=11))
        assert file_intake.submit_cleanups(later) == first
        next_day = self.on(cleaning, noon + timedelta(days=1))
        assert not set(file_intake.submit_cleanups(next_day)["runs"]) & set(first["runs"])
        assert len(cleaning.home.ports.runs.list().runs) == 4

    def test_what_cannot_be_started_keeps_nothing_else(self, tmp_path):
        told = [{"path": "fs-0b2000000000000b:/x"}, {"path": f"{FS}:/tmp"}]
        home = Home(tmp_path, Site.model_validate({"file_system_cleanups": told}))
        answer = file_intake.submit_cleanups(home.home.ports)
        assert len(answer["runs"]) == 1
        assert "fs-0b2000000000000b" in answer["problems"][0]

    @pytest.mark.parametrize(("hour", "runs"), [(8, 0), (9, 2), (23, 2)])
    def test_the_engine_does_it_from_nine_o_clock_on(self, cleaning, hour, runs):
        ports = self.on(cleaning, datetime(2026, 5, 4, hour, tzinfo=UTC))
        loop = Loop(cleaning.home._replace(ports=ports))
        turns = iter(range(4))
        loop.run_until(lambda: next(turns) == 3)
        names = [run.id for run in ports.runs.list().runs if run.kind == CLEAN_UP]
        assert len(names) == runs

    def test_a_day_without_anything_to_clean_up_starts_nothing(self, home):
        assert file_intake.submit_cleanups(home.home.ports) == {"runs": [], "problems": []}
        with pytest.raises(NotFound):
            home.load("file-system-cleanup")
