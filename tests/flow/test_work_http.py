"""Buckets and Results through ``falsework serve``, asked as the ``workflow`` client asks."""

from __future__ import annotations

import json
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.flow.test_server import serving
from tests.flow.work_client import Buckets, Pipelines, Results, a_work

DAY = 86_400
WITHOUT_ID = {"_id": False}


@pytest.fixture
def results(queue_url):
    with Results.at(queue_url) as client:
        yield client


def at(port):
    return f"http://127.0.0.1:{port}"


def succeeded(work, **results):
    return {**work, "status": "success", "stop": time.time(), "results": results or None}


@pytest.mark.parametrize("service", [Buckets, Results, Pipelines], ids=lambda each: each.place)
def test_the_probe_answers_without_a_token_and_without_a_body(queue_url, service):
    with service.at(queue_url) as client:
        answer = client.probe()
        assert (answer.status_code, answer.content) == (200, b"")
        assert isinstance(client.version()["version"], str)


def test_a_deposit_answers_true_or_the_ids_in_their_order(buckets, pipeline):
    assert buckets.deposit([a_work(pipeline)]) is True
    more = [a_work(pipeline, tags=[str(number)]) for number in range(3)]
    ids = buckets.deposit(more, return_ids=True)
    assert len(ids) == 3
    for number, work_id in enumerate(ids):
        assert len(work_id) == 24
        (found,) = buckets.view({"id": work_id}, WITHOUT_ID)
        assert (found["tags"], found["status"], found["attempt"]) == ([str(number)], "queued", 0)
        assert "_id" not in found


@pytest.mark.parametrize(
    ("query", "has_ids"),
    [
        ("", False),
        ("?return_ids=True", True),
        ("?return_ids=true", True),
        ("?return_ids=1&return_ids=1", True),
        ("?return_ids=False&return_ids=True", True),
        ("?return_ids=False&return_ids=False", False),
    ],
)
def test_the_doubled_parameter_is_understood(buckets, query, has_ids):
    answer = buckets.told("POST", f"/work{query}", json=[a_work("doubled")])
    assert isinstance(answer, list) is has_ids
    assert has_ids or answer is True


def test_what_is_withdrawn_can_be_a_work_again(buckets, pipeline):
    deposited = a_work(pipeline, function="math.sqrt", parameters={"x": 2}, event=[0, 1])
    buckets.deposit([deposited])
    before = time.time()
    work = buckets.withdraw(pipeline, site="local")
    kept = deposited.keys() - {"id", "start", "attempt", "status"}
    assert {name: work[name] for name in kept} == {name: deposited[name] for name in kept}
    assert work.keys() == deposited.keys()
    assert (work["status"], work["attempt"], work["stop"]) == ("running", 1, None)
    assert before - 1 < work["start"] < time.time() + 1
    assert buckets.withdraw(pipeline, site="local") is None


@pytest.mark.parametrize(
    ("filters", "number"),
    [
        ({}, 5),
        ({"site": "far"}, 1),
        ({"priority": 2}, 2),
        ({"user": "somebody"}, 3),
        ({"event": [7, 8]}, 4),
        ({"tags": ["a", "b"]}, 4),
        ({"parent": ["c0ffee"]}, 3),
        ({"site": "local", "user": "somebody", "parent": ["c0ffee"]}, 3),
        ({"tags": ["c"]}, None),
        ({"priority": 4}, None),
    ],
    ids=str,
)
def test_every_filter_of_a_withdrawal_holds(buckets, pipeline, filters, number):
    config = {**a_work(pipeline)["config"], "parent": "c0ffee"}
    works = [
        a_work(pipeline, priority=1),
        a_work(pipeline, site="far"),
        a_work(pipeline, priority=2),
        a_work(pipeline, user="somebody", config=config),
        a_work(pipeline, event=[8], tags=["x", "b"]),
        a_work(pipeline, priority=5),
    ]
    ids = buckets.deposit(works, return_ids=True)
    work = buckets.withdraw("another", pipeline, **filters)
    assert (None if work is None else work["id"]) == (None if number is None else ids[number])


