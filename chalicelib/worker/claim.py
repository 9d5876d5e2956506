"""Who may touch the data of a job: of several that bear one name, the first to claim it.

AWS Batch may run two jobs of one name (``ports.py``: it has no idempotency token). Both start
this worker; one holds the claim, the other leaves with exit code 75 and has moved nothing. The
holder's own job may come back, with a higher attempt; then either its outcome is there and there
is nothing to do, or it does the whole work again, which every verb allows.
"""

from __future__ import annotations

from pydantic import ValidationError

from chalicelib.core.errors import NotFound
from chalicelib.core.worker_documents import Outcome
from chalicelib.ports import Claim, Claims, ObjectStore
from chalicelib.worker.transfers import say
from chalicelib.worker_settings import WorkerSettings


def holds_claim(claims: Claims, settings: WorkerSettings) -> bool:
    """Claim the job; tell whether it is ours, and say so if not."""
    own = Claim(settings.job_id, settings.attempt)
    holder = claims.claim(settings.job_name, settings.index, own.job_id, own.attempt)
    if holder == own:
        return True
    say(
        f"job {settings.job_name} is claimed by job {holder.job_id} (attempt {holder.attempt}); "
        f"this is job {own.job_id} (attempt {own.attempt}): nothing was touched"
    )
    return False


def earlier_outcome(objects: ObjectStore, settings: WorkerSettings) -> Outcome | None:
    """Return the outcome that this job has written before, if any."""
    try:
        outcome = Outcome.model_validate_json(objects.read(settings.outcome_uri))
    except (NotFound, ValidationError):
        return None
    return outcome if outcome.job_name == settings.job_name else None
