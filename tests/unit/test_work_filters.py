"""The filter language and projections: specs, work, section 3.1."""

from __future__ import annotations

import pytest

from chalicelib.core.errors import InvalidRequest
from chalicelib.core.work.conditions import matches
from chalicelib.core.work.filters import parse_filter
from chalicelib.core.work.model import WorkStatus
from chalicelib.core.work.projections import parse_projection
from chalicelib.core.work.scopes import Scope, scope_of

DOCUMENT = {
    "pipeline": "sample",
    "site": "local",
    "status": "failure",
    "priority": 3,
    "tags": ["red", "blue"],
    "event": [5, 7],
    "attempt": 2,
    "retries": 2,
    "creation": 10.0,
    "start": None,
    "results": {"locked": True, "steps": [{"n": 1}, {"n": 2}], "grid": [[1, 2], [3]]},
    "config": {"parent": "mother", "archive": {"results": True}},
}

YES = {
    "nothing asked": {},
    "equal": {"pipeline": "sample"},
    "a number is a number": {"priority": 3.0},
    "contained": {"tags": "red"},
    "dotted": {"config.archive.results": True},
    "through a list of objects": {"results.steps.n": 2},
    "a whole array": {"event": [5, 7]},
    "all of a list": {"event": [7]},
    "an array in an array": {"results.grid": [1, 2]},
    "a whole object": {"config.archive": {"results": True}},
    "null": {"start": None},
    "null of a field that is missing": {"nothing.at.all": None},
    "$in": {"status": {"$in": ["success", "failure"]}},
    "$in with an array": {"event": {"$in": [1, 5]}},
    "$in with null": {"start": {"$in": [None, 1]}},
    "$gt and $lt": {"creation": {"$gt": 9, "$lt": 10.5}},
    "$gte": {"creation": {"$gte": 10}},
    "$lte": {"creation": {"$lte": 10}},
    "$gt of an array's element": {"event": {"$gt": 6}},
    "$eq": {"priority": {"$eq": 3}},
    "$ne": {"priority": {"$ne": 4}},
    "$ne of what is missing": {"nothing": {"$ne": 4}},
    "$nin": {"tags": {"$nin": ["green"]}},
    "$exists": {"start": {"$exists": True}},
    "$exists not": {"nothing": {"$exists": False}},
    "$regex": {"pipeline": {"$regex": "^sam.*e$"}},
    "$regex in an array": {"tags": {"$regex": "lu"}},
    "$and": {"$and": [{"priority": 3}, {"tags": "blue"}]},
    "$or": {"$or": [{"priority": 4}, {"tags": "blue"}]},
    "two fields": {"$expr": {"$gte": ["$attempt", "$retries"]}},
}
NO = {
    "another": {"pipeline": "samples"},
    "two keys": {"pipeline": "sample", "priority": 4},
    "true is not 1": {"attempt": {"$in": [True]}, "results.locked": 1},
    "1 is not true": {"results.locked": 1},
    "text is not a number": {"priority": "3"},
    "part of an array": {"event": [5, 8]},
    "an empty array": {"event": []},
    "$in nothing": {"status": {"$in": []}},
    "null is no number": {"start": {"$lt": 1e9}},
    "true is no number": {"results.locked": {"$gte": 0}},
    "$ne of an element": {"tags": {"$ne": "red"}},
    "$nin of an element": {"tags": {"$nin": ["red"]}},
    "$exists": {"nothing": {"$exists": True}},
    "$regex of a number": {"priority": {"$regex": "3"}},
    "$or": {"$or": [{"priority": 4}, {"priority": 5}]},
    "two fields": {"$expr": {"$gt": ["$attempt", "$retries"]}},
    "two fields, one null": {"$expr": {"$lte": ["$start", "$retries"]}},
    "below a text": {"pipeline.x": "sample"},
}


@pytest.mark.parametrize("query", YES.values(), ids=YES)
def test_a_document_matches(query):
    assert matches(parse_filter(query), DOCUMENT)


@pytest.mark.parametrize("query", NO.values(), ids=NO)
def test_a_document_does_not_match(query):
    assert not matches(parse_filter(query), DOCUMENT)