def test_an_update_replaces_the_work_and_shows_in_the_view(buckets, pipeline):
    buckets.deposit([a_work(pipeline)])
    work = buckets.withdraw(pipeline)
    assert buckets.update([succeeded(work, answer=42)]) is True
    query = {"pipeline": pipeline, "status": {"$in": ["success"]}}
    (shown,) = buckets.view(query, {"results": True, "id": True, "_id": False})
    assert shown == {"id": work["id"], "results": {"answer": 42}}


def test_a_lost_lease_is_false_and_changes_nothing(buckets, pipeline):
    buckets.deposit([a_work(pipeline)])
    lost = buckets.withdraw(pipeline)
    assert buckets.update([{**lost, "status": "queued"}]) is True
    held = buckets.withdraw(pipeline)
    assert buckets.update([succeeded(lost, answer=1)]) is False
    assert buckets.view({"id": held["id"]}, WITHOUT_ID) == [held]


def test_an_update_of_nothing_is_not_found(buckets, pipeline):
    answer = buckets.ask("PUT", "/work", json=[{**a_work(pipeline), "id": "a" * 24}])
    assert (answer.status_code, answer.json()["status"]) == (404, 404)


def test_a_deletion_is_true_and_of_nothing_false(buckets, pipeline):
    ids = buckets.deposit([a_work(pipeline, tags=["t"]) for _ in range(3)], return_ids=True)
    assert buckets.delete_ids([ids[0], ids[0], "f" * 24]) is True
    assert buckets.delete_ids([ids[0]]) is False
    assert buckets.delete_many(pipeline, tags="t") is True
    assert buckets.status(pipeline)["total"] == 0
    assert buckets.told("DELETE", "/work") is False


def test_the_status_has_its_keys_in_the_order_that_the_command_line_prints(buckets, pipeline):
    buckets.deposit([a_work(pipeline) for _ in range(3)])
    buckets.withdraw(pipeline)
    told = {"total": 3, "queued": 2, "running": 1, "success": 0, "failure": 0}
    answer = buckets.ask("GET", f"/status/details/{pipeline}")
    assert answer.text == json.dumps(told, separators=(",", ":"))
    assert list(buckets.status()) == list(told)
    assert buckets.status("nobody-knows") == dict.fromkeys(told, 0)
    assert pipeline in buckets.pipelines()
    buckets.delete_many(pipeline)
    assert pipeline not in buckets.pipelines()


def test_a_pipeline_may_have_letters_that_a_path_has_to_quote(buckets):
    buckets.deposit([a_work("größe-é")])
    assert buckets.status("größe-é")["queued"] == 1


def test_a_view_is_paged(buckets, pipeline):
    works = [a_work(pipeline, creation=float(number)) for number in range(5)]
    ids = buckets.deposit(works, return_ids=True)
    told = {"id": True, "_id": False}
    assert buckets.view({"pipeline": pipeline}, told, skip=1, limit=2) == [
        {"id": ids[1]},
        {"id": ids[2]},
    ]
    assert len(buckets.view({"pipeline": pipeline}, told, limit=None)) == 5


def test_of_works_with_one_invalid_none_is_deposited(buckets, pipeline):
    works = [a_work(pipeline), a_work(pipeline, priority=9)]
    answer = buckets.ask("POST", "/work", json=works, params={"return_ids": True})
    assert answer.status_code == 400
    assert answer.headers["Content-Type"] == "application/problem+json"
    (error,) = answer.json()["errors"]
    assert (error["field"], error["value"]) == ("1.priority", 9)
    assert buckets.status(pipeline)["total"] == 0


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/work/withdraw", {"$where": "true"}),
        ("POST", "/work/withdraw", {"a": {"$function": {}}}),
        ("POST", "/work/withdraw", {"a": {"$size": 2}}),
        ("POST", "/view", {"query": {"$expr": {"$function": {}}}}),
        ("POST", "/view", {"query": {}, "limit": -1}),
        ("POST", "/view", []),
        ("POST", "/work", {}),
        ("POST", "/work", None),
        ("POST", "/work?return_ids=perhaps", []),
        ("PUT", "/work", [{}]),
        ("GET", "/audit/stale/many", None),
        ("GET", "/audit/stale/-1", None),
    ],
    ids=str,
)
def test_what_makes_no_sense_is_a_bad_request_with_a_reason(buckets, method, path, body):
    answer = buckets.ask(method, path, data=None if body is None else json.dumps(body))
    assert answer.status_code == 400, answer.text
    assert answer.json()["detail"]


