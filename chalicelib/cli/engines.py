"""Who moves the runs of the embedded home on: one engine, the holder of ROOT's lock.

An engine is a loop in some process: of ``serve``, of a ``run --wait``, or of a detached one that
a plain ``run`` leaves behind and that ends with the last unsettled run.

A run that is saved while an engine is about to leave must not be forgotten. Therefore: who submits
saves first and looks at the lock afterwards; who leaves gives the lock back first and looks for
unsettled runs afterwards. Whichever comes last sees the other.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from datetime import timedelta
from pathlib import Path
from typing import Final

from chalicelib import bootstrap
from chalicelib.settings import Settings

_FOR_EVER: Final = timedelta(days=36_500)


class OwnEngine:
    """The loop, in a thread of this process; it stands by while another process drives."""

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._loop = bootstrap.local_loop()
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the loop, which gives the lock back; jobs go on."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        self._loop.run_forever(self._stop)


def drive_to_the_end(stop: threading.Event) -> None:
    """Be the engine until every run is settled; return at once if another process is it."""
    lock = bootstrap.engine_lock()
    while has_unsettled() and not stop.is_set() and lock.acquire():
        try:
            bootstrap.local_loop().run_until(lambda: stop.is_set() or not has_unsettled())
        finally:
            lock.release()


def has_unsettled() -> bool:
    """Return whether any run still has to be moved on: those stay in the due index."""
    ports = bootstrap.ports()
    return bool(ports.runs.due(ports.clock() + _FOR_EVER, 1))


def ensure_engine(settings: Settings, site_file: Path | None) -> None:
    """Start a detached engine if there is something to do and nobody does it."""
    lock = bootstrap.engine_lock()
    if has_unsettled() and lock.acquire():
        lock.release()
        _detach(settings, site_file)


def _detach(settings: Settings, site_file: Path | None) -> None:
    root = settings.root.absolute()
    command = [sys.executable, "-m", "chalicelib.cli", "engine", "--root", str(root)]
    command += ["--runner", settings.runner]
    if site_file is not None:
        command += ["--site", str(site_file.absolute())]
    with (root / "engine.log").open("ab") as log:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    process.returncode = 0  # it outlives us: nobody is to wait for it, or to be warned


def host_warning() -> str:
    """Return what to say where commands run without a sandbox; empty where they do not."""
    if bootstrap.home().mode != "host":
        return ""
    return (
        "falsework: commands run on this host without a sandbox: they can do what you can do. "
        "With bubblewrap (bwrap) installed they see only the folders of their run."
    )
