"""What nobody should read stands in no log: tokens, values, secrets' names, links that open."""

from __future__ import annotations

import json
import logging
import re

import pytest

import app
from chalicelib.core.data_sync.manifest import ManifestFile, manifest_of, manifest_uri
from chalicelib.core.options import Options
from chalicelib.core.site import Site
from chalicelib.web import asked
from chalicelib.web.gateway import Gateway
from tests.flow.aws_worlds import SITE, a_request, aws_account, play
from tests.flow.doors import eventually, falsework, shell_demand
from tests.flow.test_server import _ask, serving
from tests.flow.test_token_routes import SESSION, exchange_event
from tests.unit.flowserv.values import AT

VALUE = "v4lue-of-the-environment"
SECRET = "arn:aws:secretsmanager:us-east-1:123456789012:secret:db-AbCdEf"
IDENTITY = "arn:aws:iam::123456789012:role/Lab"


@pytest.fixture
def world():
    grant = {"scopes": ["admin"], "groups": None}
    identities = Site.model_validate({"identities": {IDENTITY: grant}}).identities
    site = SITE.model_copy(
        update={"identities": identities, "allowed_secrets": ("arn:aws:secretsmanager:",)}
    )
    with aws_account() as world:
        world.restart(site=site, job_execution_role_arn="arn:aws:iam::123456789012:role/job")
        yield world


@pytest.fixture
def logged(caplog, capsys):
    """All that was logged and written so far: of ours everything, of others' what they do by
    themselves (botocore would write every request at DEBUG)."""
    caplog.set_level(logging.INFO)
    for name in ("chalicelib", "falsework"):
        caplog.set_level(logging.DEBUG, logger=name)

    def so_far():
        captured = capsys.readouterr()
        return caplog.text + captured.out + captured.err

    return so_far


def a_demand():
    demand = a_request("e1", options={"secrets": {"DB": SECRET}, "group": "lab"})
    demand["execution_parameters"]["params"]["value"] = VALUE
    return demand


def asking(token):
    gateway = Gateway()

    def ask(method, target, document=None):
        body = b"" if document is None else json.dumps(document).encode()
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
        return gateway.request(method, target, headers, body)

    return ask


def leave_a_file(world):
    """Put what the run's stage-out would have."""
    entry = ManifestFile(path="a.txt", bytes=3, sha256="0" * 64)
    manifest = manifest_of((entry,), run="e1", param="out", source="fs-1:/x", created_at=AT)
    objects, uri = world.home.ports.objects, "s3://data/results/out/"
    objects.write(f"{uri}a.txt", b"abc")
    objects.write(manifest_uri(uri), manifest.model_dump_json().encode())
    run = world.run("e1")
    outputs = {"out": {"uri": uri, "manifest": manifest_uri(uri), "files": 1, "bytes": 3}}
    world.home.ports.runs.save(run.model_copy(update={"outputs": outputs}))


def test_a_run_on_aws_from_its_token_to_its_files(world, logged):
    world.s3.create_bucket(Bucket="data")
    made = json.loads(app.app(exchange_event(SESSION.format("Lab")), None)["body"])
    ask = asking(made["token"])
    answer = ask("POST", "/demand-executions", a_demand())
    assert answer.status == 202, answer.body
    play(world, "e1")
    leave_a_file(world)
    files = json.loads(ask("GET", "/runs/e1/files").body)["files"]
    links = [
        ask("GET", target).headers["Location"]
        for target in (f"/runs/e1/files/{files[0]['id']}", "/runs/e1/archive")
    ]
    assert all("Signature=" in link for link in links)
    other = json.loads(
        app.app(exchange_event(SESSION.format("Lab"), {"name": "ci"}), None)["body"]
    )
    ask("DELETE", f"/tokens/{other['id']}")
    assert asking(other["token"])("GET", "/runs").status == 401
    assert asking(made["token"][:-1] + "#")("GET", "/runs").status == 401

    text = logged()
    assert "audit: " in text
    assert "token " in text
    assert_clean(text, made["token"], other["token"])
    for link in links:
        assert link not in text
        assert re.search(r"Signature=([^&]+)", link)[1] not in text


def test_what_is_refused_or_fails_unforeseen(world, logged, monkeypatch):
    ask = asking(json.loads(app.app(exchange_event(SESSION.format("Lab")), None)["body"])["token"])
    bad = a_demand()
    bad["execution_parameters"]["command"] = {VALUE: SECRET}
    assert ask("POST", "/demand-executions", bad).status == 400
    world.submit_by_queue(bad, VALUE, {**a_demand(), "options": {VALUE: VALUE}})
    world.drop("requests/a.json", json.dumps(bad).encode())
    world.sweep()

    def stumble():
        Options.model_validate({"group": VALUE + "!", "secrets": {"DB": [SECRET]}})

    monkeypatch.setattr(asked, "ports", stumble)
    assert ask("GET", "/runs").status == 500
    text = logged()
    assert "unforeseen" in text
    assert "ValidationError" in text
    assert_clean(text)


def test_a_server_on_this_machine(tmp_path):
    root = tmp_path / "root"
    token = falsework("token", "create", "alice", "--root", root, cwd=tmp_path).stdout.strip()
    headers = {"Authorization": f"Bearer {token}"}
    demand = shell_demand("e1", "echo done", params={"value": VALUE})
    bad = {**demand, "execution_image": {VALUE: VALUE}}
    with serving(root, "--tokens") as (process, port):
        assert _ask(port, "POST", "/demand-executions", json.dumps(bad), headers)[0] == 400
        assert _ask(port, "POST", "/demand-executions", json.dumps(demand), headers)[0] == 202
        eventually(lambda: _ask(port, "GET", "/runs/e1", None, headers)[2]["settled_at"])
        assert _ask(port, "GET", "/runs", None, {"Authorization": f"Bearer {token}x"})[0] == 401
        process.terminate()
        text = process.stdout.read() + root.with_suffix(".stderr").read_text()
    assert_clean(text, token)


def assert_clean(text, *tokens):
    for secret in (VALUE, SECRET, "X-Amz-Signature", "Signature=", *tokens):
        assert secret not in text
    for token in tokens:
        assert token[24:] not in text
