"""A world in which runs start others, of a kind that does nothing but end, or fail, or wait."""

from __future__ import annotations

import hashlib
import itertools
from contextlib import suppress

from chalicelib import engine
from chalicelib.accepting import accept
from chalicelib.core.errors import Refused, Unavailable
from chalicelib.core.events import RunRequested, TimerFired
from chalicelib.core.plans.plan import Plan, StagePlan
from chalicelib.core.plans.run_actions import Choose, MakeValue, RunsAction
from tests.flow.worlds import World


class Family:
    """A world in which runs of the kind ``leaf`` are started, and end when they are told to."""

    def __init__(self, root):
        self.world = World(root)
        self.started = []
        self.broken = []
        numbers = itertools.count(2222222)
        self.uids = (f"{n:a>20}".translate(str.maketrans("0189", "bcde")) for n in numbers)
        self.world.ports = self.world.ports._replace(
            start=self.start, tell=engine.handle, mint_uid=lambda: next(self.uids)
        )

    def start(self, kind, document, ports):
        """Begin a run whose one stage is a value: it ends at once, unless it is ``slow``.

        One that is ``picky`` fails as long as its item is among the ``broken``.
        """
        if document.get("is_bad"):
            raise Refused("nobody wants it")
        run_id = document["run_id"]
        slow = document.get("is_slow")
        fails = document.get("is_failing") or document.get("picky") in self.broken
        action = MakeValue(value=document.get("value"))
        if slow:
            action = RunsAction(kind="never", request={"is_never": True})
        if document.get("is_never"):
            raise Unavailable("not yet")
        if fails:
            action = Choose(cases=())
        plan = Plan(
            stages=(StagePlan(name="only", action=action),),
            request_digest=hashlib.sha256(repr(document).encode()).hexdigest(),
        )
        self.started.append(run_id)
        event = RunRequested(
            run_id=run_id, at=ports.clock(), uid=ports.mint_uid(), kind=kind, group="default",
            plan=plan,
        )  # fmt: skip
        return accept(event, ports)

    def begin(self, *stages, given=None, **fields):
        plan = Plan(stages=stages, request={"input": given}, request_digest="d", **fields)
        return accept(
            RunRequested(run_id="p", at=self.world.now, uid=next(self.uids), kind="pipeline",
                         group="default", plan=plan),
            self.world.ports,
        )  # fmt: skip

    def look(self, run_id="p"):
        with suppress(Unavailable):
            engine.handle(TimerFired(run_id=run_id, at=self.world.now), self.world.ports)
        return self.world.runs.load(run_id)

    @property
    def parent(self):
        return self.world.runs.load("p")


def each(name="each", after=(), **fields):
    action = {"kind": "leaf", "request": {"value": "$.item"}, "for_each": "$.input", **fields}
    return StagePlan(name=name, after=after, action=RunsAction(**action))
