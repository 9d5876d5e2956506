"""Which files take part in a transfer: full matches on the path relative to the sync's root.

``exclude`` wins, no ``include`` is everything, and every empty form is no filter (section 3.6 of
the demand wire format). The root is the source itself unless ``filter_root`` says otherwise; a
single file that is the whole source is matched by its name.
"""

from __future__ import annotations

import re
from typing import NamedTuple, Self

from chalicelib.core.data_sync.requests import FilterConfig
from chalicelib.core.errors import InvalidRequest
from chalicelib.core.paths import efs_parts, is_inside, normal_path, path_kind

Patterns = tuple[re.Pattern[str], ...]


class PathFilter(NamedTuple):
    """A filter that has been compiled; the empty one keeps everything."""

    include: Patterns = ()
    exclude: Patterns = ()
    prefix: str = ""
    """What comes before a path of the source, seen from the filter's root: empty or ``sub/``."""

    @classmethod
    def of(
        cls, config: FilterConfig | None, source: str = "", filter_root: str | None = None
    ) -> Self:
        """Compile the wire's form. Raises InvalidRequest: no expression, or not below the root."""
        if config is None:
            return cls()
        return cls(
            include=_compiled(config.include, "filter_config.include"),
            exclude=_compiled(config.exclude, "filter_config.exclude"),
            prefix=_below_root(source, filter_root),
        )

    def keeps(self, path: str) -> bool:
        """Tell whether the file at ``path``, relative to the source, takes part."""
        if self.excludes(path):
            return False
        seen = self.prefix + path
        return not self.include or any(pattern.fullmatch(seen) for pattern in self.include)

    def excludes(self, path: str) -> bool:
        """Tell whether ``exclude`` names the path itself, be it a file or a folder."""
        return any(pattern.fullmatch(self.prefix + path) for pattern in self.exclude)

    def keeps_single(self, name: str) -> bool:
        """Tell whether the file that is the whole source takes part; ``name`` is its last word."""
        whole = self.prefix.rstrip("/")
        return self._replace(prefix="").keeps(whole or name)


def _compiled(patterns: str | tuple[str, ...] | list[str] | None, field: str) -> Patterns:
    given = [patterns] if isinstance(patterns, str) else patterns or ()
    try:
        return tuple(re.compile(pattern) for pattern in given if pattern)
    except (re.error, RecursionError, OverflowError) as exc:
        raise InvalidRequest(
            f"{field} is not a regular expression: {exc}",
            field=field,
            value=patterns,
            mend="give an expression that matches the whole path relative to the source",
        ) from exc


def _below_root(source: str, filter_root: str | None) -> str:
    if not filter_root:
        return ""
    inner, outer = _comparable(source), _comparable(filter_root)
    if inner == outer:
        return ""
    if not is_inside(inner, outer):
        raise InvalidRequest(
            f"filter_root {filter_root!r} does not contain the source {source!r}",
            field="filter_root",
            value=filter_root,
            mend="name the source or a folder above it, or leave filter_root out",
        )
    return inner.removeprefix(outer.rstrip("/")).lstrip("/") + "/"


def _comparable(path: str) -> str:
    """One text for all spellings of a place: what holds it, then its path without a last slash."""
    match path_kind(path):
        case "efs":
            file_system, inner = efs_parts(path)
            return normal_path(f"/{file_system}/{inner}")
        case "s3":
            return normal_path("/s3/" + path.removeprefix("s3://"))
        case "local":
            return normal_path(path)
