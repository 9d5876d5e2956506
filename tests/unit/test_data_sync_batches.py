"""Cutting a sync up, and carrying out many."""

from __future__ import annotations

import json

import pytest

from chalicelib.core.data_sync.batch_requests import read_batch, read_prepare
from chalicelib.core.errors import InvalidRequest
from chalicelib.worker.sync.batches import batch_sync, prepare_batches
from tests.unit.sync_world import B, World, tree


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def prepare(world, source, destination, **options):
    asked = {"source_path": source, "destination_path": destination, **options}
    request = read_prepare(asked, delete_by_default=False)
    return prepare_batches(request, world.data_sync).to_wire()["requests"]


def batch(world, document, *, delete_by_default=False):
    request = read_batch(document, delete_by_default=delete_by_default)
    answer = batch_sync(request, world.data_sync, delete_by_default=delete_by_default)
    return answer.to_wire()


def ends(batches):
    return [
        [(each["source_path"], each["destination_path"]) for each in batch["requests"]]
        for batch in batches
    ]


def test_a_local_folder_is_cut_without_slashes_at_the_ends_of_local_paths(world):
    src = world.files("a", "b/1", "b/2", text="x" * 60)
    found = ends(prepare(world, str(src), f"{B}/out", batch_size_bytes_limit=120))
    assert found == [[(f"{src}/b", f"{B}/out/b/")], [(f"{src}/a", f"{B}/out/a")]]


@pytest.mark.parametrize("limit", [None, 0])
def test_without_a_limit_there_is_one_batch(world, limit):
    world.objects("a", "b/c")
    found = ends(prepare(world, f"{B}/in", f"{B}/out", batch_size_bytes_limit=limit))
    assert found == [[(f"{B}/in/", f"{B}/out/")]]


def test_a_single_object_stays_what_it_is(world):
    world.objects("a")
    assert ends(prepare(world, f"{B}/in/a", f"{B}/out")) == [[(f"{B}/in/a", f"{B}/out")]]


def test_filters_that_leave_nothing_are_no_batches_where_the_source_may_be_missing(world):
    world.objects("a")
    options = {"filter_config": {"include": "no"}, "fail_if_missing": False}
    assert prepare(world, f"{B}/in/", f"{B}/out/", **options) == []


@pytest.mark.parametrize("options", [{}, {"source_path_prefix": "in/"}], ids=["plain", "prefix"])
def test_the_batches_together_do_what_the_whole_would(world, options):
    names = [f"{folder}/{number}" for folder in "abc" for number in range(4)] + ["top"]
    world.objects(*names, text="x" * 30)
    filtered = {"filter_config": {"exclude": "b/2"}, **options}
    world.sync(f"{B}/in/", f"{B}/whole/", **filtered)
    batches = prepare(world, f"{B}/in/", f"{B}/cut", batch_size_bytes_limit=70, **filtered)
    assert len(batches) > 3
    for each in batches:
        batch(world, each)
    assert world.stored(f"{B}/cut") == world.stored(f"{B}/whole")


@pytest.mark.parametrize("prefix", [f"{B}/payload/", f"{B}/payload"])
def test_stored_requests_are_read_again(world, prefix):
    world.objects("a", "b", text="x" * 60)
    batches = prepare(
        world,
        f"{B}/in/",
        world.path("dst"),
        batch_size_bytes_limit=100,
        temporary_request_payload_path=prefix,
    )
    assert [each["requests"] for each in batches] == [
        f"{B}/payload/request_{index}.json" for index in range(2)
    ]
    for each in batches:
        assert batch(world, each)["result"]["successful_requests_count"] == 1
    assert sorted(tree(world.folder / "dst")) == ["a", "b"]


def test_the_fields_of_one_request_may_stand_at_the_top(world):
    world.objects("a")
    answer = batch(
        world,
        {
            "sourcePath": f"{B}/in/",
            "destination_path": f"{B}/out/",
            "include_detailed_response": True,
            "allow_partial_failure": True,
        },
    )
    assert answer["result"]["files_transferred"] == 1
    assert answer["failed_requests"] == []


@pytest.mark.parametrize("is_default", [True, False])
@pytest.mark.parametrize("is_stored", [True, False])
def test_a_request_without_delete_gets_what_the_site_says(world, is_default, is_stored):
    world.objects("a")
    world.objects("old", at=f"{B}/out")
    requests = [{"source_path": f"{B}/in/", "destination_path": f"{B}/out/"}]
    world.carrier.put(f"{B}/list.json", json.dumps(requests).encode())
    given = f"{B}/list.json" if is_stored else requests
    batch(world, {"requests": given}, delete_by_default=is_default)
    assert (f"{B}/out/old" in world.carrier.content) is not is_default


def test_the_first_failure_ends_a_batch_unless_some_may_fail(world):
    world.objects("a")
    bad = {"source_path": f"{B}/none/", "destination_path": f"{B}/o1/"}
    good = {"source_path": f"{B}/in/", "destination_path": f"{B}/o2/"}
    with pytest.raises(FileNotFoundError):
        batch(world, {"requests": [bad, good]})
    assert world.stored(f"{B}/o2") == {}
    answer = batch(world, {"requests": [bad, good], "allow_partial_failure": True})
    assert [each["source_path"] for each in answer["failed_requests"]] == [f"{B}/none/"]
    assert world.stored(f"{B}/o2") == {"a": "a"}


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ({"requests": [{}]}, "requests.0.source_path"),
        ({"requests": 3}, "requests"),
        ({}, "requests.0.source_path"),
        ({"requests": "s3://x"}, "requests"),
    ],
)
def test_a_bad_batch_is_told_where(world, document, field):
    with pytest.raises(InvalidRequest) as caught:
        batch(world, document)
    assert caught.value.field.startswith(field)


@pytest.mark.parametrize("text", ["{}", "no json", "3"])
def test_a_stored_list_that_is_none_is_refused(world, text):
    world.carrier.put(f"{B}/list.json", text.encode())
    with pytest.raises(InvalidRequest):
        batch(world, {"requests": f"{B}/list.json"})
