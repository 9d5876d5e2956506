"""Those who use the work queue: they deposit, withdraw, execute, update, audit and delete.

Each call is one of our code, so it may die, and its answer may be lost. Only a deposit and an
update are asked for again, as the client does it (specs: work, section 1).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from random import Random
from typing import Any, Final

from chalicelib.core.errors import NotFound
from chalicelib.core.work.model import Work, WorkStatus
from chalicelib.simulation.batch_jobs import HOUR
from chalicelib.simulation.dice import Dice, Fault
from chalicelib.simulation.lambdas import Lambdas, never, patient
from chalicelib.simulation.schedule import START, Deed, Schedule
from chalicelib.simulation.work_holders import Attempt, Holder, Holders
from chalicelib.simulation.work_store import StrictWorkStore, is_over
from chalicelib.work_ports import WorkPorts
from chalicelib.works import audits, buckets

PULLED: Final = "site-of-workers"
PUSHED: Final = "site-of-batch"
WORKERS: Final = 3
AUDIT_SECONDS: Final = 900.0
PIPELINES: Final = ("alpha", "beta")


def draw_works(throws: Random) -> list[dict[str, Any]]:
    """Return what one deposit deposits."""
    return [
        {
            "pipeline": throws.choice(PIPELINES),
            "site": throws.choice((PULLED, PULLED, PUSHED)),
            "user": "u",
            "command": ["analyse"],
            "retries": throws.choice((0, 1, 2, 2, 3)),
            "priority": throws.randint(1, 5),
            "timeout": throws.choice((600, 3600, 4 * 3600)),
        }
        for _ in range(throws.choice((1, 1, 2, 4)))
    ]


class Clients:
    """All clients of one world."""

    def __init__(
        self,
        schedule: Schedule,
        dice: Dice,
        lambdas: Lambdas,
        store: StrictWorkStore,
        holders: Holders,
    ) -> None:
        self._schedule = schedule
        self._dice = dice
        self._lambdas = lambdas
        self._store = store
        self._holders = holders
        self._how = dice.stream("clients")
        self.ports: Callable[[], WorkPorts]
        self.push: Callable[[], None] = lambda: None
        self.acknowledged: set[str] = set()
        """Works whose depositor got their ids."""
        self.deleted: set[str] = set()
        self._planned = 0

    def plan_deposit(self, at: float) -> None:
        """Have somebody deposit a few works."""
        documents = draw_works(self._how)
        self._planned += 1

        def deed() -> None:
            ids = buckets.deposit(documents, self.ports(), self._schedule.now())
            self.push()
            self.acknowledged.update(ids)
            self._planned -= 1

        def once() -> None:
            self._lambdas.invoke("deposit", deed, patient)

        self._schedule.at(at, "deposit", once)
        if self._dice.strikes(Fault.SUBMIT_TWICE):
            self._planned += 1
            self._schedule.at(at + 30, "deposit once more", once)

    def begin(self) -> None:
        """Let the workers and the audits come by."""
        for number in range(WORKERS):
            self._schedule.after(60.0 * number, f"worker {number}", partial(self._poll, number))
        self._schedule.after(AUDIT_SECONDS, "audit", self._audit)

    def _is_anything_left(self) -> bool:
        works = (row.work for row in self._store.rows.values())
        return self._planned > 0 or not all(map(is_over, works))

    def _poll(self, number: int) -> None:
        """A worker asks for a work; without one he asks again, as long as there is any."""
        if self._is_put_off(f"worker {number}", lambda: self._poll(number)):
            return
        found: list[dict[str, Any]] = []
        query: dict[str, Any] = {"pipeline": {"$in": list(PIPELINES)}}
        if number:  # the first one takes what there is, be it another's who pushes it
            query["site"] = PULLED

        def deed() -> None:
            work = buckets.withdraw(query, self.ports(), self._schedule.now())
            found.extend([work] if work else [])

        is_answered = self._lambdas.invoke(f"worker {number} withdraws", deed, never)
        if found and is_answered:
            self._execute(number, found[0])
        elif self._is_anything_left():
            self._schedule.after(300.0, f"worker {number}", lambda: self._poll(number))

    def _execute(self, number: int, document: dict[str, Any]) -> None:
        work = Work.model_validate(document)
        began = self._schedule.seconds
        lasts = self._how.lognormvariate(0, 0.7) * 900
        end = began + min(lasts, work.timeout)
        lease_ends = (work.start or 0.0) - START.timestamp() + work.timeout
        is_lost = self._dice.strikes(Fault.SPOT)
        if is_lost:
            end = began + (end - began) * self._how.random()
        until = min(end, lease_ends)
        attempt = Attempt(work.id or "", work.attempt)
        at_it = lambda: self._schedule.seconds < until  # noqa: E731
        self._holders.begin(Holder(f"worker {number}", attempt, at_it), max(1, work.retries))
        is_failed = lasts > work.timeout or self._dice.strikes(Fault.USER_FAILS)
        status = WorkStatus.FAILURE if is_failed else WorkStatus.SUCCESS
        stop = START.timestamp() + end
        ended = {**document, "status": status.value, "results": {"by": number}, "stop": stop}
        if not is_lost:
            self._schedule.at(end, f"worker {number} updates", lambda: self._update(number, ended))
        self._schedule.at(end + 1.0, f"worker {number}", lambda: self._poll(number))

    def _update(self, number: int, document: dict[str, Any]) -> None:
        def deed() -> None:
            try:
                buckets.update([document], self.ports())
            except NotFound:
                if document["id"] not in self.deleted:
                    raise

        self._lambdas.invoke(f"worker {number} updates {document['id']}", deed, patient)

    def _is_put_off(self, words: str, deed: Deed) -> bool:
        """Nobody answers while nothing of ours runs; nobody waits for an answer either."""
        until = self._lambdas.off_until()
        if until is not None:
            self._schedule.at(until + self._how.uniform(0, 300), words, deed)
        return until is not None

    def _audit(self) -> None:
        if self._is_put_off("audit", self._audit):
            return

        def deed() -> None:
            audits.audit_failed(self.ports())
            audits.audit_expired(self.ports(), self._schedule.now())

        self._lambdas.invoke("audit", deed, never)
        if self._dice.strikes(Fault.CANCEL):
            self._delete()
        if self._is_anything_left():
            self._schedule.after(AUDIT_SECONDS, "audit", self._audit)

    def _delete(self) -> None:
        if self._schedule.seconds > HOUR or not self._store.rows:
            return
        work_id = self._how.choice(sorted(self._store.rows))
        self.deleted.add(work_id)
        self._lambdas.invoke("delete", lambda: _deleted(work_id, self.ports()), never)


def _deleted(work_id: str, ports: WorkPorts) -> None:
    buckets.delete([work_id], ports)
