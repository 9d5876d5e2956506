"""What the DynamoDB run store asks of the table, and what it does when that goes wrong."""

from __future__ import annotations

from datetime import timedelta
from itertools import chain

import pytest

from chalicelib.aws import run_lists, run_removal
from chalicelib.aws.table import TRIES
from chalicelib.core.errors import BeingDeleted, NotFound, StaleRun, TooLarge, Unavailable
from chalicelib.core.job_state import JobState
from chalicelib.core.plans.plan import Plan
from chalicelib.core.run import HistoryEntry, RunState, Stage, StageStatus
from chalicelib.ports import Claim
from tests.contract.openers import NOON, a_run
from tests.unit.aws.clients import Around, Busy, Deaf, Recording, Repeating, Throttled


def recorded(opener, around=lambda client: client):
    """Return ports, and the client that remembers what they ask."""
    clients = []

    def wrap(client):
        clients.append(Recording(client))
        return around(clients[0])

    return opener.open(wrap), clients[0]


def a_large_run(run_id="r1", **fields):
    """A run that does not fit into its item, nor its plan into its own."""
    entry = HistoryEntry(
        attempt=1,
        begin_status=StageStatus.RUNNING,
        end_status=StageStatus.RETRY,
        begin_ts=NOON.isoformat(),
        end_ts=NOON.isoformat(),
        message="it broke",
        run_time_seconds=0.1,
    )
    history = tuple(entry.model_copy(update={"attempt": number}) for number in range(200))
    return a_run(
        run_id,
        stages=(
            Stage(stage_name="stage-in", result={"files": ["ü" * 70_000, 2**80, 0.1, None]}),
            Stage(stage_name="execute", history=history),
        ),
        plan=Plan(stages=(), request={"text": "x" * 100_000}),
        **fields,
    )


# --- what is asked


def test_every_operation_is_one_that_was_meant(opener):
    """Never a scan, never a transaction, no write without a condition, no stale read by key."""
    ports, client = recorded(opener)
    for number in range(5):
        run = ports.runs.save(a_run(f"r{number}", group="g", next_check_at=NOON))
        ports.runs.save(run.model_copy(update={"state": RunState.RUNNING}))
    large = ports.runs.save(a_large_run("large"))
    assert ports.runs.load("large") == large
    with pytest.raises(StaleRun):
        ports.runs.save(a_run("r0"))
    for filters in [{}, {"group": "g"}, {"state": RunState.RUNNING}]:
        ports.runs.list(**filters, limit=2)
    ports.runs.list(group="g", state=RunState.RUNNING)
    ports.runs.due(NOON)
    ports.claims.claim("job", 0, "id", 1)
    ports.claims.holder("job", 0)
    ports.pace.admit(NOON)
    assert set(client.counts()) == {
        "get_item",
        "batch_get_item",
        "put_item",
        "update_item",
        "query",
    }
    writes = [asked for name, asked in client.asked if name in {"put_item", "update_item"}]
    assert all("ConditionExpression" in asked for asked in writes)
    gets = [asked for name, asked in client.asked if name == "get_item"]
    batches = [asked["RequestItems"] for name, asked in client.asked if name == "batch_get_item"]
    gets += [wanted for batch in batches for wanted in batch.values()]
    assert all(asked["ConsistentRead"] for asked in gets)


def test_many_runs_with_their_plans_are_read_with_two_calls_and_known_plans_not_again(opener):
    ports, client = recorded(opener)
    ids = [ports.runs.save(a_run(f"r{number}")).id for number in range(25)]
    ports, client = recorded(opener)
    assert {run.id for run in ports.runs.load_many(ids)} == set(ids)
    assert client.counts() == {"batch_get_item": 2}
    client.asked.clear()
    assert len(ports.runs.load_many(ids)) == 25
    assert client.counts() == {"batch_get_item": 1}


def test_a_run_that_is_being_deleted_is_none_of_many(opener, monkeypatch):
    ports, _ = recorded(opener)
    for run_id in ("r1", "r2"):
        ports.runs.save(a_run(run_id, state=RunState.SUCCESS, settled_at=NOON))
    monkeypatch.setattr(run_removal, "_remove_marked", lambda *_: None)
    ports.runs.delete("r1")
    assert [run.id for run in ports.runs.load_many(["r1", "r2"])] == ["r2"]


