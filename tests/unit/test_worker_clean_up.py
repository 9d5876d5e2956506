"""Cleaning up: the run's own files go, and nothing else does, whatever links say."""

from __future__ import annotations

import os
import resource
from pathlib import Path

import pytest

from chalicelib.core.worker_documents import CleanUpOrder, MountedVolume
from chalicelib.worker import removal
from tests.unit.worker_world import FS, ROOT, World, tree


@pytest.fixture
def world(tmp_path):
    """The run's own files, another run's and a shared input."""
    world = World(tmp_path)
    world.write("in/genome.fa", b"ACGT")
    world.write("work/deep/er/x", b"12345")
    world.write("report/r.tsv", b"123")
    world.write(".demand.env", b"A=1")
    (world.scratch / "run-2").mkdir()
    (world.scratch / "run-2/precious").write_bytes(b"!")
    (world.scratch / "run-11").mkdir()
    (world.scratch / "run-11/precious").write_bytes(b"!")
    (world.shared / "cached").write_bytes(b"!")
    return world


OTHERS = {
    "scratch/run-2/precious": b"!",
    "scratch/run-11/precious": b"!",
    "shared/cached": b"!",
}


def result(size_bytes: int, removed: list[str], kept: list[str]) -> dict:
    return {"size_bytes_removed": size_bytes, "paths_removed": removed, "paths_kept": kept}


def test_the_whole_root_is_removed_and_its_bytes_are_counted(world):
    assert world.work("clean-up", world.clean_up(ROOT)) == 0
    assert tree(world.folder) == OTHERS
    assert not world.root.exists()
    assert world.outcome.result == result(15, [ROOT], [])


def test_only_the_paths_of_the_order_are_removed(world):
    assert world.work("clean-up", world.clean_up(f"{ROOT}/in/genome.fa", f"{ROOT}/work")) == 0
    assert sorted(tree(world.root)) == [".demand.env", "report/r.tsv"]
    removed = [f"{ROOT}/in/genome.fa", f"{ROOT}/work"]
    assert world.outcome.result == result(9, removed, [])


def test_missing_and_repeated_paths_count_as_removed(world):
    paths = (f"{ROOT}/in", f"{ROOT}/in", f"{ROOT}/in/genome.fa", f"{ROOT}/never/was")
    assert world.work("clean-up", world.clean_up(*paths)) == 0
    removed = [f"{ROOT}/in", f"{ROOT}/in/genome.fa", f"{ROOT}/never/was"]
    assert world.outcome.result == result(4, removed, [])


@pytest.mark.parametrize(
    "path",
    [
        f"{FS}:/shared/cached",
        f"{FS}:/shared",
        f"{FS}:/scratch",
        f"{FS}:/scratch/run-2",
        f"{FS}:/scratch/run-11",
        f"{ROOT}/../run-2",
        f"{ROOT}/in/../../run-2",
        f"{ROOT}/..",
        f"{FS}:/",
        "fs-0a1000000000000b:/scratch/run-1",
        "s3://demo/genome.fa",
        "/etc/passwd",
    ],
)
def test_a_path_that_is_not_the_runs_own_is_kept_and_reported(world, path):
    before = tree(world.folder)
    assert world.work("clean-up", world.clean_up(path)) == 0
    assert tree(world.folder) == before
    assert world.outcome.result == result(0, [], [path])


@pytest.mark.parametrize("root", [f"{FS}:/scratch", f"{FS}:/scratch/", f"{FS}:/scratch/x/.."])
def test_a_root_that_is_a_whole_mount_is_refused(world, root):
    before = tree(world.folder)
    order = CleanUpOrder(mounts=world.mounts, root=root, paths=(root,))
    assert world.work("clean-up", order) == 1
    assert "is a whole mount" in world.outcome.error
    assert tree(world.folder) == before


def test_links_are_removed_and_not_followed(world):
    (world.root / "to-run-2").symlink_to("../run-2")
    (world.root / "in/to-shared").symlink_to(world.shared)
    (world.root / "to-file").symlink_to(world.shared / "cached")
    paths = (f"{ROOT}/to-run-2", f"{ROOT}/to-file", ROOT)
    assert world.work("clean-up", world.clean_up(*paths)) == 0
    assert tree(world.folder) == OTHERS
    assert world.outcome.result == result(15, list(paths), [])


def test_a_path_through_a_link_is_kept_until_the_link_goes(world):
    (world.root / "to-run-2").symlink_to("../run-2")
    path = f"{ROOT}/to-run-2/precious"
    assert world.work("clean-up", world.clean_up(path, f"{ROOT}/report")) == 0
    assert world.outcome.result == result(3, [f"{ROOT}/report"], [path])
    assert OTHERS.items() <= tree(world.folder).items()


def test_a_root_that_is_a_link_is_only_unlinked(world):
    world.root.rename(world.scratch / "moved")
    world.root.symlink_to("run-2")
    assert world.work("clean-up", world.clean_up(f"{ROOT}/precious", ROOT)) == 0
    assert world.outcome.result == result(0, [ROOT], [f"{ROOT}/precious"])
    assert not world.root.is_symlink()
    assert OTHERS.items() <= tree(world.folder).items()


