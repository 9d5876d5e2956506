"""Staging out: content and manifests arrive in the right order, and nothing else is touched."""

from __future__ import annotations

import hashlib
import os
import socket
from pathlib import Path

import pytest

from tests.unit.worker_world import FS, ROOT, Died, FakeObjects, World, sync

OUT = "s3://home/results"
MANIFEST = ".falsework-manifest.json"


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def report(destination: str = f"{OUT}/report", **options):
    return sync("report", f"{ROOT}/report", destination, **options)


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def stored(world: World) -> dict[str, bytes]:
    """Everything at home but manifests."""
    return {
        uri: content
        for uri, content in world.objects.content.items()
        if uri.startswith("s3://home/") and not uri.endswith(MANIFEST)
    }


def refused(world: World, order, *words: str) -> None:
    before = dict(world.objects.content)
    assert world.work("stage-out", order) == 1
    for word in words:
        assert word in (world.outcome.error or "")
    after = {uri: each for uri, each in world.objects.content.items() if "docs" not in uri}
    assert after == {uri: each for uri, each in before.items() if "docs" not in uri}


def test_a_folder_goes_below_its_prefix_with_a_manifest(world):
    world.write("report/report.tsv", b"name\tgc\n")
    world.write("report/deep/gc.svg", b"<svg/>")
    assert world.work("stage-out", world.stage_out(report())) == 0
    assert stored(world) == {
        f"{OUT}/report/report.tsv": b"name\tgc\n",
        f"{OUT}/report/deep/gc.svg": b"<svg/>",
    }
    manifest = world.manifest(f"{OUT}/report/{MANIFEST}")
    assert manifest.pop("created_at").endswith("Z")
    assert manifest == {
        "run": "run-1",
        "param": "report",
        "source": f"{ROOT}/report",
        "files": [
            {"path": "deep/gc.svg", "bytes": 6, "sha256": sha(b"<svg/>")},
            {"path": "report.tsv", "bytes": 8, "sha256": sha(b"name\tgc\n")},
        ],
        "total_files": 2,
        "total_bytes": 14,
    }
    assert world.outcome.result == {
        "outputs": {
            "report": {
                "uri": f"{OUT}/report/",
                "manifest": f"{OUT}/report/{MANIFEST}",
                "files": 2,
                "bytes": 14,
            }
        }
    }
    assert (world.root / "report/report.tsv").exists()


@pytest.mark.parametrize(
    ("destination", "key"),
    [
        (f"{OUT}/r.txt", f"{OUT}/r.txt"),
        (f"{OUT}/", f"{OUT}/report"),
        ("s3://home", "s3://home/report"),
        ("s3://home/", "s3://home/report"),
    ],
)
def test_a_file_becomes_the_key_or_goes_below_a_prefix(world, destination, key):
    world.write("report", b"text")
    assert world.work("stage-out", world.stage_out(report(destination))) == 0
    assert stored(world) == {key: b"text"}
    manifest = world.manifest(key + MANIFEST)
    assert manifest["files"] == [{"path": "report", "bytes": 4, "sha256": sha(b"text")}]


def test_an_empty_folder_has_a_manifest_of_no_files(world):
    (world.root / "report").mkdir(parents=True)
    assert world.work("stage-out", world.stage_out(report())) == 0
    assert stored(world) == {}
    assert world.manifest(f"{OUT}/report/{MANIFEST}")["total_files"] == 0


def test_content_is_stored_even_where_size_and_time_look_the_same(world):
    world.objects.put(f"{OUT}/report/a", b"old")
    os.utime(world.write("report/a", b"new"), (0, 0))
    assert world.work("stage-out", world.stage_out(report())) == 0
    assert stored(world) == {f"{OUT}/report/a": b"new"}


def test_filters_choose_what_is_stored(world):
    world.write("report/a.txt")
    world.write("report/b.bam")
    order = world.stage_out(
        report(filter_config={"include": [r".*\.txt", "b.*"], "exclude": "b.*"})
    )
    assert world.work("stage-out", order) == 0
    assert list(stored(world)) == [f"{OUT}/report/a.txt"]


