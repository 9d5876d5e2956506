"""What is done to paths: statistics, lists, scans for what is outdated, removal (section 11)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime

from chalicelib.carriers import Carrier
from chalicelib.core.data_sync.outdated import Age, outdated
from chalicelib.core.data_sync.path_requests import (
    DataPaths,
    GetDataPathStatsResponse,
    ListDataPathsRequest,
    OutdatedDataPathScannerRequest,
    PathStats,
    RemoveDataPathsResponse,
)
from chalicelib.core.data_sync.requests import RemoveDataPathsRequest
from chalicelib.core.data_sync.tree import Node, tree_of
from chalicelib.worker.sync.listing import entries_at
from chalicelib.worker.sync.locations import LocalPlace, Locations, ObjectPlace
from chalicelib.worker.unused import remove_unused


def path_stats(path: str, carrier: Carrier, locations: Locations) -> GetDataPathStatsResponse:
    """Sum up what is at or below the path; what is missing has zeros."""
    place = locations.find(path)
    root = tree_of(entries_at(place, carrier))
    return GetDataPathStatsResponse(
        path=_shown(place).rstrip("/"),
        path_stats=_stats(root),
        children={name: _stats(child) for name, child in root.children.items()},
    )


def list_paths(request: ListDataPathsRequest, carrier: Carrier, locations: Locations) -> DataPaths:
    """List every node whose relative path begins as the patterns say; objects by their keys."""
    place = locations.find(request.path)
    root = tree_of(entries_at(place, carrier))
    if not root.object_count:
        return DataPaths(paths=())
    include, exclude = _compiled(request.include), _compiled(request.exclude)
    found = [
        path
        for path, _ in root.walk()
        if (not include or any(pattern.match(path) for pattern in include))
        and not any(pattern.match(path) for pattern in exclude)
    ]
    return DataPaths(paths=tuple(sorted(_full(place, root, path) for path in found)))


def outdated_paths(
    request: OutdatedDataPathScannerRequest,
    carrier: Carrier,
    locations: Locations,
    now: datetime,
) -> DataPaths:
    """Find what has not been written for so many days; EFS paths as they are mounted."""
    place = locations.find(request.path)
    root = tree_of(entries_at(place, carrier))
    age = Age(
        now=request.current_time or now,
        days=request.days_since_last_accessed,
        min_depth=request.min_depth or 0,
        max_depth=request.max_depth,
    )
    found = outdated(root, age, size_bytes_allowed=request.min_size_bytes_allowed)
    return DataPaths(paths=tuple(sorted(_full(place, root, path) for path in found)))


def remove_paths(
    request: RemoveDataPathsRequest, locations: Locations, now: datetime | None = None
) -> RemoveDataPathsResponse:
    """Remove the paths, but for objects and what runs use; those are not in the answer.

    Raises InvalidRequest before the first one goes.
    """
    at = now or datetime.now(UTC)
    places = [place for path in request.paths if (place := _removable(path, locations))]
    removed = [(place, remove_unused(place.path, at)) for place in places]
    return RemoveDataPathsResponse(
        size_bytes_removed=sum(each.size_bytes for _, each in removed),
        paths_removed=tuple(_shown(place).rstrip("/") for place, each in removed if each.is_gone),
    )


def _removable(path: str, locations: Locations) -> LocalPlace | None:
    place = locations.find(path)
    locations_checked = place if isinstance(place, LocalPlace) else None
    if locations_checked is not None:
        locations.check_may_delete(locations_checked, below=False)
    return locations_checked


def _stats(node: Node) -> PathStats:
    return PathStats(
        size_bytes=node.size_bytes,
        object_count=node.object_count,
        last_modified=node.last_modified,
    )


def _shown(place: ObjectPlace | LocalPlace) -> str:
    """Objects by their keys, EFS paths as they are mounted, local ones as they were given."""
    if isinstance(place, ObjectPlace):
        return place.key
    return place.text if place.text.startswith("/") else str(place.path)


def _full(place: ObjectPlace | LocalPlace, root: Node, path: str) -> str:
    top = _shown(place).rstrip("/")
    if root.is_folder:
        return f"{top}/{path}" if top or isinstance(place, LocalPlace) else path
    return top


def _compiled(patterns: str | Sequence[str] | None) -> list[re.Pattern[str]]:
    given = [patterns] if isinstance(patterns, str) else patterns or ()
    return [re.compile(pattern) for pattern in given]
