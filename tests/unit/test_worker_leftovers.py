"""A clean directory for every attempt: what is moved aside, what never is, and when it goes."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from chalicelib.core.worker_documents import LEFTOVERS, StageInOrder, TextFile
from tests.unit.worker_world import FS, ROOT, Died, FakeObjects, World, sync, tree

GENOME = "s3://demo/genome.fa"
FIRST, SECOND = "falsework-uid-execute-2", "falsework-uid-execute-4"
STAGED = {"scratch/run-1/.demand.env": b"A=1", "scratch/run-1/in/genome.fa": b"ACGT"}
OTHERS = {"scratch/run-2/precious": b"!", "shared/cached": b"!"}
HALF_WRITTEN = {"in/genome.fa": b"TGCA", "work/x": b"half", ".demand.env": b"A=2"}


@pytest.fixture
def world(tmp_path):
    """A run whose first attempt has spoilt an input and half written something."""
    world = World(tmp_path)
    world.job_name = FIRST
    world.objects.put(GENOME, b"ACGT")
    for path, content in HALF_WRITTEN.items():
        world.write(path, content)
    (world.scratch / "run-2").mkdir()
    (world.scratch / "run-2/precious").write_bytes(b"!")
    (world.shared / "cached").write_bytes(b"!")
    return world


def order(world: World) -> StageInOrder:
    return world.stage_in(
        sync("genome", GENOME, f"{ROOT}/in/genome.fa"),
        files=(TextFile(path=f"{ROOT}/.demand.env", text="A=1"),),
    )


def aside(job_name: str, content: dict[str, bytes]) -> dict[str, bytes]:
    return {
        f"scratch/{LEFTOVERS}/run-1/{job_name}/{name}": value for name, value in content.items()
    }


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_what_an_attempt_left_is_moved_aside_and_everything_is_brought_anew(world):
    inode = world.root.stat().st_ino
    assert world.work("stage-in --again", order(world)) == 0
    assert tree(world.folder) == STAGED | OTHERS | aside(FIRST, HALF_WRITTEN)
    assert (world.scratch / LEFTOVERS / "run-1" / FIRST).stat().st_ino == inode
    assert world.outcome.result["params"]["genome"]["copied_files"] == 1


def test_without_being_told_nothing_is_moved(world):
    assert world.work("stage-in", order(world)) == 0
    assert tree(world.folder).keys() == STAGED.keys() | OTHERS.keys() | {"scratch/run-1/work/x"}


def test_a_root_that_is_not_there_is_only_made(tmp_path):
    world = World(tmp_path)
    world.objects.put(GENOME, b"ACGT")
    assert world.work("stage-in --again", order(world)) == 0
    assert tree(world.folder) == STAGED
    assert not (world.scratch / LEFTOVERS).exists()


def test_a_file_in_the_place_of_the_root_is_moved_too(tmp_path):
    world = World(tmp_path)
    world.job_name = FIRST
    world.root.write_bytes(b"odd")
    assert world.work("stage-in --again", world.stage_in()) == 0
    assert world.root.is_dir()
    assert tree(world.folder) == {f"scratch/{LEFTOVERS}/run-1/{FIRST}": b"odd"}


def test_another_attempt_moves_what_the_one_before_has_staged(world):
    assert world.work("stage-in --again", order(world)) == 0
    world.write("work/y", b"half again")
    (world.root / "in/genome.fa").unlink()
    world.objects.content.pop("s3://docs/outcome")
    world.job_name = SECOND
    assert world.work("stage-in --again", order(world)) == 0
    left = aside(SECOND, {".demand.env": b"A=1", "work/y": b"half again"})
    assert tree(world.folder) == STAGED | OTHERS | left | aside(FIRST, HALF_WRITTEN)


def test_the_same_job_started_again_keeps_what_it_has_begun_to_stage(world):
    world.objects.dies_at, world.objects.dies_after_effect = 3, True  # the download
    with pytest.raises(Died):
        world.work("stage-in --again", order(world))
    assert tree(world.folder) == STAGED | OTHERS | aside(FIRST, HALF_WRITTEN)
    world.objects.dies_at = None
    inode = world.root.stat().st_ino
    assert world.work("stage-in --again", order(world), attempt=2) == 0
    assert tree(world.folder) == STAGED | OTHERS | aside(FIRST, HALF_WRITTEN)
    assert world.root.stat().st_ino == inode
    assert world.outcome.result["params"]["genome"]["copied_files"] == 0


CHANGES = ["mkdir", "fchmod", "mkdir", "rename", "mkdir", "fchmod", "mkdir", "mkdir", "fchmod"]
"""The leftovers, the run's own folder in them, the move, the root, the root for the text file
(there already), the input's folder."""


