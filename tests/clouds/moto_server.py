"""moto as a server in a thread of this process, which other processes can reach too.

Its DynamoDB reads and writes without a lock: of 300 races 12 had a wrong winner. One lock around
every DynamoDB action makes it what the real one is, an item at a time.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from moto.dynamodb.responses import DynamoHandler
from moto.server import ThreadedMotoServer


@contextmanager
def serving_moto() -> Iterator[str]:
    """Serve every service that moto has; yield the address."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DynamoHandler, "call_action", _one_at_a_time(DynamoHandler.call_action))
        server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
        server.start()
        try:
            yield "http://{}:{}".format(*server.get_host_and_port())
        finally:
            server.stop()
            server._server.server_close()


def _one_at_a_time(action: Any) -> Any:
    lock = threading.RLock()

    def call_action(handler: DynamoHandler) -> Any:
        with lock:
            return action(handler)

    return call_action
