"""Files from one folder of this machine to another, several at a time; each appears by a rename.

Where the source is to be given up, a file is itself renamed if both ends are on one file system.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path

from chalicelib.atomic_files import COPY_BYTES, replacing
from chalicelib.carriers import Transfer
from chalicelib.worker.transfers import MOST_THREADS


def copy_files(
    transfers: Iterable[Transfer],
    *,
    concurrency: int,
    done: Callable[[Transfer], None],
    moved: Callable[[int], None],
    is_move: bool = False,
) -> None:
    """Copy or move them all. The first failure lets no other begin and is raised."""
    threads = max(1, min(concurrency, MOST_THREADS))
    with ThreadPoolExecutor(threads) as pool:
        waiting: dict[Future[None], Transfer] = {}
        for transfer in transfers:
            if len(waiting) >= 2 * threads:
                _finish(waiting, done, moved)
            waiting[pool.submit(_bring, transfer, is_move=is_move)] = transfer
        while waiting:
            _finish(waiting, done, moved)


def _finish(
    waiting: dict[Future[None], Transfer],
    done: Callable[[Transfer], None],
    moved: Callable[[int], None],
) -> None:
    finished, _ = wait(waiting, return_when=FIRST_COMPLETED)
    for future in finished:
        transfer = waiting.pop(future)
        try:
            future.result()
        except BaseException:
            for other in waiting:
                other.cancel()
            raise
        moved(transfer.size_bytes)
        done(transfer)


def _bring(transfer: Transfer, *, is_move: bool) -> None:
    source, destination = Path(transfer.source), Path(transfer.destination)
    if is_move and source.resolve() == source and _is_renamed(source, destination):
        return
    with source.open("rb") as content, replacing(destination, destination.parent) as file:
        shutil.copyfileobj(content, file, COPY_BYTES)
        os.fchmod(file.fileno(), stat.S_IMODE(os.fstat(content.fileno()).st_mode))


def _is_renamed(source: Path, destination: Path) -> bool:
    try:
        source.replace(destination)
    except OSError as exc:
        if exc.errno != errno.EXDEV:
            raise
        return False
    return True
