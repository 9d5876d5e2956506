"""Where configs are kept: small documents, in partitions that are read from their beginning.

========================  =======================  ==============================================
partition                 key                      what
========================  =======================  ==============================================
``configs#<digest>``      id, newest first         a Header; the digest is its name's
``config-texts#<digest>`` the same                 the document as it was sent
``pipelines#<config>``    id                       a Pipeline; made when the config is tended first
``config-names``          name                     that there was ever one of that name
``configs-active``        id and generation        configs that somebody has to look at
========================  =======================  ==============================================

A mark of ``configs-active`` is written before what it stands for, and removed after it has
settled. It bears the generation, so that removing an old one never takes a newer one away.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from chalicelib.core.configs.ids import config_of, newest_first, partition_in
from chalicelib.core.configs.pipeline import Header, Pipeline
from chalicelib.core.work.ids import partition_of
from chalicelib.document_ports import Document, Documents, StaleDocument

KEPT: Final = timedelta(days=400)
"""How long a config is kept after its end: as long as audits."""
NAMES: Final = "config-names"
ACTIVE: Final = "configs-active"
_PAGE: Final = 100


class KeptPipeline(NamedTuple):
    """A pipeline and its version."""

    pipeline: Pipeline
    version: int


class Mark(NamedTuple):
    """That a config has to be looked at."""

    key: str
    at: datetime

    @property
    def config(self) -> str:
        """Its id."""
        return self.key.partition(".")[0]

    @property
    def generation(self) -> int:
        """For which generation it was made."""
        return int(self.key.partition(".")[2])


class ConfigShelf:
    """What is known of configs."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents

    def add(self, header: Header, document: dict[str, Any]) -> None:
        """Keep a new config, marked; again is harmless. Its Header comes last and makes it one."""
        self.mark(header.id, header.generation, header.creation)
        self._once(NAMES, header.name, {})
        self._once(f"config-texts#{partition_in(header.id)}", newest_first(header.id), document)
        self._once(
            f"configs#{partition_in(header.id)}",
            newest_first(header.id),
            header.model_dump(mode="json"),
        )

    def header(self, config: str) -> tuple[Header, int] | None:
        """Return the config and its version."""
        found = self._documents.load(f"configs#{partition_in(config)}", newest_first(config))
        return None if found is None else (Header.model_validate(found.content), found.version)

    def headers(self, name: str | None = None) -> Iterator[Header]:
        """Yield configs, the newest of a name first, name after name."""
        for each in [name] if name is not None else self.names():
            for found in walk(self._documents, f"configs#{partition_of(each)}"):
                header = Header.model_validate(found.content)
                if header.name == each:
                    yield header

    def names(self) -> list[str]:
        """Return the names that configs ever had."""
        return [each.key for each in walk(self._documents, NAMES)]

    def document(self, config: str) -> dict[str, Any] | None:
        """Return what was sent."""
        found = self._documents.load(f"config-texts#{partition_in(config)}", newest_first(config))
        return None if found is None else found.content

    def save(self, header: Header, version: int) -> int:
        """Save the config; what has ended expires at last. Return its version. Raises
        StaleDocument."""
        return self._documents.save(
            f"configs#{partition_in(header.id)}",
            newest_first(header.id),
            header.model_dump(mode="json"),
            version=version,
            expires_at=header.stop and header.stop + KEPT,
        ).version

    def pipelines(self, config: str) -> list[KeptPipeline]:
        """Return those that were made already, in their order."""
        return [_pipeline(each) for each in walk(self._documents, f"pipelines#{config}")]

    def pipeline(self, pipeline_id: str) -> KeptPipeline | None:
        """Return one."""
        found = self._documents.load(f"pipelines#{config_of(pipeline_id)}", pipeline_id)
        return None if found is None else _pipeline(found)

    def save_pipeline(self, pipeline: Pipeline, version: int) -> KeptPipeline:
        """Save it, and return it as saved. Raises StaleDocument."""
        ends = pipeline.stop + KEPT if pipeline.stop and pipeline.is_settled else None
        content = pipeline.model_dump(mode="json")
        where = f"pipelines#{config_of(pipeline.id)}"
        saved = self._documents.save(where, pipeline.id, content, version=version, expires_at=ends)
        return KeptPipeline(pipeline, saved.version)

    def mark(self, config: str, generation: int, at: datetime) -> None:
        """Let somebody look at the config."""
        self._once(ACTIVE, f"{config}.{generation:06d}", {"at": at.isoformat()})

    def unmark(self, mark: Mark) -> None:
        """Nobody has to look any more."""
        self._documents.remove(ACTIVE, mark.key)

    def marks(self, after: str) -> Iterator[Mark]:
        """Yield all marks: those behind ``after``, and then the others."""
        for found in walk(self._documents, ACTIVE, after):
            yield _mark(found)
        for found in walk(self._documents, ACTIVE):
            if found.key > after:
                return
            yield _mark(found)

    def remove(self, header: Header) -> None:
        """Forget the config; again is harmless.

        Its document goes first: without it nobody tends it any more, and it can only be removed.
        Its Header goes last, so that half of it can be removed again.
        """
        place = partition_in(header.id), newest_first(header.id)
        self._documents.remove(f"config-texts#{place[0]}", place[1])
        for each in self.pipelines(header.id):
            self._documents.remove(f"pipelines#{header.id}", each.pipeline.id)
        self._documents.remove(f"configs#{place[0]}", place[1])

    def _once(self, partition: str, key: str, content: dict[str, Any]) -> None:
        with suppress(StaleDocument):
            self._documents.save(partition, key, content)


def walk(documents: Documents, partition: str, after: str = "") -> Iterator[Document]:
    """Yield the documents of a partition, page by page."""
    while page := documents.list(partition, after=after, limit=_PAGE):
        yield from page
        after = page[-1].key


def _pipeline(found: Document) -> KeptPipeline:
    return KeptPipeline(Pipeline.model_validate(found.content), found.version)


def _mark(found: Document) -> Mark:
    return Mark(found.key, datetime.fromisoformat(found.content["at"]))
