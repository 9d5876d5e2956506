"""How far a long transfer is: a line that renews itself on a terminal, log lines elsewhere.

::

    in/: 1,204 of 10,000 files, 512.0 of 4,096.0 MiB, 96.3 MiB/s, 0:37 left
    {"event": "progress", "label": "in/", "files": 1204, "files_total": 10000, …}

The log lines are JSON, one every few seconds, so that CloudWatch can be asked about them.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable
from typing import Final, TextIO

from chalicelib.core.data_sync.plan import Tally

LINE_SECONDS: Final = 0.2
LOG_SECONDS: Final = 5.0
MIB: Final = 1024**2


class Progress:
    """Counts what one transfer has moved. It may be told from several threads."""

    def __init__(
        self,
        label: str,
        total: Tally,
        out: TextIO | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._label = label
        self._total = total
        self._out = out if out is not None else sys.stdout
        self._clock = clock
        self._is_terminal = self._out.isatty()
        self._started = self._shown = clock()
        self._lock = threading.Lock()
        self._width = 0
        self.done = Tally()

    def file_done(self) -> None:
        """Count a file that has arrived."""
        self._add(1, 0)

    def bytes_done(self, size_bytes: int) -> None:
        """Count bytes that have passed."""
        self._add(0, size_bytes)

    def finish(self) -> None:
        """Show the end, if anything was shown before."""
        with self._lock:
            if self._width:
                self._show(self._clock())
                self._out.write("\n")
                self._out.flush()

    @property
    def rate(self) -> float:
        """Bytes per second, since the beginning."""
        return self.done.bytes / max(self._clock() - self._started, 1e-3)

    @property
    def seconds_left(self) -> float | None:
        """How long the rest takes at that rate; None where nobody can know."""
        rate = self.rate
        return max(0, self._total.bytes - self.done.bytes) / rate if rate else None

    def _add(self, files: int, size_bytes: int) -> None:
        with self._lock:
            self.done = self.done.and_all(Tally(files, size_bytes))
            now = self._clock()
            if now - self._shown >= (LINE_SECONDS if self._is_terminal else LOG_SECONDS):
                self._shown = now
                self._show(now)

    def _show(self, now: float) -> None:
        if self._is_terminal:
            line = self._line()
            self._out.write(f"\r{line.ljust(self._width)}")
            self._width = len(line)
        else:
            self._out.write(f"{json.dumps(self._entry(now))}\n")
        self._out.flush()

    def _line(self) -> str:
        done, total = self.done, self._total
        left = self.seconds_left
        return (
            f"{self._label}: {done.files:,} of {total.files:,} files, "
            f"{done.bytes / MIB:,.1f} of {total.bytes / MIB:,.1f} MiB, "
            f"{self.rate / MIB:,.1f} MiB/s, "
            f"{'?' if left is None else _clock_face(left)} left"
        )

    def _entry(self, now: float) -> dict[str, object]:
        left = self.seconds_left
        return {
            "event": "progress",
            "label": self._label,
            "files": self.done.files,
            "files_total": self._total.files,
            "bytes": self.done.bytes,
            "bytes_total": self._total.bytes,
            "bytes_per_second": round(self.rate),
            "seconds": round(now - self._started, 1),
            "seconds_left": None if left is None else round(left),
        }


def _clock_face(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
