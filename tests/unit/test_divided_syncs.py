"""Divided syncs: what stands in a batch's way, and names that no request of its own can bear."""

from __future__ import annotations

import json

import pytest

from chalicelib.core.data_sync.batching import mistakable, request_for
from chalicelib.core.data_sync.partition import Node
from chalicelib.core.data_sync.requests import PrepareBatchDataSyncRequest
from chalicelib.core.errors import InvalidRequest
from chalicelib.worker.sync import reading
from chalicelib.worker.sync.batches import prepare_batches
from tests.unit.sync_world import FS, B, Died, tree
from tests.unit.test_worker_sync_job import PLAN, Bench

ODD = ("b~1", "c#2%20", "d/[x]/1", "d/[x]/2", "g", "über")
"""Keys as S3 has them, with characters that the wire format's paths do not have."""
WITHIN = (f"{B}/in/", f"{B}/out/")


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path)


def requests_in(bench):
    return [
        each
        for uri, content in bench.objects.content.items()
        if uri.startswith(f"{PLAN}request_")
        for each in json.loads(content)
    ]


@pytest.mark.parametrize("ends", [WITHIN, (f"{B}/in/", f"{FS}:/out"), (f"{FS}:/in", f"{B}/out/")])
def test_names_that_no_request_can_bear_arrive_all_the_same(bench, ends):
    bench.world.objects(*ODD)
    bench.world.files(*ODD, at="mnt/in")
    result = bench.all_of_it(bench.order(*ends))
    assert result["result"]["files_transferred"] == len(ODD)
    to_bucket = ends[1].startswith("s3://")
    there = bench.world.stored(f"{B}/out") if to_bucket else tree(bench.world.mount / "out")
    assert there == {name: name for name in ODD}
    assert [each["source_path"].rpartition("/")[2] for each in requests_in(bench)] == ["g"]
    assert f"{PLAN}left.json" in bench.objects.content


@pytest.mark.parametrize("names", [("d", "d/x", "eee"), ("a//b", "a/c", "eee"), ("a//b", "eee")])
def test_an_object_that_would_be_taken_for_another_is_in_no_batch(bench, names):
    bench.world.objects(*names)
    bench.all_of_it(bench.order(*WITHIN))
    assert bench.world.stored(f"{B}/out") == {name: name for name in names}


@pytest.mark.parametrize("options", [{}, {"force": True}], ids=str)
def test_what_was_in_no_batch_is_looked_at_as_closely_as_was_asked(bench, options):
    bench.world.objects(*ODD)
    for name in ODD:
        bench.world.carrier.put(f"{B}/out/{name}", b"x" * len(name.encode()), bench.world.clock())
    bench.all_of_it(bench.order(*WITHIN, **options))
    assert bench.world.stored(f"{B}/out") == {name: name for name in ODD}


def test_where_all_was_in_batches_the_last_job_only_looks_for_what_was_missed(bench):
    bench.world.objects("a", "b", "cc")
    order = bench.order(*WITHIN, force=True)
    for index in range(bench.divide(order)["batches"]):
        assert bench.child(index) == 0
    done = len(bench.world.carrier.steps)
    bench.finish(order)
    assert {verb for verb, _ in bench.world.carrier.steps[done:]} <= {"list", "head"}


def test_the_wire_formats_own_cutting_refuses_such_a_name_in_words(bench):
    bench.world.objects(*ODD)
    request = {"source_path": WITHIN[0], "destination_path": WITHIN[1],
               "batch_size_bytes_limit": 3}  # fmt: skip
    with pytest.raises(InvalidRequest, match="' cannot be asked for by itself"):
        prepare_batches(PrepareBatchDataSyncRequest.parse(request), bench.world.data_sync)


@pytest.mark.parametrize(
    ("path", "is_fit"),
    [("a/b", True), ("a b", True), ("a\nb", False), ("a//b", False), ("é", False), ("a~", False)],
)
def test_a_node_has_a_request_of_its_own_where_its_name_survives_it(path, is_fit):
    ends = {"source_path": WITHIN[0], "destination_path": WITHIN[1]}
    made = request_for(PrepareBatchDataSyncRequest.parse(ends), Node(path, 1, is_folder=False))
    assert (made.source_path if made else None) == (f"{B}/in/{path}" if is_fit else None)


def test_only_a_file_with_others_below_it_is_mistakable():
    names = ("a", "a-b", "a/x", "b", "b0/y", "c/", "d")
    nodes = [Node(name, 1, is_folder=name.endswith("/")) for name in names]
    assert mistakable(nodes) == {"a"}


def in_the_way(bench):
    bench.world.objects("a/1", "a/2", "b", "c")
    bench.world.files("a", "b/x", "b/y/z", "extra", at="mnt/out")
    (bench.world.mount / "out/c/empty").mkdir(parents=True)
    return bench.order(f"{B}/in/", f"{FS}:/out", delete=True)


def test_divided_with_delete_files_and_folders_change_places(bench):
    order = in_the_way(bench)
    told = bench.divide(order)
    assert told["batches"] > 1
    assert "extra" in tree(bench.world.mount / "out"), (
        "only what is in the way goes before the end"
    )
    for index in range(told["batches"]):
        assert bench.child(index) == 0
    bench.finish(order)
    assert tree(bench.world.mount / "out") == {name: name for name in ("a/1", "a/2", "b", "c")}


def test_to_make_way_nothing_is_read_and_an_upload_needs_none(bench, monkeypatch):
    monkeypatch.setattr(reading, "holds_the_same", lambda *_: pytest.fail("read a file"))
    bench.world.objects("a", "b")
    bench.world.files("a", "b", at="mnt/out", when=bench.world.clock())
    request = bench.world.request(f"{B}/in/", f"{FS}:/out", delete=True)
    bench.world.data_sync.make_way(request)
    bench.world.carrier.steps.clear()
    bench.world.data_sync.make_way(bench.world.request(f"{FS}:/out", f"{B}/up/", delete=True))
    assert bench.world.carrier.steps == []


def test_divided_without_delete_nothing_that_is_in_the_way_goes(bench):
    order = in_the_way(bench)
    kept = order.model_copy(update={"request": order.request.model_copy(update={"delete": False})})
    before = tree(bench.world.mount / "out")
    bench.objects.content["s3://own/order"] = kept.model_dump_json().encode()
    told = bench.divide(kept)
    assert 1 in [bench.child(index) for index in range(told["batches"])]
    assert before.items() <= tree(bench.world.mount / "out").items()


@pytest.mark.parametrize("is_after", [False, True], ids=["before", "after"])
def test_killed_while_it_makes_way_it_ends_the_same(tmp_path, is_after):
    for step in range(20):
        folder = tmp_path / str(step)
        folder.mkdir()
        bench = Bench(folder)
        order = in_the_way(bench)
        carrier = bench.world.carrier
        carrier.dies_at, carrier.dies_after_effect = step, is_after
        try:
            bench.divide(order)
        except Died:
            carrier.dies_at = None
        else:
            assert step > 1
            return
        bench.all_of_it(order)
        assert tree(bench.world.mount / "out") == {name: name for name in ("a/1", "a/2", "b", "c")}
