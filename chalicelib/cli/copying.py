"""``put`` and ``get``: files and folders between this machine and the embedded home's buckets.

A folder is copied with everything below it, names kept; empty folders do not exist in S3. What
comes back never lands outside the folder that was named.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from chalicelib.cli.complaints import Complaint, Exit
from chalicelib.cli.places import embedded, open_home
from chalicelib.core.documents import at_field
from chalicelib.core.paths import join_s3, s3_parts
from chalicelib.ports import ObjectStore


def put(arguments: argparse.Namespace) -> Exit:
    """``put LOCAL s3://…``: copy a file, or all of a folder."""
    store = _store(arguments, f"aws s3 cp {arguments.local} {arguments.uri}")
    local, uri = Path(arguments.local), arguments.uri
    with at_field("uri"):
        s3_parts(uri)
    if not local.exists():
        mend = "correct the path; it counts from the folder that you are in"
        raise Complaint(
            "there is no such file or folder", field="LOCAL", value=str(local), mend=mend
        )
    count = 0
    for path, target in _uploads(local, uri):
        store.upload(path, target)
        count += 1
    print(f"{count} file{'' if count == 1 else 's'} → {uri}")
    return Exit.SUCCESS


def get(arguments: argparse.Namespace) -> Exit:
    """``get s3://… LOCAL``: copy an object, or everything below a name."""
    store = _store(arguments, f"aws s3 cp {arguments.uri} {arguments.local}")
    with at_field("uri"):
        s3_parts(arguments.uri)
    count = 0
    for uri, path in _downloads(store, arguments.uri, arguments.local):
        path.parent.mkdir(parents=True, exist_ok=True)
        store.download(uri, path)
        count += 1
    if count == 0:
        mend = "correct it; `falsework paths list s3://BUCKET/` shows what is there"
        raise Complaint("nothing has that name", field="uri", value=arguments.uri, mend=mend)
    print(f"{count} file{'' if count == 1 else 's'} → {arguments.local}")
    return Exit.SUCCESS


def _store(arguments: argparse.Namespace, instead: str) -> ObjectStore:
    return open_home(embedded(arguments, f"for a deployment's buckets: {instead}")).objects


def _uploads(local: Path, uri: str) -> Iterator[tuple[Path, str]]:
    if not local.is_dir():
        is_folder = uri.endswith("/") or not s3_parts(uri).key
        yield local, join_s3(uri, local.name) if is_folder else uri
        return
    for folder, _, names in os.walk(local):
        for name in sorted(names):
            path = Path(folder, name)
            if path.is_file():  # no sockets, pipes or dangling links
                yield path, join_s3(uri, path.relative_to(local).as_posix())


def _downloads(store: ObjectStore, uri: str, local: str) -> Iterator[tuple[str, Path]]:
    """Yield (object, file). An object of exactly that name is a file, others a folder."""
    target = Path(local)
    prefix = uri.rstrip("/")
    for found in store.list(prefix):
        if found.uri == uri:
            is_folder = target.is_dir() or local.endswith("/")
            yield uri, target / uri.rpartition("/")[2] if is_folder else target
            return
        if found.uri != prefix:
            yield found.uri, _inside(target, found.uri.removeprefix(f"{prefix}/"))


def _inside(folder: Path, key: str) -> Path:
    if ".." in PurePosixPath(key).parts or key.startswith("/"):
        raise Complaint("the object's name leaves the folder", field="key", value=key)
    return folder / key
