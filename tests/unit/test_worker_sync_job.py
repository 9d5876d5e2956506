"""A sync as a job: divided or not, killed or not, it ends in the same state."""

from __future__ import annotations

import json

import pytest

from chalicelib.bootstrap import WorkerPorts
from chalicelib.core.data_sync.requests import PrepareBatchDataSyncRequest
from chalicelib.core.errors import InvalidRequest, Unavailable
from chalicelib.core.worker_documents import Outcome, SyncOrder
from chalicelib.ports import Claim
from chalicelib.worker.__main__ import main
from chalicelib.worker.batch_child import work_batch
from chalicelib.worker.sync_job import SyncBatches, finish, sync_or_divide
from chalicelib.worker_settings import WorkerSettings
from tests.unit.sync_world import FS, B, Died, World, tree
from tests.unit.worker_world import FakeClaims, FakeObjects

PLAN = "s3://own/batches/"
DOCUMENTS = "s3://own/outcomes/sync-1/"
NAMES = ("a", "b/1", "b/2", "c/d/1", "e")


class Bench:
    """A world, and the documents that pass between the jobs of one stage."""

    def __init__(self, folder):
        self.world = World(folder)
        self.objects, self.claims = FakeObjects(), FakeClaims()
        self.jobs = 0

    def order(self, source, destination, **options) -> SyncOrder:
        request = {"source_path": source, "destination_path": destination, "delete": False,
                   "batch_size_bytes_limit": 3, "include_detailed_response": True,
                   **options}  # fmt: skip
        order = SyncOrder(request=PrepareBatchDataSyncRequest.parse(request), batches_prefix=PLAN)
        self.objects.content["s3://own/order"] = order.model_dump_json().encode()
        return order

    def divide(self, order):
        return sync_or_divide(order, self.world.data_sync, self.objects)

    def child(self, index, *, left="", place=None, name="", job_id="") -> int:
        self.jobs += 1
        job = WorkerSettings(
            job_name=name or f"job-{self.jobs}",
            job_id=job_id or f"id-{self.jobs}",
            index=index,
            request_uri="s3://own/order",
            outcome_uri=DOCUMENTS,
            batches_left=left,
            batch_index=place,
        )

        def read(order):
            return SyncBatches(SyncOrder.model_validate_json(order), self.world.data_sync)

        return work_batch(job, self.objects, self.claims, read)

    def finish(self, order):
        return finish(order, self.world.data_sync, self.objects, DOCUMENTS)

    def written(self) -> list[str]:
        found = [uri.removeprefix(DOCUMENTS) for uri in self.objects.content]
        return sorted(name for name in found if "/" not in name)

    def document(self, name) -> Outcome:
        return Outcome.model_validate_json(self.objects.content[DOCUMENTS + name])

    def all_of_it(self, order) -> dict:
        """Every job in turn, as the engine has them; return the last one's result."""
        result = self.divide(order)
        if "batches" not in result:
            return result
        for index in range(result["batches"]):
            assert self.child(index) == 0
        return self.finish(order)


@pytest.fixture
def bench(tmp_path):
    bench = Bench(tmp_path)
    bench.world.objects(*NAMES)
    return bench


DIRECTIONS = {
    "download": (f"{B}/in/", f"{FS}:/out"),
    "upload": (f"{FS}:/in", f"{B}/out/"),
    "copy": (f"{B}/in/", f"{B}/out/"),
    "local": (f"{FS}:/in", f"{FS}:/out"),
}


def prepared(folder, direction):
    """A world with a source, and something else at the destination."""
    folder.mkdir()
    bench = Bench(folder)
    source, destination = DIRECTIONS[direction]
    for place, names in ((source, NAMES), (destination, ("a", "x/y"))):
        if place.startswith(FS):
            bench.world.files(*names, at=f"mnt/{place.rpartition('/')[2]}", text="12")
        else:
            bench.world.objects(*names, at=place.rstrip("/"), text="12")
    return bench


def state(bench):
    """Both sides, but for what a killed download half wrote: the next sync after an hour does."""
    there = tree(bench.world.mount)
    there = {name: text for name, text in there.items() if not name.endswith(".partial")}
    return bench.world.stored(), there