def test_a_filter_keeps_files_in_folders_that_it_does_not_name(world):
    world.write("report/deep/er/a.txt")
    order = world.stage_out(report(filter_config={"include": r".*\.txt"}))
    assert world.work("stage-out", order) == 0
    assert list(stored(world)) == [f"{OUT}/report/deep/er/a.txt"]


def test_a_file_that_is_called_like_a_manifest_is_left_out(world):
    world.write(f"report/{MANIFEST}", b"not ours")
    world.write(f"report/a{MANIFEST}", b"not ours")
    world.write("report/a", b"a")
    assert world.work("stage-out", world.stage_out(report())) == 0
    assert [file["path"] for file in world.manifest(f"{OUT}/report/{MANIFEST}")["files"]] == ["a"]
    assert f"{OUT}/report/a{MANIFEST}" not in world.objects.content


def test_links_inside_the_root_are_content(world):
    world.write("work/data.bin", b"data")
    world.write("work/more/x", b"x")
    world.write("report/a", b"a")
    (world.root / "report/link").symlink_to("../work/data.bin")
    (world.root / "report/twice").symlink_to("link")
    (world.root / "report/folder").symlink_to(world.root / "work/more")
    assert world.work("stage-out", world.stage_out(report())) == 0
    assert stored(world) == {
        f"{OUT}/report/a": b"a",
        f"{OUT}/report/link": b"data",
        f"{OUT}/report/twice": b"data",
        f"{OUT}/report/folder/x": b"x",
    }


def test_an_output_that_is_a_link_is_stored_under_its_own_name(world):
    world.write("work/final.txt", b"data")
    (world.root / "report").symlink_to("work/final.txt")
    assert world.work("stage-out", world.stage_out(report(f"{OUT}/"))) == 0
    assert stored(world) == {f"{OUT}/report": b"data"}


def link(target: str):
    return lambda world: (world.root / "report/odd").symlink_to(target)


def pipe(world):
    os.mkfifo(world.root / "report/odd")


def socket_file(world):
    here = Path.cwd()
    os.chdir(world.root / "report")  # a socket's path has at most 108 characters
    try:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind("odd")
    finally:
        os.chdir(here)


def not_utf8(world):
    (world.root / "report" / os.fsdecode(b"odd\xff")).write_bytes(b"x")


def folder_not_utf8(world):
    folder = world.root / "report" / os.fsdecode(b"odd\xff")
    folder.mkdir()
    (folder / "fine").write_bytes(b"x")


def too_long(world):
    world.write("report/odd/" + "/".join("d" * 200 for _ in range(6)))


UNFIT = [
    pytest.param(link("/etc/passwd"), "leads out", id="absolute link out"),
    pytest.param(link("../../run-2/secret"), "leads out", id="link to another run"),
    pytest.param(link(".."), "a folder that it is in", id="link to the root"),
    pytest.param(link("."), "a folder that it is in", id="link to its own folder"),
    pytest.param(link("odd"), "leads nowhere", id="link to itself"),
    pytest.param(link("missing"), "leads nowhere", id="broken link"),
    pytest.param(pipe, "neither a file nor a folder", id="pipe"),
    pytest.param(socket_file, "neither a file nor a folder", id="socket"),
    pytest.param(not_utf8, "not UTF-8", id="name that is not UTF-8"),
    pytest.param(folder_not_utf8, "not UTF-8", id="folder whose name is not UTF-8"),
    pytest.param(too_long, "1024 bytes", id="key too long"),
]


@pytest.mark.parametrize(("make", "words"), UNFIT)
def test_what_cannot_be_stored_is_named_unless_it_is_excluded(world, make, words):
    (world.scratch / "run-2").mkdir()
    (world.scratch / "run-2/secret").write_bytes(b"!")
    world.write("report/good", b"good")
    make(world)
    refused(world, world.stage_out(report()), "report: ", "odd", words, "exclude")

    world.objects = FakeObjects()
    order = world.stage_out(report(filter_config={"exclude": "odd.*"}))
    assert world.work("stage-out", order) == 0
    assert stored(world) == {f"{OUT}/report/good": b"good"}


def test_only_the_name_that_is_stored_has_to_be_utf8(world):
    world.write("report/good", b"good")
    (world.root / os.fsdecode(b"odd\xff")).write_bytes(b"odd")
    (world.root / "report/link").symlink_to(os.fsdecode(b"../odd\xff"))
    assert world.work("stage-out", world.stage_out(report())) == 0
    assert stored(world) == {
        f"{OUT}/report/good": b"good",
        f"{OUT}/report/link": b"odd",
    }


