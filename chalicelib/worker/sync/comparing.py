"""The verdicts that sizes and times leave open, settled by reading, several files at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Final, TypeVar

from chalicelib.carriers import Carrier
from chalicelib.core.data_sync.plan import Judged, Verdict
from chalicelib.worker.sync.content import has_etag, is_equal

COMPARED_AT_A_TIME: Final = 1000
"""How many files wait to be read; bounds the memory of a comparison. Our choice."""

READERS: Final = 8
READ_BYTES: Final = 8 * 1024 * 1024
"""What is read whole where a store keeps no checksums."""

Thing = TypeVar("Thing")


def settled(
    pairs: Iterator[Judged], is_equal_content: Callable[[Judged], bool]
) -> Iterator[Judged]:
    """Read what only reading can compare, several files at a time, and keep the order."""
    with ThreadPoolExecutor(READERS) as pool:
        for some in _in_groups(pairs, COMPARED_AT_A_TIME):
            open_ones = [each for each in some if each.verdict is Verdict.COMPARE]
            answers = dict(
                zip(
                    (each.name for each in open_ones),
                    pool.map(is_equal_content, open_ones),
                    strict=True,
                )
            )
            for each in some:
                if each.name in answers:
                    verdict = Verdict.KEEP if answers[each.name] else Verdict.OVERWRITE
                    yield each._replace(verdict=verdict)
                else:
                    yield each


def holds_the_same(source: str, there: str, each: Judged, carrier: Carrier) -> bool:
    """Compare both ends of one name, by checksum or byte by byte."""
    states = (each.source, each.there)
    etag = next((state.checksum for state in states if state and state.checksum), None)
    size_bytes = each.source.size_bytes if each.source else 0
    match [path for path in (source, there) if not path.startswith("s3://")]:
        case [one, other]:
            return is_equal(Path(one), Path(other))
        case [one] if etag is not None:
            return has_etag(Path(one), etag, size_bytes)
        case _ if size_bytes > READ_BYTES:  # then copying it costs little more
            return False
        case _:
            return _content(source, carrier) == _content(there, carrier)


def _content(path: str, carrier: Carrier) -> bytes:
    return carrier.read(path) if path.startswith("s3://") else Path(path).read_bytes()


def _in_groups(things: Iterator[Thing], size: int) -> Iterator[list[Thing]]:
    while some := list(islice(things, size)):
        yield some
