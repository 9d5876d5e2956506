"""A job in a bubblewrap sandbox: the host's root, with its container paths where it expects them.

A bind needs something to be bound over. Where a container path does not exist on the host, the
nearest folder above it that does is *mirrored*: a tmpfs takes its place and its children are
bound back into it, so that a host ``/opt`` keeps what it holds and nothing is created on the
host. What the job writes into a mirrored folder itself, beside the bound ones, goes with it.

This gives a job its paths, read-only where it must be, and one death for all of its processes.
It is no wall against hostile code: the rest of the host is there.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

from chalicelib.core.errors import Refused
from chalicelib.local.probe import succeeds

_PROBE_SECONDS = 20


class Bind(NamedTuple):
    """A folder of the host and where the job sees it."""

    host: Path
    container: Path
    is_read_only: bool


@cache
def works(program: str) -> bool:
    """Return whether a sandbox can be made here: kernels and containers may forbid it."""
    return succeeds([*sandbox_argv(program, ()), "true"], _PROBE_SECONDS)


def sandbox_argv(program: str, binds: Sequence[Bind]) -> list[str]:
    """Return what comes before the command. Raises Refused for a path that cannot be bound."""
    placed = sorted(
        (Bind(bind.host, _real(bind.container), bind.is_read_only) for bind in binds),
        key=lambda bind: len(bind.container.parts),
    )
    mirrored = sorted(
        {_nearest(bind.container) for bind in placed if not bind.container.is_dir()},
        key=lambda folder: len(folder.parts),
    )
    root = Path("/")
    argv = [program] if root in mirrored else [program, "--dev-bind", "/", "/"]
    for folder in mirrored:
        argv += _mirror(folder)
    for bind in placed:
        flag = "--ro-bind" if bind.is_read_only else "--bind"
        argv += [flag, str(bind.host), str(bind.container)]
    return [*argv, "--unshare-pid", "--proc", "/proc", "--die-with-parent", "--chdir", "/", "--"]


def _mirror(folder: Path) -> list[str]:
    argv = ["--tmpfs", str(folder)]
    for child in sorted(folder.iterdir()):
        if child.is_symlink():
            argv += ["--symlink", str(child.readlink()), str(child)]
        else:
            argv += ["--dev-bind-try", str(child), str(child)]
    return argv


def _nearest(path: Path) -> Path:
    """Return the nearest folder above that exists."""
    return next(folder for folder in path.parents if folder.is_dir())


def _real(path: Path) -> Path:
    """Return the path with the symbolic links of the part that exists followed.

    Bubblewrap makes missing folders itself and would follow links out of the new root.
    """
    if not path.is_absolute() or ".." in path.parts or path == Path("/"):
        raise Refused(f"container path {str(path)!r}: an absolute path below / is needed")
    real = Path(os.path.realpath(path))
    if any(part.exists() and not part.is_dir() for part in (real, *real.parents)):
        raise Refused(f"container path {str(path)!r}: a file is in its way on this host")
    return real
