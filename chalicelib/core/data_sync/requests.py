"""Wire models of the data-sync requests (sections 3.6, 8.1, 9 and 11 of the demand wire format).

A request says what is to be copied where, and under which options; scaffolding writes them, the
data-sync engine reads them. Nothing here lists or copies anything.
"""

from __future__ import annotations

import re
import warnings
from typing import Annotated, Final

from pydantic import BeforeValidator, Field

from chalicelib.core.demand.wire import Wire
from chalicelib.core.documents import shortened
from chalicelib.core.errors import InvalidRequest
from chalicelib.core.paths import DataPath, S3Path

MAX_PATTERN_CHARACTERS: Final = 4096
"""Longer filters are a mistake or an attack; our choice."""

DEFAULT_CONCURRENCY: Final = 25
"""Transfers at a time that a request gets unless it says otherwise (section 8.1)."""


def filter_patterns(value: object) -> str | tuple[str, ...] | None:
    """Check a filter: one regular expression or a list of them; empty ones are no filter.

    They are only compiled here. Whoever applies them matches them in full against the path
    relative to the root of the sync. Raises InvalidRequest.
    """
    match value:
        case None | "" | [] | ():
            return None
        case str():
            return _compiling(value)
        case list() | tuple():
            return tuple(_compiling(item) for item in value)
        case _:
            raise _not_a_pattern(value, "is neither a string nor a list of strings")


def _compiling(pattern: object) -> str:
    if not isinstance(pattern, str):
        raise _not_a_pattern(pattern, "is not a string")
    if len(pattern) > MAX_PATTERN_CHARACTERS:
        raise _not_a_pattern(pattern, f"has more than {MAX_PATTERN_CHARACTERS} characters")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # "possible nested set" is not the caller's fault
            re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as exc:
        raise _not_a_pattern(pattern, f"does not compile: {exc}") from exc
    return pattern


def _not_a_pattern(value: object, problem: str) -> InvalidRequest:
    return InvalidRequest(
        f"the filter {shortened(value)!r} {problem}",
        value=shortened(value),
        mend="give a regular expression in Python's syntax, or a list of them",
    )


Patterns = Annotated[str | tuple[str, ...] | None, BeforeValidator(filter_patterns)]
"""A field that holds a filter as it was given; None for every form of no filter."""


class FilterConfig(Wire):
    """Which files take part: ``exclude`` wins, and no ``include`` means all."""

    include: Patterns = None
    exclude: Patterns = None


class RemoteToLocalConfig(Wire):
    """How an object is downloaded (section 8.5)."""

    use_custom_tmp_dir: bool = False
    custom_tmp_dir: DataPath | None = None


class DataSyncRequest(Wire):
    """Bring what is at ``source_path`` to ``destination_path``."""

    source_path: DataPath
    destination_path: DataPath
    source_path_prefix: str | None = None
    """S3 to S3 only: what is left of the source key after it is appended to the destination."""
    filter_config: FilterConfig | None = None
    filter_root: str | None = None
    """What filters match relative to; None means the source path."""
    max_concurrency: int = Field(default=DEFAULT_CONCURRENCY, ge=1)
    retain_source_data: bool = True
    delete: bool = False
    """Remove what is at the destination and not in the source. Absent meant true in the original;
    here it means what the site says (``delete_by_default``), and that is false."""
    require_lock: bool = False
    force: bool = False
    size_only: bool = False
    fail_if_missing: bool = True
    include_detailed_response: bool = False
    remote_to_local_config: RemoteToLocalConfig = RemoteToLocalConfig()


class PrepareBatchDataSyncRequest(DataSyncRequest):
    """A sync that may be cut into batches first."""

    batch_size_bytes_limit: int | None = Field(default=None, ge=0)
    """None or 0: the default of the partition, 250 GiB."""
    temporary_request_payload_path: S3Path | None = None
    """S3 prefix under which each batch's requests are stored as ``request_<i>.json``."""


class RemoveDataPathsRequest(Wire):
    """Remove these paths; S3 paths are skipped."""

    paths: tuple[DataPath, ...]
