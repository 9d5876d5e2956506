"""Products and plots: files that a work has made, stored as outputs of its run.

Each kind is one output, a folder with its manifest, written last::

    <files>/products/<name>    <files>/products/.falsework-manifest.json

``copy`` and ``move`` store a file and put its ``s3://`` location in the place of its path; what is
moved is removed here afterwards. ``delete`` removes it, ``bypass`` leaves it, and either keeps
the path. What is elsewhere already, or not there at all, keeps its name.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Final, NamedTuple

from pydantic import JsonValue

from chalicelib.carriers import Carrier
from chalicelib.core.data_sync.manifest import ManifestFile, manifest_of, manifest_uri
from chalicelib.core.errors import InvalidRequest
from chalicelib.core.work.leases import Lease
from chalicelib.worker.output_tree import OutputFile
from chalicelib.worker.transfers import MOST_THREADS, amount, say
from chalicelib.worker.uploading import Addressed, upload

STORING: Final = ("copy", "move")
REMOVING: Final = ("move", "delete")


class _Entry(NamedTuple):
    """One product or plot that is there, and what it is called below its output."""

    path: Path
    name: str


class Depot:
    """Where the files of one attempt go."""

    def __init__(
        self,
        lease: Lease,
        carrier: Callable[[], Carrier],
        clock: Callable[[], datetime],
        folder: Path,
    ) -> None:
        self._lease = lease
        self._carrier = carrier
        self._clock = clock
        self._folder = folder

    def store(
        self, param: str, paths: tuple[str, ...] | None, strategy: str
    ) -> tuple[tuple[str, ...] | None, JsonValue]:
        """Do to the files what the strategy says; return their new names, and the output if any.

        Raises what uploading raises; then nothing was removed.
        """
        entries = self._entries(paths or ())
        if not entries:
            return paths, None
        summary, named = None, paths or ()
        if strategy in STORING:
            home = f"{self._lease.files}{param}/"
            summary = self._upload(param, home, list(entries.values()))
            named = tuple(_location(home, entries.get(path), path) for path in named)
        if strategy in REMOVING:
            for entry in entries.values():
                _remove(entry.path)
        return named, summary

    def _entries(self, paths: tuple[str, ...]) -> dict[str, _Entry]:
        """What is there, by the path that was given; two of one name get different ones."""
        found: dict[str, _Entry] = {}
        taken: set[str] = set()
        for path in paths:
            if path in found or "://" in path:
                continue
            place = (self._folder / path).absolute()
            if not place.exists() or not place.name:
                say(f"{path}: there is no such file; only its name is kept")
                continue
            name, number = place.name, 1
            while name in taken:
                number += 1
                name = f"{number}-{place.name}"
            taken.add(name)
            found[path] = _Entry(place, name)
        return found

    def _upload(self, param: str, home: str, entries: list[_Entry]) -> JsonValue:
        files: list[Addressed] = [
            (home + file.name, file) for entry in entries for file in _files(entry)
        ]
        for _, file in files:
            _check_name(file.name)
        carrier = self._carrier()
        stored = upload(files, carrier, {}, label=param, concurrency=MOST_THREADS)
        listed = tuple(
            ManifestFile(path=file.name, bytes=note.version[0], sha256=note.sha256)
            for (_, file), note in zip(files, stored, strict=True)
        )
        manifest = manifest_of(
            listed,
            run=self._lease.run_id,
            param=param,
            source=str(self._folder),
            created_at=self._clock(),
        )
        carrier.write(manifest_uri(home), manifest.model_dump_json().encode())
        say(f"{param}: {amount(manifest.total_files, manifest.total_bytes)} stored at {home}")
        return {
            "uri": home,
            "manifest": manifest_uri(home),
            "files": manifest.total_files,
            "bytes": manifest.total_bytes,
        }


def _files(entry: _Entry) -> Iterator[OutputFile]:
    """A folder's files as well; links in it are not followed."""
    if not entry.path.is_dir():
        yield OutputFile(entry.name, entry.path.resolve(), entry.path.stat().st_size)
        return
    for path in sorted(entry.path.rglob("*")):
        if path.is_file() and not path.is_symlink():
            name = f"{entry.name}/{path.relative_to(entry.path).as_posix()}"
            yield OutputFile(name, path, path.stat().st_size)


def _check_name(name: str) -> None:
    try:
        name.encode()
    except UnicodeEncodeError as exc:
        raise InvalidRequest(
            f"the name of the file {name!r} is no UTF-8 text",
            value=repr(name),
            mend="let the work give it another name",
        ) from exc


def _location(home: str, entry: _Entry | None, path: str) -> str:
    if entry is None:
        return path
    return f"{home}{entry.name}{'/' if entry.path.is_dir() else ''}"


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()
