"""Names on both sides of a transfer: what a file is called where it arrives.

The source is a folder or a single object. A folder's content keeps its names below the
destination; a single object becomes the destination itself. An object store takes any text for a
name, a file system does not, and a name like ``../x`` must not lead out of the destination: such
names are refused in words, never repaired in silence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from chalicelib.core.documents import shortened
from chalicelib.core.errors import InvalidRequest
from chalicelib.core.limits import FILE_NAME_BYTES, S3_KEY_BYTES

Thing = TypeVar("Thing")


def folder_uri(uri: str) -> str:
    """Return the URI with exactly one ``/`` at its end."""
    return uri.rstrip("/") + "/"


def is_bucket_root(uri: str) -> bool:
    """Tell whether the URI names a bucket and no key."""
    return "/" not in uri.removeprefix("s3://").rstrip("/")


def name_below(uri: str, folder: str) -> str | None:
    """Return what follows the folder's URI; None for what is not below it."""
    prefix = folder_uri(folder)
    return uri.removeprefix(prefix) if uri.startswith(prefix) and uri != prefix else None


def arrives_at(remote: str, name: str, *, is_folder: bool) -> str:
    """Return the URI of an output: ``remote/`` for a folder, ``remote`` or, below it, ``name``."""
    if is_folder:
        return folder_uri(remote)
    is_within = remote.endswith("/") or is_bucket_root(remote)
    return folder_uri(remote) + name if is_within else remote


def checked_name(name: str, origin: str) -> str:
    """Return ``name`` if a file may be called that below a folder; raise InvalidRequest."""
    segments = name.split("/")
    if not name or {"", ".", ".."} & set(segments) or "\0" in name:
        problem = "its name has an empty, '.' or '..' part, or a NUL"
    elif any(len(segment.encode()) > FILE_NAME_BYTES for segment in segments):
        problem = f"a part of its name has more than {FILE_NAME_BYTES} bytes"
    else:
        return name
    raise InvalidRequest(
        f"{shortened(origin)!r} cannot be written to a file system: {problem}",
        value=shortened(name),
        mend="rename the object, or leave it out with the parameter's exclude filter",
    )


def checked_key(uri: str, origin: str) -> str:
    """Return ``uri`` if an object may be called that; raise InvalidRequest."""
    try:
        has_room = len(uri.removeprefix("s3://").partition("/")[2].encode()) <= S3_KEY_BYTES
        problem = f"its key would have more than {S3_KEY_BYTES} bytes"
    except UnicodeEncodeError:
        has_room, problem = False, "its name is not UTF-8"
    if has_room:
        return uri
    raise InvalidRequest(
        f"{shortened(origin)!r} cannot be stored as an object: {problem}",
        value=shortened(origin),
        mend="let the job write another name, or leave the file out with an exclude filter",
    )


def refuse_file_and_folder(names: Iterable[str]) -> None:
    """Raise InvalidRequest if one name is another one's folder: no file system holds both."""
    for _ in fit_for_folders(sorted(set(names)), str):
        pass


def fit_for_folders(things: Iterable[Thing], name_of: Callable[[Thing], str]) -> Iterator[Thing]:
    """Pass on what comes in the order of its names; raise InvalidRequest at a file in a file."""
    open_names: list[str] = []
    for thing in things:
        name = name_of(thing)
        # Names that begin alike stand together, so one that is no beginning of this is over.
        while open_names and not name.startswith(open_names[-1]):
            open_names.pop()
        for folder in open_names:
            if name.startswith(f"{folder}/"):
                raise _file_and_folder(folder, name)
        open_names.append(name)
        yield thing


def _file_and_folder(folder: str, name: str) -> InvalidRequest:
    return InvalidRequest(
        f"the source has an object {folder!r} and one below it, {name!r}: "
        "no file system can hold both",
        value=shortened(folder),
        mend="leave one of them out with the parameter's exclude filter",
    )