def test_a_save_of_a_known_run_is_one_write(opener):
    ports, client = recorded(opener)
    run = ports.runs.save(a_large_run())
    client.asked.clear()
    ports.runs.save(run.model_copy(update={"serial": 1}))
    assert client.counts() == {"update_item": 1}


@pytest.mark.parametrize(
    "filters",
    [
        pytest.param({}, id="all"),
        pytest.param({"group": "default"}, id="group"),
        pytest.param({"state": RunState.PENDING}, id="state"),
    ],
)
def test_a_page_costs_the_same_however_many_runs_there_are(opener, filters):
    ports, client = recorded(opener)
    costs = []
    for number in range(48):
        ports.runs.save(a_run(f"r{number}", minutes=number))
        if number + 1 in {24, 48}:
            client.asked.clear()
            client.items = 0
            assert len(ports.runs.list(limit=3, **filters).runs) == 3
            costs.append((client.counts(), client.items))
    (few_calls, few_items), (many_calls, many_items) = costs
    assert few_calls == many_calls
    assert max(few_items, many_items) <= 4 * (3 + 1) + 1  # a page and one more of each shard


# --- lists that end early


def pages(runs, **asked):
    """Return the ids of every page."""
    found, cursor = [], None
    while True:
        page = runs.list(cursor=cursor, **asked)
        found.append([run.id for run in page.runs])
        cursor = page.next_cursor
        if cursor is None:
            return found


def test_a_page_looks_at_so_many_days_and_its_cursor_leads_on(opener, monkeypatch):
    monkeypatch.setattr(run_lists, "DAYS", 2)
    runs = opener.open().runs
    for day in range(5):
        runs.save(a_run(f"r{day}", minutes=-day * 24 * 60, group="g"))
    assert pages(runs, limit=10) == [["r0", "r1"], ["r2", "r3"], ["r4"]]
    assert pages(runs, limit=1) == [["r0"], ["r1"], ["r2"], ["r3"], ["r4"]]
    assert pages(runs, limit=10, state=RunState.ERROR) == [[], [], []]
    assert pages(runs, limit=10, group="g") == [["r0", "r1", "r2", "r3", "r4"]]


def test_a_page_across_midnight_is_in_order(opener):
    runs = opener.open().runs
    for number in range(12):
        runs.save(
            a_run(f"r{number:02}", created_at=NOON + timedelta(hours=11, minutes=10 * number))
        )
    expected = [f"r{number:02}" for number in reversed(range(12))]
    assert list(chain(*pages(runs, limit=5))) == expected
    assert pages(runs, limit=12) == [expected]


def test_a_filtered_group_looks_at_so_many_runs_and_its_cursor_leads_on(opener, monkeypatch):
    monkeypatch.setattr(run_lists, "EXAMINED", 3)
    ports, client = recorded(opener)
    for number in range(8):
        state = RunState.ERROR if number in {0, 7} else RunState.PENDING
        ports.runs.save(a_run(f"r{number}", minutes=number, state=state))
    client.asked.clear()
    found = pages(ports.runs, group="default", state=RunState.ERROR, limit=2)
    assert found == [["r7"], [], ["r0"]]
    assert client.counts()["query"] == 3


def test_a_run_that_went_on_since_the_index_saw_it_is_not_shown_in_its_old_state(opener):
    ports, _ = recorded(opener)
    run = ports.runs.save(a_run())
    other = opener.open().runs

    class Late(Recording):
        """The run goes on between the look into the index and the look at the run."""

        def call(self, name, asked):
            if name == "batch_get_item" and other.load("r1").version == 1:
                other.save(run.model_copy(update={"state": RunState.SUCCESS}))
            return super().call(name, asked)

    assert opener.open(Late).runs.list(state=RunState.PENDING).runs == ()


