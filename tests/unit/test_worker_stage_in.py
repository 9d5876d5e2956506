"""Staging in: what arrives, what is skipped, what is refused; nothing leaves its bounds."""

from __future__ import annotations

import fcntl
import os
import threading
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest

from chalicelib.core.errors import Unavailable
from chalicelib.core.worker_documents import StageInOrder, TextFile
from chalicelib.worker.lock import lock_file, locked
from chalicelib.worker.places import Places
from chalicelib.worker.stage_in import stage_in
from tests.unit.worker_world import FS, NOW, ROOT, Died, FakeObjects, World, content, sync, tree

GENOME = "s3://demo/genome.fa"
FOLDER = {
    "s3://demo/in/": b"",
    "s3://demo/in/a.txt": b"a",
    "s3://demo/in/deep/er/b.bam": b"bb",
    "s3://demo/in/deep/er/": b"",
    "s3://demo/in/.falsework-manifest.json": b"{}",
    "s3://demo/in2/sibling.txt": b"no",
}


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def downloads(world: World) -> list[str]:
    return [uri for verb, uri in world.objects.calls if verb == "download"]


def refused(world: World, order, *words: str) -> None:
    """The order ends with an error in the outcome that has these words."""
    assert world.work("stage-in", order) == 1
    assert world.outcome is not None
    assert world.outcome.result is None
    for word in words:
        assert word in (world.outcome.error or "")


def test_a_single_object_becomes_the_destination_file(world):
    world.objects.put(GENOME, b"ACGT")
    order = world.stage_in(sync("genome", GENOME, f"{ROOT}/in/genome.fa"))
    assert world.work("stage-in", order) == 0
    assert tree(world.root) == {"in/genome.fa": b"ACGT"}
    counts = {"files": 1, "bytes": 4}
    assert world.outcome.result == {
        **counts,
        "params": {"genome": {**counts, "copied_files": 1, "copied_bytes": 4}},
    }


@pytest.mark.parametrize("source", ["s3://demo/in", "s3://demo/in/"])
def test_a_folder_arrives_as_a_tree_without_markers_and_manifests(world, source):
    world.objects = FakeObjects(FOLDER)
    assert world.work("stage-in", world.stage_in(sync("data", source, f"{ROOT}/data/"))) == 0
    assert tree(world.root) == {"data/a.txt": b"a", "data/deep/er/b.bam": b"bb"}


def test_a_whole_bucket_is_a_folder(world):
    world.objects = FakeObjects({"s3://demo/a": b"1", "s3://demo/b/c": b"2"})
    assert world.work("stage-in", world.stage_in(sync("all", "s3://demo", f"{ROOT}/all"))) == 0
    assert tree(world.root) == {"all/a": b"1", "all/b/c": b"2"}


def test_an_empty_object_beside_a_folder_of_its_name_marks_the_folder(world):
    world.objects = FakeObjects({**FOLDER, "s3://demo/in": b""})
    assert world.work("stage-in", world.stage_in(sync("d", "s3://demo/in", f"{ROOT}/d"))) == 0
    assert tree(world.root) == {"d/a.txt": b"a", "d/deep/er/b.bam": b"bb"}


def test_an_empty_folder_is_created(world):
    world.objects = FakeObjects({"s3://demo/empty/": b""})
    assert world.work("stage-in", world.stage_in(sync("e", "s3://demo/empty", f"{ROOT}/e"))) == 0
    assert (world.root / "e").is_dir()


def test_text_files_are_written_as_they_are_and_everybody_can_read_them(world):
    text = 'export A="\u00e9\\$x"\r\nexport B="b"'
    order = world.stage_in(files=(TextFile(path=f"{ROOT}/.demand.env", text=text),))
    assert world.work("stage-in", order) == 0
    written = world.root / ".demand.env"
    assert written.read_bytes() == text.encode()
    assert written.stat().st_mode & 0o777 == 0o644
    assert list(world.root.iterdir()) == [written]


