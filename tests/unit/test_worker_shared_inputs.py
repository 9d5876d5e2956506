"""Inputs that runs share: the right version, once, and nobody takes it from under a run."""

from __future__ import annotations

import os
from datetime import timedelta

import pytest

from chalicelib.core.data_sync.path_requests import ListDataPathsRequest
from chalicelib.core.data_sync.requests import RemoveDataPathsRequest
from chalicelib.core.worker_documents import CleanUpOrder, StageInOrder
from chalicelib.worker import stage_in_batches
from chalicelib.worker.clean_up import clean_up
from chalicelib.worker.lock import locked
from chalicelib.worker.places import Places
from chalicelib.worker.shared_input import SharedNotes
from chalicelib.worker.shared_notes import LEASE_DAYS
from chalicelib.worker.stage_in import stage_in
from chalicelib.worker.sync.leavings import SHARED_NOTES
from chalicelib.worker.sync.locations import Locations
from chalicelib.worker.sync.paths import list_paths, remove_paths
from tests.flow.worlds import a_demand
from tests.unit.test_plans import order as order_of
from tests.unit.test_plans import the_plan
from tests.unit.worker_world import (
    FS,
    LONG_AGO,
    NOW,
    ROOT,
    Died,
    FakeObjects,
    World,
    content,
    sync,
    tree,
)

IN, SHARED = "s3://demo/in", f"{FS}:/shared/abc"
ONE = "s3://demo/genome.fa"


@pytest.fixture
def world(tmp_path):
    world = World(tmp_path)
    world.objects = FakeObjects({f"{IN}/a": b"a1", f"{IN}/b/c": b"c1", ONE: b"ACGT"})
    return world


def folder(**options):
    return sync("data", IN, SHARED, require_lock=True, **options)


def single(**options):
    return sync("genome", ONE, SHARED, require_lock=True, **options)


def bring(world, *syncs, run="run-1", at=NOW):
    order = world.stage_in(*syncs).model_copy(update={"root": f"{FS}:/scratch/{run}"})
    told = stage_in(order, world.carrier(), lambda: at)
    return [each["copied_files"] for each in told["params"].values()]


def finish(world, run="run-1", paths=()):
    order = world.clean_up(f"{FS}:/scratch/{run}", *paths).model_copy(
        update={"root": f"{FS}:/scratch/{run}", "shared_inputs": (SHARED,)}
    )
    return clean_up(order, keep_outputs=False)


def remove(world, *paths, at=NOW):
    request = RemoveDataPathsRequest(paths=paths or (SHARED,))
    return remove_paths(request, Locations(world.mounts), at).to_wire()


def whole(world):
    """The whole file system, as a clean-up has it mounted."""
    update = {"root": "/", "container_path": str(world.folder)}
    return Locations([world.mounts[1].model_copy(update=update)])


def users(world, at=NOW):
    return SharedNotes(world.shared / "abc").users(at)


@pytest.mark.parametrize("has_etags", [True, False], ids=["etags", "no etags"])
@pytest.mark.parametrize("request_", [folder(), single()], ids=["folder", "single"])
def test_what_another_run_has_brought_is_not_brought_again(world, request_, has_etags):
    world.has_etags = has_etags
    assert bring(world, request_) == [2 if request_.param == "data" else 1]
    before = content(world.shared)
    assert bring(world, request_, run="run-2") == [0]
    assert content(world.shared) == before != {}


def test_an_object_of_the_same_size_and_age_is_another_version(world):
    bring(world, folder())
    with (world.shared / "abc/a").open("rb") as reader:
        world.objects.put(f"{IN}/a", b"a2", LONG_AGO)
        assert bring(world, folder(), run="run-2") == [1]
        assert reader.read() == b"a1"
    assert content(world.shared) == {"abc/a": b"a2", "abc/b/c": b"c1"}


def test_at_home_a_later_time_is_another_version(world):
    world.has_etags = False
    bring(world, single())
    world.objects.put(ONE, b"TTTT", LONG_AGO + timedelta(seconds=0.5))
    assert bring(world, single(), run="run-2") == [1]
    assert content(world.shared) == {"abc": b"TTTT"}


