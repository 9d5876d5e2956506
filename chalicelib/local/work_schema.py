"""The tables of the work queue: ``works`` for Buckets, ``results`` for Results, and their counts.

``body`` is a work's JSON without its ``results``, which stand last: SQLite keeps a large row's end
in pages of its own and reads them only when they are asked for. The other columns repeat what the
queue is ordered and narrowed by. Triggers keep the counts, in the transaction of the change.
"""

from __future__ import annotations

from typing import Final

_SHELF: Final = """
CREATE TABLE {shelf} (
    id TEXT NOT NULL,
    pipeline TEXT NOT NULL,
    status TEXT NOT NULL,
    site TEXT NOT NULL,
    priority INTEGER NOT NULL,
    creation REAL NOT NULL,
    deadline REAL,
    is_retryable INTEGER NOT NULL,
    version INTEGER NOT NULL,
    body TEXT NOT NULL,
    results TEXT
);
CREATE UNIQUE INDEX {shelf}_by_id ON {shelf} (id, pipeline);
CREATE INDEX {shelf}_by_state ON {shelf} (pipeline, status, creation, id);
CREATE TABLE {shelf}_counts (
    pipeline TEXT NOT NULL,
    status TEXT NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (pipeline, status)
) WITHOUT ROWID;
CREATE TRIGGER {shelf}_added AFTER INSERT ON {shelf} BEGIN
    INSERT INTO {shelf}_counts VALUES (new.pipeline, new.status, 1)
        ON CONFLICT DO UPDATE SET count = count + 1;
END;
CREATE TRIGGER {shelf}_changed AFTER UPDATE OF status ON {shelf}
WHEN old.status <> new.status BEGIN
    UPDATE {shelf}_counts SET count = count - 1
        WHERE pipeline = old.pipeline AND status = old.status;
    INSERT INTO {shelf}_counts VALUES (new.pipeline, new.status, 1)
        ON CONFLICT DO UPDATE SET count = count + 1;
END;
CREATE TRIGGER {shelf}_removed AFTER DELETE ON {shelf} BEGIN
    UPDATE {shelf}_counts SET count = count - 1
        WHERE pipeline = old.pipeline AND status = old.status;
END;
"""

_QUEUE: Final = """
CREATE INDEX works_by_turn ON works (pipeline, priority DESC, creation, id)
    WHERE status = 'queued';
CREATE INDEX works_by_site_turn ON works (pipeline, site, priority DESC, creation, id)
    WHERE status = 'queued';
CREATE INDEX works_overdue ON works (deadline) WHERE deadline IS NOT NULL;
CREATE INDEX works_retryable ON works (creation, id) WHERE is_retryable;
"""

WORKS: Final = _SHELF.format(shelf="works") + _SHELF.format(shelf="results") + _QUEUE
