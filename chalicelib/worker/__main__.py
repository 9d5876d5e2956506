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
ends in the same state however often it was begun. Some go other ways: ``…-batch`` is one child
of many (``batch_child``), ``lambda`` is nobody's stage and has no outcome (``envelope``).
"""

from __future__ import annotations

import argparse
import sys
import traceback
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from chalicelib import bootstrap, settings
from chalicelib.bootstrap import WorkerPorts
from chalicelib.core.errors import FalseworkError
from chalicelib.core.worker_documents import read_order
from chalicelib.worker import envelope, verbs
from chalicelib.worker.batch_child import work_batch
from chalicelib.worker.claim import earlier_outcome, holds_claim
from chalicelib.worker.ending import CANNOT_BE_DONE, CLAIMED_BY_ANOTHER, DONE, outcome_of
from chalicelib.worker.transfers import say
from chalicelib.worker.verbs import Bench, Verb

FAILED: Final = 2


def main(
    argv: Sequence[str] | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    ports: WorkerPorts | None = None,
) -> int:
    """Run the worker; return its exit code. Tests give ``environ`` and ``ports``."""
    told = _parser().parse_args(argv)
    try:
        if told.verb == "lambda":
            envelope.run(environ)
            return DONE
        job = settings.load_worker(environ)
        data_sync = settings.load_data_sync(environ)
        bench = Bench(job, ports or bootstrap.worker_ports(), data_sync, _utc_now)
        batches = verbs.batches_of(told.verb, bench)
        if batches is not None:
            return work_batch(job, bench.ports.objects, bench.ports.claims, batches)
        return work(verbs.verb_of(told), bench)
    except (FalseworkError, OSError) as exc:
        say(f"failed: {type(exc).__name__}: {exc}")
    except Exception:  # noqa: BLE001  the entry point: a bug ends like any other failure
        say(f"failed: {traceback.format_exc()}")
    return FAILED


def work(verb: Verb, bench: Bench) -> int:
    """Claim the job, carry out its order and record the outcome; return the exit code."""
    job, objects = bench.job, bench.ports.objects
    if not holds_claim(bench.ports.claims, job):
        return CLAIMED_BY_ANOTHER
    earlier = earlier_outcome(objects, job)
    if earlier is not None:
        say(f"job {job.job_name} has ended before: nothing to do")
        return CANNOT_BE_DONE if earlier.error else DONE
    order = read_order(objects.read, job.request_uri)
    outcome = outcome_of(job, lambda: verb(order, bench))
    objects.write(job.outcome_uri, outcome.model_dump_json().encode())
    return CANNOT_BE_DONE if outcome.error else DONE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="falsework-worker",
        description="Carry out the order of one worker job, as its environment says.",
    )
    words = parser.add_subparsers(dest="verb", required=True)
    bring = words.add_parser("stage-in", help="bring the inputs to where the job expects them")
    bring.add_argument("--again", action="store_true", help="first move aside what is there")
    words.add_parser("stage-out", help="bring the outputs home, each with its manifest")
    clean = words.add_parser("clean-up", help="remove what is the run's own")
    clean.add_argument("--keep-outputs", action="store_true", help="they have not been saved")
    words.add_parser("sync", help="carry out a data sync, or divide it into batches")
    words.add_parser("sync-batch", help="do one batch of a data sync")
    words.add_parser("stage-in-batch", help="do one batch of a stage-in")
    words.add_parser("stage-out-batch", help="do one batch of a stage-out")
    words.add_parser("archive", help="pack the files of a run into one tar.gz")
    words.add_parser("handle", help="see to data paths: statistics, lists, scans, removal")
    words.add_parser("work", help="execute one attempt of a work")
    words.add_parser("lambda", help="call the handler that the environment names")
    return parser


def _utc_now() -> datetime:
    return datetime.now(UTC)


if __name__ == "__main__":
    sys.exit(main())
