"""What several files have in common: an embedded home, a real server, and clients of it.

What is imported here is imported by every test; what only some of them need waits for them.
"""

from __future__ import annotations

import pytest

from tests.flow.work_client import Buckets


@pytest.fixture
def http(tmp_path):
    """Calls of the routes without a socket, on a home that is opened at the first of them."""
    from chalicelib import bootstrap
    from chalicelib.settings import Settings
    from tests.flow.doors import TrustedHttp

    bootstrap.use(Settings(root=tmp_path / "root"))
    yield TrustedHttp()
    bootstrap.use(Settings(root=tmp_path / "gone"))


@pytest.fixture(scope="module")
def queue_url(tmp_path_factory):
    """The address of a ``falsework serve`` that each file of tests has of its own."""
    from tests.flow.test_server import serving  # the other tests need no server

    with serving(tmp_path_factory.mktemp("queue") / "root") as (_, port):
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def buckets(queue_url):
    with Buckets.at(queue_url) as client:
        yield client


@pytest.fixture
def pipeline(request):
    """A pipeline that no other test has."""
    name = "".join(each if each.isalnum() else "-" for each in request.node.name)
    return name.removeprefix("test-")[:128]
