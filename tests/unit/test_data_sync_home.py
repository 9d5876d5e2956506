"""An embedded home's own folder is nobody's data, wherever it lies."""

from __future__ import annotations

import pytest

from chalicelib.core.data_sync.requests import RemoveDataPathsRequest
from chalicelib.core.errors import InvalidRequest
from chalicelib.core.worker_documents import MountedVolume
from chalicelib.worker.sync.locations import Locations
from chalicelib.worker.sync.paths import path_stats, remove_paths
from tests.unit.sync_world import FS, B, World, tree

HOME = "me/.falsework"


@pytest.fixture
def world(tmp_path):
    """A user's folder with a home in it, whose worker was given no file system."""
    world = World(tmp_path)
    world.files("a", "b/c", at="me")
    world.files("falsework.db", "s3/bkt/x", f"efs/{FS}/scratch/x", at=HOME)
    world.locations = Locations(home=tmp_path / HOME)
    return world


@pytest.mark.parametrize("source", ["me", ".", "link"])
def test_it_is_no_content_of_a_source(world, source):
    (world.folder / "link").symlink_to("me")
    world.files("mnt/y", at=".")
    world.sync(world.path(source) if source != "." else world.path("me/b/.."), f"{B}/out/")
    assert set(world.stored(f"{B}/out")) == {"a", "b/c"}


def test_a_link_to_it_is_none_either(world):
    (world.folder / "me/b/home").symlink_to(world.folder / HOME)
    world.sync(world.path("me"), f"{B}/out/")
    assert set(world.stored(f"{B}/out")) == {"a", "b/c"}


@pytest.mark.parametrize("destination", ["me", ".", HOME, f"{HOME}/s3/bkt", "link"])
def test_nothing_is_deleted_in_it_or_around_it(world, destination):
    (world.folder / "link").symlink_to(HOME)
    world.objects("a")
    before = tree(world.folder)
    for do in (world.plan, world.sync):
        with pytest.raises(InvalidRequest, match="refused"):
            do(f"{B}/in/", f"{world.folder}/{destination}", delete=True)
    with pytest.raises(InvalidRequest, match="refused"):
        world.sync(f"{world.folder}/{destination}", f"{B}/out/", retain_source_data=False)
    request = RemoveDataPathsRequest(paths=(f"{world.folder}/{destination}",))
    with pytest.raises(InvalidRequest, match="refused"):
        remove_paths(request, world.locations)
    assert tree(world.folder) == before


@pytest.mark.parametrize("destination", [HOME, f"{HOME}/s3/bkt/new", f"{HOME}/falsework.db"])
def test_nothing_is_written_into_it(world, destination):
    world.objects("falsework.db")
    with pytest.raises(InvalidRequest, match="Falsework's own folder"):
        world.sync(f"{B}/in/falsework.db", world.path(destination))
    with pytest.raises(InvalidRequest, match="Falsework's own folder"):
        world.sync(f"{B}/in/", world.path(destination))


def test_what_is_copied_around_it_touches_and_overwrites_nothing_in_it(world):
    partial = world.folder / HOME / "efs" / f".{'0' * 32}.partial"
    world.files(partial.name, at=f"{HOME}/efs")
    world.objects("a", "new")
    before = {path: path.stat().st_mtime for path in (world.folder / HOME).rglob("*")}
    world.sync(f"{B}/in/", world.path("me"), require_lock=True)
    assert {path: path.stat().st_mtime for path in (world.folder / HOME).rglob("*")} == before
    world.objects(".falsework/falsework.db", text="poison")
    with pytest.raises(InvalidRequest, match="Falsework's own folder"):
        world.sync(f"{B}/in/", world.path("me"))
    assert (world.folder / HOME / "falsework.db").read_text() == "falsework.db"


def test_who_sums_up_or_scans_what_is_around_it_does_not_see_it(world):
    stats = path_stats(world.path("me"), world.carrier, world.locations)
    assert set(stats.children) == {"a", "b"}


def test_its_file_systems_are_data_and_so_is_what_lies_beside_it(world):
    mount = world.folder / HOME / "efs" / FS
    volume = MountedVolume(file_system_id=FS, root="/", container_path=str(mount))
    world.locations = Locations([volume], home=world.folder / HOME)
    world.objects("new")
    world.sync(f"{B}/in/", f"{FS}:/scratch", delete=True)
    assert tree(mount) == {"scratch/new": "new"}
    world.sync(f"{B}/in/", world.path("me/b"), delete=True)
    assert tree(world.folder / "me/b") == {"new": "new"}
