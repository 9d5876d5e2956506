"""States, files, archives, results, views and age of runs: flowserv's rules, as values."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from datetime import timedelta
from pathlib import Path

import pytest

from chalicelib.core.data_sync.manifest import ManifestFile, manifest_of
from chalicelib.core.errors import Conflict, InvalidRequest, NotFound, Unavailable
from chalicelib.core.flowserv.ageing import obsolete
from chalicelib.core.flowserv.archive import Member, archived
from chalicelib.core.flowserv.files import files_of, find_file, mime_type, stored_files
from chalicelib.core.flowserv.results import (
    Ranked,
    best_of_groups,
    parse_schema,
    ranking,
    read_results,
)
from chalicelib.core.flowserv.states import check_deletable, is_active, is_change
from chalicelib.core.flowserv.views import arguments_of, flowserv_view, text
from chalicelib.core.plans.plan import Plan
from chalicelib.core.run import RunError, RunState
from tests.unit.flowserv.values import AT, a_manifest, a_run, an_output

CELLS = json.loads(
    (Path(__file__).parents[2] / "fixtures" / "flowserv-transitions.json").read_text()
)["cells"]


@pytest.mark.parametrize("cell", [pytest.param(c, id=f"{c['from']}-{c['to']}") for c in CELLS])
def test_every_cell_of_the_transition_table_is_answered_as_flowserv_does(cell):
    current, wanted = RunState(cell["from"]), RunState(cell["to"])
    if cell["outcome"] == "error":
        with pytest.raises(Conflict, match=rf"{current}.*{wanted}"):
            is_change(current, wanted)
    else:
        assert is_change(current, wanted) is (cell["outcome"] == "changed")


def test_the_fixture_has_every_pair_of_states():
    assert {(c["from"], c["to"]) for c in CELLS} == {(a, b) for a in RunState for b in RunState}


@pytest.mark.parametrize("state", RunState)
def test_only_a_settled_run_that_has_ended_may_be_deleted(state):
    if is_active(state):
        with pytest.raises(Conflict, match=state):
            check_deletable("r1", state, is_settled=False)
        return
    check_deletable("r1", state, is_settled=True)
    with pytest.raises(Conflict, match="settled_at"):
        check_deletable("r1", state, is_settled=False)


# --- files


OUTPUTS = {
    "out": an_output("s3://bkt/run/"),
    "one": an_output("s3://bkt/genome.fa"),
    "none": {"uri": "s3://bkt/none/", "manifest": None, "files": 0, "bytes": 0},
}
MANIFESTS = {
    "out": a_manifest("r1", "out", results__b_json=7, a_txt=3),
    "one": a_manifest("r1", "one", genome_fa=9),
}


def test_files_come_from_the_manifests_by_key():
    files = files_of(a_run(outputs=OUTPUTS), MANIFESTS)
    assert [(f.key, f.uri, f.size_bytes, f.mime_type) for f in files] == [
        ("one/genome.fa", "s3://bkt/genome.fa", 9, None),
        ("out/a.txt", "s3://bkt/run/a.txt", 3, "text/plain"),
        ("out/results/b.json", "s3://bkt/run/results/b.json", 7, "application/json"),
    ]
    assert all(len(f.id) == 32 and int(f.id, 16) >= 0 for f in files)
    assert len({f.id for f in files}) == 3


@pytest.mark.parametrize("state", [s for s in RunState if s is not RunState.SUCCESS])
def test_only_a_run_that_succeeded_shows_files(state):
    assert files_of(a_run(state=state, outputs=OUTPUTS), MANIFESTS) == ()


@pytest.mark.parametrize(
    "manifest",
    [
        pytest.param(a_manifest("r2", "out", a_txt=3), id="another-run"),
        pytest.param(a_manifest("r1", "other", a_txt=3), id="another-parameter"),
        pytest.param(
            manifest_of(
                (ManifestFile(path="../x", bytes=1, sha256="0" * 64),),
                run="r1", param="out", source="s", created_at=AT,
            ),
            id="a-way-out",
        ),
        pytest.param(
            manifest_of(
                (ManifestFile(path="/x", bytes=1, sha256="0" * 64),),
                run="r1", param="out", source="s", created_at=AT,
            ),
            id="absolute",
        ),
    ],
)  # fmt: skip
def test_a_manifest_that_is_not_the_runs_own_names_none_of_its_files(manifest):
    run = a_run(outputs={"out": an_output("s3://bkt/run/")})
    assert stored_files(run, {"out": manifest}) == ()


def test_a_single_objects_manifest_names_that_object_alone():
    run = a_run(outputs={"one": an_output("s3://bkt/genome.fa")})
    assert stored_files(run, {"one": a_manifest("r1", "one", other_fa=1)}) == ()


def test_a_file_is_found_by_its_id_or_by_its_key():
    files = files_of(a_run(outputs=OUTPUTS), MANIFESTS)
    assert find_file(files, key="out/a.txt") is find_file(files, files[1].id, "") is files[1]


@pytest.mark.parametrize("asked", [("", ""), (None, None), ("a", "b")])
def test_both_names_of_a_file_or_none_are_refused(asked):
    with pytest.raises(InvalidRequest):
        find_file((), *asked)


@pytest.mark.parametrize(
    ("asked", "shown"), [((None, "out/x"), "'out/x'"), (("abc", None), "None")]
)
def test_an_unknown_file_is_named_by_its_key(asked, shown):
    with pytest.raises(NotFound, match=shown):
        find_file((), *asked)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("a.csv", "text/csv"), ("a/b.tar.gz", "application/gzip"), ("README", None)],
)
def test_a_type_is_guessed_from_the_name(name, expected):
    assert mime_type(name) == expected


# --- archives


def test_an_archive_holds_the_files_and_nothing_of_who_made_it():
    members = [Member("/out/a.txt", 3, [b"ab", b"c"]), Member("out/ü.bin", 600, [b"x" * 600])]
    packed = b"".join(archived(members))
    with tarfile.open(fileobj=io.BytesIO(packed), mode="r:gz") as tar:
        seen = [(m.name, m.mode, m.uid, m.gid, m.mtime, m.isfile()) for m in tar]
        content = [tar.extractfile(m).read() for m in tar]
    assert seen == [("out/a.txt", 0o644, 0, 0, 0, True), ("out/ü.bin", 0o644, 0, 0, 0, True)]
    assert content == [b"abc", b"x" * 600]


def test_an_archive_of_nothing_is_valid_and_as_short_as_flowservs():
    packed = b"".join(archived([]))
    assert (len(packed), len(gzip.decompress(packed))) == (45, 10240)
    with tarfile.open(fileobj=io.BytesIO(packed), mode="r:gz") as tar:
        assert tar.getmembers() == []


def test_an_archive_is_made_piece_by_piece():
    begun = []

    def chunks(number):
        begun.append(number)
        yield bytes(1000)

    pieces = archived(Member(f"f{n}", 1000, chunks(n)) for n in range(50))
    next(pieces)
    assert begun == [] or len(begun) < 50


@pytest.mark.parametrize("chunks", [[b"ab"], [b"ab", b"cd"], []])
def test_a_member_of_another_length_ends_the_archive(chunks):
    with pytest.raises(Unavailable, match="out/x"):
        list(archived([Member("out/x", 3, chunks)]))


# --- results


SCHEMA = {
    "file": "out/results/b.json",
    "schema": [
        {"name": "auc", "label": "AUC", "dtype": "float", "path": "scores/auc"},
        {"name": "n", "label": "N", "dtype": "int", "required": False},
        {"name": "who", "label": "Who", "dtype": "string", "required": False},
    ],
}


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        pytest.param({"scores": {"auc": "0.5"}}, {"auc": 0.5}, id="text-to-float"),
        pytest.param({"scores": {"auc": 0}, "n": "3"}, {"auc": 0.0, "n": 3}, id="zero-is-kept"),
        pytest.param({"scores": {"auc": 1}, "n": 3.9}, {"auc": 1.0, "n": 3}, id="cut-off"),
        pytest.param({"scores": {"auc": 1}, "who": 7, "x": 1}, {"auc": 1, "who": "7"}, id="more"),
    ],
)
def test_results_are_cast_as_their_schema_says(document, expected):
    assert read_results(parse_schema(SCHEMA), document) == expected


@pytest.mark.parametrize(
    "document",
    [{}, {"scores": {"auc": None}}, {"scores": {"auc": "much"}}, {"scores": {"auc": [1]}},
     {"scores": {"auc": "nan"}}, {"scores": 1}, []],
)  # fmt: skip
def test_results_that_do_not_fit_are_refused(document):
    with pytest.raises(InvalidRequest, match="auc"):
        read_results(parse_schema(SCHEMA), document)


@pytest.mark.parametrize(
    "wrong", [{"dtype": "bool"}, {"dtype": "decimal"}, {"name": ""}, {"more": 1}]
)
def test_a_schema_knows_three_types_and_no_other_keys(wrong):
    columns = [{"name": "a", "label": "A", "dtype": "int", **wrong}]
    with pytest.raises(InvalidRequest):
        parse_schema({"file": "f", "schema": columns})


def test_a_schema_orders_by_its_own_columns_only():
    with pytest.raises(InvalidRequest, match="nobody"):
        parse_schema({**SCHEMA, "orderBy": [{"name": "nobody"}]})


RUNS = [
    Ranked("r1", "a", "1", {"auc": 0.5, "n": 2}),
    Ranked("r2", "b", "2", {"auc": 0.9, "n": 2}),
    Ranked("r3", "a", "3", {"auc": 0.7, "n": 1}),
    Ranked("r4", "b", "4", {"auc": 0.5}),
]


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        pytest.param([], "r2 r3 r1 r4", id="first-column-descending"),
        pytest.param([{"name": "auc", "sortDesc": False}], "r1 r4 r3 r2", id="ascending"),
        pytest.param(
            [{"name": "n"}, {"name": "auc", "sortDesc": False}], "r1 r2 r3 r4", id="two-columns"
        ),
    ],
)
def test_runs_are_ranked_by_their_columns(order, expected):
    found = ranking(parse_schema({**SCHEMA, "orderBy": order}), reversed(RUNS))
    assert [run.run_id for run in found] == expected.split()


def test_a_leaderboard_has_the_best_run_of_each_group():
    best = best_of_groups(ranking(parse_schema(SCHEMA), RUNS))
    assert [run.run_id for run in best] == ["r2", "r3"]


# --- age


def test_obsolete_runs_are_old_ended_and_not_ranked():
    runs = [
        a_run("old", created_at=AT - timedelta(days=1)),
        a_run("best", created_at=AT - timedelta(days=1)),
        a_run("active", RunState.RUNNING, created_at=AT - timedelta(days=1)),
        a_run("failed", RunState.ERROR, created_at=AT - timedelta(days=1)),
        a_run("at", created_at=AT),
    ]
    named = {
        state: [run.id for run in obsolete(runs, AT, state, {"best"})]
        for state in (None, RunState.RUNNING, RunState.ERROR, RunState.PENDING)
    }
    assert named == {
        None: ["old", "failed"],
        RunState.RUNNING: ["active"],
        RunState.ERROR: ["failed"],
        RunState.PENDING: [],
    }


# --- views


HEAD = {
    "id": "r1",
    "createdAt": "2026-05-01T12:00:00.000000+00:00",
    "workflowId": "demand-execution",
    "groupId": "default",
    "arguments": [],
}
STARTED = {"startedAt": "2026-05-01T12:00:01.000000+00:00"}
FINISHED = {**STARTED, "finishedAt": "2026-05-01T12:00:02.000000+00:00"}


@pytest.mark.parametrize(
    ("state", "more"),
    [
        pytest.param(RunState.PENDING, {}, id="pending"),
        pytest.param(RunState.RUNNING, STARTED, id="running"),
        pytest.param(RunState.ERROR, {**FINISHED, "messages": ["no"]}, id="error"),
        pytest.param(RunState.CANCELED, {**FINISHED, "messages": ["no"]}, id="canceled"),
    ],
)
def test_a_state_has_its_keys(state, more):
    error = RunError(stage=None, cause="x", message="no") if "messages" in more else None
    assert flowserv_view(a_run(state=state, error=error)) == {**HEAD, "state": state, **more}


def test_a_run_that_succeeded_shows_its_files():
    run = a_run(outputs=OUTPUTS)
    files = files_of(run, MANIFESTS)
    shown = flowserv_view(run, files)
    assert shown == {**HEAD, "state": "SUCCESS", **FINISHED, "files": shown["files"]}
    assert shown["files"][1] == {"id": files[1].id, "name": "out/a.txt"}


def test_a_run_that_was_cancelled_before_it_started_started_when_it_stopped():
    shown = flowserv_view(a_run(state=RunState.CANCELED, started_at=None))
    assert shown["startedAt"] == shown["finishedAt"] == FINISHED["finishedAt"]


def test_arguments_are_the_parameters_as_they_were_given():
    params = {"in": "s3://bkt/x", "n": 3}
    request = {"request": {"demand_execution": {"execution_parameters": {"params": params}}}}
    plan = Plan(stages=(), request=request)
    assert flowserv_view(a_run(plan=plan))["arguments"] == [
        {"name": "in", "value": "s3://bkt/x"},
        {"name": "n", "value": 3},
    ]
    assert arguments_of({"request": [1]}) == []


def test_times_sort_as_text():
    times = [AT, AT + timedelta(microseconds=1), AT + timedelta(seconds=1)]
    assert sorted(map(text, reversed(times))) == [text(each) for each in times]
