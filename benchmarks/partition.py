"""A million objects listed, filtered and cut into batches: how long, how much memory.

::

    python -m benchmarks.partition [--objects 1000000] [--layout even|flat|deep]

Each layout is measured in a process of its own, for the peak is a process's. "List" is reading
pages as S3 writes them (XML, 1,000 keys each) without a server, for that one's speed is not ours.
Seconds are of processor time: there is one thread, and it waits for nothing. The goal: 10 s and
500 MB. Never a test.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Final

from chalicelib.aws.bucket_listing import read_page
from chalicelib.carriers import Entry
from chalicelib.core.data_sync.filters import PathFilter
from chalicelib.core.data_sync.partition import cut, pack
from chalicelib.core.data_sync.requests import FilterConfig

PAGE: Final = 1000
LAYOUTS: Final = {
    "even": "samples of 1,000 files each, in groups of 20",
    "flat": "all in one folder, each of its own size: the most nodes",
    "deep": "every file in a folder of its own, six deep",
}
LIMITS: Final = {"even": 250 * 1024**3, "flat": 100_000_000, "deep": 100_000_000}
EXCLUDED: Final = r".*\.tmp"


def main() -> None:
    """Measure every layout, or the one that is asked for here."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--objects", type=int, default=1_000_000)
    parser.add_argument("--layout", choices=LAYOUTS)
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    told = parser.parse_args()
    if told.here:
        print(json.dumps(measured(told.layout, told.objects)))
        return
    columns = ("layout", "list s", "filter+cut s", "pack s", "total s", "peak MB", "nodes")
    print("".join(f"{name:>14}" for name in (*columns, "batches")))
    for layout in [told.layout] if told.layout else LAYOUTS:
        command = [sys.executable, "-m", "benchmarks.partition", "--here"]
        command += ["--objects", str(told.objects), "--layout", layout]
        row = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
        print("".join(f"{value:>14}" for value in (layout, *row.values())))


def measured(layout: str, objects: int) -> dict[str, float]:
    """Return one row. Making the pages is not counted; reading them is, as "list"."""
    limit = LIMITS[layout]
    path_filter = PathFilter.of(FilterConfig(exclude=EXCLUDED))
    reading = _Reading(layout, objects)
    started = time.process_time()
    kept = (
        (path, entry.size_bytes)
        for entry in reading.entries()
        if path_filter.keeps(path := entry.uri[len("s3://bucket/in/") :])
    )
    nodes = cut(kept, limit)
    cut_at = time.process_time()
    batches = pack(nodes, limit)
    packed_at = time.process_time()
    total = packed_at - started - reading.making_seconds
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "list": round(reading.reading_seconds, 2),
        "cut": round(cut_at - started - reading.seconds, 2),
        "pack": round(packed_at - cut_at, 2),
        "total": round(total, 2),
        "peak": round(peak),
        "nodes": len(nodes),
        "batches": len(batches),
    }


class _Reading:
    """Pages that are made and read, each timed for itself."""

    def __init__(self, layout: str, objects: int) -> None:
        self._layout = layout
        self._objects = objects
        self.making_seconds = 0.0
        self.reading_seconds = 0.0

    @property
    def seconds(self) -> float:
        return self.making_seconds + self.reading_seconds

    def entries(self) -> Iterator[Entry]:
        for first in range(0, self._objects, PAGE):
            began = time.process_time()
            page = _page(self._layout, range(first, min(first + PAGE, self._objects)))
            made = time.process_time()
            entries = read_page(page, "bucket").entries
            self.reading_seconds += time.process_time() - made
            self.making_seconds += made - began
            yield from entries


def _page(layout: str, numbers: range) -> bytes:
    contents = "".join(
        f"<Contents><Key>in/{_path(layout, number)}</Key>"
        "<LastModified>2026-01-01T00:00:00.000Z</LastModified>"
        "<ETag>&quot;d41d8cd98f00b204e9800998ecf8427e&quot;</ETag>"
        f"<Size>{_size(number)}</Size><StorageClass>STANDARD</StorageClass></Contents>"
        for number in numbers
    )
    namespace = "http://s3.amazonaws.com/doc/2006-03-01/"
    return f'<ListBucketResult xmlns="{namespace}">{contents}</ListBucketResult>'.encode()


def _path(layout: str, number: int) -> str:
    suffix = "tmp" if number % 50 == 0 else "fastq.gz"
    match layout:
        case "even":
            sample = number // 1000
            return f"group{sample // 20:03}/sample{sample:05}/reads_{number % 1000:04}.{suffix}"
        case "flat":
            return f"reads_{number:08}.{suffix}"
        case _:
            digits = f"{number:06}"
            return "/".join(f"level{digit}" for digit in digits) + f"/reads.{suffix}"


def _size(number: int) -> int:
    """Sizes without an order, up to 50 MB."""
    digest = hashlib.blake2b(str(number).encode(), digest_size=4).digest()
    return int.from_bytes(digest, "big") % 50_000_000


if __name__ == "__main__":
    main()
