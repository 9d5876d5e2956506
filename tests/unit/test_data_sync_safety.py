"""What a sync never does: delete unasked, leave its bounds, follow a link out."""

from __future__ import annotations

import pytest

from chalicelib.core.data_sync.missing import SourceMissing
from chalicelib.core.data_sync.requests import RemoveDataPathsRequest
from chalicelib.core.errors import InvalidRequest
from chalicelib.worker.sync.locations import Locations
from chalicelib.worker.sync.paths import remove_paths
from tests.unit.sync_world import FS, B, World, tree


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


@pytest.mark.parametrize("options", [{}, {"delete": False}], ids=["absent", "false"])
@pytest.mark.parametrize("direction", ["down", "up", "within"])
def test_nothing_is_deleted_at_a_destination_unasked(world, direction, options):
    world.objects("a")
    world.files("a")
    world.files("old", at="dst")
    world.objects("old", at=f"{B}/out")
    source = world.path("src") if direction == "up" else f"{B}/in/"
    destination = world.path("dst") if direction == "down" else f"{B}/out"
    world.sync(source, destination, **options)
    there = world.stored(f"{B}/out") if direction != "down" else tree(world.folder / "dst")
    assert sorted(there) == ["a", "old"]
    assert not any(verb == "remove" for verb, _ in world.carrier.steps)


@pytest.mark.parametrize("destination", ["s3://other", "s3://other/", f"{FS}:/", "mnt", "/"])
def test_deleting_at_a_root_is_refused_before_anything_is_done(world, destination):
    world.objects("a")
    world.files("kept", at="mnt")
    if destination == "mnt":
        destination = world.path("mnt")
    with pytest.raises(InvalidRequest, match="refused"):
        world.sync(f"{B}/in/", destination, delete=True)
    assert tree(world.mount) == {"kept": "kept"}
    assert not any(verb in {"download", "copy"} for verb, _ in world.carrier.steps)


def test_deleting_above_a_mount_is_refused(world):
    world.objects("a")
    with pytest.raises(InvalidRequest, match="refused"):
        world.sync(f"{B}/in/", str(world.folder), delete=True)


@pytest.mark.parametrize("source", [B, f"{FS}:/"])
def test_moving_a_whole_bucket_or_mount_is_refused(world, source):
    world.objects("a")
    world.files("a", at="mnt")
    with pytest.raises(InvalidRequest, match="refused"):
        world.sync(source, "s3://other/x", retain_source_data=False)
    assert world.stored() == {"in/a": "a"}
    assert tree(world.mount) == {"a": "a"}


@pytest.mark.parametrize("source", [B, f"{FS}:/"])
def test_a_dry_run_refuses_what_the_run_would(world, source):
    world.objects("a")
    world.files("a", at="mnt")
    with pytest.raises(InvalidRequest, match="refused"):
        world.plan(source, "s3://other/x", retain_source_data=False)


def test_with_allowed_roots_nothing_is_deleted_or_moved_outside_of_them(world):
    world.objects("a")
    world.files("old", at="dst")
    world.files("a")
    world.locations = Locations([], [world.folder / "allowed"])
    with pytest.raises(InvalidRequest, match="outside of the allowed roots"):
        world.sync(f"{B}/in/", world.path("dst"), delete=True)
    with pytest.raises(InvalidRequest, match="outside of the allowed roots"):
        world.sync(world.path("src"), f"{B}/out", retain_source_data=False)
    assert tree(world.folder) == {"dst/old": "old", "src/a": "a"}
    world.sync(f"{B}/in/", world.path("allowed/dst"), delete=True)
    assert tree(world.folder / "allowed") == {"dst/a": "a"}


@pytest.mark.parametrize(
    ("source", "destination"),
    [
        (f"{B}/in", f"{B}/in/"),
        (f"{B}/in", f"{B}/in/sub"),
        (f"{B}/in/sub/", f"{B}/in"),
        (B, f"{B}/x"),
        (f"{B}/in/sub/a", f"{B}/in/sub/a"),
        ("src", "src/sub"),
        ("src/sub", "src"),
    ],
)
def test_a_destination_that_overlaps_its_source_is_refused(world, source, destination):
    world.objects("a", "sub/a")
    world.files("a", "sub/a")
    ends = [e if e.startswith("s3://") else world.path(e) for e in (source, destination)]
    with pytest.raises(InvalidRequest, match=r"overlap|a whole bucket"):
        world.sync(*ends, retain_source_data=False, delete=True)
    assert sorted(world.stored()) == ["in/a", "in/sub/a"]
    assert sorted(tree(world.folder / "src")) == ["a", "sub/a"]


def test_a_link_in_a_source_is_content_as_long_as_it_stays_inside(world):
    src = world.files("a", "deep/b")
    (src / "link").symlink_to("a")
    (src / "folder").symlink_to("deep")
    world.sync(str(src), f"{B}/out")
    expected = {"a": "a", "deep/b": "deep/b", "folder/b": "deep/b", "link": "a"}
    assert world.stored(f"{B}/out") == expected


