"""Job definitions in SQLite: the same content is found again, another gets the next revision."""

from __future__ import annotations

import hashlib
import json

from chalicelib.core.errors import NotFound, Refused
from chalicelib.core.plans.plan import JobDefinition
from chalicelib.core.site import Site
from chalicelib.function_ports import Defined
from chalicelib.local.database import Database


class Definitions:
    """The definitions that were registered here, and not taken back."""

    def __init__(self, database: Database, site: Site) -> None:
        self._database = database
        self._prefix = f"arn:aws:batch:{site.aws_region}:{site.account_id}:job-definition/"

    def register(self, definition: JobDefinition) -> str:
        """Return the ARN of the revision that has this content."""
        body = json.dumps(definition.model_dump(mode="json"), sort_keys=True)
        digest = hashlib.sha256(body.encode()).hexdigest()
        found = self._find(definition.name, digest)
        if found is not None:
            return found
        with self._database.writing() as connection:
            (revision,) = connection.execute(
                "SELECT coalesce(max(revision), 0) + 1 FROM definitions WHERE name = ?",
                (definition.name,),
            ).fetchone()
            connection.execute(
                "INSERT OR IGNORE INTO definitions (arn, name, revision, digest, body)"
                " VALUES (?, ?, ?, ?, ?)",
                (
                    f"{self._prefix}{definition.name}:{revision}",
                    definition.name,
                    revision,
                    digest,
                    body,
                ),
            )
            (arn,) = connection.execute(
                "SELECT arn FROM definitions WHERE name = ? AND digest = ?",
                (definition.name, digest),
            ).fetchone()
        return str(arn)

    def get(self, arn: str) -> JobDefinition:
        """Return the definition. Raises Refused for an ARN that was never given out."""
        with self._database.reading() as connection:
            row = connection.execute(
                "SELECT body FROM definitions WHERE arn = ?", (arn,)
            ).fetchone()
        if row is None:
            raise Refused(f"there is no job definition {arn!r}")
        return JobDefinition.model_validate_json(row["body"])

    def describe(self, name: str) -> Defined:
        """Return the definition of that ARN, ``name:revision`` or, its last, name."""
        with self._database.reading() as connection:
            row = connection.execute(
                "SELECT arn, body FROM definitions"
                " WHERE arn = ? OR name || ':' || revision = ? OR name = ?"
                " ORDER BY revision DESC LIMIT 1",
                (name, name, name),
            ).fetchone()
        if row is None:
            raise NotFound(f"there is no job definition {name!r:.200}")
        return Defined(str(row["arn"]), JobDefinition.model_validate_json(row["body"]))

    def deregister(self, arn: str) -> None:
        """Forget the definition; whoever still had a job of it waiting sees that job refused."""
        with self._database.writing() as connection:
            connection.execute("DELETE FROM definitions WHERE arn = ?", (arn,))

    def _find(self, name: str, digest: str) -> str | None:
        with self._database.reading() as connection:
            row = connection.execute(
                "SELECT arn FROM definitions WHERE name = ? AND digest = ?", (name, digest)
            ).fetchone()
        return None if row is None else str(row["arn"])
