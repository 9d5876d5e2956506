"""A file where the source has a folder, or the reverse: told before all moves, or replaced."""

from __future__ import annotations

import pytest

from chalicelib.core.errors import InvalidRequest
from chalicelib.worker.sync import arriving
from tests.unit.sync_world import B, Died, World, tree

SOURCE, THERE = f"{B}/in/", "dst"


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


@pytest.mark.parametrize(
    ("source", "there", "problem"),
    [
        (("a", "z"), ("a/b/c",), "a folder lies at '.*/dst/a', where a file is to arrive"),
        (("a", "a-b", "z"), ("a-b", "a/c"), "a folder lies at '.*/dst/a', where a file"),
        (("a/b/c", "z"), ("a",), "a file lies at '.*/dst/a', where a folder is to arrive"),
        (("a/b/c", "a0"), ("a/b",), "a file lies at '.*/dst/a/b', where a folder"),
    ],
)
def test_an_obstacle_is_told_by_dry_run_and_run_before_anything_moves(
    world, source, there, problem
):
    world.objects(*source)
    world.files(*there, at=THERE)
    before = tree(world.folder / THERE)
    for do in (world.plan, world.sync):
        with pytest.raises(InvalidRequest, match=problem):
            do(SOURCE, world.path(THERE))
    assert tree(world.folder / THERE) == before


@pytest.mark.parametrize(
    ("source", "there"),
    [
        (("a", "a-b", "b/c"), ("a-", "a.b", "b0", "c")),
        (("a/b", "a/c"), ("a/b", "a/d")),
    ],
)
def test_what_only_begins_alike_is_no_obstacle(world, source, there):
    world.objects(*source)
    world.files(*there, at=THERE)
    world.sync(SOURCE, world.path(THERE))
    assert set(tree(world.folder / THERE)) == {*source, *there}


def test_a_link_to_a_folder_that_stays_inside_is_no_obstacle(world):
    world.objects("link/x")
    (world.folder / THERE / "real").mkdir(parents=True)
    (world.folder / THERE / "link").symlink_to("real")
    world.sync(SOURCE, world.path(THERE))
    assert tree(world.folder / THERE) == {"link": "-> real", "real/x": "link/x"}


@pytest.mark.parametrize(
    ("source", "destination"),
    [(SOURCE, "f"), (SOURCE, "f/"), (SOURCE, "f/x/y"), (f"{B}/in/a", "f/"), (f"{B}/in/a", "f/x")],
)
def test_a_file_above_the_destination_is_told_by_a_dry_run_too(world, source, destination):
    world.objects("a")
    world.files("f", at=".")
    with pytest.raises(InvalidRequest, match=r"a file lies at '.*/f'"):
        world.plan(source, f"{world.folder}/{destination}", delete=True)


def test_folders_without_files_are_in_nobodys_way_where_extra_goes(world):
    world.objects("a", "b")
    (world.folder / THERE / "a/x/y").mkdir(parents=True)
    world.sync(SOURCE, world.path(THERE), delete=True)
    assert tree(world.folder / THERE) == {"a": "a", "b": "b"}


def test_without_delete_not_even_an_empty_folder_goes(world):
    world.objects("a")
    (world.folder / THERE / "a").mkdir(parents=True)
    with pytest.raises(InvalidRequest):
        world.sync(SOURCE, world.path(THERE))
    assert (world.folder / THERE / "a").is_dir()


def test_killed_when_a_folders_files_are_gone_it_ends_the_same(world, monkeypatch):
    world.objects("a")
    world.files("a/b/c", at=THERE)

    def dies_before_the_folders_go(root, _folder, names):
        for name in names:
            (root / name).unlink()
        raise Died

    with monkeypatch.context() as patched:
        patched.setattr(arriving, "remove_files", dies_before_the_folders_go)
        with pytest.raises(Died):
            world.sync(SOURCE, world.path(THERE), delete=True)
    assert (world.folder / THERE / "a/b").is_dir()
    world.sync(SOURCE, world.path(THERE), delete=True)
    assert tree(world.folder / THERE) == {"a": "a"}