def test_at_home_what_is_noted_is_not_read_again(world):
    world.has_etags = False
    bring(world, folder())
    world.objects.calls.clear()
    bring(world, folder(), run="run-2")
    assert {verb for verb, _ in world.objects.calls} == {"list"}


def test_a_version_that_comes_back_is_brought_back(world):
    bring(world, folder())
    for text in (b"a2", b"a1"):
        world.objects.put(f"{IN}/a", text)
        assert bring(world, folder()) == [1]
        assert content(world.shared)["abc/a"] == text


@pytest.mark.parametrize(("there", "copied"), [(b"ACGT", 0), (b"XXXX", 1)])
def test_what_lies_there_without_a_note_is_read_and_compared(world, there, copied):
    (world.shared / "abc").write_bytes(there)
    assert bring(world, single()) == [copied]
    assert content(world.shared) == {"abc": b"ACGT"}
    world.objects.calls.clear()
    assert bring(world, single()) == [0]


def test_files_of_another_source_are_not_taken_for_its_own(world):
    bring(world, single())
    SharedNotes(world.shared / "abc").note("s3://demo/else", {"genome.fa": "etag"})
    assert SharedNotes(world.shared / "abc").versions(ONE) == {}
    assert bring(world, single()) == [0]


def test_runs_with_other_filters_have_their_files_side_by_side(world):
    bring(world, folder(filter_config={"include": "a"}))
    assert bring(world, folder(filter_config={"include": "b/c"}), run="run-2") == [1]
    assert content(world.shared) == {"abc/a": b"a1", "abc/b/c": b"c1"}
    world.objects.put(f"{IN}/a", b"a2")
    assert bring(world, folder(filter_config={"include": "b/c"}), run="run-2") == [0]
    assert bring(world, folder(filter_config={"include": "a"})) == [1]


def test_what_changed_while_it_was_brought_is_compared_the_next_time(world):
    class Moving(FakeObjects):
        """The object is another one while it is downloaded, and the old one afterwards."""

        def download(self, uri, path):
            before = self.content[uri]
            self.put(uri, b"a2")
            super().download(uri, path)
            self.put(uri, before, NOW)

    world.objects = Moving({f"{IN}/a": b"a1"})
    bring(world, folder())
    assert content(world.shared) == {"abc/a": b"a2"}
    world.objects = FakeObjects({f"{IN}/a": b"a1"})
    assert bring(world, folder()) == [1]
    assert content(world.shared) == {"abc/a": b"a1"}


def replaced(world):
    folder = SharedNotes(world.shared / "abc").folder / "replaced"
    return sorted(path.read_bytes() for path in folder.iterdir()) if folder.exists() else []


def test_a_file_that_is_replaced_under_a_run_keeps_a_name_as_long_as_runs_use_the_input(world):
    bring(world, folder())
    inode = (world.shared / "abc/a").stat().st_ino
    world.objects.put(f"{IN}/a", b"a2")
    bring(world, folder(), run="run-2")
    (kept,) = (SharedNotes(world.shared / "abc").folder / "replaced").iterdir()
    assert (kept.read_bytes(), kept.stat().st_ino) == (b"a1", inode)
    bring(world, folder(), run="run-2")
    assert replaced(world) == [b"a1"]
    finish(world)
    bring(world, folder(), run="run-2")
    assert replaced(world) == []


def test_what_nobody_else_uses_is_replaced_without_a_trace(world):
    bring(world, single())
    world.objects.put(ONE, b"TTTT")
    bring(world, single())
    assert replaced(world) == []


