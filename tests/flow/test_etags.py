"""ETags of runs: who has a state already is told so, and nothing else."""

from __future__ import annotations

import json

import pytest

from chalicelib import bootstrap
from chalicelib.core.principals import LOCAL
from chalicelib.settings import Settings
from chalicelib.web.gateway import Gateway
from tests.flow.doors import shell_demand

JSON = {"Content-Type": "application/json"}
PATHS = ["/runs/e1", "/runs/e1/stages", "/flowserv/runs/e1"]


@pytest.fixture
def gateway(tmp_path):
    bootstrap.use(Settings(root=tmp_path / "root"))
    gateway = Gateway(trusted=LOCAL)
    body = json.dumps(shell_demand("e1", "true")).encode()
    assert gateway.request("POST", "/demand-executions", JSON, body).status == 202
    yield gateway
    bootstrap.use(Settings(root=tmp_path / "gone"))


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("path", PATHS)
def test_a_state_that_the_caller_has_is_not_sent_again(gateway, path, method):
    first = gateway.request(method, path, {})
    known = gateway.request(method, path, {"If-None-Match": f'"x", {first.headers["ETag"]}'})
    assert (first.status, known.status, known.body) == (200, 304, b"")
    assert known.headers["ETag"] == first.headers["ETag"]


@pytest.mark.parametrize("path", PATHS)
def test_when_the_run_has_changed_it_is_sent_with_another_tag(gateway, path):
    first = gateway.request("GET", path, {})
    gateway.request("POST", "/runs/e1/cancel", JSON, b"{}")
    after = gateway.request("GET", path, {"If-None-Match": first.headers["ETag"]})
    assert after.status == 200
    assert after.headers["ETag"] != first.headers["ETag"]
    assert after.body != first.body


@pytest.mark.parametrize("path", PATHS)
def test_a_run_that_is_not_there_is_not_unchanged(gateway, path):
    answer = gateway.request("GET", path.replace("e1", "e2"), {"If-None-Match": "*"})
    assert answer.status == 404
