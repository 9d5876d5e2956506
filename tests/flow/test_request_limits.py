"""What a request may hold: every route that reads a body refuses one that is too much."""

from __future__ import annotations

import json

import pytest

from chalicelib import bootstrap
from chalicelib.core.json_text import read_request
from chalicelib.core.limits import LAMBDA_PAYLOAD_BYTES, REQUEST_LIST_ITEMS, TOKEN_GROUPS
from chalicelib.core.principals import LOCAL
from chalicelib.settings import Settings
from chalicelib.web.api import rest_app
from chalicelib.web.gateway import Gateway

JSON = {"Content-Type": "application/json"}
READS_NO_BODY = {
    "/runs/{run_id}/cancel",
    "/dead-letters/redrive",
    "/pipelines/v2/configs/cancel",
}
WORKS = {"/buckets/work", "/results-api/results"}
ANY_VALUES = {
    "/buckets/work/withdraw",
    "/buckets/view",
    "/results-api/view",
    "/results-api/view/count",
}
"""What the values in a filter may be is the filter's to say."""
WAYS = sorted(
    (method, path)
    for path, methods in rest_app().routes.items()
    for method in methods
    if method in {"POST", "PUT", "PATCH"} and path not in READS_NO_BODY
)
each_way = pytest.mark.parametrize(("method", "path"), WAYS, ids=" ".join)
NAMES = {"operation": "stats", "run_id": "r", "group": "default", "workflow_id": "w"}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    bootstrap.use(Settings(root=tmp_path_factory.mktemp("home") / "root"))
    yield Gateway(trusted=LOCAL)
    bootstrap.use(Settings(root=tmp_path_factory.mktemp("gone")))


def sent(gateway, method, path, body):
    return gateway.request(method, path.format(**NAMES), JSON, body)


@each_way
def test_a_body_that_is_too_large_is_refused(gateway, method, path):
    answer = sent(gateway, method, path, b" " * (LAMBDA_PAYLOAD_BYTES + 1))
    assert answer.status == 413, answer.body


@pytest.mark.parametrize(
    ("method", "path"), [way for way in WAYS if way[1] not in ANY_VALUES], ids=" ".join
)
def test_a_list_that_is_too_long_is_refused(gateway, method, path):
    many = [0] * (REQUEST_LIST_ITEMS + 1)
    body = json.dumps(many if path in WORKS else {"a": [{"b": many}]}).encode()
    answer = sent(gateway, method, path, body)
    assert answer.status == 413, answer.body


def test_the_refusal_names_the_field():
    wide = dict.fromkeys(map(str, range(REQUEST_LIST_ITEMS + 1)))
    with pytest.raises(ValueError, match="25001 values") as caught:
        read_request(json.dumps({"a": [{"b": wide}]}).encode())
    assert caught.value.field == "a.0.b"
    assert caught.value.mend


@pytest.mark.parametrize(
    "document",
    [{"a": [0] * REQUEST_LIST_ITEMS}, {"a": [0] * 20_000, "b": [0] * 20_000}, {"a": "," * 50_000}],
    ids=["as long as may be", "two lists", "a text"],
)
def test_what_is_just_not_too_long_is_taken(document):
    assert read_request(json.dumps(document).encode()) == document


def test_the_results_of_a_work_may_be_as_long_as_they_like(gateway):
    work = {"pipeline": "p", "user": "u", "site": "local", "results": {"x": [0] * 50_000}}
    assert sent(gateway, "POST", "/buckets/work", json.dumps([work]).encode()).status == 200


def test_a_token_has_so_many_groups_as_can_be_kept(gateway):
    groups = [f"g{number}" for number in range(TOKEN_GROUPS + 1)]
    answer = sent(gateway, "POST", "/tokens", json.dumps({"groups": groups}).encode())
    assert answer.status == 400
    assert json.loads(answer.body)["errors"][0]["field"] == "groups"
