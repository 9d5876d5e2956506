"""Break the part that decides in every small way, and see which breaks no test notices.

The tests are collected and run once, noting which of them call which function and how long they
take. Then for every mutant a child of this process puts the changed function in the place of the
right one, runs the tests that call it, quickest first, and dies at the first that fails. A mutant
that no test fails for has *survived*; ``docs/reliability.md`` says of each known one why it may.

    python -m tests.mutants [--jobs 2] [--only PART_OF_A_PLACE] [pytest's own options]

Ends with 1 if fewer than 90 % are killed, or one survives that nobody has explained.
"""

from __future__ import annotations

import argparse
import ast
import copy
import os
import resource
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any, NamedTuple

import pytest
from _pytest.runner import runtestprotocol

from tests.mutants.operators import Change, changes

ROOT = Path(__file__).parents[2]
MODULES = [
    *sorted(ROOT.glob("chalicelib/core/lifecycle/*.py")),
    *(ROOT / f"chalicelib/{name}.py" for name in ("engine", "faults", "perform")),
]
TESTS = [
    *sorted(ROOT.glob("tests/unit/test_lifecycle*.py")),
    *sorted(ROOT.glob("tests/unit/test_engine*.py")),
    ROOT / "tests/unit/test_child_times.py",
    ROOT / "tests/unit/test_children.py",
    ROOT / "tests/unit/test_faults.py",
    ROOT / "tests/unit/test_notices.py",
    ROOT / "tests/unit/test_measures.py",
    ROOT / "tests/flow/test_audits.py",
    ROOT / "tests/flow/test_child_runs.py",
    ROOT / "tests/flow/test_kept_runs.py",
    ROOT / "tests/flow/test_engine.py",
    ROOT / "tests/flow/test_faults.py",
    ROOT / "tests/flow/test_sweep_calls.py",
]
EXPLAINED = ROOT / "docs/reliability.md"
GOAL = 0.9
CPU_SECONDS = 1
"""A test that a mutant makes longer than four times its time, and this, goes round in circles."""
WALL_SECONDS = 120


class Mutant(NamedTuple):
    """``top``: the function or constant of ``module`` that has the change somewhere in it."""

    module: ModuleType
    top: ast.FunctionDef | ast.AnnAssign
    change: Change

    @property
    def name(self) -> str:
        top = self.top
        return top.name if isinstance(top, ast.FunctionDef) else ast.unparse(top.target)

    def told(self) -> tuple[str, str]:
        """Where it is, and the smallest whole piece of text before and after."""
        parent = self.change.parent
        whole = self.top if isinstance(parent, ast.arguments | ast.match_case) else parent
        texts = [ast.unparse(whole), str(self.change.made(lambda: ast.unparse(whole)))]
        old, new = (text.splitlines() for text in texts)
        pairs = [(a, b) for a, b in zip_longest(old, new, fillvalue="") if a != b] or [("", "")]
        before, after = _nearest(*(part.strip() for part in pairs[0]))
        place = f"{self.module.__name__.removeprefix('chalicelib.')}:{self.name}"
        return place, f"{before}  →  {after}"

    def take_effect(self) -> None:
        """Put the changed function, or value, in the place of the right one, everywhere."""
        names = dict(vars(self.module))
        self.change.made(lambda: exec(_compiled(self.top), names))
        old, new = getattr(self.module, self.name), names[self.name]
        if isinstance(new, FunctionType):
            plain = getattr(old, "__wrapped__", old)
            plain.__code__ = new.__code__
            plain.__defaults__, plain.__kwdefaults__ = new.__defaults__, new.__kwdefaults__
            return
        for module in list(sys.modules.values()):
            if vars(module).get(self.name) is old:
                setattr(module, self.name, new)


def _nearest(*texts: str) -> tuple[str, ...]:
    """The texts without what they begin and end with alike, but for a few characters."""
    begins = len(os.path.commonprefix(texts))  # noqa: RUF071 -- of texts
    ends = len(os.path.commonprefix([text[begins:][::-1] for text in texts]))  # noqa: RUF071
    first, last = max(0, begins - 30), max(0, ends - 30)
    return tuple(text[first : len(text) - last] for text in texts)


