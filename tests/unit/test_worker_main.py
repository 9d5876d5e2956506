"""The worker's entry point: the claim, the outcome and the four ways to end."""

from __future__ import annotations

import errno
import json
import threading

import pytest

from chalicelib.core.errors import Refused, Unavailable
from chalicelib.core.worker_documents import Outcome
from chalicelib.ports import Claim
from chalicelib.worker.__main__ import main
from tests.unit.worker_world import ROOT, FakeObjects, World, sync, tree

GENOME = "s3://demo/genome.fa"


@pytest.fixture
def world(tmp_path):
    world = World(tmp_path)
    world.objects.put(GENOME, b"ACGT")
    return world


def order(world: World):
    return world.stage_in(sync("genome", GENOME, f"{ROOT}/genome.fa"))


def failing(error: BaseException) -> FakeObjects:
    class Failing(FakeObjects):
        """Downloads fail."""

        def download(self, uri, path):
            raise error

    return Failing({GENOME: b"ACGT"})


def test_the_outcome_names_the_job_that_wrote_it(world):
    assert world.work("stage-in", order(world), job_id="job-7", attempt=3) == 0
    assert world.outcome == Outcome(
        job_name=world.job_name, job_id="job-7", attempt=3, result=world.outcome.result
    )
    assert world.objects.calls[-1] == ("write", "s3://docs/outcome")
    assert world.claims.holders == {(world.job_name, 0): Claim("job-7", 3)}


@pytest.mark.parametrize(
    "verb", ["stage-in", "stage-in --again", "stage-out", "clean-up", "clean-up --keep-outputs"]
)
def test_the_loser_of_the_claim_touches_nothing(world, verb, capsys):
    world.claims.claim(world.job_name, 0, "winner", 1)
    world.write("report/r.tsv")
    orders = {
        "stage-in": order(world),
        "stage-in --again": order(world),
        "stage-out": world.stage_out(sync("r", f"{ROOT}/report", "s3://home/r")),
    }
    before = tree(world.folder)
    assert world.work(verb, orders.get(verb, world.clean_up(ROOT)), job_id="loser") == 75
    assert tree(world.folder) == before
    assert world.objects.calls == []
    assert "claimed by job winner" in capsys.readouterr().out


def test_an_attempt_that_was_overtaken_by_its_own_job_touches_nothing(world):
    world.claims.claim(world.job_name, 0, "job-1", 2)
    assert world.work("stage-in", order(world), attempt=1) == 75
    assert world.objects.calls == []


def test_a_job_that_comes_back_after_its_outcome_does_nothing(world):
    assert world.work("stage-in", order(world)) == 0
    (world.root / "genome.fa").unlink()
    written = world.objects.content["s3://docs/outcome"]
    world.objects.calls.clear()
    assert world.work("stage-in", order(world), attempt=2) == 0
    assert world.objects.calls == [("read", "s3://docs/outcome")]
    assert world.objects.content["s3://docs/outcome"] == written
    assert not (world.root / "genome.fa").exists()


def test_a_job_that_comes_back_after_an_error_ends_as_before(world):
    world.objects.content.pop(GENOME)
    assert world.work("stage-in", order(world)) == 1
    world.objects.put(GENOME, b"ACGT")
    assert world.work("stage-in", order(world), attempt=2) == 1
    assert tree(world.folder) == {}


def test_an_outcome_of_another_job_name_is_not_ours(world):
    other = Outcome(job_name="falsework-uid-stage-9", job_id="job-1", attempt=1)
    world.objects.put("s3://docs/outcome", other.model_dump_json().encode())
    assert world.work("stage-in", order(world)) == 0
    assert world.outcome.job_name == world.job_name


def test_of_two_jobs_at_once_one_works(world):
    codes: list[int] = []
    barrier = threading.Barrier(2)

    def work(job_id: str) -> None:
        barrier.wait()
        codes.append(world.work("stage-in", order(world), job_id=job_id))

    threads = [threading.Thread(target=work, args=(f"job-{each}",)) for each in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(codes) == [0, 75]
    assert [call[0] for call in world.objects.calls].count("download") == 1


def test_an_order_refused_by_the_backend_is_told_with_its_parameter(world):
    world.objects = failing(Refused("access to s3://demo is denied"))
    assert world.work("stage-in", order(world)) == 1
    assert world.outcome.error == "genome: access to s3://demo is denied"


@pytest.mark.parametrize(
    "error",
    [
        Unavailable("the store does not answer"),
        OSError(errno.ENOSPC, "No space left on device"),
        PermissionError(errno.EACCES, "Permission denied"),
        ZeroDivisionError("a bug"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_failure_that_is_not_the_users_leaves_no_outcome(world, error, capsys):
    world.objects = failing(error)
    assert world.work("stage-in", order(world)) == 2
    assert world.outcome is None
    assert str(error) in capsys.readouterr().out


def test_an_order_that_is_missing_or_spoiled_is_a_failure(world):
    assert world.work("stage-out", world.clean_up(ROOT)) == 2
    world.objects.dies_at = None
    environ = {
        "FALSEWORK_JOB_NAME": "another",
        "AWS_BATCH_JOB_ID": "job-1",
        "FALSEWORK_REQUEST_URI": "s3://docs/missing",
        "FALSEWORK_OUTCOME_URI": "s3://docs/outcome",
    }
    assert main(["clean-up"], environ=environ, ports=world.ports) == 2
    assert world.outcome is None


def test_outside_of_a_job_it_says_so(world, capsys):
    assert main(["stage-in"], environ={}, ports=world.ports) == 2
    assert "not inside a worker job" in capsys.readouterr().out


def test_a_mount_that_is_missing_is_a_failure_and_not_the_users(world, capsys):
    world.shared.rmdir()
    world.scratch.rmdir()
    assert world.work("stage-in", order(world)) == 2
    assert "is not mounted" in capsys.readouterr().out
    assert tree(world.folder) == {}


@pytest.mark.parametrize(
    "argv", [[], ["stage-up"], ["stage-in", "--keep-outputs"], ["stage-out", "--again"]]
)
def test_a_wrong_command_line_ends_with_2(world, argv, capsys):
    with pytest.raises(SystemExit) as ended:
        main(argv, environ={}, ports=world.ports)
    assert ended.value.code == 2
    assert "usage: falsework-worker" in capsys.readouterr().err


def test_many_files_are_copied_at_once_and_the_progress_is_told(world, capsys, monkeypatch):
    monkeypatch.setattr("chalicelib.worker.sync.progress.LOG_SECONDS", 0)
    world.objects = FakeObjects({f"s3://demo/in/{each}": b"x" for each in range(35)})
    many = world.stage_in(sync("data", "s3://demo/in", f"{ROOT}/d", max_concurrency=1000))
    assert world.work("stage-in", many) == 0
    assert len(tree(world.root)) == 35
    lines = capsys.readouterr().out.splitlines()
    told = [json.loads(line) for line in lines if line.startswith("{")]
    assert {"data"} == {each["label"] for each in told}
    assert (30, 35) in [(each["files"], each["files_total"]) for each in told]
    assert "data: 35 files, 35 bytes; copied 35 files, 35 bytes" in lines
