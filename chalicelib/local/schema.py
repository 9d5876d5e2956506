"""The tables of the embedded home, one for each noun, and the indexes their readers walk.

A run is two rows: its plan, written first under its digest and never changed, and the run, the
only truth, which changes under its version. ``jobs.seq`` numbers changes of a job's status over
all jobs; triggers set it, so that no writer, not even a wrapper process, can change a status
unseen.

``STEPS`` are applied one after another. A file says in ``user_version`` how many of them it has
taken, and takes the rest when it is opened. What a step does is never changed afterwards.
"""

from __future__ import annotations

from typing import Final

from chalicelib.local.work_schema import WORKS

_RUNS: Final = """
CREATE TABLE plans (
    run_id TEXT NOT NULL,
    digest TEXT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (run_id, digest)
) WITHOUT ROWID;

CREATE TABLE runs (
    id TEXT NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL,
    grp TEXT NOT NULL,
    state TEXT NOT NULL,
    created_at TEXT NOT NULL,
    next_check_at TEXT,
    plan_digest TEXT NOT NULL,
    body TEXT NOT NULL
);
CREATE INDEX runs_by_group ON runs (grp, created_at DESC, id DESC);
CREATE INDEX runs_by_state ON runs (state, created_at DESC, id DESC);
CREATE INDEX runs_by_creation ON runs (created_at DESC, id DESC);
CREATE INDEX runs_due ON runs (next_check_at) WHERE next_check_at IS NOT NULL;

CREATE TABLE claims (
    job_name TEXT NOT NULL,
    array_index INTEGER NOT NULL,
    job_id TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    PRIMARY KEY (job_name, array_index)
) WITHOUT ROWID;

CREATE TABLE timers (
    at TEXT NOT NULL,
    run_id TEXT NOT NULL,
    PRIMARY KEY (at, run_id)
) WITHOUT ROWID;

CREATE TABLE definitions (
    arn TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    revision INTEGER NOT NULL,
    digest TEXT NOT NULL,
    body TEXT NOT NULL,
    UNIQUE (name, digest),
    UNIQUE (name, revision)
);

CREATE TABLE jobs (
    number INTEGER NOT NULL PRIMARY KEY,
    job_id TEXT NOT NULL UNIQUE,
    seq INTEGER NOT NULL DEFAULT 0,
    name TEXT NOT NULL,
    queue TEXT NOT NULL,
    run_id TEXT,
    request TEXT NOT NULL,
    cores INTEGER NOT NULL,
    status TEXT NOT NULL,
    token TEXT,
    starting_at TEXT,
    stop_reason TEXT,
    exit_code INTEGER,
    reason TEXT,
    started_at TEXT,
    stopped_at TEXT
);
CREATE INDEX jobs_by_name ON jobs (name, number DESC);
CREATE INDEX jobs_by_status ON jobs (status, number);
CREATE INDEX jobs_by_seq ON jobs (seq);
CREATE TRIGGER job_submitted AFTER INSERT ON jobs BEGIN
    UPDATE jobs SET seq = (SELECT max(seq) FROM jobs) + 1 WHERE number = new.number;
END;
CREATE TRIGGER job_changed AFTER UPDATE OF status ON jobs BEGIN
    UPDATE jobs SET seq = (SELECT max(seq) FROM jobs) + 1 WHERE number = new.number;
END;

CREATE TABLE acknowledged (
    reader TEXT NOT NULL PRIMARY KEY,
    seq INTEGER NOT NULL
) WITHOUT ROWID;
"""

_DOCUMENTS: Final = """
CREATE TABLE documents (
    partition TEXT NOT NULL,
    key TEXT NOT NULL,
    version INTEGER NOT NULL,
    expires_at TEXT,
    body TEXT NOT NULL,
    PRIMARY KEY (partition, key)
) WITHOUT ROWID;
CREATE INDEX documents_by_end ON documents (partition, expires_at) WHERE expires_at IS NOT NULL;
"""

_NOTICES: Final = """
CREATE TABLE notices (
    id TEXT NOT NULL,
    target TEXT NOT NULL,
    body TEXT NOT NULL,
    announced_at TEXT NOT NULL,
    next_at TEXT,
    tries INTEGER NOT NULL DEFAULT 0,
    reason TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (id, target)
) WITHOUT ROWID;
CREATE INDEX notices_due ON notices (next_at) WHERE next_at IS NOT NULL;
CREATE INDEX notices_dead ON notices (announced_at, id) WHERE next_at IS NULL;
"""

STEPS: Final = (_RUNS, WORKS, _DOCUMENTS, _NOTICES)
