"""What the worker packs: the run's own files, or those of them that its workflow declares."""

from __future__ import annotations

import tarfile

import pytest

from chalicelib.core.data_sync.manifest import manifest_uri
from chalicelib.core.errors import NotFound, Unavailable
from chalicelib.core.worker_documents import ArchivedOutput, ArchiveOrder
from chalicelib.local.contents import LocalContents
from chalicelib.local.object_store import LocalObjectStore
from chalicelib.worker.archiving import archive
from tests.unit.flowserv.values import a_manifest

URI = "s3://bkt/run/"
OUTPUT = ArchivedOutput(param="out", uri=URI, manifest=manifest_uri(URI))


@pytest.fixture
def store(tmp_path):
    store = LocalObjectStore(tmp_path)
    store.write(f"{URI}a.txt", b"abc")
    store.write(f"{URI}d/b.json", b"{}")
    manifest = a_manifest("r1", "out", a_txt=3, d__b_json=2)
    store.write(OUTPUT.manifest, manifest.model_dump_json().encode())
    return store


def pack(store, **changes):
    order = ArchiveOrder(run_id="r1", outputs=(OUTPUT,), destination="s3://own/archives/x")
    told = archive(order.model_copy(update=changes), store, LocalContents(store))
    with tarfile.open(store.path_of(order.destination)) as tar:
        return told, {member.name: tar.extractfile(member).read() for member in tar}


def test_all_files_are_packed_under_their_keys(store):
    told, content = pack(store)
    assert content == {"out/a.txt": b"abc", "out/d/b.json": b"{}"}
    size = store.path_of("s3://own/archives/x").stat().st_size
    assert told == {"uri": "s3://own/archives/x", "files": 2, "bytes": size}


def test_only_declared_files_are_packed_where_there_are_any(store):
    assert list(pack(store, keys=("out/a.txt", "out/none"))[1]) == ["out/a.txt"]


def test_an_output_that_another_run_has_taken_is_left_out(store):
    assert pack(store, run_id="r2")[1] == {}


@pytest.mark.parametrize(
    ("change", "error"),
    [
        pytest.param(lambda store: store.remove(f"{URI}a.txt"), NotFound, id="removed"),
        pytest.param(
            lambda store: store.write(f"{URI}a.txt", b"abcd"), Unavailable, id="replaced"
        ),
    ],
)
def test_a_file_that_is_not_what_it_was_leaves_no_archive(store, change, error):
    change(store)
    with pytest.raises(error):
        pack(store)
    assert list(store.list("s3://own")) == []
