"""What every home's work queue does: the operations of ``chalicelib.works`` over each store."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import chain

import pytest

from chalicelib.aws import work_shelf as dynamo_shelf
from chalicelib.core.errors import Conflict, InvalidRequest, NotFound, Unavailable
from chalicelib.core.work.ids import partition_of
from chalicelib.core.work.leases import Lease, leased, mark_of
from chalicelib.core.work.model import Work, WorkStatus
from chalicelib.core.work.scopes import Scope
from chalicelib.local import work_shelf
from chalicelib.works import audits, buckets, results
from tests.contract.openers import (
    HOMES_OF_STATE,
    NOON,
    LocalOpener,
    in_processes,
    nimble_threads,
)

pytestmark = pytest.mark.parametrize("opener", HOMES_OF_STATE, indirect=True)

NOON_SECONDS = NOON.timestamp()
ALL = {"pipeline": {"$in": ["sample"]}}
SITE = {**ALL, "site": "local"}


@pytest.fixture
def queue(opener):
    return opener.work_ports()


def a_work(**fields):
    return {"pipeline": "sample", "site": "local", "user": "tester", **fields}


def after(seconds):
    return NOON + timedelta(seconds=seconds)


def deposit(queue, *documents, at=NOON):
    return buckets.deposit(list(documents), queue, at)


def withdraw(queue, query=ALL, at=NOON):
    return buckets.withdraw(query, queue, at)


def view(queue, query=None, projection=None, skip=0, limit=None):
    asked = {"query": query or {}, "projection": projection or {}, "skip": skip, "limit": limit}
    return buckets.view(asked, queue)


def counts(queue):
    return tuple(buckets.status(queue).values())


def audit(queue, at=NOON):
    return (
        audits.audit_failed(queue),
        audits.audit_expired(queue, at),
        audits.audit_stale(7.0, queue, at),
    )


def full_work():
    """A work with something in every field, so that nothing can be lost on the way unseen."""
    return a_work(
        pipeline="göttingen-2",
        function="a.b",
        parameters={"x": [1, 1.5, None, "ü\u2028\n"], "n": 2**53 + 1, "f": 1.0},
        results={"r": {"deep": [True]}},
        products=["p"],
        plots=["q"],
        tags=["0", "#"],
        event=[9385707, 2**63],
        creation=1.25,
        timeout=259200,
        retries=-1,
        priority=5,
        config={"archive": {"results": False, "products": "bypass"}, "parent": "p", "teams": []},
        notify={"slack": {"channel_id": "C", "blocks": {"a": 1}, "results": True}},
    )


def test_a_work_comes_back_as_it_was_deposited(queue):
    (work_id,) = deposit(queue, full_work())
    (seen,) = view(queue)
    expected = Work.model_validate(full_work()).document()
    assert seen == {**expected, "id": work_id, "status": "queued"}
    taken = withdraw(queue, {"pipeline": "göttingen-2"}, after(1))
    running = {"status": "running", "attempt": 1, "start": NOON_SECONDS + 1, "stop": None}
    assert taken == {**seen, **running}
    assert view(queue) == [taken]


def test_ids_sort_by_their_deposits_and_come_in_input_order(queue):
    first = deposit(queue, *[a_work(pipeline=name) for name in "cab"])
    second = deposit(queue, a_work(), at=after(0.000001))
    assert first + second == sorted(first + second)
    assert [withdraw(queue, {"pipeline": name})["id"] for name in "cab"] == first


def test_nothing_is_deposited_unless_all_are_valid(queue):
    with pytest.raises(InvalidRequest) as caught:
        deposit(queue, a_work(), a_work(priority=6))
    assert caught.value.field == "1.priority"
    assert (counts(queue), view(queue), buckets.pipelines(queue)) == ((0, 0, 0, 0, 0), [], [])


def test_a_deposit_of_nothing_is_none(queue):
    assert deposit(queue) == []


def test_works_come_by_priority_then_creation_then_id(queue):
    ids = deposit(
        queue,
        a_work(priority=1, creation=1),
        a_work(priority=3, creation=9),
        a_work(priority=3, creation=-2.5),
        a_work(priority=3, creation=9),
        a_work(priority=5, creation=1e10),
        a_work(priority=3, creation=-1e9),
    )
    order = [4, 5, 2, 1, 3, 0]
    assert [withdraw(queue)["id"] for _ in ids] == [ids[number] for number in order]
    assert withdraw(queue) is None


def test_several_pipelines_are_one_queue(queue):
    ids = deposit(
        queue,
        a_work(pipeline="a", creation=3),
        a_work(pipeline="b", creation=2),
        a_work(pipeline="a-b", creation=1, priority=5),
    )
    query = {"pipeline": {"$in": ["a", "b", "none"]}}
    assert [withdraw(queue, query)["id"] for _ in range(2)] == [ids[1], ids[0]]
    assert withdraw(queue, query) is None
    assert withdraw(queue, {})["id"] == ids[2]


FILTERS = {
    "pipeline": {"pipeline": {"$in": ["sample"]}},
    "site": {"site": "far"},
    "priority": {"priority": 2},
    "site and priority": {"site": "far", "priority": 2},
    "user": {"user": "else"},
    "event": {"event": {"$in": [7, 99]}},
    "tags": {"tags": {"$in": ["red"]}},
    "parent": {"config.parent": {"$in": ["mother"]}},
}


@pytest.mark.parametrize("query", FILTERS.values(), ids=FILTERS)
def test_every_filter_finds_the_one_work_behind_many_others(queue, query):
    others = [a_work(event=[1], tags=["blue"], priority=3, creation=n) for n in range(45)]
    wanted = a_work(
        site="far",
        priority=2,
        user="else",
        event=[7, 8],
        tags=["red"],
        config={"parent": "mother"},
    )
    if query == FILTERS["pipeline"]:
        others = [{**each, "pipeline": "another"} for each in others]
    ids = deposit(queue, *others, wanted)
    assert withdraw(queue, {**ALL, **query})["id"] == ids[-1]
    assert withdraw(queue, {**ALL, **query}) is None
    assert counts(queue) == (46, 45, 1, 0, 0)


def test_what_a_client_would_not_take_is_never_handed_out(queue):
    good, bad = deposit(queue, a_work(), a_work(creation=0))
    (kept,) = queue.works.get([bad])
    queue.works.replace(kept, Work.model_validate(kept.document).model_copy(update={"retries": 6}))
    assert [withdraw(queue)["id"], withdraw(queue)] == [good, None]


def test_an_update_replaces_the_whole_work(queue):
    deposit(queue, a_work(tags=["x"]))
    taken = withdraw(queue)
    done = {**taken, "status": "success", "results": {"y": 1}, "tags": None, "priority": 1}
    assert buckets.update([done], queue) is True
    assert view(queue) == [done]
    assert counts(queue) == (1, 0, 0, 1, 0)
    assert buckets.update([{**done, "status": "failure"}], queue) is True
    assert counts(queue) == (1, 0, 0, 0, 1)


def test_an_update_of_a_lost_lease_is_false_and_changes_nothing(queue):
    deposit(queue, a_work(timeout=1))
    lost = withdraw(queue)
    assert audit(queue, after(2)) == (0, 1, 0)
    assert audit(queue, after(2)) == (1, 0, 0)
    held = withdraw(queue, at=after(3))
    assert buckets.update([{**lost, "status": "success"}], queue) is False
    assert view(queue) == [held]
    assert buckets.update([{**held, "status": "success"}], queue) is True


def test_a_late_update_before_the_next_withdrawal_takes_the_work_out_of_the_queue(queue):
    deposit(queue, a_work(timeout=1))
    late = withdraw(queue)
    audit(queue, after(2))
    audit(queue, after(2))
    assert counts(queue) == (1, 1, 0, 0, 0)
    assert buckets.update([{**late, "status": "success"}], queue) is True
    assert withdraw(queue) is None


def test_an_update_of_an_unknown_work_is_not_found_and_changes_none(queue):
    deposit(queue, a_work())
    taken = withdraw(queue)
    with pytest.raises(NotFound, match="f" * 24):
        buckets.update([{**taken, "status": "success"}, {**taken, "id": "f" * 24}], queue)
    assert view(queue) == [taken]


def test_a_work_stays_in_its_pipeline(queue):
    deposit(queue, a_work())
    taken = withdraw(queue)
    with pytest.raises(InvalidRequest, match="for good"):
        buckets.update([{**taken, "pipeline": "other"}], queue)


def test_an_update_may_queue_a_work_again_with_another_priority_and_site(queue):
    ids = deposit(queue, a_work(priority=5), a_work(priority=3))
    taken = withdraw(queue)
    again = {**taken, "status": "queued", "priority": 1, "site": "far"}
    assert buckets.update([again], queue) is True
    assert withdraw(queue, {**ALL, "site": "far"})["id"] == ids[0]
    assert withdraw(queue, SITE)["id"] == ids[1]


def test_deletion_is_true_when_something_was_there(queue):
    ids = deposit(queue, a_work(), a_work(), a_work())
    withdraw(queue)
    assert buckets.delete([ids[0], ids[0], "f" * 24, "no id"], queue) is True
    assert buckets.delete([ids[0]], queue) is False
    assert buckets.delete([], queue) is False
    assert [work["id"] for work in view(queue)] == ids[1:]
    assert counts(queue) == (2, 2, 0, 0, 0)
    assert buckets.delete(ids, queue) is True
    assert withdraw(queue) is None
    assert buckets.status_of("sample", queue)["total"] == 0
    assert buckets.pipelines(queue) == []


def test_status_counts_by_pipeline_in_the_order_of_the_interface(queue):
    deposit(queue, a_work(), a_work(), a_work(pipeline="b"))
    withdraw(queue)
    assert list(buckets.status(queue).items()) == [
        ("total", 3), ("queued", 2), ("running", 1), ("success", 0), ("failure", 0),
    ]  # fmt: skip
    assert tuple(buckets.status_of("b", queue).values()) == (1, 1, 0, 0, 0)
    assert tuple(buckets.status_of("nobody", queue).values()) == (0, 0, 0, 0, 0)
    assert buckets.pipelines(queue) == ["b", "sample"]


def test_a_view_is_by_creation_then_id_over_every_pipeline_and_status(queue):
    documents = [
        a_work(pipeline=f"p{number % 3}", priority=number % 5 + 1, creation=(number * 7) % 11)
        for number in range(22)
    ]
    ids = deposit(queue, *documents)
    for number in range(3):
        withdraw(queue, {"pipeline": f"p{number}"})
    order = sorted(range(22), key=lambda number: (documents[number]["creation"], ids[number]))
    expected = [ids[number] for number in order]
    assert [work["id"] for work in view(queue)] == expected
    assert [work["id"] for work in view(queue, skip=5, limit=4)] == expected[5:9]
    assert [work["id"] for work in view(queue, skip=20, limit=9)] == expected[20:]


VIEWS = {
    "status": ({"status": "running"}, [0]),
    "pipeline": ({"pipeline": "b"}, [3]),
    "nobody": ({"pipeline": "nobody"}, []),
    "ids": ({"id": {"$in": ["2", "1"]}}, [1, 2]),
    "id and status": ({"id": {"$in": ["0", "1"]}, "status": "queued"}, [1]),
    "creation": ({"creation": {"$gt": 0, "$lt": 3}}, [1, 2]),
    "creation with its ends": ({"creation": {"$gte": 1, "$lte": 2}}, [1, 2]),
    "two fields": ({"$expr": {"$gte": ["$attempt", "$priority"]}}, [0]),
    "or": ({"$or": [{"pipeline": "b"}, {"status": "running"}]}, [0, 3]),
    "results": ({"results.a": 1}, [2]),
    "tags": ({"tags": "x"}, [1]),
    "regex": ({"tags": {"$regex": "^[xy]$"}}, [1]),
}


@pytest.mark.parametrize(("query", "expected"), VIEWS.values(), ids=VIEWS)
def test_a_view_shows_what_its_filter_matches(queue, query, expected):
    ids = deposit(
        queue,
        a_work(priority=1, creation=0, site="first"),
        a_work(creation=1, tags=["x"]),
        a_work(creation=2, results={"a": 1}),
        a_work(pipeline="b", creation=3),
    )
    withdraw(queue, {**ALL, "site": "first"})
    text = json.dumps(query)
    for number, work_id in enumerate(ids):
        text = text.replace(f'"{number}"', f'"{work_id}"')
    assert [work["id"] for work in view(queue, json.loads(text))] == [ids[n] for n in expected]


def test_a_view_without_a_limit_reads_many_pages(queue):
    for start in range(0, 450, 150):
        deposit(queue, *[a_work(creation=number) for number in range(start, start + 150)])
    seen = view(queue, projection={"creation": True, "_id": False})
    assert seen == [{"creation": float(number)} for number in range(450)]


def test_a_view_past_the_answers_size_is_a_clear_error(queue):
    big = {"x": "y" * 3_900_000}
    deposit(queue, a_work(results=big), a_work(results=big))
    with pytest.raises(InvalidRequest, match="1 documents fit") as caught:
        view(queue)
    assert (caught.value.field, "limit" in caught.value.mend) == ("limit", True)
    assert [len(view(queue, limit=1)), len(view(queue, projection={"id": True}))] == [1, 2]


@pytest.mark.parametrize(
    "field", ["results", "parameters", "tags"], ids=lambda name: f"large {name}"
)
def test_what_no_item_holds_is_kept_all_the_same(queue, field):
    large = ["x" * 100] * 6000 if field == "tags" else {"x": "ü" * 450_000}
    deposit(queue, a_work(**{field: large}))
    for query in (ALL, SITE):
        taken = withdraw(queue, query)
        assert taken[field] == large
        assert buckets.update([{**taken, "status": "queued"}], queue) is True
    assert view(queue)[0][field] == large
    assert view(queue, projection={"results": False, "id": False})[0]["user"] == "tester"
    taken = withdraw(queue)
    assert buckets.update([{**taken, "status": "success", field: None}], queue) is True
    assert view(queue)[0][field] is None


def test_results_of_a_failed_attempt_come_with_the_next_one(queue):
    deposit(queue, a_work())
    taken = withdraw(queue)
    buckets.update([{**taken, "status": "failure", "results": {"error": "no"}}], queue)
    assert audits.audit_failed(queue) == 1
    assert view(queue)[0]["results"] == {"error": "no"}
    assert withdraw(queue)["results"] == {"error": "no"}


def test_results_of_more_than_four_million_bytes_are_dropped_and_the_work_kept(queue):
    fits, does_not = {"x": "y" * 3_999_992}, {"x": "y" * 3_999_993}
    deposit(queue, a_work(results=fits, creation=1), a_work(results=does_not, creation=2))
    first, second = (withdraw(queue) for _ in range(2))
    assert (first["results"] == fits, second["results"]) == (True, None)
    buckets.update([{**first, "results": does_not, "status": "success"}], queue)
    assert view(queue, {"status": "success"})[0]["results"] is None


def test_audits_count_what_they_changed_as_upstreams_own_test_has_it(queue):
    for number in range(3):
        deposit(queue, a_work(pipeline=f"sample-{number}"))
    assert audit(queue) == (0, 0, 0)
    work = withdraw(queue, {"pipeline": {"$in": ["sample-0"]}})
    assert buckets.update([{**work, "status": "failure"}], queue)
    assert audit(queue) == (1, 0, 0)
    work = withdraw(queue, {"pipeline": {"$in": ["sample-1"]}})
    assert buckets.update([{**work, "start": NOON_SECONDS - 7200}], queue)
    assert audit(queue) == (0, 1, 0)
    work = withdraw(queue, {"pipeline": {"$in": ["sample-2"]}})
    assert buckets.update([{**work, "creation": NOON_SECONDS - 60 * 86400}], queue)
    assert audit(queue) == (1, 0, 1)
    for number in range(3):
        found = view(queue, {"pipeline": f"sample-{number}"}, {"id": True, "_id": False})
        assert buckets.delete([work["id"] for work in found], queue) is True


def test_a_work_runs_as_often_as_its_retries_and_no_more(queue):
    deposit(queue, a_work(retries=2))
    runs = 0
    while (work := withdraw(queue)) is not None:
        runs += 1
        buckets.update([{**work, "status": "failure"}], queue)
        audits.audit_failed(queue)
    assert runs == 2
    assert counts(queue) == (1, 0, 0, 0, 1)


def test_a_work_whose_time_is_just_over_has_not_expired_yet(queue):
    deposit(queue, a_work(timeout=60))
    withdraw(queue)
    assert audits.audit_expired(queue, after(60)) == 0
    assert audits.audit_expired(queue, after(60.001)) == 1
    assert view(queue)[0]["status"] == "failure"


def test_audits_reach_more_works_than_a_page_has(opener, queue):
    many = (work_shelf if isinstance(opener, LocalOpener) else dynamo_shelf).PAGE + 5
    running = a_work(status="running", start=0, timeout=1, attempt=1)
    ids = [f"{number:020x}{partition_of('sample')}" for number in range(many)]
    queue.works.add([Work.model_validate({**running, "id": each}) for each in ids])
    assert audit(queue, after(5))[:2] == (0, many)
    assert audit(queue, after(5))[:2] == (many, 0)
    assert counts(queue) == (many, many, 0, 0, 0)


def an_ended(number, **fields):
    return a_work(id=f"{number:024x}", status="success", creation=float(number), **fields)


def test_results_are_kept_shown_counted_and_deleted_by_pipeline(queue):
    works = [an_ended(1), an_ended(2, pipeline="b", event=[5]), an_ended(3, event=[5, 6])]
    assert results.deposit_results(works, queue) == {"b": True, "sample": True}
    assert results.deposit_results([], queue) == {}
    assert results.status_results(queue) == {"b": 1, "sample": 2}
    asked = {"query": {"pipeline": "sample"}, "projection": {}, "skip": 0, "limit": 0}
    expected = [Work.model_validate(works[number]).document() for number in (0, 2)]
    assert results.view_results(asked, queue) == expected
    assert results.count_results({"query": {"pipeline": "sample"}}, queue) == 2
    assert results.count_results({"query": {"pipeline": "sample", "event": [5]}}, queue) == 1
    gone = {"sample": [works[0]["id"], works[0]["id"]], "b": ["f" * 24]}
    assert results.delete_results(gone, queue) == {"sample": True, "b": False}
    assert results.status_results(queue) == {"b": 1, "sample": 1}
    assert (counts(queue), buckets.pipelines(queue)) == ((0, 0, 0, 0, 0), [])


def test_a_result_that_is_there_already_is_a_conflict_and_nothing_is_added(queue):
    results.deposit_results([an_ended(1)], queue)
    with pytest.raises(Conflict):
        results.deposit_results([an_ended(2), an_ended(1)], queue)
    assert results.status_results(queue) == {"sample": 1}


def test_an_audit_ends_when_its_time_is_over_and_the_next_one_goes_on(queue):
    deposit(queue, *[a_work(timeout=1) for _ in range(5)])
    for _ in range(5):
        withdraw(queue)
    ticks = iter(range(0, 1000, 3))  # three seconds pass from one work to the next
    done = [
        audits.audit_expired(queue, after(10), lambda: next(ticks)),
        audits.audit_expired(queue, after(10)),
        audits.audit_failed(queue, lambda: next(ticks)),
        audits.audit_failed(queue),
    ]
    assert done == [3, 2, 3, 2]
    assert counts(queue) == (5, 5, 0, 0, 0)


def test_half_a_count_of_stale_works_is_an_error(queue):
    deposit(queue, *[a_work(pipeline=name, creation=1.0) for name in "abc"])
    slow = iter(range(0, 1000, 5))
    with pytest.raises(Unavailable, match="at least 1 works"):
        audits.audit_stale(7, queue, NOON, lambda: next(slow))
    assert audits.audit_stale(7, queue, NOON) == 3


def test_works_of_a_site_are_walked_in_the_turn_in_which_they_are_withdrawn(queue):
    told = [("sample", 1), ("other", 5), ("sample", 5), ("other", 3)]
    for seconds, (pipeline, priority) in enumerate(told):
        work = a_work(pipeline=pipeline, priority=priority, site="batch")
        deposit(queue, work, at=after(seconds))
    deposit(queue, a_work())
    scope = Scope(site="batch", is_in_turn=True, has_results=False)
    walked = [
        kept.document for kept in queue.works.walk(scope) if kept.document["site"] == "batch"
    ]
    taken = [withdraw(queue, {"site": "batch"})["id"] for _ in told]
    assert [each["id"] for each in walked] == taken
    assert [each["priority"] for each in walked] == [5, 5, 3, 1]
    assert [*queue.works.walk(scope)] == []


def test_a_pushed_work_expires_with_its_lease_and_not_before(queue):
    (work_id,) = deposit(queue, a_work(timeout=60))
    (kept,) = queue.works.get([work_id])
    lease = Lease(
        run_id="r",
        work_id=work_id,
        attempt=1,
        start=mark_of(NOON),
        seconds=7200,
        home="s3://b/r/",
        files="s3://b/f/",
    )
    assert queue.works.replace(kept, leased(Work.model_validate(kept.document), lease))
    assert audits.audit_expired(queue, after(7000)) == 0
    assert "lease_ends_at" not in view(queue)[0]
    assert audits.audit_expired(queue, after(7201)) == 1


def test_results_are_of_works_that_have_ended(queue):
    with pytest.raises(InvalidRequest, match="running"):
        results.deposit_results([an_ended(1) | {"status": "running"}], queue)


def test_a_locked_result_takes_only_what_clears_its_lock(queue):
    work = an_ended(1, results={"a": 1})
    locked = {**work, "results": {"a": 1, "locked": True}}
    results.deposit_results([work], queue)
    assert results.update_results([locked], queue) is True
    assert results.update_results([locked], queue) is True
    refused = [
        {**work, "results": {"a": 2, "locked": False}},
        {**locked, "tags": ["x"]},
        {**work, "results": None},
    ]
    for each in refused:
        with pytest.raises(Conflict, match="locked"):
            results.update_results([each], queue)
    with pytest.raises(Conflict, match="locked"):
        results.delete_results({"sample": [work["id"]]}, queue)
    unlocked = {**work, "results": {"a": 1, "locked": False}}
    assert results.update_results([unlocked], queue) is True
    assert results.update_results([{**work, "status": "failure"}], queue) is True
    assert results.delete_results({"sample": [work["id"]]}, queue) == {"sample": True}


def test_an_unknown_result_cannot_be_updated(queue):
    with pytest.raises(NotFound):
        results.update_results([an_ended(1)], queue)


def test_a_stale_version_changes_nothing(queue):
    (work_id,) = deposit(queue, a_work())
    (kept,) = queue.works.get([work_id])
    work = Work.model_validate(kept.document)
    assert queue.works.replace(kept, work) is True
    assert queue.works.replace(kept, None) is False
    assert (
        queue.works.replace(kept, work.model_copy(update={"status": WorkStatus.SUCCESS})) is False
    )
    assert counts(queue) == (1, 1, 0, 0, 0)


def test_works_are_counted_one_by_one_within_a_time(queue):
    deposit(queue, *[a_work(creation=number) for number in range(4)])
    scope = Scope(created_from=1, created_until=2)
    found = queue.works.counts(scope)["sample"]
    assert {status: count for status, count in found.items() if count} == {WorkStatus.QUEUED: 2}


WITHDRAWERS = 64


def take_all(ports, query, start=0):
    """Withdraw until there is nothing, and say what was got."""
    got = []
    while (work := buckets.withdraw(query, ports, after(start + len(got)))) is not None:
        got.append(work["id"])
    return got


def test_of_64_threads_no_two_get_the_same_work_and_each_gets_one(queue):
    ids = deposit(queue, *[a_work(creation=1) for _ in range(WITHDRAWERS)], a_work(creation=2))
    with nimble_threads(), ThreadPoolExecutor(WITHDRAWERS) as pool:
        got = list(pool.map(lambda _: withdraw(queue), range(WITHDRAWERS)))
    assert None not in got
    assert sorted(work["id"] for work in got) == ids[:-1]
    assert counts(queue) == (WITHDRAWERS + 1, 1, WITHDRAWERS, 0, 0)


def withdraw_in_threads(opener, query):
    ports = opener.work_ports()
    with nimble_threads(), ThreadPoolExecutor(16) as pool:
        return list(chain.from_iterable(pool.map(lambda _: take_all(ports, query), range(16))))


def test_of_64_withdrawers_in_4_processes_no_two_get_the_same_work(opener, queue):
    many = 200 if isinstance(opener, LocalOpener) else 40
    ids = deposit(queue, *[a_work() for _ in range(many)])
    got = in_processes(withdraw_in_threads, *[(opener, SITE)] * 4)
    assert sorted(chain.from_iterable(got)) == sorted(ids)
    assert counts(queue) == (many, 0, many, 0, 0)


def deposit_and_withdraw(opener, rounds):
    """Never be told that there is nothing while a work of ours waits."""
    ports = opener.work_ports()
    misses = 0
    got = []
    for _ in range(rounds):
        buckets.deposit([a_work()], ports, NOON)
        work = buckets.withdraw(SITE, ports, NOON)
        misses += work is None
        got.append(work and work["id"])
    return misses, got


def test_nobody_misses_a_work_that_was_deposited_before_he_asked(opener, queue):
    told = in_processes(deposit_and_withdraw, *[(opener, 15)] * 4)
    got = [work_id for _, some in told for work_id in some]
    assert [misses for misses, _ in told] == [0] * 4
    assert len(set(got)) == 60
    assert withdraw(queue) is None


def test_who_loses_every_work_that_he_finds_is_not_told_that_there_is_none(queue, monkeypatch):
    deposit(queue, *[a_work(tags=["red"]) for _ in range(33)], a_work(tags=["blue"]))
    monkeypatch.setattr(queue.works, "replace", lambda kept, work: False)
    with pytest.raises(Unavailable, match="try again"):
        withdraw(queue, {**ALL, "tags": "blue"})


def test_updates_that_race_are_saved_one_after_another(queue):
    (work_id,) = deposit(queue, a_work())
    taken = withdraw(queue)

    def update(number):
        return buckets.update([{**taken, "status": "success", "event": [number]}], queue)

    with nimble_threads(), ThreadPoolExecutor(8) as pool:
        assert all(pool.map(update, range(16)))
    assert counts(queue) == (1, 0, 0, 1, 0)
    (kept,) = queue.works.get([work_id])
    assert kept.version == 18
