"""The whole state machine: the one place that decides, and nothing else may change a status.

``decide(run, event)`` returns the next run and the commands to perform; ``owed(run, at)`` returns
what a saved run still has to see done, whoever died in between. Both are pure.

A stage::

    CREATED ──begin──▶ RUNNING ──▶ COMPLETE
       │                │   ├────▶ ERROR ◀─────┐ no attempt left
       │          fails │   │                  │
       │                ▼   │ begin again      │
       │              RETRY ┴──────────────────┤
       └──────cancel────┴──────▶ CANCELED      └─ (``attempts.py``; its time is over:
                                                  ``deadlines.py``)

A run is PENDING until its first stage begins, then RUNNING. Its end is decided when a stage ends
in ERROR, when it is cancelled, or when all stages are COMPLETE but the closing ones; from then on
its state is final. It is *settled* when its jobs have ended and the closing stages, where its
policy wants them, are done as well. Only resume and rollback lead out of a final state, into the
next generation (``again.py``).

A job of a stage::

    (owed StartJob) ─SubmissionStarted─▶ intent ─JobChanged─▶ adopted ─…─▶ ended
                                            └─JobNotFound after the grace─▶ absent, a new serial

An attempt is one job, or two where the ground must be cleared first (``needs_preparation``).
"""

from chalicelib.core.lifecycle.decide import Decision, decide
from chalicelib.core.lifecycle.owed import owed, prompt

__all__ = ["Decision", "decide", "owed", "prompt"]