def test_large_results_are_dropped_by_their_size_as_json(buckets, pipeline):
    sizes = (3_900_000, 5_000_000)  # one after the other: a request has 6 MB
    works = [a_work(pipeline, results={"text": "x" * size}) for size in sizes]
    ids = [buckets.deposit([work], return_ids=True)[0] for work in works]
    found = [buckets.view({"id": each}, WITHOUT_ID)[0]["results"] for each in ids]
    assert [each and len(each["text"]) for each in found] == [3_900_000, None]


def test_the_audits_change_what_upstreams_own_test_expects(tmp_path):
    with serving(tmp_path / "root") as (_, port), Buckets.at(at(port)) as buckets:
        buckets.deposit([a_work(f"sample-{number}") for number in range(3)])
        assert buckets.audit() == {"failed": 0, "expired": 0, "stale": 0}
        buckets.update([{**buckets.withdraw("sample-0"), "status": "failure"}])
        assert buckets.audit() == {"failed": 1, "expired": 0, "stale": 0}
        buckets.update([{**buckets.withdraw("sample-1"), "start": time.time() - 7200}])
        assert buckets.audit() == {"failed": 0, "expired": 1, "stale": 0}
        buckets.update([{**buckets.withdraw("sample-2"), "creation": time.time() - 60 * DAY}])
        assert buckets.audit() == {"failed": 1, "expired": 0, "stale": 1}
        assert [buckets.delete_many(f"sample-{n}") for n in range(3)] == [True] * 3


def ended(buckets, pipeline, **changes):
    buckets.deposit([a_work(pipeline, **changes)])
    work = succeeded(buckets.withdraw(pipeline), answer=1)
    assert buckets.update([work]) is True
    return work


def test_results_are_kept_viewed_counted_and_deleted(buckets, results, pipeline):
    works = [ended(buckets, pipeline, event=[number], tags=["t"]) for number in range(3)]
    assert results.deposit(works) == {pipeline: True}
    query = {"status": {"$in": ["success"]}, "event": {"$in": [1, 2]}, "tags": {"$in": ["t"]}}
    assert results.view({**query, "pipeline": pipeline}, limit=0) == works[1:]
    assert results.view({"pipeline": pipeline, "event": [1]}) == [works[1]]
    assert (results.count(pipeline, query), results.count(pipeline, {})) == (2, 3)
    assert results.status()[pipeline] == 3
    ids = [work["id"] for work in works]
    assert results.delete_ids(pipeline, ids[:2]) == {pipeline: True}
    assert results.delete_ids(pipeline, ids[:2]) == {pipeline: False}
    assert results.status()[pipeline] == 1


def test_no_results_are_deposited_well(results):
    assert results.deposit([]) == {}


def test_results_that_are_there_are_refused(buckets, results, pipeline):
    work = ended(buckets, pipeline)
    results.deposit([work])
    answer = results.ask("POST", "/results", json=[work])
    assert (answer.status_code, answer.json()["status"]) == (409, 409)


def test_results_of_works_that_run_are_refused(results, pipeline):
    work = {**a_work(pipeline), "id": "a" * 24, "status": "running"}
    assert results.ask("POST", "/results", json=[work]).status_code == 400


