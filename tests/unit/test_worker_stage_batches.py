"""Stage-in and stage-out by batches: they end as if one job had done it all."""

from __future__ import annotations

import json
import os

import pytest

from chalicelib.core.worker_documents import Outcome
from chalicelib.worker.__main__ import main
from chalicelib.worker.batch_child import batch_uri
from tests.unit.worker_world import LONG_AGO, ROOT, Died, World, sync, tree

PLAN = "s3://docs/batches/"
DOCUMENTS = "s3://docs/stage-1/"
INPUTS = {"reads": ("a", "b/1", "b/2", "c/d/e"), "one": ("one.txt",)}
OUTPUTS = ("r/a", "r/b/1", "r/b/2", "r/c/d", "single")


class Stage:
    """A world, and the jobs of one stage with the environment that the engine gives them."""

    def __init__(self, folder, verb) -> None:
        folder.mkdir(exist_ok=True)
        self.world, self.verb = World(folder), verb
        self.made = getattr(self, f"_{verb.replace('-', '_')}")()

    def _stage_in(self):
        for param, names in INPUTS.items():
            for name in names:
                self.world.objects.put(f"s3://data/{param}/{name}", b"12345678")
        self.world.write("reads/extra", b"extra")
        self.world.write("reads/b/extra", b"extra")
        self.world.scratch.joinpath("other-run").mkdir()
        return lambda **fields: self.world.stage_in(
            sync("reads", "s3://data/reads/", f"{ROOT}/reads", delete=True, force=True),
            sync("one", "s3://data/one/one.txt", f"{ROOT}/one.txt"),
            **fields,
        )

    def _stage_out(self):
        for name in OUTPUTS:
            self.world.write(name, name.encode())
        self.world.objects.put("s3://home/r/.falsework-manifest.json", b"old")
        self.world.objects.put("s3://home/r/extra", b"extra")
        syncs = (
            sync("r", f"{ROOT}/r", "s3://home/r/", delete=True),
            sync("single", f"{ROOT}/single", "s3://home/single"),
            sync("may", f"{ROOT}/may", "s3://home/may/", fail_if_missing=False),
        )
        return lambda **fields: self.world.stage_out(*syncs).model_copy(update=fields)

    def job(self, verb="", order=None, name="job", **told) -> int:
        order = order or self.made(batches_prefix=PLAN, batch_bytes=10)
        self.world.objects.content["s3://docs/order"] = order.model_dump_json().encode()
        environ = {
            "FALSEWORK_JOB_NAME": name,
            "AWS_BATCH_JOB_ID": f"id-{name}",
            "FALSEWORK_REQUEST_URI": "s3://docs/order",
            "FALSEWORK_OUTCOME_URI": f"s3://docs/{name}.json",
            **told,
        }
        return main([verb or self.verb], environ=environ, ports=self.world.ports)

    def child(self, index: int, name="array") -> int:
        told = {"FALSEWORK_OUTCOME_URI": DOCUMENTS, "AWS_BATCH_JOB_ARRAY_INDEX": str(index)}
        return self.job(f"{self.verb}-batch", name=name, **told)

    def result(self, name="job"):
        content = self.world.objects.content[f"s3://docs/{name}.json"]
        return Outcome.model_validate_json(content).result

    def whole(self):
        """Do it all in one job; return the result."""
        assert self.job(order=self.made()) == 0
        return self.result()

    def jobs(self):
        """The jobs of a divided stage, each to be called until it lives through it."""
        yield self.job
        for index in range(self.result()["batches"]):
            yield lambda index=index: self.child(index)
        yield lambda: self.job(name="finish", FALSEWORK_BATCHES_DONE=DOCUMENTS)

    def state(self):
        stored = {
            uri: content
            for uri, content in self.world.objects.content.items()
            if not uri.startswith("s3://docs/")
        }
        files = {
            name: text for name, text in tree(self.world.folder).items() if ".part" not in name
        }
        return _without_times(stored), files


def _without_times(stored):
    return {
        uri: {**json.loads(content), "created_at": None} if "manifest" in uri else content
        for uri, content in stored.items()
    }


def settled(result):
    """How much of it had to be copied in the last job says nothing of what is there."""
    for each in result.get("params", {}).values():
        each.update(copied_files=0, copied_bytes=0)
    return result


@pytest.fixture(params=["stage-in", "stage-out"])
def verb(request):
    return request.param


def test_divided_or_not_the_end_is_the_same(tmp_path, verb):
    one, many = Stage(tmp_path / "one", verb), Stage(tmp_path / "many", verb)
    expected = one.whole()
    assert [job() for job in many.jobs()] == [0] * (many.result()["batches"] + 2)
    assert many.result()["batches"] >= 3
    assert settled(many.result("finish")) == settled(expected)
    assert many.state() == one.state()


