"""How far a transfer is, for people and for logs; and whether an output is what it should be."""

from __future__ import annotations

import io
import json

import pytest

from chalicelib.core.data_sync.manifest import ManifestFile, manifest_of
from chalicelib.core.data_sync.plan import Tally
from chalicelib.core.errors import InvalidRequest, NotFound
from chalicelib.worker.sync.progress import Progress
from chalicelib.worker.sync.verify import Problem, verify
from tests.unit.sync_world import NOW, B, World


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def moved(progress: Progress, clock: Clock, seconds: float, size_bytes: int) -> None:
    clock.now += seconds
    progress.bytes_done(size_bytes)
    progress.file_done()


def test_a_terminal_gets_one_line_that_renews_itself():
    out, clock = Terminal(), Clock()
    progress = Progress("in/", Tally(4, 40 * 1024**2), out, clock=clock)
    moved(progress, clock, 1.0, 10 * 1024**2)
    moved(progress, clock, 0.1, 10 * 1024**2)
    moved(progress, clock, 0.9, 10 * 1024**2)
    progress.finish()
    lines = out.getvalue().split("\r")
    assert lines[1] == "in/: 0 of 4 files, 10.0 of 40.0 MiB, 10.0 MiB/s, 0:03 left"
    assert lines[-1].rstrip() == "in/: 3 of 4 files, 30.0 of 40.0 MiB, 15.0 MiB/s, 0:01 left"
    assert out.getvalue().endswith("\n")


def test_a_log_gets_a_json_line_every_few_seconds():
    out, clock = io.StringIO(), Clock()
    progress = Progress("in/", Tally(100, 1000), out, clock=clock)
    for _ in range(60):
        moved(progress, clock, 0.2, 10)
    progress.finish()
    entries = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [round(entry["seconds"]) for entry in entries] == [5, 10]
    assert entries[0] | {"files": 0, "bytes": 0, "seconds": 0, "seconds_left": 0} == {
        "event": "progress",
        "label": "in/",
        "files": 0,
        "files_total": 100,
        "bytes": 0,
        "bytes_total": 1000,
        "bytes_per_second": 50,
        "seconds": 0,
        "seconds_left": 0,
    }
    assert entries[0]["seconds_left"] == round((1000 - entries[0]["bytes"]) / 50)


def test_a_short_transfer_says_nothing():
    out, clock = io.StringIO(), Clock()
    progress = Progress("in/", Tally(1, 1), out, clock=clock)
    moved(progress, clock, 0.1, 1)
    progress.finish()
    assert out.getvalue() == ""


def output(world: World, root: str, *names: str) -> None:
    files = []
    for name in names:
        world.carrier.put(root + name if root.endswith("/") else root, name.encode())
        digest = __import__("hashlib").sha256(name.encode()).hexdigest()
        files.append(ManifestFile(path=name, bytes=len(name), sha256=digest))
    manifest = manifest_of(tuple(files), run="r", param="p", source="fs-1:/x", created_at=NOW)
    text = manifest.model_dump_json().encode()
    world.carrier.put(f"{root}.falsework-manifest.json", text)


@pytest.mark.parametrize("uri", [f"{B}/out/", f"{B}/out"])
def test_a_good_output_has_no_differences(tmp_path, uri):
    world = World(tmp_path)
    output(world, f"{B}/out/", "a", "b/c")
    world.objects("extra", at=f"{B}/out")
    assert verify(uri, world.carrier) == []


def test_a_single_object_is_verified(tmp_path):
    world = World(tmp_path)
    output(world, f"{B}/one", "one")
    assert verify(f"{B}/one", world.carrier) == []
    world.carrier.put(f"{B}/one", b"ONE")
    assert [each.problem for each in verify(f"{B}/one", world.carrier)] == [Problem.CONTENT]


def test_every_difference_is_told(tmp_path):
    world = World(tmp_path)
    output(world, f"{B}/out/", "gone", "long", "other", "same")
    del world.carrier.content[f"{B}/out/gone"]
    world.carrier.put(f"{B}/out/long", b"longer")
    world.carrier.put(f"{B}/out/other", b"OTHER")
    found = [(each.uri, each.problem) for each in verify(f"{B}/out/", world.carrier)]
    assert found == [
        (f"{B}/out/gone", Problem.MISSING),
        (f"{B}/out/long", Problem.SIZE),
        (f"{B}/out/other", Problem.CONTENT),
    ]


def test_without_a_manifest_nothing_is_vouched_for(tmp_path):
    world = World(tmp_path)
    world.objects("a", at=f"{B}/out")
    with pytest.raises(NotFound):
        verify(f"{B}/out/", world.carrier)
    world.carrier.put(f"{B}/out/.falsework-manifest.json", b"{}")
    with pytest.raises(InvalidRequest, match="not a manifest"):
        verify(f"{B}/out/", world.carrier)
