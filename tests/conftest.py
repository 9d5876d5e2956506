"""The servers that stand in for AWS: each started once for a session, at its first use.

What they need is imported then, too: most tests do without it.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from chalicelib import bootstrap


@pytest.fixture(scope="module", autouse=True)
def nothing_told() -> Iterator[None]:
    """What one module's tests told the process is not left to the next one's."""
    yield
    bootstrap.forget()


@pytest.fixture(scope="session")
def moto_endpoint() -> Iterator[str]:
    from tests.clouds.clients import closing_clients
    from tests.clouds.moto_server import serving_moto

    with serving_moto() as endpoint, closing_clients(endpoint):
        yield endpoint


@pytest.fixture(scope="session")
def dynalite_endpoint() -> Iterator[str]:
    from tests.clouds.clients import closing_clients
    from tests.clouds.dynalite import NoNode, serving_dynalite

    try:
        with serving_dynalite() as endpoint, closing_clients(endpoint):
            yield endpoint
    except NoNode as exc:
        pytest.skip(str(exc))