def test_a_list_shows_runs_with_all_that_lies_beside_them(opener):
    runs = opener.open().runs
    saved = runs.save(a_large_run())
    (record,) = opener.open().runs.list().runs
    assert record.model_dump() == saved.model_dump(exclude={"plan"})
    assert opener.open().runs.load("r1") == saved


# --- answers that are lost


def test_a_save_that_meets_its_own_effect_is_a_success(opener):
    ports, client = recorded(opener, Repeating)
    runs = ports.runs
    first = runs.save(a_run())
    second = runs.save(first.model_copy(update={"serial": 1}))
    assert "get_item" not in client.counts()  # the refusal brings what is stored
    assert opener.open().runs.load("r1") == second
    assert second.version == 2


def test_a_save_that_meets_the_effect_of_another_is_stale(opener):
    first = opener.open().runs.save(a_run())
    opener.open().runs.save(first.model_copy(update={"serial": 1}))
    for late in [a_run(), first.model_copy(update={"serial": 1})]:
        with pytest.raises(StaleRun):
            opener.open(Repeating).runs.save(late)


def test_a_claim_that_meets_its_own_effect_is_held(opener):
    assert opener.open(Repeating).claims.claim("job", 0, "a", 1) == Claim("a", 1)
    assert opener.open(Repeating).claims.claim("job", 0, "b", 1) == Claim("a", 1)


def test_a_save_whose_answer_never_comes_is_unavailable_and_can_be_made_again(opener):
    with pytest.raises(Unavailable, match="r1"):
        opener.open(Deaf).runs.save(a_run())
    first = opener.open().runs.save(a_run())  # only the plan had been written
    with pytest.raises(Unavailable):
        opener.open(Deaf).runs.save(first.model_copy(update={"serial": 7}))
    saved = opener.open().runs.load("r1")
    assert (saved.version, saved.serial) == (2, 7)


def test_a_table_that_turns_us_away_is_unavailable(opener):
    ports = opener.open(Throttled)
    for order in [
        lambda: ports.runs.load("r1"),
        lambda: ports.runs.save(a_run()),
        ports.runs.list,
        lambda: ports.runs.due(NOON),
        lambda: ports.claims.claim("job", 0, "id", 1),
        lambda: ports.claims.holder("job", 0),
        lambda: ports.pace.admit(NOON),
    ]:
        with pytest.raises(Unavailable, match="slow down"):
            order()


def test_keys_that_a_busy_table_hands_back_are_asked_for_again(opener):
    runs = opener.open().runs
    for number in range(10):
        runs.save(a_run(f"r{number}", minutes=number))
    found = opener.open(Busy).runs.list().runs
    assert [run.id for run in found] == [f"r{number}" for number in reversed(range(10))]


def test_a_table_that_stays_busy_is_unavailable(opener):
    runs = opener.open().runs
    for number in range(10):
        runs.save(a_run(f"r{number}", minutes=number))
    waited = []
    busy = opener.open(lambda client: Busy(client, patience=2), pause=waited.append)
    with pytest.raises(Unavailable, match="busy"):
        busy.runs.list()
    assert len(waited) == 2 + TRIES - 1
    assert waited == sorted(waited)


@pytest.mark.parametrize("name", ["x" * 5000, "\ud800"], ids=["too long", "no text"])
def test_what_no_key_can_hold_is_simply_not_there(opener, name):
    runs = opener.open().runs
    with pytest.raises(NotFound):
        runs.load(name)
    assert runs.list(group=name) == ((), None)


# --- what does not fit


def test_a_run_that_no_item_can_hold_is_refused_before_it_is_written(opener):
    job = JobState(
        stage="execute",
        serial=1,
        attempt=1,
        name="falsework-x",
        queue="default",
        submit_started_at=NOON,
        reason="x" * 1000,
    )
    ports, client = recorded(opener)
    first = ports.runs.save(a_run())
    client.asked.clear()
    with pytest.raises(TooLarge, match="r1"):
        ports.runs.save(first.model_copy(update={"jobs": (job,) * 400}))
    assert client.asked == []
    assert ports.runs.load("r1") == first


