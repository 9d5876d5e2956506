"""A file of an earlier version is brought up to date when it is opened."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime

import pytest

from chalicelib.core.errors import Misconfigured
from chalicelib.local.database import Database
from chalicelib.local.schema import STEPS
from chalicelib.local.work_store import open_work_ports
from chalicelib.works import buckets

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


def write(root, steps, version):
    with closing(sqlite3.connect(root / "falsework.db")) as connection:
        connection.executescript("".join(steps) + f"PRAGMA user_version={version};")


def test_a_file_without_the_work_queue_gets_it_and_keeps_its_runs(tmp_path):
    write(tmp_path, STEPS[:1], 1)
    with closing(sqlite3.connect(tmp_path / "falsework.db")) as connection:
        connection.execute("INSERT INTO timers VALUES ('2026', 'r1')")
        connection.commit()
    database = Database(tmp_path)
    ports = open_work_ports(database)
    buckets.deposit([{"pipeline": "a", "site": "s", "user": "u"}], ports, NOON)
    assert buckets.status(ports)["queued"] == 1
    with database.reading() as connection:
        assert connection.execute("SELECT run_id FROM timers").fetchone()[0] == "r1"
        assert connection.execute("PRAGMA user_version").fetchone()[0] == len(STEPS)
    assert buckets.pipelines(open_work_ports(Database(tmp_path))) == ["a"]
    database.close()


def test_a_file_of_a_later_version_is_left_alone(tmp_path):
    write(tmp_path, STEPS, len(STEPS) + 1)
    with pytest.raises(Misconfigured, match="another version"):
        buckets.status(open_work_ports(Database(tmp_path)))
