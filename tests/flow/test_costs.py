"""Costs where people ask for them: a route, a list, a receipt, a dry run, the command line."""

from __future__ import annotations

import json

import pytest

from chalicelib.core.prices import MachinePrices, Prices
from tests.flow.aws_worlds import ORDER, AwsWorld, a_request, aws_account, job_event

PER_SECOND = Prices(
    as_of="a test", queues={"*": MachinePrices(vcpu_hour=3600, memory_gib_hour=0, gpu_hour=0)}
)
NEEDS = {"vcpus": 2, "memory": 1024}


@pytest.fixture
def world():
    with aws_account() as world:
        site = world.settings.site.model_copy(update={"prices": PER_SECOND})
        world.restart(site=site)
        yield world


def demand(run_id: str, **changes):
    return a_request(run_id, resource_requirements=NEEDS, **changes)


def submit(world: AwsWorld, run_id: str, **changes) -> None:
    headers = {"Content-Type": "application/json"}
    body = json.dumps(demand(run_id, **changes)).encode()
    assert world.http.post("/demand-executions", headers=headers, body=body).status_code == 202


def tell(world: AwsWorld, job_id: str, status: str, seconds: int = 0) -> None:
    """The event, with the times that Batch has in it."""
    event = job_event(world.jobs[job_id], status)
    times = {"startedAt": 1_000, "stoppedAt": 1_000 + 1000 * seconds}
    event["detail"] |= times
    event["detail"]["attempts"] = [each | times for each in event["detail"]["attempts"]]
    world.invoke("on_job_change", event)


def play(world: AwsWorld, run_id: str, seconds: int = 10) -> None:
    """Each job runs that long: the three workers with one vCPU, the user's with two."""
    for _ in ORDER:
        (job_id,) = world.waiting(run_id)
        tell(world, job_id, "RUNNING")
        world.finish(job_id)
        tell(world, job_id, "SUCCEEDED", seconds)


def get(world: AwsWorld, path: str):
    answer = world.http.get(path)
    assert answer.status_code == 200, answer.body
    return json.loads(answer.body)


def test_the_cost_of_a_run_is_that_of_its_jobs(world):
    submit(world, "e1")
    play(world, "e1", seconds=10)
    told = get(world, "/runs/e1/cost")
    assert told["used"]["vcpu_seconds"] == 50
    assert told["amount"] == 50
    assert {name: used["amount"] for name, used in told["stages"].items()} == {
        "stage-in": 10,
        "execute": 20,
        "stage-out": 10,
        "clean-up": 10,
    }
    assert told["wasted"]["retries"]["amount"] == 0
    assert (told["is_final"], told["currency"], told["prices"]) == (True, "USD", "a test")


def test_nobody_has_the_cost_of_a_run_that_is_not_there(world):
    assert world.http.get("/runs/nobody/cost").status_code == 404


def test_a_list_has_costs_when_they_are_asked_for_and_else_the_keys_that_it_always_had(world):
    submit(world, "e1")
    play(world, "e1")
    (plain,) = get(world, "/runs")["runs"]
    (costed,) = get(world, "/runs?cost=true")["runs"]
    assert costed == {**plain, "cost": {"amount": 50, "currency": "USD", "is_final": True}}


def test_a_receipt_has_the_cost_of_what_had_ended_when_it_was_written(world):
    content = json.dumps(demand("e1")).encode()
    world.invoke("on_object_created", world.drop("requests/a.json", content))
    assert "cost" not in world.receipt("a.json")["versions"][0]
    play(world, "e1")
    world.invoke("on_object_created", world.drop("requests/b.json", content))
    (entry,) = world.receipt("b.json")["versions"]
    assert entry["cost"] == {"amount": 50, "currency": "USD", "is_final": True}


def put_inputs(world: AwsWorld) -> None:
    world.s3.create_bucket(Bucket="data")
    for name in ("reads", "ref"):
        world.s3.put_object(Bucket="data", Key=name, Body=b"x")


def dry_run(world: AwsWorld, document):
    headers = {"Content-Type": "application/json"}
    answer = world.http.post(
        "/demand-executions?dry_run=true", headers=headers, body=json.dumps(document).encode()
    )
    assert answer.status_code == 200, answer.body
    return json.loads(answer.body)


def test_a_dry_run_shows_the_plan_and_what_the_last_of_the_type_have_cost(world):
    put_inputs(world)
    for run_id, seconds in (("e1", 10), ("e2", 20), ("e3", 60)):
        submit(world, run_id)
        play(world, run_id, seconds)
    submit(world, "other", execution_type="something-else")
    play(world, "other", 1000)
    told = dry_run(world, demand("e4"))
    assert told["price"] == {
        "execution_type": "align",
        "runs": 3,
        "looked_at": 4,
        "currency": "USD",
        "lowest": 50,
        "median": 100,
        "highest": 300,
    }
    assert [stage["name"] for stage in told["stages"]] == [
        "scaffold", "define-jobs", "stage-in", "execute", "stage-out", "clean-up",
    ]  # fmt: skip
    assert told["findings"][0] == "run e4 in group default"
    assert world.http.get("/runs/e4").status_code == 404


def test_a_dry_run_without_a_history_has_no_amounts(world):
    put_inputs(world)
    price = dry_run(world, demand("e1"))["price"]
    assert (price["runs"], price["lowest"], price["highest"]) == (0, None, None)
    assert len(world.jobs) == 0
