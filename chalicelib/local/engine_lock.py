"""Who drives the runs of a ROOT: the holder of a lock that the kernel frees when he dies."""

from __future__ import annotations

import fcntl
import os
import threading
from pathlib import Path
from typing import BinaryIO


class EngineLock:
    """``ROOT/engine.lock``. Its content, the last holder's process id, is for people only."""

    def __init__(self, root: Path) -> None:
        self._path = root / "engine.lock"
        self._guard = threading.Lock()
        self._file: BinaryIO | None = None

    @property
    def is_held(self) -> bool:
        """Whether this object holds it."""
        return self._file is not None

    def acquire(self) -> bool:
        """Take the lock if nobody holds it, this object included, without waiting."""
        with self._guard:
            if self._file is not None:
                return False
            self._file = self._try()
            return self._file is not None

    def release(self) -> None:
        """Give it back; nothing happens if it is not held."""
        with self._guard:
            file, self._file = self._file, None
        if file is not None:
            # Closing alone is not enough: a child that is being started holds it until its exec.
            fcntl.flock(file, fcntl.LOCK_UN)
            file.close()

    def _try(self) -> BinaryIO | None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        file = self._path.open("ab")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            return None
        file.truncate(0)
        file.write(f"{os.getpid()}\n".encode())
        file.flush()
        return file
