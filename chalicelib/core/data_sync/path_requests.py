"""Wire models of what is done to paths: statistics, listing, scanning, removing, JSON files.

(Sections 11 and 12 of the demand wire format.)
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from pydantic import AwareDatetime, Field, JsonValue

from chalicelib.core.data_sync.requests import Patterns
from chalicelib.core.demand.wire import Wire
from chalicelib.core.paths import DataPath

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""The modification time of what is not there."""

MOST_DAYS: Final = 1_000_000
"""More than any file's age; our choice."""


class GetDataPathStatsRequest(Wire):
    """How much is there?"""

    path: DataPath


class PathStats(Wire):
    """The files at or below one path, summed up."""

    size_bytes: int = 0
    object_count: int = 0
    last_modified: AwareDatetime = EPOCH


class GetDataPathStatsResponse(Wire):
    """The path, and what is directly below it, by name."""

    path: str
    """Of an S3 path its key."""
    path_stats: PathStats
    children: dict[str, PathStats] = {}


class ListDataPathsRequest(Wire):
    """What is there? The patterns match at the start of the path relative to ``path``."""

    path: DataPath
    include: Patterns = None
    exclude: Patterns = None


class DataPaths(Wire):
    """Paths, sorted; those of folders end with ``/``."""

    paths: tuple[str, ...]


class OutdatedDataPathScannerRequest(Wire):
    """What has not been written for so many days? The field's name is the original's."""

    path: DataPath
    days_since_last_accessed: float = Field(default=0.0, ge=0, le=MOST_DAYS)
    max_depth: int | None = Field(default=None, ge=0)
    min_depth: int | None = Field(default=None, ge=0)
    min_size_bytes_allowed: int = Field(default=0, ge=0)
    current_time: AwareDatetime | None = None


class RemoveDataPathsResponse(Wire):
    """What was removed; EFS paths appear as they are mounted."""

    size_bytes_removed: int
    paths_removed: tuple[str, ...]


class PutJsonToFileRequest(Wire):
    """Store a JSON value; without a path, under its own digest in the default bucket."""

    content: JsonValue
    path: DataPath | None = None


class PutJsonToFileResponse(Wire):
    """Where it is."""

    path: str


class GetJsonFromFileRequest(Wire):
    """Read a JSON value."""

    path: DataPath
