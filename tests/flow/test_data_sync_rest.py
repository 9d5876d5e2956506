"""The REST routes that start jobs over files, on a real embedded home; no job runs here."""

from __future__ import annotations

from chalicelib import bootstrap
from chalicelib.core.site import Site
from chalicelib.local.folders import OWN_FILE_SYSTEM_ID as FS
from chalicelib.settings import Settings
from tests.flow.doors import TrustedHttp
from tests.flow.test_kinds_rest import ENDS, post, problem


def test_an_ended_run_is_returned_with_the_way_to_resume_it(http):
    told = {**ENDS, "run_id": "mine"}
    post(http, "/data-syncs", told)
    http.post("/runs/mine/cancel", headers={"Content-Type": "application/json"})
    again = post(http, "/data-syncs", told)
    assert (again.status_code, again.json_body["state"]) == (200, "CANCELED")
    assert again.headers["Link"] == '</runs/mine/resume>; rel="resume"'


def test_there_are_no_other_operations(http):
    problem(post(http, "/data-paths/rename", {"path": f"{FS}:/x"}), 404)


def test_a_path_of_the_host_is_refused_where_the_host_is_not_the_users(tmp_path):
    site = Site(has_local_paths=False)
    bootstrap.use(Settings(root=tmp_path / "root", site=site))
    http = TrustedHttp()
    told = problem(post(http, "/data-syncs", {**ENDS, "source_path": "/etc"}), 400)
    assert told["errors"][0]["field"] == "source_path"
    bootstrap.use(Settings(root=tmp_path / "gone"))
