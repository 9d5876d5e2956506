"""``falsework-worker``: one verb of the worker, as one job.

::

    claim ── lost ──→ 75, nothing touched
      │
    outcome there already ──→ as it ended then
      │
    order, work ── the user must mend something ──→ outcome with the error, 1
      │         └─ infrastructure failed ──→ no outcome, 2: the engine sees a failed job
      │
    outcome ──→ 0

The outcome is the last deed. Whoever is killed before it starts again from the top; every verb
ends in the same state however often it was begun.
"""

from __future__ import annotations

import argparse
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from pydantic import JsonValue

from chalicelib import settings
from chalicelib.core.errors import FalseworkError, InvalidRequest, NotFound, Refused
from chalicelib.core.worker_documents import (
    CleanUpOrder,
    Outcome,
    StageInOrder,
    StageOutOrder,
)
from chalicelib.ports import Claims, ObjectStore
from chalicelib.settings import WorkerSettings
from chalicelib.worker.claim import earlier_outcome, holds_claim
from chalicelib.worker.clean_up import clean_up
from chalicelib.worker.problems import sentence
from chalicelib.worker.stage_in import stage_in
from chalicelib.worker.stage_out import stage_out
from chalicelib.worker.transfers import say

DONE: Final = 0
CANNOT_BE_DONE: Final = 1
FAILED: Final = 2
CLAIMED_BY_ANOTHER: Final = 75
"""EX_TEMPFAIL of sysexits.h; the engine looks for the job that holds the claim."""

Clock = Callable[[], datetime]
Verb = Callable[[bytes, WorkerSettings, ObjectStore, Clock], dict[str, JsonValue]]
"""Carries out the order in these bytes, as the job that the settings name."""


def main(
    argv: Sequence[str] | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    ports: tuple[ObjectStore, Claims] | None = None,
) -> int:
    """Run the worker; return its exit code. Tests give ``environ`` and ``ports``."""
    verb = _verb(_parser().parse_args(argv))
    try:
        if ports is None:
            from chalicelib.bootstrap import worker_ports  # noqa: PLC0415  tests need none of it

            ports = worker_ports()
        objects, claims = ports
        return work(verb, settings.load_worker(environ), objects, claims, _utc_now)
    except (FalseworkError, OSError) as exc:
        say(f"failed: {type(exc).__name__}: {exc}")
    except Exception:  # noqa: BLE001  the entry point: a bug ends like any other failure
        say(f"failed: {traceback.format_exc()}")
    return FAILED


def work(
    verb: Verb, job: WorkerSettings, objects: ObjectStore, claims: Claims, clock: Clock
) -> int:
    """Claim the job, carry out its order and record the outcome; return the exit code."""
    if not holds_claim(claims, job):
        return CLAIMED_BY_ANOTHER
    earlier = earlier_outcome(objects, job)
    if earlier is not None:
        say(f"job {job.job_name} has ended before: nothing to do")
        return CANNOT_BE_DONE if earlier.error else DONE
    order = objects.read(job.request_uri)
    result: JsonValue = None
    error = None
    try:
        result = verb(order, job, objects, clock)
    except (InvalidRequest, Refused, NotFound) as exc:
        error = sentence(exc)
        say(f"error: {error}")
    outcome = Outcome(
        job_name=job.job_name,
        job_id=job.job_id,
        attempt=job.attempt,
        result=result,
        error=error,
    )
    objects.write(job.outcome_uri, outcome.model_dump_json().encode())
    return CANNOT_BE_DONE if error else DONE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="falsework-worker",
        description="Carry out the order of one worker job, as its environment says.",
    )
    verbs = parser.add_subparsers(dest="verb", required=True)
    bring = verbs.add_parser("stage-in", help="bring the inputs to where the job expects them")
    bring.add_argument("--again", action="store_true", help="first move aside what is there")
    verbs.add_parser("stage-out", help="bring the outputs home, each with its manifest")
    clean = verbs.add_parser("clean-up", help="remove what is the run's own")
    clean.add_argument("--keep-outputs", action="store_true", help="they have not been saved")
    return parser


def _verb(told: argparse.Namespace) -> Verb:
    match told.verb:
        case "stage-in":
            return lambda order, job, objects, clock: stage_in(
                StageInOrder.model_validate_json(order),
                objects,
                clock,
                again_as=job.job_name if told.again else None,
            )
        case "stage-out":
            return lambda order, _job, objects, clock: stage_out(
                StageOutOrder.model_validate_json(order), objects, clock
            )
        case _:
            return lambda order, _job, _objects, _clock: clean_up(
                CleanUpOrder.model_validate_json(order), keep_outputs=told.keep_outputs
            )


def _utc_now() -> datetime:
    return datetime.now(UTC)


if __name__ == "__main__":
    sys.exit(main())
