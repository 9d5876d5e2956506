"""``simulate``: try a request against lost hosts, duplicates and outages before it costs anything.

All is in memory and under a virtual clock: no home is opened, nothing is written, nothing is sent.
"""

from __future__ import annotations

import argparse
import json
from typing import Any

from chalicelib.cli.complaints import Complaint, Exit
from chalicelib.cli.places import settings_of
from chalicelib.cli.request_kinds import DEMANDS, route_of
from chalicelib.cli.showing import columns, duration
from chalicelib.cli.submitting import content_of
from chalicelib.core.json_text import read_object
from chalicelib.simulation.figures import figures
from chalicelib.simulation.forecast import Trial, check, forecast


def add_simulate(verb: argparse.ArgumentParser) -> None:
    """Add the verb's own arguments."""
    verb.add_argument(
        "file", metavar="FILE", help="a DemandExecution as JSON; - is standard input"
    )
    verb.add_argument(
        "--seeds", type=_whole, default=1000, metavar="N", help="how many runs (1000)"
    )
    verb.add_argument(
        "--minutes", type=_minutes, default=10.0, metavar="M", help="what the command takes (10)"
    )
    verb.add_argument("--json", action="store_true", help="the figures as JSON")


def simulate(arguments: argparse.Namespace) -> Exit:
    """``simulate FILE``: tell what became of it, how often it was tried, how long it took."""
    settings = settings_of(arguments)
    content = content_of(arguments.file)
    if route_of(content) != DEMANDS:
        raise Complaint("only demands can be simulated", field="FILE", value=arguments.file,
                        mend="simulate the demands that it starts, one by one")  # fmt: skip
    trial = Trial(
        document=read_object(content),
        site=settings.site,
        file_systems=settings.file_systems,
        usual_seconds=arguments.minutes * 60,
    )
    run_id = check(trial)
    told = figures(forecast(trial, arguments.seeds))
    print(json.dumps(told, indent=2) if arguments.json else _text(run_id, told, arguments.minutes))
    if told["faults"]:
        first = told["faults"][0]
        raise Complaint(
            f"Falsework itself did wrong: {first['what']}",
            field="--seeds",
            value=first["seed"],
            mend="please report it with this seed and the request",
            code=Exit.ERROR,
        )
    return Exit.SUCCESS


def _text(run_id: str, told: dict[str, Any], minutes: float) -> str:
    seeds = told["seeds"]
    ends = [["OUTCOME", "RUNS", "SHARE"]]
    ends += [[end, str(n), f"{n / seeds:.1%}"] for end, n in told["outcomes"].items()]
    tries = sorted({int(number) for counted in told["attempts"].values() for number in counted})
    stages = [["ATTEMPTS", *map(str, tries)]]
    stages += [
        [stage, *(str(counted.get(str(number), "-")) for number in tries)]
        for stage, counted in told["attempts"].items()
    ]
    times = [["TIME", *(name.upper() for name in told["seconds"])]]
    times.append(["to its end", *map(duration, told["seconds"].values())])
    title = (
        f"{seeds} runs of {run_id}, with Spot losses, duplicates and outages; its command is "
        f"taken to succeed, and to last about {minutes:g} minutes."
    )
    return "\n\n".join([title, columns(ends), columns(stages), columns(times)])


def _whole(text: str) -> int:
    if not 1 <= int(text) <= 1_000_000:
        raise argparse.ArgumentTypeError("from 1 to 1000000")
    return int(text)


def _minutes(text: str) -> float:
    if not 0 < float(text) <= 20_000:
        raise argparse.ArgumentTypeError("more than 0, at most 20000")
    return float(text)