def test_what_fits_is_done_at_once_and_answered_as_the_wire_has_it(bench):
    order = bench.order(f"{B}/in/", f"{FS}:/out", batch_size_bytes_limit=1000)
    told = bench.divide(order)
    assert told["result"] == {"bytes_transferred": 13, "files_transferred": 5}
    assert told["request"]["source_path"] == f"{B}/in/"
    assert "batch_size_bytes_limit" not in told["request"]
    assert tree(bench.world.mount / "out") == {name: name for name in NAMES}
    assert set(bench.objects.content) == {"s3://own/order"}


def test_what_does_not_fit_is_written_down_in_batches_that_only_copy(bench):
    order = bench.order(f"{B}/in/", f"{FS}:/out", delete=True, retain_source_data=False)
    told = bench.divide(order)
    assert told == {"batches": 4, "plan": PLAN}
    assert tree(bench.world.mount) == {}
    requests = [
        each
        for number in range(4)
        for each in json.loads(bench.objects.content[f"{PLAN}request_{number}.json"])
    ]
    assert [each["delete"] for each in requests] == [False] * len(requests)
    assert [each["retain_source_data"] for each in requests] == [True] * len(requests)


@pytest.mark.parametrize("options", [{}, {"delete": True}, {"retain_source_data": False},
                                     {"delete": True, "retain_source_data": False},
                                     {"force": True}], ids=str)  # fmt: skip
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_divided_or_not_the_end_is_the_same(tmp_path, direction, options):
    source, destination = DIRECTIONS[direction]
    ends = []
    for name, limit in (("one", 1000), ("many", 3)):
        bench = prepared(tmp_path / name, direction)
        order = bench.order(source, destination, batch_size_bytes_limit=limit, **options)
        ends.append((bench.all_of_it(order)["result"], state(bench)))
    if direction == "local" and "retain_source_data" in options:
        ends = [end[1] for end in ends]  # what a move by renaming counts, a copy does not
    assert ends[0] == ends[1]


