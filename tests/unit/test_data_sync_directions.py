"""What a sync does in each direction, and what each option changes (section 8)."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

import pytest

from chalicelib.core.data_sync.missing import SourceMissing
from chalicelib.core.data_sync.plan import Tally
from chalicelib.core.errors import InvalidRequest, Unavailable
from chalicelib.worker.sync.leavings import DOWNLOAD
from chalicelib.worker.sync.locks import lock_in
from chalicelib.worker.sync.syncing import DataSync
from tests.unit.sync_world import FS, LONG_AGO, NOW, B, World, later, tree


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


@pytest.mark.parametrize("destination", ["dst", "dst/"])
def test_an_object_becomes_the_file_or_lies_in_the_folder(world, destination):
    world.objects("a")
    world.sync(f"{B}/in/a", world.path("dst") + destination.removeprefix("dst"))
    name = "dst/a" if destination.endswith("/") else "dst"
    assert (world.folder / name).read_text() == "a"


@pytest.mark.parametrize(
    ("destination", "arrives"),
    [(f"{B}/out", "out"), (f"{B}/out/", "out/a"), (f"{B}/out/b", "out/b"), (B, "a")],
)
@pytest.mark.parametrize("is_local", [True, False], ids=["upload", "copy"])
def test_a_single_file_becomes_the_object_or_lies_below_the_prefix(
    world, destination, arrives, is_local
):
    source = f"{world.files('a')}/a" if is_local else f"{B}/in/a"
    world.objects("a")
    world.sync(source, destination)
    assert world.stored() == {"in/a": "a", arrives: "a"}


def test_a_folder_on_a_mount_is_found_by_its_efs_path(world):
    world.objects("a", "b/c")
    world.sync(f"{B}/in/", f"{FS}:/x/y")
    assert tree(world.mount) == {"x/y/a": "a", "x/y/b/c": "b/c"}


def test_an_object_beside_the_folder_is_not_in_it(world):
    world.objects("a")
    world.objects("a", at=f"{B}/in2")
    world.sync(f"{B}/in", world.path("dst"))
    assert tree(world.folder / "dst") == {"a": "a"}


def test_folder_markers_and_manifests_are_no_content(world):
    world.objects("a", "sub/a")
    for marker in ("in", "in/", "in/sub/"):
        world.carrier.put(f"{B}/{marker}", b"")
    world.carrier.put(f"{B}/in/.falsework-manifest.json", b"{}")
    world.sync(f"{B}/in", world.path("dst"))
    assert tree(world.folder / "dst") == {"a": "a", "sub/a": "sub/a"}


def test_a_manifest_at_the_destination_is_never_extra(world):
    world.files("a")
    world.carrier.put(f"{B}/out/.falsework-manifest.json", b"{}")
    world.sync(world.path("src"), f"{B}/out", delete=True)
    assert sorted(world.stored(f"{B}/out")) == [".falsework-manifest.json", "a"]


@pytest.mark.parametrize(
    ("source", "destination"),
    [(f"{B}/none/", "dst"), ("none", f"{B}/out"), (f"{B}/none", f"{B}/out"), ("none", "dst")],
    ids=["down", "up", "within", "here"],
)
@pytest.mark.parametrize("delete", [True, False])
def test_a_missing_source_is_an_error_or_changes_nothing(world, source, destination, delete):
    world.files("kept", at="dst")
    world.objects("kept", at=f"{B}/out")
    ends = [e if e.startswith("s3://") else world.path(e) for e in (source, destination)]
    with pytest.raises(SourceMissing):
        world.sync(*ends, delete=delete)
    report = world.sync(*ends, delete=delete, fail_if_missing=False)
    assert (report.plan, report.counted) == (None, Tally())
    assert tree(world.folder / "dst") == {"kept": "kept"}
    assert world.stored(f"{B}/out") == {"kept": "kept"}


def test_a_filter_that_leaves_nothing_deletes_nothing(world):
    world.objects("a")
    world.files("kept", at="dst")
    ends = (f"{B}/in/", world.path("dst"))
    options = {"filter_config": {"include": "nothing"}, "delete": True}
    with pytest.raises(InvalidRequest, match="leaves out all 1"):
        world.sync(*ends, **options)
    assert world.sync(*ends, **options, fail_if_missing=False).plan is None
    assert tree(world.folder / "dst") == {"kept": "kept"}


def test_filters_match_relative_to_their_own_root(world):
    world.objects("a/x.txt", "a/x.bam", "b/x.txt")
    config = {"filter_config": {"include": r"a/.*\.txt"}, "filter_root": f"{B}/in/"}
    world.sync(f"{B}/in/a/", world.path("dst"), **config)
    assert tree(world.folder / "dst") == {"x.txt": "a/x.txt"}
    world.sync(f"{B}/in/a/x.txt", world.path("one"), **config)
    assert (world.folder / "one").read_text() == "a/x.txt"


@pytest.mark.parametrize(
    ("there", "options", "is_copied"),
    [
        pytest.param({"text": "OLD", "when": later(9)}, {}, True, id="other content"),
        pytest.param(
            {"text": "OLD", "when": later(9)}, {"size_only": True}, False, id="size only"
        ),
        pytest.param({"text": "NEW", "when": later(9)}, {}, False, id="same content"),
        pytest.param({"text": "NEW", "when": later(9)}, {"force": True}, True, id="forced"),
        pytest.param({"text": "NEW", "when": LONG_AGO}, {"size_only": True}, False, id="as old"),
        pytest.param({"text": "LONGER", "when": later(9)}, {"size_only": True}, True, id="size"),
    ],
)
@pytest.mark.parametrize("direction", ["down", "up", "within", "here"])
@pytest.mark.parametrize("has_etags", [True, False], ids=["etags", "no etags"])
def test_a_file_is_transferred_when_it_has_to_be(  # noqa: PLR0917
    tmp_path, direction, there, options, is_copied, has_etags
):
    world = World(tmp_path, has_etags=has_etags)
    world.files("a", text="NEW")
    world.objects("a", text="NEW")
    world.files("a", at="dst", **there)
    world.carrier.put(f"{B}/out/a", there["text"].encode(), there["when"])
    source = f"{B}/in/" if direction in {"down", "within"} else world.path("src")
    destination = f"{B}/out/" if direction in {"up", "within"} else world.path("dst")
    plan = world.plan(source, destination, **options)
    assert [file.name for file in plan.overwritten] == (["a"] if is_copied else [])
    assert plan.kept == (Tally() if is_copied else Tally(1, 3))
    world.sync(source, destination, **options)
    result = world.stored(f"{B}/out")["a"] if "s3" in destination else tree(tmp_path / "dst")["a"]
    assert result == ("NEW" if is_copied else there["text"])


def test_a_newer_source_is_transferred_whatever_its_size(world):
    world.carrier.put(f"{B}/in/a", b"NEW", NOW)
    world.files("a", at="dst", text="OLD", when=later(-2))
    world.sync(f"{B}/in/", world.path("dst"), size_only=True)
    assert tree(world.folder / "dst") == {"a": "NEW"}


def test_files_are_as_young_as_the_sync_or_their_object(world):
    world.objects("a", "kept")
    world.carrier.put(f"{B}/in/young", b"x", later(60))
    world.files("kept", "extra", at="dst")
    world.sync(f"{B}/in/", world.path("dst"), size_only=True)
    times = {p.name: p.stat().st_mtime for p in (world.folder / "dst").iterdir()}
    now = NOW.timestamp()
    assert times == {"a": now, "kept": now, "extra": now, "young": later(60).timestamp()}


@pytest.mark.parametrize("delete", [True, False])
def test_details_count_what_the_direction_says(world, delete):
    world.objects("a", "b.bam")
    world.files("old", at="dst")
    filtered = {"filter_config": {"exclude": [r".*\.bam"]}, "delete": delete}
    there = Tally(1, 1) if delete else Tally(2, 4)
    assert world.sync(f"{B}/in/", world.path("dst"), **filtered).counted == there
    world.objects("old", at=f"{B}/out")
    assert world.sync(f"{B}/in/", f"{B}/out/", **filtered).counted == there
    world.files("a", "b.bam")
    assert world.sync(world.path("src"), f"{B}/out2", **filtered).counted == Tally(1, 1)
    assert world.sync(world.path("src"), world.path("dst2")).counted == Tally(2, 6)


def test_a_prefix_is_taken_from_the_key_and_the_rest_appended(world):
    world.objects("sampleA/a", "sampleB/b")
    world.objects("sampleA/old", "sampleB/kept", at=f"{B}/out")
    options = {"source_path_prefix": "in/", "delete": True}
    world.sync(f"{B}/in/sampleA/", f"{B}/out", **options)
    assert sorted(world.stored(f"{B}/out")) == ["sampleA/a", "sampleB/kept"]
    world.sync(f"{B}/in/sampleB/b", f"{B}/one/", **options)
    assert sorted(world.stored(f"{B}/one")) == ["sampleB/b"]
    with pytest.raises(InvalidRequest, match="does not begin with"):
        world.sync(f"{B}/in/", f"{B}/out/", source_path_prefix="other/")


@pytest.mark.parametrize("custom", [None, "tmp/deep"])
def test_a_single_object_comes_by_way_of_a_temporary_folder(world, custom):
    world.objects("a")
    config = {"use_custom_tmp_dir": True}
    if custom:
        config["custom_tmp_dir"] = world.path(custom)
    world.sync(f"{B}/in/a", world.path("dst/a"), remote_to_local_config=config)
    assert tree(world.folder / "dst") == {"a": "a"}
    (used,) = world.carrier.temporary
    assert used is not None
    assert used.parent == Path(world.path(custom)) if custom else used.parent != world.folder
    assert not used.exists()
    world.sync(f"{B}/in/", world.path("many"), remote_to_local_config=config)
    assert world.carrier.temporary[-1] is None


@pytest.mark.parametrize("inner", ["a", "x/y/a"])
def test_the_temporary_folder_is_at_the_top_of_the_mount_and_not_above(world, inner):
    world.objects("a")
    config = {"use_custom_tmp_dir": True}
    world.sync(f"{B}/in/a", f"{FS}:/{inner}", remote_to_local_config=config)
    (used,) = world.carrier.temporary
    assert used.parent == world.mount
    assert tree(world.mount) == {inner: "a"}


def test_what_a_killed_download_left_in_its_temporary_folder_goes_an_hour_later(world):
    world.objects("a")
    request = (f"{B}/in/a", f"{FS}:/x/a")
    config = {"use_custom_tmp_dir": True}
    for name, hours in (("dead", 2), ("alive", 0)):
        left = world.mount / f"{DOWNLOAD}{name}"
        (left / "half").parent.mkdir()
        (left / "half").write_bytes(b"half")
        for each in (left / "half", left):
            at = time.time() - hours * 3600
            os.utime(each, (at, at))
    world.sync(*request, remote_to_local_config=config)
    assert set(tree(world.mount)) == {"x/a", f"{DOWNLOAD}alive/half"}


def test_the_source_goes_when_it_is_not_to_be_kept_but_never_after_a_download(world):
    world.objects("a", "b.bam")
    world.files("a", "b.bam")
    options = {"retain_source_data": False}
    filtered = {**options, "filter_config": {"exclude": r".*\.bam"}}
    world.sync(f"{B}/in/", world.path("dst"), **filtered)
    assert sorted(world.stored(f"{B}/in")) == ["a", "b.bam"]
    world.sync(world.path("src"), f"{B}/out", **filtered)
    assert not (world.folder / "src").exists()
    world.sync(f"{B}/in/", f"{B}/out2", **filtered)
    assert sorted(world.stored()) == ["out/a", "out2/a"]
    world.sync(world.path("dst"), world.path("dst2/deep"), **options)
    assert tree(world.folder / "dst2") == {"deep/a": "a"}
    assert not (world.folder / "dst").exists()


def test_a_source_that_changes_while_it_is_moved_stays(world):
    world.files("a", "b")
    real = world.carrier.put

    def meddle(uri, content, *rest):
        real(uri, content, *rest)
        (world.folder / "src/late").write_text("late")

    world.carrier.put = meddle
    with pytest.raises(Unavailable, match="start again"):
        world.sync(world.path("src"), f"{B}/out", retain_source_data=False)
    assert sorted(tree(world.folder / "src")) == ["a", "b", "late"]
    world.carrier.put = real
    world.sync(world.path("src"), f"{B}/out", retain_source_data=False)
    assert sorted(world.stored(f"{B}/out")) == ["a", "b", "late"]


def test_a_file_that_changes_while_it_is_stored_is_an_error_and_not_stored(world):
    world.files("a")
    real = world.carrier.put

    def meddle(uri, content, *rest):
        real(uri, content, *rest)
        os.utime(world.folder / "src/a", (1, 1))

    world.carrier.put = meddle
    with pytest.raises(InvalidRequest, match="changed while it was stored"):
        world.sync(world.path("src"), f"{B}/out")
    assert world.stored(f"{B}/out") == {}


def test_a_dry_run_says_everything_and_does_nothing(world):
    world.objects("new", "changed", "same")
    world.files("changed", at="dst", text="CHANGED", when=later(9))
    world.files("same", "extra", at="dst", when=later(9))
    before = tree(world.folder / "dst")
    plan = world.plan(f"{B}/in/", world.path("dst"), delete=True)
    dst = world.path("dst")
    assert plan.to_wire() == {
        "copied": [{"source": f"{B}/in/new", "destination": f"{dst}/new", "bytes": 3}],
        "overwritten": [
            {"source": f"{B}/in/changed", "destination": f"{dst}/changed", "bytes": 7}
        ],
        "deleted": [f"{dst}/extra"],
        "kept_files": 1,
        "kept_bytes": 4,
        "left_out_files": 0,
    }
    assert tree(world.folder / "dst") == before
    assert {verb for verb, _ in world.carrier.steps} <= {"list", "head"}
    assert world.sync(f"{B}/in/", dst, delete=True).plan == plan


@pytest.mark.parametrize("is_file_first", [True, False])
def test_with_delete_a_file_and_a_folder_change_places(world, is_file_first):
    world.objects("a" if is_file_first else "a/b")
    world.files("a/b" if is_file_first else "a", "kept/x", at="dst")
    ends = (f"{B}/in/", world.path("dst"))
    with pytest.raises(InvalidRequest):
        world.sync(*ends)
    world.sync(*ends, delete=True)
    assert list(tree(world.folder / "dst")) == ["a" if is_file_first else "a/b"]


def test_deleting_extra_files_takes_empty_folders_along(world):
    world.objects("a")
    world.files("a", "x/y/z", at="dst")
    world.sync(f"{B}/in/", world.path("dst"), delete=True)
    assert [path.name for path in (world.folder / "dst").rglob("*")] == ["a"]


@pytest.mark.parametrize("is_central", [True, False], ids=["lock root", "beside"])
def test_a_lock_is_held_while_files_arrive_and_gone_afterwards(world, is_central):
    root = world.folder / "locks"
    world.objects("a")
    seen = []
    real = world.carrier.transfer

    def watch(*args, **options):
        real(*args, **options)
        seen.extend(path.name for path in world.folder.rglob("*.lock"))

    world.carrier.transfer = watch
    lock = lock_in(root if is_central else None)
    request = world.request(f"{B}/in/", world.path("dst"), require_lock=True)
    DataSync(world.carrier, world.locations, world.clock, lock).sync(request)
    assert len(seen) == 1
    digest = hashlib.sha256(world.path("dst").encode()).hexdigest()
    assert seen[0] == (f"{digest}.lock" if is_central else "dst.lock")
    assert not list(world.folder.rglob("*.lock"))


def test_a_file_does_not_replace_a_folder(world):
    world.objects("a")
    world.files("kept", at="dst")
    with pytest.raises(InvalidRequest, match="a folder lies at"):
        world.sync(f"{B}/in/a", world.path("dst"))
    world.sync(f"{B}/in/a", world.path("dst") + "/")
    assert tree(world.folder / "dst") == {"a": "a", "kept": "kept"}


def test_a_folder_does_not_replace_a_file(world):
    world.objects("a")
    world.files("dst", at=".")
    with pytest.raises(InvalidRequest, match="a file lies at"):
        world.sync(f"{B}/in/", world.path("dst"), delete=True)
    assert (world.folder / "dst").read_text() == "dst"


def test_a_copy_on_this_machine_keeps_who_may_run_it(world):
    src = world.files("run.sh", "data")
    (src / "run.sh").chmod(0o750)
    world.sync(str(src), world.path("dst"))
    assert (world.folder / "dst/run.sh").stat().st_mode & 0o777 == 0o750


def test_what_a_dead_sync_left_half_written_is_no_content(world):
    half = f".{'0' * 32}.partial"
    src = world.files("a", half)
    world.sync(str(src), f"{B}/out")
    assert world.stored(f"{B}/out") == {"a": "a"}
    dst = world.files(half, at="dst", when=NOW)
    os.utime(dst / half)
    plan = world.sync(f"{B}/out/", str(dst), delete=True).plan
    assert plan.deleted == ()
    assert sorted(tree(dst)) == [half, "a"], "somebody may be writing it"
    os.utime(dst / half, (1, 1))
    world.sync(f"{B}/out/", str(dst))
    assert sorted(tree(dst)) == ["a"]


def test_an_object_with_others_below_it_is_ambiguous_without_a_last_slash(world):
    world.objects("a")
    world.carrier.put(f"{B}/in", b"content")
    with pytest.raises(InvalidRequest, match="objects below it"):
        world.sync(f"{B}/in", world.path("dst"))
    world.sync(f"{B}/in/", world.path("dst"))
    assert tree(world.folder / "dst") == {"a": "a"}