def _compiled(top: ast.FunctionDef | ast.AnnAssign) -> CodeType:
    plain = copy.copy(top)
    if isinstance(plain, ast.FunctionDef):
        plain.decorator_list = []
    return compile(ast.fix_missing_locations(ast.Module([plain], [])), "mutant", "exec")


def mutants() -> Iterator[Mutant]:
    for path in MODULES:
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        module = __import__(name, fromlist=["_"])
        for top in ast.parse(path.read_text()).body:
            if isinstance(top, ast.FunctionDef | ast.AnnAssign):
                yield from (Mutant(module, top, change) for change in changes(top))


class Campaign:
    """Takes pytest's loop over: the tests, not the mutants, are what is repeated."""

    def __init__(self, jobs: int, only: str) -> None:
        self.jobs, self.only = jobs, only
        self.seconds: dict[Any, float] = {}
        self.callers: dict[tuple[str, str], list[Any]] = {}
        self.fates: Counter[str] = Counter()
        self.survivors: list[str] = []

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        for item in session.items:
            self._note(item)
        chosen = [m for m in mutants() if self.only in m.told()[0]]
        running: dict[int, Mutant] = {}
        for mutant in chosen:
            if len(running) == self.jobs:
                self._reap(running)
            if (pid := os.fork()) == 0:
                self._die_or_survive(mutant)
            running[pid] = mutant
        while running:
            self._reap(running)
        return True

    def _note(self, item: Any) -> None:
        """Run the test on what is right, and note what it calls."""
        called: set[tuple[str, str]] = set()

        def note(frame: Any, event: str, _: Any) -> None:
            if event == "call" and "chalicelib" in frame.f_code.co_filename:
                called.add((frame.f_code.co_filename, frame.f_code.co_name))

        begun = time.process_time()
        sys.setprofile(note)
        is_good = _passes(item)
        sys.setprofile(None)
        if not is_good:
            raise SystemExit(f"{item.nodeid} fails without any mutant")
        self.seconds[item] = time.process_time() - begun
        for function in called:
            self.callers.setdefault(function, []).append(item)

    def _die_or_survive(self, mutant: Mutant) -> None:
        signal.alarm(WALL_SECONDS)
        resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
        try:
            mutant.take_effect()
            has_survived = all(map(self._passes_in_time, self._tests_of(mutant)))
        except BaseException:  # noqa: BLE001 -- whatever it is, it did not pass unnoticed
            has_survived = False
        os._exit(0 if has_survived else 1)

    def _tests_of(self, mutant: Mutant) -> list[Any]:
        """The core is held by its unit tests alone; the engine by those that play whole runs."""
        tests = list(self.seconds)
        if isinstance(mutant.top, ast.FunctionDef):
            tests = self.callers.get((str(mutant.module.__file__), mutant.name), [])
        if ".core." in mutant.module.__name__:
            tests = [item for item in tests if "flow" not in item.path.parts]
        return sorted(tests, key=lambda item: self.seconds[item])

    def _passes_in_time(self, item: Any) -> bool:
        signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS + 4 * self.seconds[item])
        return _passes(item)

    def _reap(self, running: dict[int, Mutant]) -> None:
        pid, status = os.wait()
        mutant = running.pop(pid)
        fate = "survived" if status == 0 else "killed"
        self.fates[fate] += 1
        if status == 0:
            self.survivors.append(": ".join(mutant.told()).strip())
            say(f"{self.fates.total()} survived: {self.survivors[-1]}")


def say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 -- a script


def _passes(item: Any) -> bool:
    reports = runtestprotocol(item, log=False, nextitem=None)
    return all(report.passed or report.skipped for report in reports)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--only", default="")
    told, rest = parser.parse_known_args()
    campaign = Campaign(told.jobs, told.only)
    options = ["-q", "--assert=plain", "-p", "no:cacheprovider", "-p", "no:xdist", *rest]
    pytest.main([*options, *(str(path) for path in TESTS if path.exists())], plugins=[campaign])
    known = {line.strip() for line in EXPLAINED.read_text().splitlines()}
    unexplained = [told for told in campaign.survivors if told not in known]
    total, killed = campaign.fates.total(), campaign.fates["killed"]
    for one in unexplained:
        say(f"not explained: {one}")
    say(f"{total} mutants, {killed} killed: {killed / max(1, total):.1%}")
    return int(bool(unexplained) or killed < max(1, GOAL * total))


if __name__ == "__main__":
    sys.exit(main())