def test_links_that_lead_through_each_other_end(world):
    world.write("a/x")
    world.write("b/y")
    (world.root / "a/to-b").symlink_to("../b")
    (world.root / "b/to-a").symlink_to("../a")
    order = world.stage_out(sync("o", f"{ROOT}/a", f"{OUT}/a"))
    refused(world, order, "o: ", "'to-b/to-a'", "a folder that it is in")


def test_an_output_that_leads_out_by_a_link_is_refused(world):
    world.root.mkdir()
    (world.folder / "secret").write_bytes(b"!")
    (world.root / "report").symlink_to(world.folder / "secret")
    refused(world, world.stage_out(report()), "report: ", "leads out")


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (report(), ["report: ", "has not written", "/run-1/report"]),
        (sync("o", f"{FS}:/scratch/run-2/o", f"{OUT}/o"), ["o: ", "outside of the run's own"]),
        (sync("o", f"{ROOT}/../run-2/o", f"{OUT}/o"), ["o: ", "outside of the run's own"]),
        (sync("o", f"{FS}:/other/o", f"{OUT}/o"), ["o: ", "not on a volume"]),
        (sync("o", f"{ROOT}/made", f"{FS}:/shared/o"), ["o: ", "not in the object store"]),
        (
            sync("o", f"{ROOT}/made", f"{OUT}/o", filter_config={"include": "z"}),
            ["o: ", "filter leaves out all 1 of its files"],
        ),
        (
            sync("o", f"{ROOT}/made/f", f"{OUT}/o", filter_config={"include": "z"}),
            ["o: ", "filter leaves out all 1 of its files"],
        ),
    ],
)
def test_an_order_that_cannot_be_carried_out_says_why_and_stores_nothing(world, request_, words):
    world.write("made/f", b"f")
    good = sync("good", f"{ROOT}/made", f"{OUT}/good")
    refused(world, world.stage_out(good, request_), *words)


def test_an_output_may_be_missing_where_the_request_allows_it(world):
    order = world.stage_out(report(fail_if_missing=False))
    assert world.work("stage-out", order) == 0
    empty = {"uri": f"{OUT}/report", "manifest": None, "files": 0, "bytes": 0}
    assert world.outcome.result == {"outputs": {"report": empty}}


@pytest.mark.parametrize(
    "remotes",
    [(f"{OUT}/x", f"{OUT}/x/"), (f"{OUT}/x", f"{OUT}/x"), (f"{OUT}", f"{OUT}/a")],
    ids=["one folder", "the same", "one's file is the other's folder"],
)
def test_two_outputs_that_would_overwrite_each_other_are_refused(world, remotes):
    world.write("one/a/f")
    world.write("two/f")
    one, two = remotes
    order = world.stage_out(sync("one", f"{ROOT}/one", one), sync("two", f"{ROOT}/two", two))
    refused(world, order, "two: ", "would both write", "destination of its own")


def test_outputs_may_lie_inside_each_other_and_delete_spares_the_others(world):
    world.write("one/a", b"1")
    world.write("two/b", b"2")
    world.write("three", b"3")
    for name in ("old", "", "marker/", "sub/old", "sub", "sub.txt", f"deeper/x{MANIFEST}"):
        world.objects.put(f"{OUT}/o/{name}", b"old")
    world.objects.put(f"{OUT}/o2/other", b"other")
    world.objects.put(f"{OUT}/o", b"other")
    order = world.stage_out(
        sync("two", f"{ROOT}/two", f"{OUT}/o/sub"),
        sync("one", f"{ROOT}/one", f"{OUT}/o", delete=True),
        sync("three", f"{ROOT}/three", f"{OUT}/o/three", delete=True),
    )
    assert world.work("stage-out", order) == 0
    assert stored(world) == {
        f"{OUT}/o/": b"old",
        f"{OUT}/o/marker/": b"old",
        f"{OUT}/o/a": b"1",
        f"{OUT}/o/sub/b": b"2",
        f"{OUT}/o/sub/old": b"old",
        f"{OUT}/o/three": b"3",
        f"{OUT}/o2/other": b"other",
        f"{OUT}/o": b"other",
    }
    assert f"{OUT}/o/deeper/x{MANIFEST}" in world.objects.content


