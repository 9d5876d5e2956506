"""What keeps a file system from taking a sync's files where nothing may be deleted.

A file is at the destination where the source has a folder, or files are in a folder where the
source has a file. Seen in the plan, it is told before the first byte is moved, and by a dry run.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from chalicelib.core.data_sync.plan import Judged, Verdict
from chalicelib.core.documents import shortened
from chalicelib.core.errors import InvalidRequest

_MEND: Final = "remove it, or give another destination"


def refuse_obstacles(pairs: Iterable[Judged], root: str) -> Iterator[Judged]:
    """Pass on what comes in the order of its names; raise InvalidRequest at an obstacle.

    A link at the destination is none yet: it may lead to a folder.
    """
    open_: list[tuple[str, bool]] = []
    for each in pairs:
        # Names that begin alike stand together, so one that is no beginning of this is over.
        while open_ and not each.name.startswith(open_[-1][0]):
            open_.pop()
        arrives = each.verdict is Verdict.COPY
        for name, is_arriving in open_:
            if arrives != is_arriving and each.name.startswith(f"{name}/"):
                mend = f"{_MEND}; a sync with delete replaces it"
                raise obstacle(f"{root}/{name}", is_file=arrives, mend=mend)
        if arrives or _is_file(each):
            open_.append((each.name, arrives))
        yield each


def obstacle(path: str, *, is_file: bool, mend: str = _MEND) -> InvalidRequest:
    """Return the error for the file, or else the folder, that lies at ``path``."""
    lies, comes = ("file", "folder") if is_file else ("folder", "file")
    return InvalidRequest(
        f"a {lies} lies at {shortened(path)!r}, where a {comes} is to arrive",
        field="destination_path",
        value=shortened(path),
        mend=mend,
    )


def _is_file(each: Judged) -> bool:
    return each.verdict is Verdict.EXTRA and each.there is not None and each.there.size_bytes >= 0