@pytest.mark.parametrize("after_effect", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("number", range(5))
@pytest.mark.parametrize("request_", [folder(), single()], ids=["folder", "single"])
def test_killed_at_any_call_no_note_lies(world, request_, number, after_effect):
    bring(world, request_)
    first = dict(world.objects.content)
    for uri, text in first.items():
        world.objects.put(uri, text[:1] + b"X" * (len(text) - 1))
    world.objects.dies_at, world.objects.dies_after_effect = (
        len(world.objects.calls) + number,
        after_effect,
    )
    with pytest.raises(Died) if number < 3 else memory():
        bring(world, request_, run="run-2")
    world.objects.dies_at = None
    for uri, text in first.items():
        world.objects.put(uri, text)  # as old as it was
    bring(world, request_, run="run-3")
    assert set(content(world.shared).values()) <= set(first.values())
    assert users(world) == ("run-1", "run-2", "run-3")


class memory:  # noqa: N801 -- reads like the context that it stands for
    """Nothing is expected, and Died is no surprise."""

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        return kind is None or issubclass(kind, Died)


def test_a_download_that_was_killed_leaves_nothing_for_long(world):
    notes = SharedNotes(world.shared / "abc")
    bring(world, single())
    (notes.folder / ".falsework-dead").mkdir()
    (notes.folder / ".falsework-dead/.half.partial").write_bytes(b"half")
    bring(world, single())
    assert not (notes.folder / ".falsework-dead").exists()
    assert tree(notes.folder).keys() == {"versions.json", "leases/run-1"}


def test_an_input_is_removed_only_when_no_run_uses_it(world):
    bring(world, single())
    bring(world, single(), run="run-2")
    told = finish(world, "run-1", paths=(SHARED,))
    assert told["paths_kept"] == [SHARED]
    assert users(world) == ("run-2",)
    assert remove(world) == {"size_bytes_removed": 0, "paths_removed": []}
    assert content(world.shared) == {"abc": b"ACGT"}
    finish(world, "run-2")
    assert remove(world) == {
        "size_bytes_removed": 4,
        "paths_removed": [str(world.shared / "abc")],
    }
    assert tree(world.shared) == {}


def test_a_lease_runs_out_and_is_renewed_by_staging_in_again(world):
    bring(world, single())
    bring(world, single(), run="run-2")
    later = NOW + timedelta(days=LEASE_DAYS, seconds=1)
    bring(world, single(), run="run-2", at=NOW + timedelta(days=1))
    assert users(world, later) == ("run-2",)
    assert remove(world, at=later + timedelta(days=1))["size_bytes_removed"] == 4


@pytest.mark.parametrize("path", ["", "/b", "/b/c", "/../abc"])
def test_no_part_of_an_input_in_use_is_removed(world, path):
    bring(world, folder())
    before = tree(world.shared)
    assert remove(world, SHARED + path)["paths_removed"] == []
    assert tree(world.shared) == before
    finish(world)
    assert remove(world, SHARED + path)["size_bytes_removed"] > 0


@pytest.mark.parametrize(("run", "path"), [("run-1", "/sub"), ("run-2", "")])
def test_an_input_in_another_one_stays_as_long_as_either_is_in_use(world, run, path):
    bring(world, folder())
    bring(world, sync("inner", ONE, f"{SHARED}/sub", require_lock=True), run="run-2")
    assert remove(world, SHARED + path)["paths_removed"] == []
    for notes, user in ((world.shared / "abc", "run-1"), (world.shared / "abc/sub", "run-2")):
        if user != run:
            SharedNotes(notes).release(user)
    assert remove(world, SHARED + path)["paths_removed"] == []
    SharedNotes(world.shared / "abc").release("run-1")
    SharedNotes(world.shared / "abc/sub").release("run-2")
    assert remove(world, SHARED + path)["size_bytes_removed"] >= 4


def test_of_a_folder_with_inputs_goes_what_no_run_uses(world):
    bring(world, folder())
    bring(world, sync("g", ONE, f"{FS}:/shared/free", require_lock=True), run="run-2")
    (world.shared / "loose").mkdir()
    (world.shared / "loose/file").write_bytes(b"123")
    (world.folder / "shared-not").write_bytes(b"1")
    SharedNotes(world.shared / "free").release("run-2")
    request = RemoveDataPathsRequest(paths=(f"{FS}:/shared",))
    told = remove_paths(request, whole(world), NOW).to_wire()
    assert told == {"size_bytes_removed": 7, "paths_removed": []}
    assert content(world.shared) == {"abc/a": b"a1", "abc/b/c": b"c1"}
    assert users(world) == ("run-1",)


def test_of_a_link_to_shared_inputs_only_the_link_goes(world):
    bring(world, folder())
    finish(world)
    (world.folder / "link").symlink_to(world.shared)
    request = RemoveDataPathsRequest(paths=(f"{FS}:/link",))
    assert remove_paths(request, whole(world), NOW).size_bytes_removed == 0
    assert not (world.folder / "link").is_symlink()
    assert content(world.shared) == {"abc/a": b"a1", "abc/b/c": b"c1"}


def test_what_is_being_brought_is_not_removed(world):
    bring(world, single())
    finish(world)
    place = Places(world.mounts, ROOT).find_open(SHARED)
    with locked(place):
        assert remove(world)["paths_removed"] == []
    assert remove(world)["paths_removed"] != []


def test_the_lease_is_there_before_the_first_byte_and_the_lock_is_held(world):
    seen = []

    class Looking(FakeObjects):
        """Somebody wants to remove the input as it arrives."""

        def download(self, uri, path):
            seen.append((users(world), remove(world)["paths_removed"]))
            super().download(uri, path)

    world.objects = Looking(world.objects.content)
    bring(world, single())
    assert seen == [(("run-1",), [])]


@pytest.mark.parametrize(
    "path", [f"{FS}:/shared/{SHARED_NOTES}", f"{FS}:/shared/{SHARED_NOTES}/abc"]
)
def test_the_notes_are_not_shown_removed_or_written_as_inputs(world, path):
    bring(world, single())
    before = tree(world.shared)
    assert remove(world, path)["paths_removed"] == []
    assert tree(world.shared) == before
    shown = list_paths(ListDataPathsRequest(path=f"{FS}:/shared"), None, Locations(world.mounts))
    assert not any(SHARED_NOTES in each for each in shown.paths)
    assert world.work("stage-in", world.stage_in(sync("x", ONE, f"{path}/x"))) == 1
    assert "notes on shared inputs" in world.outcome.error


def test_shared_inputs_are_not_cut_into_batches_and_the_finish_brings_them(world):
    own = sync("own", IN, f"{ROOT}/in", require_lock=True)
    order = world.stage_in(own, folder(), batches_prefix="s3://docs/b/", batch_bytes=2)
    told = stage_in_batches.divide(order, world.objects, world.carrier())
    assert told == {"batches": 2, "plan": "s3://docs/b/"}
    stored = [each.decode() for uri, each in world.objects.content.items() if "/b/r" in uri]
    assert not any(SHARED in text for text in stored)
    bring(world, own)
    world.objects.put(f"{IN}/a", b"a2")
    told = stage_in_batches.finish(order, world.objects, world.carrier(), lambda: NOW)
    assert told["params"]["data"]["files"] == 2
    assert content(world.shared) == {"abc/a": b"a2", "abc/b/c": b"c1"}
    alone = order.model_copy(update={"syncs": (folder(),)})
    assert stage_in_batches.divide(alone, world.objects, world.carrier()) is None


def test_what_a_link_on_the_way_leads_to_is_not_even_touched(world):
    victim = world.folder / "victim/genome.fa"
    victim.parent.mkdir()
    victim.write_bytes(b"ACGT")
    os.utime(victim, (1.75e9, 1.75e9))
    world.root.mkdir()
    (world.root / "link").symlink_to(victim.parent)
    assert world.work("stage-in", world.stage_in(sync("g", ONE, f"{ROOT}/link/genome.fa"))) == 1
    assert "leads out" in world.outcome.error
    assert victim.stat().st_mtime == 1.75e9


def test_an_input_in_the_runs_own_root_has_no_notes(world):
    bring(world, sync("own", IN, f"{ROOT}/in", require_lock=True))
    assert content(world.folder) == tree(world.folder)


def test_a_lease_that_cannot_be_ended_does_not_keep_the_rest(world):
    world.write("mine")
    (world.shared / SHARED_NOTES).symlink_to("/proc/nowhere")
    assert finish(world)["paths_removed"] == [f"{FS}:/scratch/run-1"]


@pytest.mark.parametrize("is_isolated", [True, False], ids=["isolated", "shared"])
def test_a_run_ends_the_leases_of_the_inputs_that_it_does_not_own(is_isolated):
    document = {
        "demand_execution": a_demand(),
        "context_manager_configuration": {"isolate_inputs": is_isolated},
    }
    plan = the_plan(document=document)
    stage_in_order = StageInOrder.model_validate_json(order_of(plan, "stage-in"))
    told = CleanUpOrder.model_validate_json(order_of(plan, "clean-up")).shared_inputs
    destinations = tuple(each.request.destination_path for each in stage_in_order.syncs)
    assert destinations
    assert told == (() if is_isolated else destinations)
