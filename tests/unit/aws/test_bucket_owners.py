"""Requests for a bucket whose owner the site knows name him, whoever sends them."""

from __future__ import annotations

import pytest

from chalicelib import settings
from chalicelib.aws.buckets import OWNER_HEADER
from chalicelib.aws.handler_ports import open_handler_ports
from chalicelib.aws.home import _site, open_home, open_worker_home
from chalicelib.core.errors import Misconfigured
from chalicelib.core.site import Site
from chalicelib.settings import Settings
from tests.unit.aws.test_buckets import Recorder, serving

OWNERS = {"ours": "123456789012"}
TOLD = Settings(table="t", site=Site(bucket_owners=OWNERS))


@pytest.fixture
def recorder(monkeypatch):
    recorder = Recorder()
    with serving(recorder) as url:
        for name, text in (("ENDPOINT_URL", url), ("ACCESS_KEY_ID", "k"),
                           ("SECRET_ACCESS_KEY", "s"), ("REGION", "us-east-1")):  # fmt: skip
            monkeypatch.setenv(f"AWS_{name}", text)
        yield recorder


def use_objects(objects):
    objects.write("s3://ours/a", b"1")
    objects.write("s3://others/a", b"1")
    list(objects.list("s3://ours/a"))
    objects.remove("s3://ours/a")


def use_carrier(_=None):
    environment = settings.aws_environment()
    carrier = open_handler_ports(TOLD, environment).carrier()
    carrier.write("s3://ours/a", b"1")
    carrier.write("s3://others/a", b"1")
    carrier.head("s3://ours/a")
    list(carrier.list("s3://ours/a"))
    carrier.remove(["s3://ours/a", "s3://others/a"])


USERS = {
    "the engine": lambda: use_objects(open_home(TOLD).ports.objects),
    "a worker": lambda: use_objects(open_worker_home(TOLD)[0]),
    "a carrier": use_carrier,
}


@pytest.mark.parametrize("user", USERS)
def test_every_request_names_the_owner_that_is_known_and_no_other(recorder, user):
    USERS[user]()
    assert len(recorder.asked) >= 4
    for method, path, headers in recorder.asked:
        expected = "123456789012" if path.startswith("/ours") else None
        assert headers.get(OWNER_HEADER) == expected, (method, path)


def test_workers_are_told_the_owners_and_read_them(monkeypatch):
    told = _site(TOLD).worker_environment
    assert settings.load(environ=told).site.bucket_owners == OWNERS
    assert "FALSEWORK_BUCKET_OWNERS" not in _site(Settings(table="t")).worker_environment


def test_an_owner_is_an_account(tmp_path):
    with pytest.raises(Misconfigured, match="bucket_owners"):
        settings.load(environ={"FALSEWORK_BUCKET_OWNERS": '{"ours": "somebody"}'})
