"""What a run and those that it has started cost together, and what a price range is made of."""

from __future__ import annotations

import json
import time
from collections import Counter
from datetime import timedelta

import pytest

from chalicelib import bootstrap, kinds
from chalicelib.cli import main
from chalicelib.core.errors import NotFound
from chalicelib.core.job_state import JobStatus
from chalicelib.core.prices import MachinePrices, Prices
from chalicelib.core.principals import Caller, Principal, Scope
from chalicelib.core.run import RunState
from chalicelib.core.site import Site
from chalicelib.owned import owned_by
from chalicelib.run_manager import spending
from chalicelib.settings import Settings
from tests.flow.pipeline_parts import pipeline, ran
from tests.flow.worlds import SITE, World, a_demand

PER_VCPU = Prices(
    as_of="a test", queues={"*": MachinePrices(vcpu_hour=3600, memory_gib_hour=0, gpu_hour=0)}
)
JOB = {
    "image": "ghcr.io/lab/tool:1",
    "command": ["true"],
    "vcpus": 1,
}


def member(*groups: str) -> Caller:
    return Caller(Principal(name="ann", scopes=frozenset(Scope), groups=frozenset(groups)), "here")


@pytest.fixture
def home(tmp_path):
    site = Site(prices=PER_VCPU)
    bootstrap.use(Settings(root=tmp_path / "root", runner="host", site=site))
    yield bootstrap.home()
    bootstrap.use(Settings(root=tmp_path / "gone"))


def a_job_run() -> dict:
    return {"stages": [{"name": "j", "kind": "batch-job", "request": JOB}]}


@pytest.fixture
def settled(home):
    """A pipeline of two runs of one job each, and what was saved of them."""
    document = pipeline(ran("many", a_job_run(), for_each="$.input"), input=[1, 2])
    kinds.submit_pipeline(document, bootstrap.ports())
    end = time.monotonic() + 60
    load = lambda: home.ports.runs.load("p1")  # noqa: E731
    bootstrap.local_loop().run_until(lambda: load().settled_at or time.monotonic() > end)
    assert load().state is RunState.SUCCESS, load().error
    return home


def test_a_pipeline_costs_nothing_itself_and_shows_what_all_below_it_have_cost(settled, capsys):
    ports = bootstrap.ports()
    told = spending.cost("p1", ports)
    below = [run for run in ports.runs.list(limit=100).runs if run.id != "p1"]
    own = {run.id: spending.briefs([run], ports)[run.id]["amount"] for run in below}
    assert (told.amount, told.children.runs, len(below)) == (0, 4, 4)
    assert told.total == told.children.amount == pytest.approx(sum(own.values()))
    assert told.total > 0
    assert told.children.is_whole
    assert told.children.is_final
    assert main(["cost", "p1", "--root", str(settled.root)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line.startswith("its 4 runs")]
    assert [line for line in lines if line.startswith("total")]
    assert main(["cost", "p1", "--root", str(settled.root), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["children"]["runs"] == 4


def test_a_list_counts_every_run_once(settled):
    ports = bootstrap.ports()
    page = ports.runs.list(limit=100)
    total = sum(each["amount"] for each in spending.briefs(page.runs, ports).values())
    assert total == pytest.approx(spending.cost("p1", ports).total)


def test_more_runs_than_are_looked_at_are_not_called_the_whole(settled, monkeypatch):
    monkeypatch.setattr(spending, "MOST_RUNS", 3)
    below = spending.cost("p1", bootstrap.ports()).children
    assert (below.runs, below.is_whole, below.is_final) == (3, False, False)


def test_a_run_that_was_deleted_is_left_out_of_the_total(settled):
    ports = bootstrap.ports()
    leaf = next(run for run in ports.runs.list(limit=100).runs if run.kind == "batch-job")
    ports.runs.delete(leaf.id)
    assert spending.cost("p1", ports).children.runs == 3


# --- price ranges


@pytest.fixture
def world(tmp_path):
    return World(tmp_path, SITE.model_copy(update={"prices": PER_VCPU}))


def has_cost(world: World, run_id: str, seconds: float, **changes) -> None:
    """A run of the type ``align`` that has succeeded, of one vCPU for so many seconds."""
    world.submit(a_demand(execution_id=run_id, **changes))
    run = world.runs.load(run_id)
    job = run.jobs[0].model_copy(
        update={
            "status": JobStatus.SUCCEEDED,
            "started_at": world.now,
            "stopped_at": world.now + timedelta(seconds=seconds),
        }
    )
    world.runs.save(
        run.model_copy(
            update={
                "state": RunState.SUCCESS,
                "jobs": (job,),
                "settled_at": world.now,
                "ended_at": world.now,
                "next_check_at": None,
            }
        )
    )


def amounts(world: World, group: str = "default", ports=None):
    told = spending.price_range("align", group, ports or world.ports)
    return told.runs, told.lowest, told.highest


def test_only_what_is_final_makes_a_price(world):
    has_cost(world, "e1", 100)
    has_cost(world, "e2", 900)
    run = world.runs.load("e2")
    world.runs.save(run.model_copy(update={"settled_at": None}))
    count, lowest, highest = amounts(world)
    assert count == 1
    assert lowest == highest > 0


def test_a_member_of_another_group_learns_no_price(world):
    has_cost(world, "e1", 100, options={"group": "lab"})
    theirs = owned_by(member("other"), world.ports)
    with pytest.raises(NotFound):
        amounts(world, "lab", theirs)
    assert amounts(world, "other", theirs) == (0, None, None)
    assert theirs.runs.load_many(["e1"]) == ()
    assert amounts(world, "lab", owned_by(member("lab"), world.ports))[0] == 1


def test_what_lies_between_is_read_some_at_a_time_and_no_more_than_is_needed(world):
    for number in range(60):
        has_cost(world, f"e{number}", 100)
        world.pass_time(1)
    calls = Counter()

    class Counted:
        def __getattr__(self, name):
            def call(*args, **kwargs):
                calls[name] += 1
                return getattr(world.runs, name)(*args, **kwargs)

            return call

    ports = world.ports._replace(runs=Counted())
    assert amounts(world, ports=ports)[0] == spending.ENOUGH
    assert calls == {"list": 1, "load_many": 1}
    calls.clear()
    assert spending.price_range("other", "default", ports).runs == 0
    assert calls == {"list": 1, "load_many": 3}