def with_an_odd_name(stage):
    """A name that no request can bear, and over it something that only reading tells apart."""
    if stage.verb == "stage-in":
        stage.world.objects.put("s3://data/reads/x~1/ü", b"12345678")
        stage.world.write("reads/x~1/ü", b"87654321")
    else:
        stage.world.write("r/x~1/ü", b"12345678")
    return stage


def test_what_no_batch_can_ask_for_is_brought_by_the_last_job(tmp_path, verb):
    one, many = (with_an_odd_name(Stage(tmp_path / name, verb)) for name in ("one", "many"))
    expected = one.whole()
    assert {job() for job in many.jobs()} == {0}
    assert settled(many.result("finish")) == settled(expected)
    assert many.state() == one.state()
    batches = [text for uri, text in many.world.objects.content.items() if "request_" in uri]
    assert not any(b"x~1" in text for text in batches)


@pytest.mark.parametrize("is_after", [False, True], ids=["before", "after"])
def test_killed_at_any_step_and_begun_again_it_ends_the_same(tmp_path, verb, is_after):
    calm = Stage(tmp_path / "calm", verb)
    for job in calm.jobs():
        assert job() == 0
    expected, step, was_killed = calm.state(), 0, True
    while was_killed:
        stage = Stage(tmp_path / f"killed-{step}", verb)
        objects = stage.world.objects
        objects.dies_at, objects.dies_after_effect = step, is_after
        was_killed = False
        for job in stage.jobs():
            try:
                assert job() == 0
            except Died:
                was_killed, objects.dies_at = True, None
                assert job() == 0
        assert stage.state() == expected, step
        step += 1
    assert step > 10


def test_what_fits_is_not_divided(tmp_path, verb):
    stage = Stage(tmp_path, verb)
    assert stage.job(order=stage.made(batches_prefix=PLAN, batch_bytes=1000)) == 0
    assert "batches" not in stage.result()
    assert not any(uri.startswith(PLAN) for uri in stage.world.objects.content)


def test_batches_of_inputs_hold_several_parameters_and_delete_nothing(tmp_path):
    stage = Stage(tmp_path, "stage-in")
    stage.job(order=stage.made(batches_prefix=PLAN, batch_bytes=24))
    batches = [
        json.loads(stage.world.objects.content[batch_uri(PLAN, number)])
        for number in range(stage.result()["batches"])
    ]
    params = [{each["param"] for each in batch} for batch in batches]
    assert {"one", "reads"} in params
    for number in range(len(batches)):
        assert stage.child(number) == 0
    assert (stage.world.root / "reads/extra").exists()
    assert (stage.world.root / "reads/b/extra").exists()


def test_clearing_the_ground_is_never_divided(tmp_path):
    stage = Stage(tmp_path, "stage-in")
    environ = {
        "FALSEWORK_JOB_NAME": "again",
        "AWS_BATCH_JOB_ID": "id",
        "FALSEWORK_REQUEST_URI": "s3://docs/order",
        "FALSEWORK_OUTCOME_URI": "s3://docs/again.json",
    }
    order = stage.made(batches_prefix=PLAN, batch_bytes=10)
    stage.world.objects.content["s3://docs/order"] = order.model_dump_json().encode()
    assert main(["stage-in", "--again"], environ=environ, ports=stage.world.ports) == 0
    assert stage.result("again")["files"] == 5


def test_an_output_is_complete_only_when_its_manifest_is_there(tmp_path):
    stage = Stage(tmp_path, "stage-out")
    manifest = "s3://home/r/.falsework-manifest.json"
    for number, job in enumerate(stage.jobs()):
        assert job() == 0
        is_last = number == stage.result()["batches"] + 1
        assert (manifest in stage.world.objects.content) is is_last


def test_what_a_batch_has_uploaded_is_not_uploaded_again_unless_it_changed(tmp_path):
    stage = Stage(tmp_path, "stage-out")
    jobs = list_of(stage)
    for job in jobs[:-1]:
        job()
    changed = stage.world.root / "r/a"
    changed.write_bytes(b"changed")
    os.utime(changed, (LONG_AGO.timestamp(), LONG_AGO.timestamp()))
    stage.world.objects.calls.clear()
    assert jobs[-1]() == 0
    uploads = [uri for call, uri in stage.world.objects.calls if call == "upload"]
    assert uploads == ["s3://home/r/a"]
    manifest = stage.world.manifest("s3://home/r/.falsework-manifest.json")
    assert [file["bytes"] for file in manifest["files"]] == [7, 5, 5, 5]


def list_of(stage):
    """All jobs at once: the first has to be done before the others are known."""
    jobs = stage.jobs()
    first = next(jobs)
    first()
    return [first, *jobs]