@pytest.mark.parametrize(
    ("target", "problem"),
    [("../secret", "leads out"), ("..", "leads out"), ("gone", "nowhere"), (".", "it is in")],
)
def test_a_link_that_leads_out_nowhere_or_round_is_refused_or_left_out(world, target, problem):
    src = world.files("a")
    world.files("secret", at=".")
    (src / "link").symlink_to(target)
    with pytest.raises(InvalidRequest, match=problem):
        world.sync(str(src), f"{B}/out")
    assert world.stored(f"{B}/out") == {}
    world.sync(str(src), f"{B}/out", filter_config={"exclude": "link.*"})
    assert world.stored(f"{B}/out") == {"a": "a"}


def test_a_link_at_the_destination_is_replaced_and_never_written_through(world):
    world.objects("a")
    outside = world.files("a", at="outside", text="KEPT")
    dst = world.files("b", at="dst")
    (dst / "a").symlink_to(outside / "a")
    world.sync(f"{B}/in/", str(dst))
    assert (outside / "a").read_text() == "KEPT"
    assert not (dst / "a").is_symlink()


def test_no_folder_is_made_through_a_link_that_leads_out(world):
    world.objects("sub/a")
    outside = world.files("kept", at="outside")
    dst = world.files("b", at="dst")
    (dst / "sub").symlink_to(outside)
    with pytest.raises(InvalidRequest, match="leads out"):
        world.sync(f"{B}/in/", str(dst))
    assert tree(outside) == {"kept": "kept"}


def test_deleting_removes_links_and_not_what_they_show(world):
    world.objects("a")
    outside = world.files("kept", at="outside")
    dst = world.files("b", at="dst")
    (dst / "file").symlink_to(outside / "kept")
    (dst / "folder").symlink_to(outside)
    world.sync(f"{B}/in/", str(dst), delete=True)
    assert tree(dst) == {"a": "a"}
    assert tree(outside) == {"kept": "kept"}


@pytest.mark.parametrize("way", ["x/../../secret", "link/secret"])
def test_an_efs_path_never_leaves_its_mount(world, way):
    world.files("secret", at=".")
    (world.mount / "link").symlink_to(world.folder)
    for path in (f"{FS}:/../{way}", f"{FS}:/{way}"):
        with pytest.raises((InvalidRequest, SourceMissing)):
            world.sync(path, f"{B}/out")
    assert world.stored() == {}


@pytest.mark.parametrize("key", ["../x", "a/../x", "a//x", "./x"])
def test_a_name_that_no_file_can_have_is_refused_before_anything_is_done(world, key):
    world.objects("fine")
    world.carrier.put(f"{B}/in/{key}", b"x")
    with pytest.raises(InvalidRequest, match="cannot be written"):
        world.sync(f"{B}/in/", world.path("dst"))
    assert not (world.folder / "dst").exists()


def test_an_object_below_an_object_is_refused_before_anything_is_done(world):
    world.objects("a", "a-b", "a/b")
    with pytest.raises(InvalidRequest, match="no file system can hold both"):
        world.sync(f"{B}/in/", world.path("dst"))
    assert not (world.folder / "dst").exists()


def test_a_listing_out_of_order_deletes_nothing(world):
    world.objects("a", "b")
    world.objects("a", "b", at=f"{B}/out")
    real = world.carrier.list
    world.carrier.list = lambda uri: iter(sorted(real(uri), reverse=True))
    with pytest.raises(Exception, match="out of order"):
        world.sync(f"{B}/in/", f"{B}/out/", delete=True)
    assert sorted(world.stored(f"{B}/out")) == ["a", "b"]


def remove(world, *paths):
    return remove_paths(RemoveDataPathsRequest.parse({"paths": paths}), world.locations).to_wire()


def test_removal_takes_paths_skips_objects_and_lists_what_is_missing(world):
    world.files("x/a", "b", at="mnt")
    answer = remove(world, f"{FS}:/x", f"{B}/in", f"{FS}:/x", world.path("none"))
    shown = [str(world.mount / "x"), str(world.mount / "x"), world.path("none")]
    assert answer == {"size_bytes_removed": 3, "paths_removed": shown}
    assert tree(world.mount) == {"b": "b"}


@pytest.mark.parametrize("root", ["/", f"{FS}:/", "mnt", ".", f"{FS}:/x/.."])
def test_removal_of_a_root_is_refused_before_anything_goes(world, root):
    world.files("a", at="mnt")
    path = root if root.startswith(("/", "fs-")) else world.path(root)
    with pytest.raises(InvalidRequest, match="refused"):
        remove(world, f"{FS}:/a", path)
    assert tree(world.mount) == {"a": "a"}


def test_removal_of_a_link_leaves_what_it_shows(world):
    kept = world.files("kept", at="outside")
    (world.mount / "link").symlink_to(kept)
    remove(world, f"{FS}:/link")
    assert tree(world.folder) == {"outside/kept": "kept"}


def test_removal_never_goes_through_a_link(world):
    world.files("secret", at=".")
    (world.mount / "link").symlink_to(world.folder)
    with pytest.raises(InvalidRequest, match="leads out"):
        remove(world, f"{FS}:/link/secret")
    assert (world.folder / "secret").exists()
