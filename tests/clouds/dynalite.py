"""dynalite, npm's DynamoDB, in a process of its own.

It is installed at the first use. Without node there is no dynalite.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.clouds.node_packages import NoNode, installed

__all__ = ["NoNode", "serving_dynalite"]

_PROJECT = Path(__file__).parents[1] / "dynalite"


@contextmanager
def serving_dynalite() -> Iterator[str]:
    """Serve an empty DynamoDB; yield the address. Raises NoNode."""
    command = ["node", str(_PROJECT / "server.js"), str(installed(_PROJECT))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        port = int(server.stdout.readline())
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()