def test_what_is_there_already_is_skipped_and_touched(world):
    world.objects.put(GENOME, b"ACGT")
    path = world.write("genome.fa", b"TGCA")
    os.utime(path, (1.75e9, 1.75e9))
    before = datetime.now(UTC) - timedelta(seconds=1)
    assert world.work("stage-in", world.stage_in(sync("g", GENOME, f"{ROOT}/genome.fa"))) == 0
    assert path.read_bytes() == b"TGCA"
    assert downloads(world) == []
    assert path.stat().st_mtime >= before.timestamp()


@pytest.mark.parametrize(
    ("there", "age_seconds", "options"),
    [
        pytest.param(b"longer", 0, {}, id="size differs"),
        pytest.param(b"TGCA", -3600, {}, id="source newer"),
        pytest.param(b"TGCA", 3600, {"force": True}, id="forced"),
    ],
)
def test_what_is_outdated_is_replaced(world, there, age_seconds, options):
    now = datetime.now(UTC)
    world.objects.put(GENOME, b"ACGT", now)
    path = world.write("genome.fa", there)
    os.utime(path, (now.timestamp() + age_seconds,) * 2)
    order = world.stage_in(sync("g", GENOME, f"{ROOT}/genome.fa", **options))
    assert world.work("stage-in", order) == 0
    assert path.read_bytes() == b"ACGT"


def test_an_object_replaced_during_the_copy_is_copied_by_the_next_one(world):
    world.objects.put(GENOME, b"ACGT")
    order = world.stage_in(sync("g", GENOME, f"{ROOT}/genome.fa"))
    assert world.work("stage-in", order) == 0
    world.objects.put(GENOME, b"TGCA", datetime.now(UTC) + timedelta(seconds=2))
    world.job_name = "another"
    world.objects.content.pop("s3://docs/outcome")
    assert world.work("stage-in", order) == 0
    assert (world.root / "genome.fa").read_bytes() == b"TGCA"


def test_a_file_that_was_copied_bears_the_time_of_the_copy_or_of_a_later_object(world):
    later = datetime.now(UTC) + timedelta(hours=1)
    world.objects = FakeObjects({"s3://demo/in/old": b"1", "s3://demo/in/new": b"2"})
    world.objects.modified["s3://demo/in/new"] = later
    before = datetime.now(UTC).timestamp() - 1
    assert world.work("stage-in", world.stage_in(sync("d", "s3://demo/in", f"{ROOT}/d"))) == 0
    assert before <= (world.root / "d/old").stat().st_mtime < later.timestamp() - 1
    assert (world.root / "d/new").stat().st_mtime == pytest.approx(later.timestamp())


def test_a_last_slash_asks_for_the_folder_where_an_object_has_its_name(world):
    world.objects = FakeObjects({"s3://demo/in": b"object", "s3://demo/in/a": b"1"})
    assert world.work("stage-in", world.stage_in(sync("d", "s3://demo/in/", f"{ROOT}/d"))) == 0
    assert tree(world.root) == {"d/a": b"1"}


def test_a_link_at_the_destination_is_replaced_and_not_followed(world):
    world.objects.put(GENOME, b"ACGT")
    victim = world.folder / "victim"
    victim.write_bytes(b"mine")
    world.root.mkdir()
    (world.root / "genome.fa").symlink_to(victim)
    assert world.work("stage-in", world.stage_in(sync("g", GENOME, f"{ROOT}/genome.fa"))) == 0
    assert victim.read_bytes() == b"mine"
    assert tree(world.root) == {"genome.fa": b"ACGT"}


