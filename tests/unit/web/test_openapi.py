"""The OpenAPI document against the routes, and the page that shows it."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import subprocess
import sys

import pytest
from chalice.app import Blueprint
from openapi_spec_validator import validate

from chalicelib.core.errors import Misconfigured
from chalicelib.core.options import Options
from chalicelib.core.principals import Scope
from chalicelib.web.answers import json_answer
from chalicelib.web.api import rest_app
from chalicelib.web.asked import scope_of
from chalicelib.web.chalice_api import Api
from chalicelib.web.described import described, description_of
from chalicelib.web.gateway import Gateway
from chalicelib.web.openapi.document import document
from chalicelib.web.openapi.operations import SCHEMES, SIGNED_SCHEME
from chalicelib.web.problems import answered

ROUTES = {
    (method, path): entry.view_function
    for path, methods in rest_app().routes.items()
    for method, entry in methods.items()
}
IDS = [" ".join(place) for place in ROUTES]


@pytest.fixture(scope="module")
def api():
    return document(rest_app())


def _operations(api):
    return {
        (method.upper(), path): operation
        for path, item in api["paths"].items()
        for method, operation in item.items()
    }


def _ask(target, context=None):
    return Gateway(trusted=None).request("GET", target, {})


@pytest.mark.parametrize("place", ROUTES, ids=IDS)
def test_every_route_says_what_it_takes_and_answers(place):
    assert description_of(ROUTES[place]) is not None, "put @described(…) on it: web/described.py"


def test_it_lists_every_route_and_nothing_else(api):
    assert set(_operations(api)) == set(ROUTES)


def test_it_is_valid_openapi(api):
    assert api["openapi"].startswith("3.1.")
    validate(api)


def test_a_route_that_nobody_has_described_cannot_be_shown():
    routes, app = Blueprint("bare"), Api("bare", configure_logs=False, env={})

    @routes.route("/bare", methods=["GET"])
    @answered(Scope.READ)
    def show_bare():
        return json_answer({})

    app.register_blueprint(routes)
    with pytest.raises(Misconfigured, match="GET /bare does not say what it takes and answers"):
        document(app)


@pytest.mark.parametrize("place", ROUTES, ids=IDS)
def test_it_says_who_may(api, place):
    scope = scope_of(ROUTES[place], place[0])
    security = _operations(api)[place]["security"]
    shown = [each for each in security if SIGNED_SCHEME not in each]
    assert shown == ([{scheme: [scope]} for scheme in SCHEMES] if scope else [])
    assert ({SIGNED_SCHEME: []} in security) == (place == ("POST", "/tokens"))
    assert set().union(*security) <= set(api["components"]["securitySchemes"])


@pytest.mark.parametrize("place", ROUTES, ids=IDS)
def test_it_says_in_words_what_each_route_is_for(api, place):
    operation = _operations(api)[place]
    assert len(operation["summary"]) > 10
    assert "``" not in operation["summary"] + operation["description"]


def test_a_refusal_is_a_problem_and_below_flowserv_a_message(api):
    operations, responses = _operations(api), api["components"]["responses"]
    ours = operations["GET", "/runs/{run_id}"]["responses"]["404"]["$ref"].split("/")[-1]
    theirs = operations["GET", "/flowserv/runs/{run_id}"]["responses"]["404"]["$ref"].split("/")[
        -1
    ]
    assert list(responses[ours]["content"]) == ["application/problem+json"]
    assert list(responses[theirs]["content"]) == ["application/json"]


@pytest.mark.parametrize(
    "path",
    [
        "/runs/{run_id}/archive",
        "/flowserv/runs/{run_id}/downloads/archive",
        "/flowserv/workflows/{workflow_id}/downloads/archive",
    ],
)
def test_who_asks_for_an_archive_may_be_over_a_quota(api, path):
    told = api["paths"][path]["get"]["responses"]["429"]["$ref"].rpartition("/")[2]
    assert "Retry-After" in api["components"]["responses"][told]["headers"]


def test_models_have_names_that_can_be_said(api):
    schemas = api["components"]["schemas"]
    assert {"RunView", "Problem", "Options", "Work"} <= set(schemas)
    assert not [name for name in schemas if "__" in name]


def test_what_stands_below_a_field_is_its_description(api):
    shown = api["components"]["schemas"]["Options"]["properties"]
    assert shown["fallback_job_queue_name"]["description"].startswith("Where jobs go after")
    assert set(shown) == set(Options.model_fields)


def test_nothing_of_it_is_built_or_even_imported_until_it_is_asked_for():
    code = (
        "import sys; from chalicelib.web.api import deployed_routes; deployed_routes();"
        "from chalicelib.web.shapes.runs import RunView;"
        "print([n for n in sys.modules if 'web.openapi' in n], RunView.__pydantic_complete__)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["[]", "False"]


def test_it_is_served_to_anybody():
    answer = _ask("/openapi.json")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/json")
    shown = json.loads(answer.body)
    assert shown.pop("servers") == [{"url": "/"}]
    assert shown == json.loads(json.dumps(document(rest_app())))


def test_behind_a_stage_it_names_the_stage(monkeypatch):
    from chalicelib.web.doc_routes import _base

    class Asked:
        context = {"path": "/api/openapi.json"}

    assert _base(Asked) == "/api"


# --- the page


@pytest.fixture(scope="module")
def page():
    answer = _ask("/docs")
    assert answer.status == 200
    return answer


def test_the_page_is_html_that_allows_its_own_script_and_style_only(page):
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    policy = dict(
        part.strip().split(" ", 1) for part in page.headers["Content-Security-Policy"].split(";")
    )
    assert policy["default-src"] == "'none'"
    assert policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == "'none'"
    for kind in ("script", "style"):
        (text,) = re.findall(rf"<{kind}>(.*?)</{kind}>", page.body.decode(), re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert policy[f"{kind}-src"] == f"'sha256-{digest}'"


def test_the_page_loads_nothing_from_elsewhere_and_writes_no_html(page):
    text = page.body.decode()
    assert not re.findall(r"(?:https?:)?//[a-z0-9.-]+\.[a-z]{2,}", text)
    assert not re.findall(r"<(?:script|link|img|iframe)[^>]*\s(?:src|href)=\"(?!data:)", text)
    assert not re.findall(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", text)
    assert not re.findall(r"localStorage|sessionStorage|document\.cookie", text)
    assert not re.findall(r"<[^>]+\s(?:style|on[a-z]+)=", text.partition("<script>")[0])


def test_a_description_gives_the_view_back_as_it_was():
    def view():
        return json_answer({})

    assert described({200: dict})(view) is view