REFUSED = {
    "$where": {"$where": "sleep(1000)"},
    "$where below": {"$or": [{"a": 1}, {"$where": "1"}]},
    "$where at a field": {"pipeline": {"$where": "1"}},
    "$where inside a value": {"a": {"b": {"$where": "1"}}},
    "$where inside a list": {"a": [{"b": [{"$where": "1"}]}]},
    "$where inside $eq": {"a": {"$eq": {"$where": "1"}}},
    "$function inside $in": {"a": {"$in": ["x", {"$function": {"body": "1"}}]}},
    "$function inside $nin": {"a": {"$nin": [{"b": {"$function": {"body": "1"}}}]}},
    "$function": {"$function": {"body": "1"}},
    "$function in $expr": {"$expr": {"$function": {"body": "1", "args": [], "lang": "js"}}},
    "$nor": {"$nor": [{"a": 1}]},
    "$not": {"a": {"$not": {"$eq": 1}}},
    "$elemMatch": {"event": {"$elemMatch": {"$gt": 1}}},
    "$size": {"event": {"$size": 1}},
    "$all": {"event": {"$all": [1]}},
    "$options": {"a": {"$regex": "x", "$options": "i"}},
    "an operator beside a field": {"a": {"$gt": 1, "b": 2}},
    "$expr of a value": {"$expr": {"$gte": ["$attempt", 2]}},
    "$expr of one field": {"$expr": {"$gte": ["$attempt"]}},
    "$expr of code": {"$expr": {"$gte": ["$$NOW", "$retries"]}},
    "$expr of two comparisons": {"$expr": {"$gte": ["$a", "$b"], "$lt": ["$a", "$b"]}},
    "$in without a list": {"a": {"$in": "b"}},
    "$gt of a text": {"a": {"$gt": "b"}},
    "$gt of true": {"a": {"$gt": True}},
    "$gt of null": {"a": {"$gt": None}},
    "$lt of a giant": {"a": {"$lt": 2**1023}},
    "$exists of a number": {"a": {"$exists": 1}},
    "$and of nothing": {"$and": []},
    "$and of an object": {"$and": {"a": 1}},
    "$or of texts": {"$or": ["a"]},
    "$regex that is none": {"a": {"$regex": "("}},
    "$regex of a number": {"a": {"$regex": 1}},
    "$regex that repeats a group": {"a": {"$regex": "(a+)+$"}},
    "$regex that repeats much": {"a": {"$regex": "a*a*a*a*b"}},
    "$regex with a back reference": {"a": {"$regex": r"(a)\1"}},
    "$regex that is long": {"a": {"$regex": "a" * 257}},
    "no name": {"": 1},
    "half a name": {"a..b": 1},
    "a list": [{"a": 1}],
    "null": None,
    "NaN": {"a": float("nan")},
}


@pytest.mark.parametrize("query", REFUSED.values(), ids=REFUSED)
def test_what_is_not_in_the_table_is_refused(query):
    with pytest.raises(InvalidRequest) as caught:
        parse_filter(query)
    assert caught.value.field.startswith("query") or caught.value.field == "a"
    assert caught.value.mend


SCOPES = {
    "nothing": ({}, Scope()),
    "pipelines": ({"pipeline": {"$in": ["b", "a", "b", 1]}}, Scope(pipelines=("a", "b"))),
    "pipelines twice": (
        {"$and": [{"pipeline": {"$in": ["a", "b"]}}, {"pipeline": "b"}]},
        Scope(pipelines=("b",)),
    ),
    "site and priority": ({"site": "s", "priority": 2}, Scope(site="s", priority=2)),
    "a priority that is none": ({"priority": 7.5}, Scope()),
    "several sites": ({"site": {"$in": ["s", "t"]}}, Scope()),
    "status": (
        {"status": {"$in": ["failure", "running"]}},
        Scope(statuses=(WorkStatus.RUNNING, WorkStatus.FAILURE)),
    ),
    "creation": (
        {"creation": {"$gt": 1, "$lte": 5}, "$and": [{"creation": {"$gte": 2, "$lt": 9}}]},
        Scope(created_from=2, created_until=5),
    ),
    "either": ({"$or": [{"pipeline": "a"}]}, Scope()),
    "the contrary": ({"pipeline": {"$ne": "a"}}, Scope()),
    "results": ({"$or": [{"results.x": {"$ne": 1}}]}, Scope(has_results=True)),
    "results of fields": ({"$expr": {"$gt": ["$a", "$results.b"]}}, Scope(has_results=True)),
}


@pytest.mark.parametrize(("query", "scope"), SCOPES.values(), ids=SCOPES)
def test_a_scope_is_what_the_keys_know_of_a_filter(query, scope):
    found = scope_of(parse_filter(query), has_results=False)
    has_results = "results" in str(query)
    assert found == Scope(**{**scope.__dict__, "has_results": has_results})


PROJECTIONS = {
    "all": ({}, {"id": 1, "config": {"a": 1, "b": 2}, "results": {}}),
    "only _id": ({"_id": False}, {"id": 1, "config": {"a": 1, "b": 2}, "results": {}}),
    "kept": ({"id": True, "_id": False}, {"id": 1}),
    "kept with numbers": ({"id": 1, "_id": 0}, {"id": 1}),
    "removed": ({"config": False, "results": False}, {"id": 1}),
    "kept below": ({"config.a": True, "results.x": True}, {"config": {"a": 1}, "results": {}}),
    "removed below": ({"config.a": 0}, {"id": 1, "config": {"b": 2}, "results": {}}),
    "above wins": ({"config": True, "config.a": True}, {"config": {"a": 1, "b": 2}}),
    "unknown": ({"nothing": True}, {}),
}


@pytest.mark.parametrize(("projection", "expected"), PROJECTIONS.values(), ids=PROJECTIONS)
def test_a_projection_shows(projection, expected):
    document = {"id": 1, "config": {"a": 1, "b": 2}, "results": {}}
    found = parse_projection(projection)
    assert found.of(document) == expected
    assert found.shows_results or "results" not in expected


@pytest.mark.parametrize(
    "projection", [{"a": True, "b": False}, {"a": "yes"}, {"a": {"$slice": 1}}, [], None], ids=str
)
def test_a_projection_is_refused(projection):
    with pytest.raises(InvalidRequest):
        parse_projection(projection)