def test_a_locked_result_stays_until_it_is_unlocked(buckets, results, pipeline):
    work = ended(buckets, pipeline)
    results.deposit([work])
    locked = {**work, "results": {**work["results"], "locked": True}}
    assert results.update([locked]) is True
    changed = {**locked, "results": {"answer": 2, "locked": True}}
    assert results.ask("PUT", "/results", json=[changed]).status_code == 409
    refused = results.ask("DELETE", "/results", params={pipeline: [work["id"]]})
    assert refused.status_code == 409
    assert results.view({"pipeline": pipeline}) == [locked]
    assert results.update([{**work, "results": {**work["results"], "locked": False}}]) is True
    assert results.delete_ids(pipeline, [work["id"]]) == {pipeline: True}


def test_a_transfer_moves_what_has_ended_and_drops_what_is_not_to_be_kept(
    buckets, results, pipeline
):
    archive = a_work(pipeline)["config"]["archive"]
    dropping = {**a_work(pipeline)["config"], "archive": {**archive, "results": False}}
    kept = ended(buckets, pipeline)
    ended(buckets, pipeline, config=dropping)
    buckets.deposit([a_work(pipeline, retries=1)])
    failed = {**buckets.withdraw(pipeline), "status": "failure"}
    buckets.update([failed])
    told = {"id": True, "config": True, "_id": False}
    mine = {"pipeline": pipeline}
    success = buckets.view({**mine, "status": "success"}, told)
    terminal = buckets.view(
        {
            **mine,
            "status": "failure",
            "$expr": {"$gte": ["$attempt", "$retries"]},
            "creation": {"$gt": time.time() - 7 * DAY},
        },
        told,
    )
    assert buckets.view({**mine, "creation": {"$lt": time.time() - 7 * DAY}}, told) == []
    found = [*success, *terminal]
    ids = [work["id"] for work in found if work["config"]["archive"]["results"]]
    assert ids == [kept["id"], failed["id"]]
    assert results.deposit(buckets.view({"id": {"$in": ids}}, WITHOUT_ID)) == {pipeline: True}
    assert buckets.delete_ids([work["id"] for work in found]) is True
    assert buckets.status(pipeline)["total"] == 0
    assert results.view(mine) == [kept, failed]


def work_off(url, pipeline):
    """What a worker does until nothing is left; returns the ids of what it got."""
    mine = []
    with Buckets.at(url) as buckets:
        while (work := buckets.withdraw(pipeline)) is not None:
            mine.append(work["id"])
            assert buckets.update([succeeded(work)]) is True
    return mine


def all_work_off(urls, pipeline):
    with ThreadPoolExecutor(len(urls)) as pool:
        done = pool.map(work_off, urls, [pipeline] * len(urls))
        return Counter(work_id for mine in done for work_id in mine)


def test_sixteen_workers_never_get_the_same_work_and_miss_none(buckets, queue_url, pipeline):
    ids = buckets.deposit([a_work(pipeline) for _ in range(200)], return_ids=True)
    assert all_work_off([queue_url] * 16, pipeline) == Counter(ids)
    assert buckets.status(pipeline)["success"] == 200


def test_nor_do_the_workers_of_two_servers_on_one_root(tmp_path):
    root = tmp_path / "root"
    with serving(root) as (_, one), serving(root) as (_, other):
        urls = [at(port) for port in (one, other)]
        with Buckets.at(urls[0]) as buckets:
            ids = buckets.deposit([a_work("shared") for _ in range(100)], return_ids=True)
            assert all_work_off(urls * 8, "shared") == Counter(ids)
            assert buckets.status()["success"] == 100


def test_a_killed_server_loses_no_work(tmp_path):
    root = tmp_path / "root"
    with serving(root) as (process, port), Buckets.at(at(port)) as buckets:
        ids = buckets.deposit([a_work("kept"), a_work("kept")], return_ids=True)
        held = buckets.withdraw("kept")
        process.kill()
    with serving(root) as (_, port), Buckets.at(at(port)) as buckets:
        assert buckets.update([succeeded(held)]) is True
        assert [held["id"], buckets.withdraw("kept")["id"]] == ids
        assert buckets.withdraw("kept") is None
