"""Schemathesis against the served application: whatever it sends, the document tells the answer.

The server is the one of ``falsework serve``, on a port of 127.0.0.1 and a root of its own, and it
asks for a token as it does on other addresses. No engine runs behind it: what is submitted is
saved and never started.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import requests

from chalicelib import bootstrap, tokens
from chalicelib.core.grants import LONGEST, Wanted
from chalicelib.core.principals import LOCAL, Caller, Scope
from chalicelib.settings import Settings
from chalicelib.web.gateway import Gateway
from chalicelib.web.server import Server
from tests.flow.doors import CHECKOUT
from tests.flow.known_home import SITE, populate

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)
RUNS = {
    # Every value at its bounds and just beyond them. The two that are left out take the largest
    # body of all, as POST /demand-executions does.
    "at-the-bounds": (
        ("--phases", "coverage", "--checks", ",".join((*CHECKS, "unsupported_method"))),
        ("--exclude-path", "/demand-executions/check"),
        ("--exclude-path", "/demand-executions/scaffolding"),
    ),
    "at-random": (
        ("--phases", "examples,fuzzing,stateful", "--checks", ",".join((*CHECKS, "ignored_auth"))),
        ("--max-examples", "4", "--generation-database", "none"),
    ),
}
SEED = 20260601


@pytest.fixture
def served(tmp_path):
    """Yield (url, token) of a server with a home that is not empty."""
    bootstrap.use(Settings(root=tmp_path / "root", site=SITE))
    home = bootstrap.home()
    populate(home)
    asking = home.ports._replace(caller=Caller(LOCAL, "test"))
    made = tokens.create(Wanted("schemathesis", frozenset(Scope), None, LONGEST), asking)
    with Server("127.0.0.1", 0, Gateway(trusted=None)) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server.url, made.text
        finally:
            server.shutdown()
            thread.join()
    bootstrap.use(Settings(root=tmp_path / "gone"))


@pytest.mark.parametrize("flags", RUNS.values(), ids=RUNS)
def test_nothing_that_is_sent_gets_an_answer_that_the_document_does_not_tell(
    served, tmp_path, flags
):
    url, token = served
    done = subprocess.run(
        [
            Path(sys.executable).with_name("schemathesis"), "run", f"{url}/openapi.json",
            "--header", f"Authorization: Bearer {token}", "--seed", str(SEED),
            "--continue-on-failure", "--request-timeout", "20", "--no-color",
            *(word for flag in flags for word in flag),
        ],
        check=False, cwd=tmp_path, capture_output=True, text=True, timeout=300,
        env={**os.environ, "SCHEMATHESIS_HOOKS": "tests.flow.schemathesis_hooks",
             "PYTHONPATH": str(CHECKOUT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        pytest.param("POST", "/results-api/view", {"limit": 2**63}, 400, id="a-huge-limit"),
        pytest.param("POST", "/buckets/view", {"skip": 2**63}, 400, id="a-huge-skip"),
        pytest.param("POST", "/flowserv/workflows/%C2%A5/runs", {}, 404, id="no-workflows-name"),
        pytest.param("TRACE", "/health", None, 405, id="trace"),
        pytest.param("QUERY", "/runs", None, 405, id="query"),
    ],
)
def test_what_it_once_found_stays_mended(served, method, path, body, status):
    url, token = served
    headers = {"Authorization": f"Bearer {token}"}
    answer = requests.request(method, url + path, json=body, headers=headers, timeout=20)
    assert answer.status_code == status
