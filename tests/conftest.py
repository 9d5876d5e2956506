"""The servers that stand in for AWS: each started once for a session, at its first use.

What they need is imported then, too: most tests do without it.
"""

from __future__ import annotations

import gc
from collections.abc import Generator, Iterator

import pytest

from chalicelib import bootstrap


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect without looking for garbage, and never look at what was collected again.

    Thousands of tests and all that they import live until the end. To go through them again and
    again took two fifths of the collection's time, and a tenth of the tests'.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


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