@pytest.mark.parametrize("is_after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("direction", ["download", "upload", "copy"])
def test_killed_at_any_step_and_begun_again_it_ends_the_same(tmp_path, direction, is_after):
    source, destination = DIRECTIONS[direction]
    options = {"delete": True, "retain_source_data": False}
    whole = prepared(tmp_path / "whole", direction)
    whole.all_of_it(whole.order(source, destination, **options))
    assert json.loads(whole.objects.content[f"{PLAN}request_4.json"])
    steps = len(whole.world.carrier.steps)
    for step in range(steps):
        bench = prepared(tmp_path / f"killed-{step}", direction)
        order = bench.order(source, destination, **options)
        carrier = bench.world.carrier
        carrier.dies_at, carrier.dies_after_effect = step, is_after
        jobs = [lambda order=order, bench=bench: bench.divide(order)]
        jobs += [lambda n=n, bench=bench: bench.child(n) for n in range(5)]
        jobs += [lambda order=order, bench=bench: bench.finish(order)]
        for job in jobs:
            try:
                job()
            except Died:
                carrier.dies_at = None
                job()
        assert state(bench) == state(whole), f"killed at {carrier.steps[step]}"


def test_a_move_whose_source_is_gone_already_has_ended(bench):
    order = bench.order(f"{B}/in/", f"{B}/out/", retain_source_data=False)
    first = bench.all_of_it(order)
    assert bench.world.stored(f"{B}/in") == {}
    again = bench.finish(order)
    assert again["result"] == first["result"] == {"bytes_transferred": 13, "files_transferred": 5}


def test_a_source_that_is_gone_though_nobody_moved_it_is_told(bench):
    order = bench.order(f"{B}/in/", f"{B}/out/")
    bench.divide(order)
    bench.world.carrier.content.clear()
    with pytest.raises(FileNotFoundError):
        bench.finish(order)


def test_the_finish_copies_what_was_missed(bench):
    order = bench.order(f"{B}/in/", f"{FS}:/out")
    bench.divide(order)
    bench.world.objects("new")
    for index in range(4):
        bench.child(index)
    (bench.world.mount / "out/a").unlink()
    bench.finish(order)
    assert tree(bench.world.mount / "out") == {name: name for name in (*NAMES, "new")}


class TestChild:
    @pytest.fixture
    def order(self, bench):
        order = bench.order(f"{B}/in/", f"{FS}:/out")
        bench.divide(order)
        return order

    def test_does_its_own_batch_and_says_so(self, bench, order):
        assert bench.child(1) == 0
        assert bench.written() == ["000001.json"]
        document = bench.document("000001.json")
        assert (document.job_name, document.job_id, document.error) == ("job-1", "id-1", None)
        assert document.result["result"]["failed_requests_count"] == 0
        assert len(tree(bench.world.mount / "out")) < len(NAMES)

    @pytest.mark.parametrize(
        ("index", "place", "written"),
        [(0, None, ["000001.json"]), (1, None, ["000003.json"]), (0, 1, ["000003.json"])],
    )
    def test_does_what_an_earlier_job_left(self, bench, order, index, place, written):
        bench.objects.content["s3://own/left"] = b"[1, 3]"
        assert bench.child(index, left="s3://own/left", place=place) == 0
        assert bench.written() == written

    def test_beyond_the_list_has_nothing_to_do(self, bench, order):
        bench.objects.content["s3://own/left"] = b"[1, 3]"
        assert bench.child(2, left="s3://own/left") == 0
        assert bench.written() == []
        assert bench.claims.holders == {}

    def test_that_was_done_before_is_not_done_again(self, bench, order):
        bench.child(2)
        before = len(bench.world.carrier.steps)
        assert bench.child(2) == 0
        assert len(bench.world.carrier.steps) == before
        assert bench.document("000002.json").job_name == "job-1"

    def test_that_lost_its_claim_touches_nothing(self, bench, order):
        bench.claims.holders["job-1", 2] = Claim("another", 1)
        assert bench.child(2) == 75
        assert (bench.written(), tree(bench.world.mount)) == ([], {})

    def test_claims_by_its_own_index(self, bench, order):
        assert [bench.child(n, name="array", job_id=f"id:{n}") for n in range(2)] == [0, 0]
        assert set(bench.claims.holders) == {("array", 0), ("array", 1)}

    def test_says_what_the_user_must_mend(self, bench, order):
        bench.world.files("out", at="mnt")  # a file where the folder is to be
        assert bench.child(0) == 1
        assert bench.written() == ["000000.error.json"]
        assert "batch 0" in bench.document("000000.error.json").error

    def test_takes_the_error_of_an_earlier_one_back(self, bench, order):
        bench.world.files("out", at="mnt")
        bench.child(0)
        (bench.world.mount / "out").unlink()
        assert bench.child(0) == 0
        assert bench.written() == ["000000.json"]

    @pytest.mark.parametrize("error", [Unavailable("busy"), PermissionError(13, "no")], ids=repr)
    def test_that_failed_for_now_writes_nothing(self, bench, order, error, monkeypatch):
        def fail(*_args, **_options):
            raise error

        monkeypatch.setattr(bench.world.carrier, "transfer", fail)
        with pytest.raises(type(error)):
            bench.child(0)
        assert bench.written() == []


class TestEntryPoint:
    """The verbs by their names, with the environment that the engine gives."""

    def work(self, bench, verb, **told):
        environ = {
            "FALSEWORK_JOB_NAME": f"job-{verb}-{told}",
            "AWS_BATCH_JOB_ID": "id-1",
            "FALSEWORK_REQUEST_URI": "s3://own/order",
            "FALSEWORK_OUTCOME_URI": "s3://own/outcomes/job.json",
            "EFS_MOUNT_POINT_ID_1": FS,
            "EFS_MOUNT_POINT_PATH_1": str(bench.world.mount),
            **told,
        }
        ports = WorkerPorts(bench.objects, bench.claims, lambda: bench.world.carrier)
        return main([verb], environ=environ, ports=ports)

    def result(self, bench):
        return Outcome.model_validate_json(bench.objects.content["s3://own/outcomes/job.json"])

    def test_a_divided_sync_from_its_first_job_to_its_last(self, bench):
        bench.order(f"{B}/in/", f"{FS}:/out")
        bench.world.files("old", at="mnt/out")
        assert self.work(bench, "sync") == 0
        assert self.result(bench).result == {"batches": 4, "plan": PLAN}
        children = {"FALSEWORK_OUTCOME_URI": DOCUMENTS}
        for index in range(4):
            told = {**children, "AWS_BATCH_JOB_ARRAY_INDEX": str(index)}
            assert self.work(bench, "sync-batch", **told) == 0
        assert self.work(bench, "sync", FALSEWORK_BATCHES_DONE=DOCUMENTS) == 0
        assert self.result(bench).result["result"]["files_transferred"] == 6  # with the old one
        assert set(tree(bench.world.mount / "out")) == {*NAMES, "old"}

    def test_a_missing_source_is_the_users_to_mend(self, bench):
        bench.order(f"{B}/nothing/", f"{FS}:/out")
        assert self.work(bench, "sync") == 1
        assert "nothing" in self.result(bench).error

    def test_a_path_operation_answers_as_its_handler_does(self, bench):
        order = {"handler": "list_data_paths", "event": {"path": f"{B}/in/b/"}}
        bench.objects.content["s3://own/order"] = json.dumps(order).encode()
        assert self.work(bench, "handle") == 0
        assert self.result(bench).result == {"paths": ["in/b/", "in/b/1", "in/b/2"]}

    def test_a_response_that_is_too_large_is_stored_by_itself(self, bench):
        bench.world.objects(*(f"{n:060}" for n in range(2000)), at=f"{B}/many")
        order = {"handler": "list_data_paths", "event": {"path": f"{B}/many/"}}
        bench.objects.content["s3://own/order"] = json.dumps(order).encode()
        assert self.work(bench, "handle") == 0
        told = self.result(bench).result
        assert told["stored_at"] == "s3://own/outcomes/job.response.json"
        stored = bench.objects.content[told["stored_at"]]
        assert (len(stored), len(json.loads(stored)["paths"])) == (told["size_bytes"], 2001)

    def test_a_clean_up_removes_what_is_outdated(self, bench):
        bench.world.files("old/1", "old/2", at="mnt/scratch")
        (bench.world.mount / "scratch/new").write_bytes(b"new")
        event = {"path": f"{FS}:/scratch", "days_since_last_accessed": 3.0, "min_depth": 1}
        order = {"handler": "clean_file_system", "event": event}
        bench.objects.content["s3://own/order"] = json.dumps(order).encode()
        assert self.work(bench, "handle") == 0
        assert self.result(bench).result == {
            "size_bytes_removed": 10,
            "paths_removed": [str(bench.world.mount / "scratch/old")],
        }
        assert set(tree(bench.world.mount)) == {"scratch/new"}

    def test_a_whole_file_system_is_never_cleaned_away(self, bench):
        bench.world.files("old", at="mnt")
        order = {"handler": "clean_file_system", "event": {"path": f"{FS}:/"}}
        bench.objects.content["s3://own/order"] = json.dumps(order).encode()
        assert self.work(bench, "handle") == 1
        assert set(tree(bench.world.mount)) == {"old"}

    def test_no_other_operation_can_be_named(self, bench):
        bench.objects.content["s3://own/order"] = b'{"handler": "os.remove", "event": {}}'
        assert self.work(bench, "handle") == 1
        assert "os.remove" in self.result(bench).error

    def test_the_envelope_calls_a_handler_by_its_name(self, bench, tmp_path, monkeypatch):
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        monkeypatch.setenv("DEFAULT_BUCKET_NAME", "")
        path, answer = tmp_path / "x.json", tmp_path / "answer.json"
        path.write_text('{"a": 1}')
        told = {
            "AWS_LAMBDA_FUNCTION_HANDLER": "get_json_from_file",
            "AWS_LAMBDA_EVENT_PAYLOAD": json.dumps({"path": str(path)}),
            "AWS_LAMBDA_EVENT_RESPONSE_LOCATION": str(answer),
        }
        assert self.work(bench, "lambda", **told) == 0
        assert json.loads(answer.read_text()) == {"content": {"a": 1}}
        assert self.work(bench, "lambda", **{**told, "AWS_LAMBDA_FUNCTION_HANDLER": "x"}) == 2


def test_an_order_without_batches_prefix_is_none(bench):
    with pytest.raises(ValueError, match="batches_prefix"):
        SyncOrder.model_validate({"request": {"source_path": "s3://b12/a",
                                              "destination_path": "s3://b12/c"}})  # fmt: skip


def test_a_filter_that_leaves_out_everything_is_refused_before_anything_is_divided(bench):
    order = bench.order(f"{B}/in/", f"{FS}:/out", filter_config={"include": "nothing"})
    with pytest.raises(InvalidRequest):
        bench.divide(order)