def test_filters_choose_and_delete_removes_what_they_exclude(world):
    world.objects = FakeObjects(FOLDER)
    world.write("data/old/er/gone.txt")
    world.write("data/deep/er/b.bam", b"bb")
    world.write("data/.falsework-manifest.json", b"{}")
    outside = world.folder / "victim"
    outside.mkdir()
    (outside / "precious").write_bytes(b"!")
    (world.root / "data/link").symlink_to(outside)
    options = {"filter_config": {"exclude": r".*\.bam"}, "delete": True}
    order = world.stage_in(sync("data", "s3://demo/in", f"{ROOT}/data", **options))
    assert world.work("stage-in", order) == 0
    assert tree(world.root) == {"data/a.txt": b"a", "data/.falsework-manifest.json": b"{}"}
    assert not (world.root / "data/old").exists()
    assert tree(outside) == {"precious": b"!"}


def test_extra_files_stay_unless_delete_is_true(world):
    world.objects = FakeObjects(FOLDER)
    world.write("data/mine.txt")
    assert world.work("stage-in", world.stage_in(sync("d", "s3://demo/in", f"{ROOT}/data"))) == 0
    assert "data/mine.txt" in tree(world.root)


def test_a_missing_source_may_be_allowed(world):
    order = world.stage_in(sync("g", GENOME, f"{ROOT}/g", fail_if_missing=False))
    assert world.work("stage-in", order) == 0
    assert world.outcome.result["files"] == 0


SAME = f"{ROOT}/g"
REFUSED = [
    pytest.param({}, sync("g", GENOME, SAME), ["g: ", GENOME, "nothing is there"], id="missing"),
    pytest.param(
        FOLDER,
        sync("g", "s3://demo/in", SAME, filter_config={"include": "x"}),
        ["filter leaves out all 2 files", "s3://demo/in"],
        id="filter leaves nothing",
    ),
    pytest.param(
        {GENOME: b"x"},
        sync("g", GENOME, SAME, filter_config={"exclude": ".*fa"}),
        ["filter leaves out all 1 files", GENOME],
        id="filter leaves out the object",
    ),
    pytest.param(
        FOLDER,
        sync("g", "s3://demo/in", SAME, filter_config={"include": "x"}, filter_root="s3://o/in"),
        ["filter_root", "s3://o/in"],
        id="filter root elsewhere",
    ),
    pytest.param(
        {"s3://demo/in": b"content", "s3://demo/in/a": b""},
        sync("g", "s3://demo/in", SAME),
        ["is an object, and there are objects below it"],
        id="object and folder",
    ),
    pytest.param(
        {"s3://demo/in/a": b"", "s3://demo/in/a/b": b""},
        sync("g", "s3://demo/in/", SAME),
        ["no file system can hold both"],
        id="file and folder of one name",
    ),
    pytest.param(
        {"s3://demo/in/a": b""},
        sync("g", "s3://demo/in/", f"{FS}:/elsewhere/x"),
        ["not on a volume", f"{FS}:/scratch"],
        id="outside every mount",
    ),
    pytest.param(
        {"s3://demo/in/a": b""},
        sync("g", "s3://demo/in/", f"{FS}:/scratch/run-2/x"),
        ["outside of the run's own root"],
        id="another run's root",
    ),
    pytest.param(
        {"s3://demo/in/a": b""},
        sync("g", "s3://demo/in/", f"{ROOT}/../run-2/x"),
        ["outside of the run's own root"],
        id="dots to another run's root",
    ),
    pytest.param(
        {"s3://demo/in/a": b""},
        sync("g", "s3://demo/in/", ROOT, delete=True),
        ["delete: true"],
        id="delete in the whole root",
    ),
    pytest.param(
        {"s3://demo/in/a": b""},
        sync("g", "s3://demo/in/", f"{FS}:/shared", delete=True),
        ["delete: true"],
        id="delete in the whole mount",
    ),
    pytest.param({}, sync("g", f"{FS}:/x", SAME), ["not in the object store"], id="not S3"),
]