def test_outputs_that_are_not_saved_stay(world):
    order = world.clean_up(f"{ROOT}/in", ROOT, outputs=(f"{ROOT}/report", f"{ROOT}/never"))
    assert world.work("clean-up --keep-outputs", order) == 0
    assert tree(world.folder) == OTHERS | {"scratch/run-1/report/r.tsv": b"123"}
    assert not (world.root / "work").exists()
    kept = [f"{ROOT}/report", f"{ROOT}/never"]
    assert world.outcome.result == result(12, [f"{ROOT}/in", ROOT], kept)


def test_saved_outputs_go_with_the_rest(world):
    order = world.clean_up(ROOT, outputs=(f"{ROOT}/report",))
    assert world.work("clean-up", order) == 0
    assert tree(world.folder) == OTHERS


def test_a_path_inside_an_output_that_is_not_saved_stays(world):
    order = world.clean_up(f"{ROOT}/report/r.tsv", outputs=(f"{ROOT}/report",))
    assert world.work("clean-up --keep-outputs", order) == 0
    assert world.outcome.result == result(0, [], [f"{ROOT}/report/r.tsv", f"{ROOT}/report"])
    assert (world.root / "report/r.tsv").exists()


def test_what_links_in_an_output_lead_to_stays_with_it(world):
    (world.root / "report/x").symlink_to("../hop/x")
    (world.root / "hop").symlink_to(world.root / "work/deep/er")
    (world.root / "report/circle").symlink_to("circle")
    (world.root / "report/out").symlink_to(world.shared)
    world.write("work/unwanted")
    world.write("more/y")
    (world.root / "report/folder").symlink_to("../more")
    (world.root / "final").symlink_to("report")
    order = world.clean_up(ROOT, outputs=(f"{ROOT}/final",))
    assert world.work("clean-up --keep-outputs", order) == 0
    kept = tree(world.root)
    assert sorted(kept) == [
        "final",
        "hop",
        "more/y",
        "report/circle",
        "report/folder",
        "report/out",
        "report/r.tsv",
        "report/x",
        "work/deep/er/x",
    ]
    assert (world.root / "final/x").read_bytes() == b"12345"
    assert OTHERS.items() <= tree(world.folder).items()


def test_a_whole_root_as_output_stays(world):
    before = tree(world.folder)
    order = world.clean_up(f"{ROOT}/in", ROOT, outputs=(ROOT,))
    assert world.work("clean-up --keep-outputs", order) == 0
    assert tree(world.folder) == before


def test_a_tree_deeper_than_the_open_files_allow_is_removed(world, monkeypatch):
    # Not as deep as it could be: what a failing test leaves must not break pytest's own cleaning.
    world.write("/".join(["work", *"d" * 200, "x"]), b"123")
    world.write("work/d/d/d/d/d/d/d/side/d/d/d/d/d/d/x", b"4")
    monkeypatch.setattr(removal, "DEEPEST", 5)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    enough = max(int(each.name) for each in Path("/proc/self/fd").iterdir()) + 30
    resource.setrlimit(resource.RLIMIT_NOFILE, (enough, hard))
    try:
        assert world.work("clean-up", world.clean_up(ROOT)) == 0
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert tree(world.folder) == OTHERS
    assert world.outcome.result == result(19, [ROOT], [])


def test_a_second_clean_up_finds_nothing_to_do(world):
    order = world.clean_up(ROOT)
    assert world.work("clean-up", order) == 0
    world.objects.content.pop("s3://docs/outcome")
    assert world.work("clean-up", order) == 0
    assert world.outcome.result == result(0, [ROOT], [])


class Killed(BaseException):
    """Stands for SIGKILL."""


@pytest.mark.parametrize("number", range(12))
def test_killed_at_any_removal_a_repeat_ends_the_same(world, monkeypatch, number):
    count = iter(range(1000))

    def dying(real):
        def call(*args, **kwargs):
            if next(count) == number:
                raise Killed
            return real(*args, **kwargs)

        return call

    with monkeypatch.context() as patch:
        for name in ("unlink", "rmdir"):
            patch.setattr(removal.os, name, dying(getattr(os, name)))
        try:
            world.work("clean-up", world.clean_up(ROOT))
        except Killed:
            assert world.outcome is None
    assert world.work("clean-up", world.clean_up(ROOT), attempt=2) == 0
    assert tree(world.folder) == OTHERS


def test_of_two_mounts_with_one_root_the_run_owns_its_root_only(world):
    mounts = (
        MountedVolume(file_system_id=FS, root="/scratch", container_path=str(world.scratch)),
        MountedVolume(file_system_id=FS, root="/scratch", container_path=str(world.shared)),
    )
    paths = (f"{FS}:/scratch/run-2", ROOT)
    order = CleanUpOrder(mounts=mounts, root=ROOT, paths=paths)
    assert world.work("clean-up", order) == 0
    assert world.outcome.result == result(15, [ROOT], [f"{FS}:/scratch/run-2"])
    assert tree(world.folder) == OTHERS
