"""A sync that is killed at any step of the store and started again ends in the same state."""

from __future__ import annotations

from pathlib import Path

import pytest

from chalicelib.worker.sync import moving
from tests.unit.sync_world import B, Died, World, tree

SOURCE = ("a", "b/c", "b/d", "e.bam")
DIRECTIONS = {
    "down": (f"{B}/in/", "dst"),
    "up": ("src", f"{B}/out"),
    "within": (f"{B}/in", f"{B}/out/"),
    "here": ("src", "dst"),
}
OPTIONS = {
    "copy": {},
    "mirror": {"delete": True},
    "move": {"retain_source_data": False},
    "move and mirror": {"retain_source_data": False, "delete": True},
}


def world_of(folder, direction: str) -> World:
    folder.mkdir()
    world = World(folder)
    if direction in {"down", "within"}:
        world.objects(*SOURCE)
    else:
        world.files(*SOURCE)
    if direction in {"up", "within"}:
        world.objects("a", "old", "x/y", at=f"{B}/out", text="old")
    else:
        world.files("a", "old", "x/y", at="dst", text="old")
    return world


def ends(world: World, direction: str) -> tuple[str, str]:
    return tuple(e if e.startswith("s3://") else world.path(e) for e in DIRECTIONS[direction])


def state(world: World) -> dict[str, dict[str, str]]:
    return {
        "store": world.stored(),
        **{name: tree(world.folder / name) for name in ("src", "dst")},
        "leavings": sorted(
            path.name for path in world.folder.iterdir() if path.name.startswith(".")
        ),
    }


def at_destination(seen: dict[str, dict[str, str]], direction: str) -> set[str]:
    if direction in {"down", "here"}:
        return set(seen["dst"])
    return {name.removeprefix("out/") for name in seen["store"] if name.startswith("out/")}


@pytest.mark.parametrize("dies_after_effect", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_whenever_it_is_killed_it_ends_as_if_it_had_not_been(
    tmp_path, direction, options, dies_after_effect
):
    options = {**options, "require_lock": direction == "down"}
    whole = world_of(tmp_path / "whole", direction)
    whole.sync(*ends(whole, direction), **options)
    expected, steps = state(whole), len(whole.carrier.steps)
    contents = {text for part in ("store", "src", "dst") for text in expected[part].values()}
    assert set(SOURCE) <= contents
    for number in range(steps):
        world = world_of(tmp_path / f"killed-{number}", direction)
        world.carrier.dies_at = number
        world.carrier.dies_after_effect = dies_after_effect
        with pytest.raises(Died):
            world.sync(*ends(world, direction), **options)
        world.carrier.dies_at = None
        between = state(world)
        held = {text for part in ("store", "src", "dst") for text in between[part].values()}
        assert set(SOURCE) <= held, "nothing is lost while it is dead"
        there = at_destination(between, direction)
        assert {"old", "x/y"} <= there or set(SOURCE) <= there, "deletions come last"
        world.sync(*ends(world, direction), **options, fail_if_missing=False)
        assert state(world) == expected, f"killed {world.carrier.steps[number]}"


def test_a_source_that_is_half_removed_is_never_taken_for_the_whole(tmp_path):
    world = world_of(tmp_path / "w", "within")
    options = {"retain_source_data": False, "delete": True}
    world.carrier.dies_at = 10**9
    whole = world_of(tmp_path / "whole", "within")
    whole.sync(f"{B}/in", f"{B}/out/", **options)
    first_removal = whole.carrier.steps.index(("remove", f"{B}/in/a"))
    world.carrier.dies_at = first_removal + 1
    with pytest.raises(Died):
        world.sync(f"{B}/in", f"{B}/out/", **options)
    world.carrier.dies_at = None
    assert f"{B}/in/a" not in world.carrier.content
    world.sync(f"{B}/in", f"{B}/out/", **options)
    assert sorted(world.stored(f"{B}/out")) == sorted(SOURCE)


def test_a_folder_that_was_being_removed_is_removed_and_no_more(tmp_path):
    world = World(tmp_path)
    world.files("b/d", at=".falsework-moved-src")
    world.objects("a", "b/d", at=f"{B}/out")
    report = world.sync(world.path("src"), f"{B}/out/", retain_source_data=False, delete=True)
    assert report.plan is None
    assert sorted(world.stored(f"{B}/out")) == ["a", "b/d"]
    assert [path.name for path in tmp_path.iterdir()] == ["mnt"]


def test_partial_files_of_a_dead_sync_are_gone_in_the_end(tmp_path):
    world = world_of(tmp_path / "w", "down")
    source, destination = ends(world, "down")
    world.carrier.dies_at = 3
    with pytest.raises(Died):
        world.sync(source, destination, require_lock=True)
    assert any(name.endswith(".partial") for name in tree(world.folder / "dst"))
    world.carrier.dies_at = None
    world.sync(source, destination, require_lock=True)
    assert not any(name.endswith(".partial") for name in tree(world.folder / "dst"))


def test_a_folder_that_is_half_removed_is_never_taken_for_the_whole(tmp_path, monkeypatch):
    world = world_of(tmp_path / "w", "up")
    options = {"retain_source_data": False, "delete": True}
    real = moving.remove

    def dying(mount: Path, path: Path) -> int:
        if not (mount / path).exists():
            return 0
        real(mount, path / "a")
        raise Died

    monkeypatch.setattr(moving, "remove", dying)
    with pytest.raises(Died):
        world.sync(*ends(world, "up"), **options)
    monkeypatch.undo()
    report = world.sync(*ends(world, "up"), **options)
    assert report.plan is None
    assert sorted(world.stored(f"{B}/out")) == sorted(SOURCE)
    assert sorted(path.name for path in world.folder.iterdir()) == ["mnt"]
