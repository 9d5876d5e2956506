"""moto as a server in a thread of this process, which other processes can reach too."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from moto.server import ThreadedMotoServer

from tests.clouds.moto_dynamodb import mend_dynamodb


@contextmanager
def serving_moto() -> Iterator[str]:
    """Serve every service that moto has; yield the address."""
    with pytest.MonkeyPatch.context() as patch:
        mend_dynamodb(patch)
        server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
        server.start()
        try:
            yield "http://{}:{}".format(*server.get_host_and_port())
        finally:
            server.stop()
            server._server.server_close()