@pytest.mark.parametrize("bucket", ["s3://home", "s3://home/"])
def test_nothing_is_ever_deleted_in_a_whole_bucket(world, bucket):
    world.write("report/a", b"1")
    world.objects.put("s3://home/precious", b"!")
    assert world.work("stage-out", world.stage_out(report(bucket, delete=True))) == 0
    assert stored(world) == {"s3://home/a": b"1", "s3://home/precious": b"!"}


def test_nothing_is_deleted_unless_the_request_says_so(world):
    world.write("report/a", b"1")
    world.objects.put(f"{OUT}/report/precious", b"!")
    assert world.work("stage-out", world.stage_out(report())) == 0
    assert f"{OUT}/report/precious" in stored(world)


def test_a_file_that_changes_while_it_is_stored_is_told(world):
    path = world.write("report/a", b"1")

    class Slow(FakeObjects):
        """An upload during which the job's forgotten process goes on writing."""

        def upload(self, source, uri):
            super().upload(source, uri)
            path.write_bytes(b"12")

    world.objects = Slow()
    assert world.work("stage-out", world.stage_out(report())) == 1
    assert "'a' changed while it was stored" in world.outcome.error
    assert f"{OUT}/report/{MANIFEST}" not in world.objects.content


def two_outputs(world: World):
    world.write("report/a", b"new a")
    world.write("report/b", b"new b")
    world.write("single", b"new single")
    return world.stage_out(
        report(delete=True, max_concurrency=1), sync("single", f"{ROOT}/single", f"{OUT}/single")
    )


OLD = {
    f"{OUT}/report/a": b"old a",
    f"{OUT}/report/gone": b"old",
    f"{OUT}/report/{MANIFEST}": b"old manifest",
    f"{OUT}/single": b"old single",
    f"{OUT}/single{MANIFEST}": b"old manifest",
}
CALLS = [
    ("read", "s3://docs/order"),
    ("remove", f"{OUT}/report/{MANIFEST}"),
    ("remove", f"{OUT}/single{MANIFEST}"),
    ("upload", f"{OUT}/report/a"),
    ("upload", f"{OUT}/report/b"),
    ("upload", f"{OUT}/single"),
    ("list", f"{OUT}/report"),
    ("remove", f"{OUT}/report/gone"),
    ("write", f"{OUT}/report/{MANIFEST}"),
    ("write", f"{OUT}/single{MANIFEST}"),
    ("write", "s3://docs/outcome"),
]


def test_manifests_go_first_and_come_last(world):
    order = two_outputs(world)
    world.objects = FakeObjects(OLD)
    assert world.work("stage-out", order) == 0
    assert world.objects.calls == CALLS


@pytest.mark.parametrize("after_effect", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("number", range(len(CALLS) + 1))
def test_killed_at_any_call_no_manifest_lies_and_a_repeat_ends_the_same(
    world, number, after_effect
):
    order = two_outputs(world)
    world.objects = FakeObjects(OLD)
    world.objects.dies_at, world.objects.dies_after_effect = number, after_effect
    try:
        world.work("stage-out", order)
    except Died:
        vouched_for(world)
    world.objects.dies_at = None
    assert world.work("stage-out", order, attempt=2) == 0
    vouched_for(world)
    assert stored(world) == {
        f"{OUT}/report/a": b"new a",
        f"{OUT}/report/b": b"new b",
        f"{OUT}/single": b"new single",
    }
    assert world.outcome.result["outputs"].keys() == {"report", "single"}


def vouched_for(world: World) -> None:
    """Every manifest that is visible is either old, beside old content, or true."""
    content = world.objects.content
    for base in (f"{OUT}/report/", f"{OUT}/single"):
        manifest = content.get(base + MANIFEST)
        if manifest == b"old manifest":
            assert {uri: content.get(uri) for uri in OLD} == OLD | {
                uri: content.get(uri) for uri in OLD if not uri.startswith(base)
            }
        elif manifest is not None:
            for file in world.manifest(base + MANIFEST)["files"]:
                uri = base + file["path"] if base.endswith("/") else base
                assert sha(content[uri]) == file["sha256"]