class DyingFolders:
    """os.mkdir and the like; the one of that number dies before or after its effect."""

    def __init__(self, number: int | None = None, *, is_after: bool = False):
        self.calls: list[str] = []
        self._number, self._is_after = number, is_after

    def install(self, patch: pytest.MonkeyPatch) -> None:
        for name in set(CHANGES):
            patch.setattr(os, name, self._dying(name, getattr(os, name)))

    def _dying(self, name, real):
        def call(*args, **kwargs):
            is_last = len(self.calls) == self._number
            self.calls.append(name)
            if is_last and not self._is_after:
                raise Died
            try:
                real(*args, **kwargs)
            finally:
                if is_last:
                    raise Died

        return call


@pytest.mark.parametrize("is_after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("number", range(len(CHANGES)))
def test_killed_at_any_change_of_a_folder_a_repeat_ends_the_same(
    world, monkeypatch, number, is_after
):
    with monkeypatch.context() as patch:
        DyingFolders(number, is_after=is_after).install(patch)
        with pytest.raises(Died):
            world.work("stage-in --again", order(world))
    assert world.outcome is None
    assert world.work("stage-in --again", order(world), attempt=2) == 0
    left = tree(world.scratch / LEFTOVERS / "run-1")
    assert tree(world.folder).items() >= (STAGED | OTHERS).items()
    assert left == {f"{FIRST}/{name}": content for name, content in HALF_WRITTEN.items()}
    assert [mode(world.scratch / each) for each in ("run-1", "run-1/in")] == [0o777, 0o777]
    assert mode(world.scratch / LEFTOVERS) == 0o1777
    assert not (world.root / "work").exists()


def test_the_crash_test_above_has_as_many_changes_as_the_work(world, monkeypatch):
    folders = DyingFolders()
    folders.install(monkeypatch)
    assert world.work("stage-in --again", order(world)) == 0
    assert folders.calls == CHANGES


def test_the_loser_of_the_claim_moves_nothing(world):
    world.claims.claim(FIRST, 0, "winner", 1)
    before = tree(world.folder)
    assert world.work("stage-in --again", order(world), job_id="loser") == 75
    assert tree(world.folder) == before


def test_a_job_that_comes_back_after_its_outcome_moves_nothing(world):
    assert world.work("stage-in --again", order(world)) == 0
    world.write("work/result", b"done")
    before = tree(world.folder)
    assert world.work("stage-in --again", order(world), attempt=2) == 0
    assert tree(world.folder) == before


@pytest.mark.parametrize("target", ["run-2", "../shared", "nowhere"])
def test_a_root_that_is_a_link_is_refused(world, target):
    world.root.rename(world.folder / "away")
    world.root.symlink_to(target)
    before = tree(world.folder)
    assert world.work("stage-in --again", order(world)) == 1
    assert world.outcome.error.startswith(f"{ROOT}: ")
    assert "is a symbolic link" in world.outcome.error
    assert tree(world.folder) == before


@pytest.mark.parametrize("link", [LEFTOVERS, f"{LEFTOVERS}/run-1"])
def test_a_link_in_the_place_of_the_leftovers_is_never_followed(world, link):
    (world.folder / "victim").mkdir()
    path = world.scratch / link
    path.parent.mkdir(exist_ok=True)
    path.symlink_to(world.folder / "victim")
    assert world.work("stage-in --again", order(world)) == 1
    assert "is a link" in world.outcome.error
    assert tree(world.folder / "victim") == {}
    assert tree(world.root) == HALF_WRITTEN


def test_a_root_below_another_folder_is_moved_within_it(world):
    root = f"{FS}:/scratch/group/run-1"
    (world.scratch / "group/run-1").mkdir(parents=True)
    (world.scratch / "group/run-1/x").write_bytes(b"half")
    before = tree(world.root)
    assert world.work("stage-in --again", StageInOrder(mounts=world.mounts, root=root)) == 0
    assert tree(world.scratch / "group") == {f"{LEFTOVERS}/run-1/{FIRST}/x": b"half"}
    assert tree(world.root) == before


@pytest.mark.parametrize("name", ["../../run-2", "..", ".", "", "a/b"])
def test_a_job_name_that_leads_elsewhere_is_a_failure(world, name):
    world.job_name = name
    before = tree(world.folder)
    assert world.work("stage-in --again", order(world)) == 2
    assert tree(world.folder) == before


def test_a_root_that_its_job_has_closed_is_moved(world):
    world.root.chmod(0o500)
    assert world.work("stage-in --again", order(world)) == 0
    assert mode(world.scratch / LEFTOVERS / "run-1" / FIRST) & stat.S_IRWXU == stat.S_IRWXU
    assert mode(world.root) == 0o777


def test_the_folders_have_their_modes_whatever_the_umask(world):
    world.objects = FakeObjects({"s3://demo/in/deep/er/b": b"b"})
    before = mode(world.shared), mode(world.scratch)
    mask = os.umask(0o077)
    try:
        again = world.stage_in(
            sync("d", "s3://demo/in", f"{ROOT}/data"), sync("s", "s3://demo/in", f"{FS}:/shared/s")
        )
        assert world.work("stage-in --again", again) == 0
    finally:
        os.umask(mask)
    own = [world.root / each for each in ("", "data", "data/deep", "data/deep/er")]
    assert [mode(each) for each in own] == [0o777] * 4
    assert mode(world.scratch / LEFTOVERS) == 0o1777
    assert mode(world.scratch / LEFTOVERS / "run-1") == 0o700
    assert mode(world.shared / "s") == 0o700
    assert (mode(world.shared), mode(world.scratch)) == before


def test_the_root_is_there_for_a_job_that_has_no_inputs(tmp_path):
    world = World(tmp_path)
    assert world.work("stage-in", world.stage_in()) == 0
    assert mode(world.root) == 0o777


def test_the_leftovers_go_with_the_root_and_their_bytes_are_counted(world):
    assert world.work("stage-in --again", order(world)) == 0
    other = world.scratch / LEFTOVERS / "run-2" / "job"
    other.mkdir(parents=True)
    (other / "kept").write_bytes(b"!")
    world.objects.content.pop("s3://docs/outcome")
    assert world.work("clean-up", world.clean_up(ROOT)) == 0
    assert tree(world.folder) == OTHERS | {f"scratch/{LEFTOVERS}/run-2/job/kept": b"!"}
    assert not (world.scratch / LEFTOVERS / "run-1").exists()
    assert world.outcome.result == {
        "size_bytes_removed": 7 + 11,
        "paths_removed": [ROOT],
        "paths_kept": [],
    }


@pytest.mark.parametrize("output", [f"{ROOT}/in", ROOT])
def test_the_leftovers_go_where_the_outputs_stay(world, output):
    assert world.work("stage-in --again", order(world)) == 0
    world.objects.content.pop("s3://docs/outcome")
    cleaning = world.clean_up(f"{ROOT}/", outputs=(output,))
    assert world.work("clean-up --keep-outputs", cleaning) == 0
    kept = {"scratch/run-1/in/genome.fa": b"ACGT"}
    assert tree(world.folder) == OTHERS | (STAGED if output == ROOT else kept)


def test_the_leftovers_stay_where_the_root_does(world):
    assert world.work("stage-in --again", order(world)) == 0
    world.objects.content.pop("s3://docs/outcome")
    assert world.work("clean-up", world.clean_up(f"{ROOT}/in", "s3://demo/in", "/etc")) == 0
    left = {"scratch/run-1/.demand.env": b"A=1"}
    assert tree(world.folder) == OTHERS | left | aside(FIRST, HALF_WRITTEN)


def test_leftovers_behind_a_link_are_not_followed_by_clean_up(world):
    victim = world.folder / "victim/run-1"
    victim.mkdir(parents=True)
    (victim / "precious").write_bytes(b"!")
    (world.scratch / LEFTOVERS).symlink_to(victim.parent)
    assert world.work("clean-up", world.clean_up(ROOT)) == 0
    assert tree(victim) == {"precious": b"!"}
    assert not world.root.exists()


@pytest.mark.parametrize(
    "way", [f"../{LEFTOVERS}/run-1/{FIRST}/work", f"../{LEFTOVERS}/run-1/{FIRST}/work/x"]
)
def test_an_output_that_links_to_leftovers_is_refused(world, way):
    assert world.work("stage-in --again", order(world)) == 0
    world.objects.content.pop("s3://docs/outcome")
    (world.root / "report").symlink_to(way)
    out = world.stage_out(sync("r", f"{ROOT}/report", "s3://home/r"))
    assert world.work("stage-out", out) == 1
    assert "leads out of" in world.outcome.error
    assert [uri for uri in world.objects.content if uri.startswith("s3://home/")] == []


def test_leftovers_are_no_output_by_their_own_path_either(world):
    assert world.work("stage-in --again", order(world)) == 0
    world.objects.content.pop("s3://docs/outcome")
    path = f"{FS}:/scratch/{LEFTOVERS}/run-1/{FIRST}/work"
    assert world.work("stage-out", world.stage_out(sync("r", path, "s3://home/r"))) == 1
    assert "outside of the run's own root" in world.outcome.error
