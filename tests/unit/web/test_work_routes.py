"""What only the ``workflow`` client does, through Chalice and through API Gateway's events."""

from __future__ import annotations

import json

import pytest

from chalicelib import bootstrap
from chalicelib.core.principals import LOCAL
from chalicelib.settings import Settings
from chalicelib.web.api import rest_app
from chalicelib.web.asked import trusting
from chalicelib.web.gateway import Gateway
from tests.flow.doors import TrustedHttp

CONTENT_TYPE = {"Content-Type": "application/json; charset=utf-8"}
BASES = pytest.mark.parametrize("base", ["/buckets", "/results-api"])


@pytest.fixture
def root(tmp_path):
    bootstrap.use(Settings(root=tmp_path / "root"))
    yield tmp_path / "root"
    bootstrap.use(Settings(root=tmp_path / "gone"))


@pytest.fixture(params=["event", "client", "gateway"])
def ask(request, root):
    """Ask by one of the doors; returns (status, JSON)."""
    return {"event": by_event, "client": by_client, "gateway": by_gateway}[request.param]


def by_event(method, resource, query=None, body=None, **parameters):
    """API Gateway's event: the query is a dictionary of lists, the last one stands alone too."""
    single = {name: values[-1] for name, values in query.items()} if query else None
    event = {
        "resource": resource,
        "path": resource,
        "httpMethod": method,
        "headers": CONTENT_TYPE,
        "multiValueHeaders": {name: [value] for name, value in CONTENT_TYPE.items()},
        "queryStringParameters": single,
        "multiValueQueryStringParameters": query or None,
        "pathParameters": parameters or None,
        "stageVariables": None,
        "requestContext": {"resourcePath": resource, "httpMethod": method, "identity": {}},
        "body": None if body is None else json.dumps(body),
        "isBase64Encoded": False,
    }
    with trusting(LOCAL):
        answer = rest_app()(event, None)
    return answer["statusCode"], json.loads(answer["body"])


def by_client(method, resource, query=None, body=None, **parameters):
    content = b"" if body is None else json.dumps(body).encode()
    target = target_of(resource, query, parameters)
    answer = TrustedHttp().request(method, target, headers=CONTENT_TYPE, body=content)
    return answer.status_code, json.loads(answer.body)


def by_gateway(method, resource, query=None, body=None, **parameters):
    content = b"" if body is None else json.dumps(body).encode()
    target = target_of(resource, query, parameters)
    answer = Gateway(trusted=LOCAL).request(method, target, CONTENT_TYPE, content)
    return answer.status, json.loads(answer.body)


def target_of(resource, query, parameters):
    pairs = [f"{name}={value}" for name, values in (query or {}).items() for value in values]
    path = resource.format(**parameters)
    return f"{path}?{'&'.join(pairs)}" if pairs else path


def a_work(**changes):
    return {"pipeline": "sample", "site": "local", "user": "tester", **changes}


@BASES
@pytest.mark.parametrize("method", ["HEAD", "GET"])
def test_the_version_is_an_object(ask, base, method):
    status, document = ask(method, f"{base}/version")
    assert (status, list(document)) == (200, ["version"])


def test_the_doubled_parameter_and_the_repeated_one(ask):
    twice = {"return_ids": ["True", "True"]}
    status, ids = ask("POST", "/buckets/work", twice, [a_work(), a_work()])
    assert (status, len(ids)) == (200, 2)
    assert ask("DELETE", "/buckets/work", {"ids": [*ids, ids[0]]}) == (200, True)
    assert ask("GET", "/buckets/status/details/{pipeline}", pipeline="sample")[1]["total"] == 0
    assert ask("DELETE", "/buckets/work", {"ids": ids}) == (200, False)


def test_a_parameter_whose_name_is_the_pipeline(ask):
    works = [a_work(id=letter * 24, status="success", creation=1.0) for letter in "ab"]
    assert ask("POST", "/results-api/results", None, works) == (200, {"sample": True})
    query = {"sample": ["a" * 24, "b" * 24], "other": ["a" * 24]}
    gone = {"sample": True, "other": False}
    assert ask("DELETE", "/results-api/results", query) == (200, gone)
    assert ask("DELETE", "/results-api/results") == (200, {})


def test_nothing_to_withdraw_is_null_with_a_body(ask):
    assert ask("POST", "/buckets/work/withdraw", None, {"pipeline": {"$in": ["x"]}}) == (200, None)


def test_head_is_get_where_no_route_is_its_own(root):
    answer = Gateway(trusted=LOCAL).request("HEAD", "/health", {})
    assert answer == Gateway(trusted=LOCAL).request("GET", "/health", {})
    refused = Gateway(trusted=LOCAL).request("HEAD", "/buckets/work", {})
    assert (refused.status, refused.headers["Allow"]) == (405, "DELETE, POST, PUT")


@BASES
def test_the_probe_needs_no_token_and_all_else_does(root, base):
    assert Gateway().request("HEAD", f"{base}/version", {}).status == 200
    assert Gateway().request("GET", f"{base}/version", {}).status == 401
