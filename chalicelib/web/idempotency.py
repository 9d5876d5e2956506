"""Routes that create take an ``Idempotency-Key``; see ``core/idempotency.py`` for what it means.

A key belongs to who sends it, the method and the path. What is known of it is a document under a
digest of these; the answer is kept in it, and what is too long for it in documents beside it.
Whatever goes wrong with keeping an answer, the caller gets it: then a repeat is another try.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from typing import Final, NamedTuple

from chalice.app import Request, Response

from chalicelib.core.errors import Unavailable
from chalicelib.core.idempotency import (
    HEADER,
    KEPT,
    REPLAYED,
    Answered,
    Begun,
    checked_key,
    digest_of,
    is_worth_keeping,
    next_try,
)
from chalicelib.core.limits import DOCUMENT_CHARACTERS
from chalicelib.document_ports import Document, StaleDocument
from chalicelib.ports import Ports
from chalicelib.web import asked
from chalicelib.web.current import current
from chalicelib.web.queries import values_of

TRIES: Final = 3
"""How often the document may change under a request that begins; each change is somebody's try."""
log = logging.getLogger("falsework.web")
_trying: ContextVar[Begun | None] = ContextVar("trying", default=None)


class FirstTry(NamedTuple):
    """What every try of a request has in common."""

    at: datetime
    entropy: int
    """32 random bits."""
    is_over: bool
    """Whether this is another one, and the first may have left something behind."""


def first_try() -> FirstTry | None:
    """Return when and how the current request was tried first; None where it has no key."""
    begun = _trying.get()
    if begun is None:
        return None
    entropy = int(digest_of(begun.seed)[:8], 16)
    return FirstTry(begun.first_at, entropy, begun.tried_at != begun.first_at)


def made_up() -> str | None:
    """Return what a name made up for the current request must consist of, where that matters."""
    begun = _trying.get()
    return None if begun is None else begun.seed


def answered_once(
    attempt: Callable[[], Response], shown_once: Callable[[], Response] | None = None
) -> Response:
    """Return the answer of ``attempt``, which never raises, or the one that was given before.

    ``shown_once`` makes what is kept in the place of a success that must not be. Raises
    InvalidRequest for a key that is none, KeyReused, UnderWay, and Unavailable.
    """
    request = current.request
    text = request.headers.get(HEADER) if request is not None else None
    if request is None or text is None:
        return attempt()
    shelf = _shelf(request, checked_key(text))
    kept, begun = _begin(request, shelf)
    if begun.answer is not None:
        return _replayed(begun, begun.answer, shelf)
    with _trial(begun):
        response = attempt()
    is_secret = shown_once is not None and response.status_code < 300
    _end(kept, begun, shown_once() if shown_once and is_secret else response, shelf)
    return response


class _Shelf(NamedTuple):
    """Where what is known of one key is kept."""

    ports: Ports
    partition: str
    """One of 256: they are written to by everybody."""
    key: str

    def load(self) -> Document | None:
        return self.ports.documents.load(self.partition, self.key)

    def save(self, begun: Begun, version: int) -> Document:
        return self.ports.documents.save(
            self.partition,
            self.key,
            begun.model_dump(mode="json"),
            version=version,
            expires_at=self.ports.clock() + KEPT,
        )

    def part(self, begun: Begun, number: int) -> str:
        """Return the key of a part; two tries that both answer write apart."""
        return f"{self.key}.{int((begun.tried_at or begun.first_at).timestamp() * 1e6)}.{number}"


@contextmanager
def _trial(begun: Begun) -> Iterator[None]:
    mark = _trying.set(begun)
    try:
        yield
    finally:
        _trying.reset(mark)


def _shelf(request: Request, key: str) -> _Shelf:
    path = request.path.format(**(request.uri_params or {}))
    name = digest_of(*asked.caller().principal.identity, request.method, path, key)
    return _Shelf(asked.ports(), f"idempotency#{name[:2]}", name)


def _begin(request: Request, shelf: _Shelf) -> tuple[Document, Begun]:
    query = json.dumps(values_of(request), sort_keys=True)
    body = digest_of(query, request.raw_body)
    for _ in range(TRIES):
        kept = shelf.load()
        known = Begun.model_validate(kept.content) if kept else None
        begun = next_try(known, body, shelf.ports.mint_uid(), shelf.ports.clock())
        if kept is not None and begun.answer is not None:
            return kept, begun
        try:
            return shelf.save(begun, kept.version if kept else 0), begun
        except StaleDocument:
            continue
    raise Unavailable("others send the same request just now; nothing was done")


def _end(kept: Document, begun: Begun, response: Response, shelf: _Shelf) -> None:
    body = response.to_dict()["body"]
    try:
        if is_worth_keeping(response.status_code) and isinstance(body, str):
            answer = _put(begun, response, body, shelf)
            shelf.save(begun.model_copy(update={"answer": answer}), kept.version)
        else:
            shelf.save(begun.model_copy(update={"tried_at": None}), kept.version)
    except StaleDocument:
        log.warning("another try of the same request began before this one ended")
    except Unavailable:
        log.warning("an answer could not be kept for its Idempotency-Key", exc_info=True)


def _put(begun: Begun, response: Response, body: str, shelf: _Shelf) -> Answered:
    size = DOCUMENT_CHARACTERS
    parts = [body[start : start + size] for start in range(0, len(body), size)]
    expires_at = shelf.ports.clock() + 2 * KEPT
    for number, part in enumerate(parts[1:], 1):
        shelf.ports.documents.save(
            shelf.partition, shelf.part(begun, number), {"body": part}, expires_at=expires_at
        )
    return Answered(
        status=response.status_code,
        headers={name: str(value) for name, value in response.headers.items()},
        body=parts[0] if parts else "",
        more_parts=max(0, len(parts) - 1),
    )


def _replayed(begun: Begun, answer: Answered, shelf: _Shelf) -> Response:
    body = answer.body
    for number in range(1, answer.more_parts + 1):
        part = shelf.ports.documents.load(shelf.partition, shelf.part(begun, number))
        if part is None:
            raise Unavailable("a part of the answer is not there")
        body += part.content["body"]
    headers: dict[str, str | list[str]] = {**answer.headers, REPLAYED: "true"}
    return Response(body=body, headers=headers, status_code=answer.status)
