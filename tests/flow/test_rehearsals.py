"""A dry run and a check refuse what a submission refuses, for its reason, and save nothing."""

from __future__ import annotations

import json

import pytest

from chalicelib import bootstrap
from chalicelib.core.group_rules import GroupRules, Quota
from chalicelib.core.site import Site
from chalicelib.settings import Settings
from tests.flow.doors import TrustedHttp, shell_demand
from tests.flow.pipeline_parts import pipeline, value

DEMANDS, PIPELINES = "/demand-executions", "/pipelines"
REHEARSALS = {
    "dry run of a demand": (DEMANDS, f"{DEMANDS}?dry_run=true"),
    "check of a demand": (DEMANDS, f"{DEMANDS}/check"),
    "dry run of a pipeline": (PIPELINES, f"{PIPELINES}?dry_run=true"),
}
LAB = GroupRules(quota=Quota(live_runs=1, vcpus=2))


@pytest.fixture
def http(tmp_path):
    told = Site(groups={"lab": LAB, "default": GroupRules()}, default_job_queue="default")
    bootstrap.use(Settings(root=tmp_path / "root", site=told))
    yield TrustedHttp()
    bootstrap.use(Settings(root=tmp_path / "gone"))


def document(door, run_id="r1", text="true", **options):
    if door == DEMANDS:
        return {**shell_demand(run_id, text), "options": options}
    return pipeline(value("v", {"told": text}), run_id=run_id, options=options)


def send(http, path, body):
    return http.post(
        path, headers={"Content-Type": "application/json"}, body=json.dumps(body).encode()
    )


def ids(http):
    return [run["id"] for run in http.get("/runs").json_body["runs"]]


def assert_both_refuse(http, doors, body, status):
    door, rehearsal = doors
    before = ids(http)
    rehearsed, submitted = send(http, rehearsal, body), send(http, door, body)
    assert submitted.status_code == status, submitted.body
    assert (rehearsed.status_code, rehearsed.json_body) == (status, submitted.json_body)
    assert ids(http) == before


@pytest.fixture(params=REHEARSALS.values(), ids=REHEARSALS.keys())
def doors(request):
    return request.param


def test_who_is_not_there_cannot_be_told_of_it(http, doors):
    body = document(doors[0], notify={"webhooks": ["ci"]})
    assert_both_refuse(http, doors, body, 400)


def test_an_id_of_our_own_runs_is_not_free(http, doors):
    body = document(doors[0], run_id=f"work-{'0' * 24}-1")
    assert_both_refuse(http, doors, body, 400)


def test_an_id_that_is_in_use_is_not_free_for_something_else(http, doors):
    assert send(http, doors[0], document(doors[0])).status_code in {200, 202}
    assert_both_refuse(http, doors, document(doors[0], text="false"), 409)


def test_the_same_again_is_in_order(http, doors):
    assert send(http, doors[0], document(doors[0])).status_code in {200, 202}
    assert send(http, doors[1], document(doors[0])).status_code == 200


def test_a_group_that_may_not_submit_is_refused(http, doors):
    assert_both_refuse(http, doors, document(doors[0], group="nobodys"), 403)


@pytest.mark.parametrize("path", [each[1] for each in REHEARSALS.values() if each[0] == DEMANDS])
def test_what_never_fits_into_a_quota_is_refused(http, path):
    body = document(DEMANDS, group="lab")
    body["resource_requirements"] = {"vcpus": 4}
    assert_both_refuse(http, (DEMANDS, path), body, 403)


def test_a_quota_that_is_used_up_just_now_is_no_fault_of_the_request(http, doors):
    door, rehearsal = doors
    assert send(http, DEMANDS, document(DEMANDS, run_id="first", group="lab")).status_code == 202
    for path, status in ((rehearsal, 200), (door, 429)):
        assert send(http, path, document(door, group="lab")).status_code == status
    assert ids(http) == ["first"]
