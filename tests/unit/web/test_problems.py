"""Every error has one status and becomes a problem document that gives nothing away."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest
from chalice.app import Response

from chalicelib.core import errors
from chalicelib.version import VERSION
from chalicelib.web.asked import OPEN
from chalicelib.web.problems import answered, as_problems, from_error


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.InvalidRequest("no"), 400),
        (errors.TooLarge("no"), 413),
        (errors.Forbidden("no"), 403),
        (errors.Unauthenticated("no"), 401),
        (errors.TooManyRequests("no", retry_after_seconds=7), 429),
        (errors.NotFound("no"), 404),
        (errors.Conflict("no"), 409),
        (errors.Refused("no"), 422),
        (errors.StaleRun("no"), 503),
        (errors.Unavailable("no"), 503),
        (errors.Misconfigured("secret"), 500),
        (RuntimeError("secret"), 500),
        (RecursionError("secret"), 500),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_an_error_has_a_status(error, status, caplog):
    response = from_error(error)
    body = json.loads(response.body)
    assert response.status_code == body["status"] == status
    assert response.headers["Content-Type"] == "application/problem+json"
    assert {"type", "title", "status", "detail"} <= body.keys()
    waits = {429: "7", 503: "1"}
    assert response.headers.get("Retry-After") == waits.get(status)
    assert response.headers.get("WWW-Authenticate") == {401: "Bearer"}.get(status)
    assert "secret" not in response.body
    assert ("secret" in caplog.text) == (status == 500)


def test_an_invalid_request_names_field_value_and_mend():
    error = errors.InvalidRequest("too short", field="a.b", value="x" * 999, mend="make it longer")
    assert json.loads(from_error(error).body) == {
        "type": "urn:falsework:problem:bad-request",
        "title": "The request is not valid",
        "status": 400,
        "detail": "too short",
        "errors": [{"field": "a.b", "value": "x" * 200 + "…", "mend": "make it longer"}],
    }


def test_a_value_that_json_does_not_know_is_shown_as_text():
    error = errors.InvalidRequest("no", value={"a": {1, 2}})
    assert json.loads(from_error(error).body)["errors"][0]["value"] == "{'a': {1, 2}}"


def test_a_route_is_answered_whatever_it_raises():
    @answered(OPEN)
    def view(run_id):
        raise errors.NotFound(f"no {run_id}")

    assert view(run_id="x").status_code == 404


def test_chalices_own_refusals_become_problems_and_keep_their_headers():
    own = Response({"Code": "MethodNotAllowedError", "Message": "Unsupported"},
                   status_code=405, headers={"Allow": "GET"})  # fmt: skip
    response = as_problems(None, lambda _: own)
    assert json.loads(response.body)["detail"] == "Unsupported"
    assert response.headers == {"Content-Type": "application/problem+json", "Allow": "GET"}


def test_a_good_answer_passes():
    good = Response({"Code": 1, "Message": 2, "id": 3})
    assert as_problems(None, lambda _: good) is good


def test_the_version_is_the_packages():
    text = (Path(__file__).parents[3] / "pyproject.toml").read_text(encoding="utf-8")
    assert tomllib.loads(text)["project"]["version"] == VERSION