def test_a_run_whose_plan_is_gone_is_not_found(opener):
    ports, client = recorded(opener)
    ports.runs.save(a_run())
    plan = next(asked for name, asked in client.asked if name == "put_item")
    key = {name: plan["Item"][name] for name in ("pk", "sk")}
    assert key["sk"]["S"].startswith("plan#")
    client.client.delete_item(TableName=plan["TableName"], Key=key)
    with pytest.raises(NotFound, match="plan"):
        ports.runs.load("r1")


def test_a_later_release_may_spell_the_plan_otherwise(opener):
    """What names the PLAN is written with version 1 and never again."""
    runs = opener.open().runs
    run = runs.save(a_run())
    spelt = run.plan.model_copy(update={"check_seconds": 1})
    saved = runs.save(run.model_copy(update={"plan": spelt, "serial": 1}))
    assert (saved.version, runs.load("r1").plan) == (2, run.plan)


def test_another_run_of_the_same_id_writes_again_what_the_process_knows(opener):
    """Its predecessor may have been deleted, with all that lay beside it."""
    ports, client = recorded(opener)
    ports.runs.save(a_large_run())
    key = {"pk": {"S": "run#r1"}, "sk": {"S": "run"}}
    client.client.delete_item(TableName=opener.table, Key=key)
    client.asked.clear()
    ports.runs.save(a_large_run(uid="bbbbbbbbbbbbbbbbbbbb"))
    written = [asked["Item"]["sk"]["S"] for name, asked in client.asked if name == "put_item"]
    assert sum(sk.startswith("history#") for sk in written) == 6


# --- deletion


class DyingAt(Around):
    """Dies at the numbered write."""

    def __init__(self, client, number):
        super().__init__(client)
        self.left = number

    def call(self, name, asked):
        if name in {"update_item", "delete_item"}:
            self.left -= 1
            if self.left == 0:
                raise KeyboardInterrupt
        return super().call(name, asked)


def kept_items(opener):
    client = opener.open(Recording).runs._table._client
    return client.scan(TableName=opener.table)["Items"]


def stored(opener):
    return [item for item in kept_items(opener) if item["pk"]["S"].startswith("run#")]


def test_a_large_run_is_deleted_with_everything_beside_it(opener):
    runs = opener.open().runs
    run = runs.save(a_large_run(state=RunState.SUCCESS, settled_at=NOON))
    runs.save(run.model_copy(update={"outputs": {"o": "x" * 100_000}}))
    assert len(stored(opener)) > 3
    runs.delete("r1")
    assert stored(opener) == []
    assert list(runs._objects.list("s3://scratch/runs/r1/")) == []


@pytest.mark.parametrize("number", range(1, 6))
def test_a_deletion_that_broke_off_is_ended_by_the_next(opener, number):
    opener.open().runs.save(a_large_run(state=RunState.SUCCESS, settled_at=NOON))
    dying = opener.open(lambda client: DyingAt(client, number)).runs
    with pytest.raises(KeyboardInterrupt):
        dying.delete("r1")
    runs = opener.open().runs
    if number > 1:  # it is marked: nobody sees it, loads it or makes it anew
        assert runs.list().runs == ()
        with pytest.raises(BeingDeleted, match="being deleted") as caught:
            runs.load("r1")
        assert caught.value.group == "default"
        with pytest.raises(StaleRun):
            runs.save(a_run())
    runs.delete("r1")
    assert stored(opener) == []


def test_a_deletion_whose_answers_are_lost_comes_to_its_end(opener):
    runs = opener.open(Repeating).runs
    runs.save(a_run(state=RunState.SUCCESS, settled_at=NOON))
    runs.delete("r1")
    assert stored(opener) == []


def test_a_resume_that_is_faster_keeps_the_run(opener):
    runs = opener.open().runs
    saved = runs.save(a_run(state=RunState.ERROR, settled_at=NOON))

    class Faster(Around):
        def call(self, name, asked):
            if name == "update_item":
                runs.save(saved.model_copy(update={"settled_at": None, "generation": 2}))
            return super().call(name, asked)

    with pytest.raises(StaleRun):
        opener.open(Faster).runs.delete("r1")
    assert runs.load("r1").generation == 2
