"""What the command line does with the files of runs that a deployment hands out."""

from __future__ import annotations

import argparse
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from chalicelib.cli import keeping
from chalicelib.cli.addresses import address_of, fetched
from chalicelib.cli.complaints import Complaint

SIZE = 3_000_000
CONTENT = b"x" * SIZE


class Deployment(BaseHTTPRequestHandler):
    """Has an archive made at the first request, and then points to where it lies."""

    asked: list[tuple[str, str | None]]

    def do_GET(self):
        self.asked.append((self.path, self.headers["Authorization"]))
        if self.path == "/link?signature=x":
            self._tell(200, {"Content-Disposition": "attachment"}, CONTENT)
        elif self.path == "/short":
            self._tell(200, {"Content-Disposition": "attachment"}, CONTENT[:-1])
        elif self.path == "/gone":
            self._tell(403, {}, b"<Error/>")
        elif len(self.asked) == 1:
            headers = {"Location": "/runs/archive-1", "Retry-After": "0"}
            self._tell(202, headers, b"{}", len(b"{}"))
        else:
            self._tell(307, {"Location": f"{self.url}/link?signature=x"}, b"", 0)

    def do_DELETE(self):
        self.asked.append((self.path, self.headers["Authorization"]))
        self._tell(204, {}, b"", 0)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def _tell(self, status, headers, body, size=SIZE):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(size if status != 403 else len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def deployment(monkeypatch):
    monkeypatch.setenv("FALSEWORK_TOKEN", "fw_mine")
    Deployment.asked = []
    with HTTPServer(("127.0.0.1", 0), Deployment) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def arguments(url, **more):
    return argparse.Namespace(url=url, root=None, site=None, run="r1", **more)


def test_an_archive_is_waited_for_and_its_link_is_shown_no_token(deployment, tmp_path, capsys):
    assert keeping.archive(arguments(deployment, file=tmp_path / "a.tar.gz")) == 0
    assert (tmp_path / "a.tar.gz").read_bytes() == CONTENT
    assert Deployment.asked == [
        ("/runs/r1/archive", "Bearer fw_mine"),
        ("/runs/r1/archive", "Bearer fw_mine"),
        ("/link?signature=x", None),
    ]
    assert "archive-1" in capsys.readouterr().err


def test_an_archive_that_breaks_off_leaves_what_was_there(deployment, tmp_path, monkeypatch):
    monkeypatch.setattr(keeping, "_ready", lambda *_: fetched(f"{deployment}/short"))
    (tmp_path / "a.tar.gz").write_text("before")
    with pytest.raises(Complaint, match="could not be kept"):
        keeping.archive(arguments(deployment, file=tmp_path / "a.tar.gz"))
    assert [each.name for each in tmp_path.iterdir()] == ["a.tar.gz"]
    assert (tmp_path / "a.tar.gz").read_text() == "before"


@pytest.mark.parametrize(("wish", "query"), [(False, ""), (True, "?files=true")], ids=str)
def test_outputs_are_deleted_only_if_that_was_said(deployment, wish, query):
    assert keeping.delete(arguments(deployment, files=wish)) == 0
    assert Deployment.asked == [(f"/runs/r1{query}", "Bearer fw_mine")]


@pytest.mark.parametrize("link", ["{}/gone", "http://192.0.2.1/x", "file:///etc/passwd", "x"])
def test_a_link_that_opens_nothing_is_complained_about(deployment, link):
    with pytest.raises(Complaint):
        fetched(link.format(deployment))


def test_no_other_answer_of_a_deployment_is_followed(deployment):
    Deployment.asked.append(("/", None))
    answer = address_of(deployment, "fw_mine").request("GET", "/runs/r1/archive", {})
    assert answer.status == 307
