"""The processes of a job, found wherever they went, and ended for certain.

A process group is not enough: a grandchild may have left it, and when the wrapper is gone its
number may mean somebody else. Every process of a job inherits ``AWS_BATCH_JOB_ID`` in its
environment, and job ids are never used twice, so the kernel's own record of the environment is
an identity. A process is held by a pidfd before it is looked at, so that no signal can reach
another one that was given the same number. Without ``/proc`` (macOS) nothing is found, and the
process group has to do.

Standard library only: the wrapper imports this.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

_PROC = Path("/proc")
_PASSES = 50


def signal_carriers(
    job_id: str, number: signal.Signals, is_meant: Callable[[int], bool] = lambda _: True
) -> int:
    """Send the signal to every process that carries the job's id; return how many there were.

    ``is_meant`` is asked for the process id of each.
    """
    if not hasattr(os, "pidfd_open"):
        return 0
    sent = 0
    for entry in _PROC.glob("[0-9]*"):
        with suppress(OSError):  # ended meanwhile, or not ours
            sent += _signal_one(int(entry.name), job_id, number, is_meant)
    return sent


def kill_carriers(job_id: str) -> None:
    """Kill every process that carries the job's id, until there is none."""
    for _ in range(_PASSES):
        if not signal_carriers(job_id, signal.SIGKILL, _is_alive):
            return
        time.sleep(0.02)  # the killed are still listed for a moment


def is_sandbox(pid: int) -> bool:
    """Return whether the process is bubblewrap's own: its end would be everybody's, at once."""
    return (_PROC / str(pid) / "comm").read_bytes() == b"bwrap\n"


def _signal_one(
    pid: int, job_id: str, number: signal.Signals, is_meant: Callable[[int], bool]
) -> int:
    descriptor = os.pidfd_open(pid)
    try:
        environment = (_PROC / str(pid) / "environ").read_bytes().split(b"\0")
        if f"AWS_BATCH_JOB_ID={job_id}".encode() not in environment or not is_meant(pid):
            return 0
        signal.pidfd_send_signal(descriptor, number)
    finally:
        os.close(descriptor)
    return 1


def _is_alive(pid: int) -> bool:
    """A zombie's environment is empty, so it carries nothing; what is left is alive."""
    return pid != os.getpid()
