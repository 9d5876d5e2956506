"""``python -m chalicelib.simulation --seeds N [--from SEED]``: what ``make simulate`` runs.

With ``--works`` the work queue is played, with its runs; with ``--pipelines`` pipelines are.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from chalicelib.simulation.campaign import Build, build, run_campaign, told
from chalicelib.simulation.pipeline_world import build_pipelines
from chalicelib.simulation.shrinking import shrink, story
from chalicelib.simulation.work_world import build_works


def main(argv: Sequence[str] | None = None) -> int:
    """Run a campaign; return 1 if a seed failed."""
    parser = argparse.ArgumentParser(prog="python -m chalicelib.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=2000, help="how many")
    parser.add_argument("--from", type=int, default=0, dest="first", help="the first one")
    parser.add_argument("--seed", type=int, help="shrink and tell this one")
    parser.add_argument("--quick", action="store_true", help="do not shrink what was found")
    parser.add_argument("--works", action="store_true", help="play the work queue")
    parser.add_argument("--pipelines", action="store_true", help="play pipelines")
    arguments = parser.parse_args(argv)
    making = _making(arguments)
    if arguments.seed is not None:
        return _tell(arguments.seed, making)
    seeds = range(arguments.first, arguments.first + arguments.seeds)
    totals = run_campaign(seeds, making)
    sys.stdout.write(json.dumps(told(totals), indent=2) + "\n")
    if totals.failed is None:
        return 0
    if arguments.quick:
        sys.stdout.write("\n".join((f"seed {totals.failed.seed}:", *totals.failed.violations, "")))
        return 1
    return _tell(totals.failed.seed, making)


def _making(arguments: argparse.Namespace) -> Build:
    if arguments.pipelines:
        return build_pipelines
    return build_works if arguments.works else build


def _tell(seed: int, making: Build) -> int:
    found = shrink(seed, making)
    sys.stdout.write(f"{story(found) if found else f'seed {seed} holds'}\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
