"""A small world for configs: real stores on disk, a virtual clock, and a worker by hand."""

from __future__ import annotations

import itertools
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

from chalicelib.configs import reading
from chalicelib.configs.deploying import Origin, deploy
from chalicelib.configs.noticing import notice_update
from chalicelib.configs.tending import tend_all
from chalicelib.configs.ticking import spawn_due
from chalicelib.local.database import Database
from chalicelib.local.work_store import open_work_ports
from chalicelib.work_ports import WorkPorts
from chalicelib.works import buckets, results
from tests.flow.worlds import World


def a_step(name: str, stage: int = 1, **told: Any) -> dict[str, Any]:
    """A step whose work is tried once; ``work`` is added to it."""
    work = {"command": ["true"], "retries": 1, **told.pop("work", {})}
    return {"name": name, "stage": stage, "work": work, **told}


def a_config(*steps: dict[str, Any], **told: Any) -> dict[str, Any]:
    """A config of these steps, or of one in each of two stages."""
    pipeline = {"steps": list(steps or (a_step("one"), a_step("two", 2))), **told.pop("plan", {})}
    defaults = {"user": "tester", "site": "local"}
    return {
        "version": "2",
        "name": "sample",
        "defaults": defaults,
        "deployments": [],
        "pipeline": pipeline,
        **told,
    }


class ConfigWorld(World):
    """``works`` is what users see; ``counted`` is what configs are given, and can die at."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        store = open_work_ports(Database(root))
        entropy = itertools.count(7, 100_003)
        self.works = store._replace(pause=lambda _: None)
        self.counted = WorkPorts(
            self._counting(store.works),
            self._counting(store.results),
            lambda: next(entropy),
            lambda _: None,
        )
        self.done: Counter[str] = Counter()
        """How often works of each pipeline of the queue were withdrawn."""

    def deploy(self, document: dict[str, Any], **told: Any) -> str:
        origin = told.get("origin") or Origin(self.now, self.counted.mint_entropy())
        return str(deploy(document, self.counted, self.ports, origin)["config"])

    def sweep(self) -> None:
        spawn_due(self.counted, self.ports)
        tend_all(self.counted, self.ports)

    def work(self, *, status: str = "success", is_told: bool = True) -> list[dict[str, Any]]:
        """Withdraw everything and end it so; return the works as they were withdrawn."""
        found = []
        while work := buckets.withdraw({}, self.works, self.now):
            self.done[work["pipeline"]] += 1
            found.append(work)
            ended = [{**work, "status": status, "stop": self.now.timestamp()}]
            buckets.update(ended, self.works)
            if is_told:
                notice_update(ended, self.counted, self.ports)
        return found

    def transfer(self) -> None:
        """Move what has succeeded from Buckets to Results, as ``workflow transfer`` does."""
        ended = buckets.view({"query": {"status": "success"}}, self.works)
        results.deposit_results(ended, self.works)
        buckets.delete([each["id"] for each in ended], self.works)

    def round(self, seconds: float = 31, *, is_transferred: bool = False) -> None:
        """The worker works, time passes, the sweep comes."""
        self.work(is_told=False)
        if is_transferred:
            self.transfer()
        self.now += timedelta(seconds=seconds)
        self.sweep()

    def configs(self, **told: Any) -> list[dict[str, Any]]:
        return reading.list_configs(reading.ConfigsQuery(**told), self.ports)

    def pipelines(self, **told: Any) -> list[dict[str, Any]]:
        return self.configs(database="pipelines", **told)

    def statuses(self) -> list[str]:
        return [each["status"] for each in self.pipelines()]

    def queued(self) -> Counter[str]:
        view = {"query": {"status": "queued"}}
        return Counter(each["pipeline"] for each in buckets.view(view, self.works))