@pytest.mark.parametrize(("content", "request_", "words"), REFUSED)
def test_an_order_that_cannot_be_carried_out_says_why(world, content, request_, words):
    world.objects = FakeObjects(content)
    neighbour = world.scratch / "run-2"
    neighbour.mkdir()
    refused(world, world.stage_in(request_), *words)
    assert tree(world.folder) == {}


@pytest.mark.parametrize(
    "name", ["../evil", "a/../../evil", "/etc/evil", "a//b", "./a", "nul\0", "x" * 256, "a/"]
)
def test_a_key_that_is_no_file_name_is_refused_unless_a_filter_leaves_it_out(world, name):
    content = {"s3://demo/in/good": b"1", f"s3://demo/in/{name}": b"2"}
    world.objects = FakeObjects(content)
    request = sync("data", "s3://demo/in", f"{ROOT}/d")
    refused(world, world.stage_in(request), "data: ", "cannot be written", "exclude filter")
    assert tree(world.folder) == {}

    world.objects = FakeObjects(content)
    request = sync("data", "s3://demo/in", f"{ROOT}/d", filter_config={"include": "good"})
    assert world.work("stage-in", world.stage_in(request)) == 0
    assert tree(world.folder) == {"scratch/run-1/d/good": b"1"}


@pytest.mark.parametrize("link", ["run-1", "run-1/d", "run-1/d/deep"])
@pytest.mark.parametrize("target", ["/", "../..", "../../victim", "nowhere/../../../x"])
def test_a_link_on_the_way_is_never_followed_out(world, link, target):
    world.objects = FakeObjects(FOLDER)
    (world.folder / "victim").mkdir()
    path = world.scratch / link
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(world.folder / "victim" if target == "/" else target)
    before = tree(world.folder)
    order = world.stage_in(sync("d", "s3://demo/in", f"{ROOT}/d"))
    refused(world, order, f"{ROOT}: " if link == "run-1" else "d: ")
    assert {name for name in tree(world.folder) if "b.bam" in name} == set()
    assert tree(world.folder / "victim") == {}
    assert before.items() <= tree(world.folder).items()


def test_a_folder_where_the_file_should_be_is_told(world):
    world.objects.put(GENOME, b"ACGT")
    world.write("genome.fa/inner")
    order = world.stage_in(sync("g", GENOME, f"{ROOT}/genome.fa"))
    refused(world, order, "g: ", "a folder lies at", "where a file is to arrive")


def test_a_file_where_the_folder_should_be_is_told(world):
    world.objects = FakeObjects(FOLDER)
    world.write("data", b"a file")
    order = world.stage_in(sync("d", "s3://demo/in", f"{ROOT}/data"))
    refused(world, order, "d: ", "a file lies at", "where a folder is to arrive")


def test_a_shared_input_goes_to_its_mount_under_a_lock_that_is_gone_afterwards(world):
    world.objects.put(GENOME, b"ACGT")
    request = sync("g", GENOME, f"{FS}:/shared/abc", require_lock=True)
    assert world.work("stage-in", world.stage_in(request)) == 0
    assert content(world.shared) == {"abc": b"ACGT"}


def test_only_what_asks_for_a_lock_is_written_under_one(world):
    world.objects.put(GENOME, b"ACGT")
    events: list[str] = []

    @contextmanager
    def recording(place):
        assert not place.path.exists()
        yield
        assert place.path.exists()
        events.append(place.text)

    order = world.stage_in(
        sync("a", GENOME, f"{FS}:/shared/a", require_lock=True),
        sync("b", GENOME, f"{FS}:/shared/b"),
    )
    stage_in(order, world.carrier(), lambda: NOW, lock=recording)
    assert events == [f"{FS}:/shared/a"]


