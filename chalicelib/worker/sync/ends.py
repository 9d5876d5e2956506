"""The two ends of a request: whether they fit together, and where the source will arrive.

A folder's content keeps its names below the destination. A single file becomes the destination,
or, where that is said to be a folder, lies in it under its own name.
"""

from __future__ import annotations

from typing import NamedTuple

from chalicelib.core.data_sync.requests import DataSyncRequest
from chalicelib.core.errors import InvalidRequest
from chalicelib.core.paths import is_inside
from chalicelib.worker.sync.listing import Source
from chalicelib.worker.sync.locations import LocalPlace, ObjectPlace, Place


class Ends(NamedTuple):
    """Where files come from and where they arrive."""

    source: Place
    destination: Place
    found: Source

    @property
    def destination_root(self) -> str:
        """The destination in the plan's form: an object's name, or an absolute path."""
        place = self.destination
        return place.uri if isinstance(place, ObjectPlace) else str(place.path)


def is_filtered(request: DataSyncRequest) -> bool:
    """Tell whether the request has a filter at all."""
    config = request.filter_config
    return config is not None and bool(config.include or config.exclude)


def check_filters(request: DataSyncRequest, source: Place, destination: Place) -> None:
    """Raise InvalidRequest for a filter where there can be none (section 8.2)."""
    are_local = isinstance(source, LocalPlace) and isinstance(destination, LocalPlace)
    if are_local and is_filtered(request):
        raise InvalidRequest(
            "filters do not work from one folder of a file system to another",
            field="filter_config",
            mend="leave the filters out, or sync by way of the object store",
        )


def check_prefix(request: DataSyncRequest, source: Place) -> None:
    """Raise InvalidRequest for a prefix that the source's key does not begin with."""
    prefix = request.source_path_prefix
    if prefix and isinstance(source, ObjectPlace) and not source.key.startswith(prefix):
        raise InvalidRequest(
            f"the source's key {source.key!r} does not begin with {prefix!r}",
            field="source_path_prefix",
            value=prefix,
            mend="give the beginning of the source's key, without its bucket",
        )


def check_overlap(ends: Ends, destination_path: str) -> None:
    """Raise InvalidRequest where a sync would copy, or delete, what it has just written."""
    source, destination = ends.found.root, ends.destination_root
    if source.startswith("s3://") != destination.startswith("s3://"):
        return
    inner, outer = _comparable(source), _comparable(destination)
    is_inner = is_inside(inner, outer) or is_inside(outer, inner)
    if inner == outer or (ends.found.is_folder and is_inner):
        raise InvalidRequest(
            f"source and destination overlap: {source!r} and {destination!r}",
            field="destination_path",
            value=destination_path,
            mend="give a destination that neither is nor holds nor lies in the source",
        )


def arrival(request: DataSyncRequest, source: Place, destination: Place, found: Source) -> Place:
    """Return the folder that a folder's content arrives in, or the place of the single file."""
    if isinstance(destination, LocalPlace):
        if found.is_folder:
            return destination._replace(path=destination.followed())
        if destination.is_folder:
            return destination._replace(path=destination.followed() / own_name(source))
        return destination
    rest = _after_prefix(request, source)
    if found.is_folder:
        return ObjectPlace(f"{destination.uri}/{rest}") if rest else destination
    if destination.is_folder or rest:
        return ObjectPlace(f"{destination.uri}/{rest or own_name(source)}")
    return destination


def own_name(place: Place) -> str:
    """Return the last word of a single file, as the request calls it."""
    if isinstance(place, LocalPlace):
        return place.path.name
    return place.uri.rpartition("/")[2]


def _after_prefix(request: DataSyncRequest, source: Place) -> str:
    prefix = request.source_path_prefix
    if not prefix or not isinstance(source, ObjectPlace):
        return ""
    return source.key.removeprefix(prefix).lstrip("/")


def _comparable(path: str) -> str:
    return path if path.startswith("/") else f"/{path.removeprefix('s3://')}"