def test_a_lock_on_a_file_that_its_holder_has_removed_does_not_count(world, monkeypatch):
    place = Places(world.mounts, ROOT).find_open(f"{FS}:/shared/abc")
    real, calls = fcntl.flock, []

    def overtaken(handle, operation):
        if (
            not calls
        ):  # between our open and our lock the holder removed it, a third made a new one
            lock_file(place).unlink()
            lock_file(place).write_bytes(b"")
        calls.append(operation)
        real(handle, operation)

    monkeypatch.setattr(fcntl, "flock", overtaken)
    with locked(place, retry_seconds=0, tries=2):
        assert len(calls) == 2
        with pytest.raises(Unavailable), locked(place, retry_seconds=0, tries=1):
            pass


def test_of_two_mounts_with_one_root_the_shared_one_takes_what_is_not_the_runs(world):
    mounts = tuple(mount.model_copy(update={"root": "/"}) for mount in world.mounts)
    world.objects.put(GENOME, b"ACGT")
    order = StageInOrder(
        mounts=mounts,
        root=f"{FS}:/run-1",
        syncs=(sync("a", GENOME, f"{FS}:/abc"), sync("b", GENOME, f"{FS}:/run-1/b")),
    )
    assert world.work("stage-in", order) == 0
    assert tree(world.folder) == {"shared/abc": b"ACGT", "scratch/run-1/b": b"ACGT"}


def test_of_many_waiting_for_a_lock_one_at_a_time_holds_it(world):
    place = Places(world.mounts, ROOT).find_open(f"{FS}:/shared/abc")
    inside: list[int] = []
    most: list[int] = []

    def work() -> None:
        for _ in range(20):
            with locked(place, retry_seconds=0.0005, tries=100_000):
                inside.append(1)
                most.append(len(inside))
                inside.pop()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] * 80
    assert tree(world.shared) == {}


def test_a_lock_that_is_never_released_ends_the_waiting(world):
    place = Places(world.mounts, ROOT).find_open(f"{FS}:/shared/abc")
    with locked(place), pytest.raises(Unavailable), locked(place, retry_seconds=0, tries=2):
        pass
    assert not lock_file(place).exists()


def test_a_lock_left_by_a_killed_job_hinders_nobody(world):
    place = Places(world.mounts, ROOT).find_open(f"{FS}:/shared/abc")
    lock_file(place).write_bytes(b"")
    with locked(place, retry_seconds=0, tries=1):
        assert lock_file(place).exists()
    assert not lock_file(place).exists()


@pytest.mark.parametrize("after_effect", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("number", range(9))
def test_killed_at_any_call_and_started_again_it_ends_the_same(world, number, after_effect):
    order = world.stage_in(
        sync("d", "s3://demo/in", f"{ROOT}/d", delete=True, max_concurrency=1),
        sync("g", "s3://demo/in2/sibling.txt", f"{FS}:/shared/g", require_lock=True),
        files=(TextFile(path=f"{ROOT}/.demand.env", text="A=1"),),
    )
    world.objects = FakeObjects(FOLDER)
    world.write("d/extra")
    world.objects.dies_at, world.objects.dies_after_effect = number, after_effect
    try:
        world.work("stage-in", order)
    except Died:
        # The outcome is the last call: if it was recorded, everything is done.
        assert (world.outcome is not None) == (number == 8 and after_effect)
    world.objects.dies_at = None
    assert world.work("stage-in", order, attempt=2) == 0
    assert world.outcome.result["files"] == 3
    assert content(world.folder) == {
        "scratch/run-1/.demand.env": b"A=1",
        "scratch/run-1/d/a.txt": b"a",
        "scratch/run-1/d/deep/er/b.bam": b"bb",
        "shared/g": b"no",
    }


def test_the_crash_test_above_has_as_many_calls_as_the_work(world):
    order = world.stage_in(
        sync("d", "s3://demo/in", f"{ROOT}/d", delete=True, max_concurrency=1),
        sync("g", "s3://demo/in2/sibling.txt", f"{FS}:/shared/g", require_lock=True),
    )
    world.objects = FakeObjects(FOLDER)
    assert world.work("stage-in", order) == 0
    assert len(world.objects.calls) + 1 == 9  # and the look for an earlier outcome, that fails
