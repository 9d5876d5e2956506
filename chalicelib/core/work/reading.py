"""From the JSON of a request to works: all of them are checked before anything is done.

The 4 MB rule is applied here, at the deposit and at every update: larger ``results`` become null
and the work is kept (specs: work, section 5). What counts is the length of their JSON text,
without blanks, in UTF-8; the client's own check sees only the outermost object.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

from pydantic import ValidationError

from chalicelib.core.documents import DEEPEST, validation_problem, well_formed
from chalicelib.core.errors import InvalidRequest, TooLarge
from chalicelib.core.limits import REQUEST_LIST_ITEMS, WORK_RESULTS_BYTES
from chalicelib.core.work.model import Work

_ENDED: Final = ("success", "failure")


def read_works(documents: object) -> list[Work]:
    """Return the works of a list. Raises InvalidRequest, which names the first bad one's place."""
    return [_read(number, each) for number, each in enumerate(_list(documents))]


def read_stored_works(documents: object) -> list[Work]:
    """Return works that must have an id each, and a different one."""
    works = read_works(documents)
    seen: set[str] = set()
    for number, work in enumerate(works):
        if work.id is None or work.id in seen:
            raise InvalidRequest(
                f"work {number} has " + ("no id" if work.id is None else "the id of another one"),
                field=f"{number}.id",
                value=work.id,
                mend="give the id that the deposit returned, each once",
            )
        seen.add(work.id)
    return works


def read_ended_works(documents: object) -> list[Work]:
    """Return works for Results: with ids, and ended."""
    works = read_stored_works(documents)
    for number, work in enumerate(works):
        if work.status not in _ENDED:
            raise InvalidRequest(
                f"work {number} has not ended: its status is {work.status}",
                field=f"{number}.status",
                value=work.status,
                mend="deposit results when their work is 'success' or 'failure'",
            )
    return works


def without_excess(work: Work) -> Work:
    """Return the work, without its results where they are larger than may be kept."""
    if work.results is None or len(json_text(work.results).encode()) <= WORK_RESULTS_BYTES:
        return work
    return work.model_copy(update={"results": None})


def understood(document: object) -> Work | None:
    """Return the work that a stored document is; None if it is none that a client would take."""
    try:
        return Work.model_validate(document)
    except ValidationError:
        return None


def json_text(value: object) -> str:
    """Return the JSON text without blanks, as it is measured and stored."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _list(documents: object) -> Sequence[object]:
    if not isinstance(documents, list):
        raise InvalidRequest("works are given in a list", mend="send a list of works: [{…}, …]")
    if len(documents) > REQUEST_LIST_ITEMS:
        raise TooLarge(
            f"the list has {len(documents)} works; {REQUEST_LIST_ITEMS} can be taken",
            value=len(documents),
            mend="send fewer works at a time",
        )
    return documents


def _read(number: int, document: object) -> Work:
    if not isinstance(document, dict):
        raise InvalidRequest(
            f"work {number} is not an object", field=str(number), mend="send works as objects"
        )
    _check_text(number, document)
    try:
        work = Work.model_validate(document)
    except ValidationError as exc:
        raise validation_problem(exc, prefix=str(number)) from exc
    return without_excess(work)


def _check_text(number: int, document: dict[str, Any]) -> None:
    """Let JSON's own encoder, which is quick, look for what ``well_formed`` then names."""
    try:
        text = json_text(document)
        text.encode()
    except (ValueError, TypeError, RecursionError):
        well_formed({str(number): document})
        raise
    if text.count("[") + text.count("{") > DEEPEST - 2:
        well_formed({str(number): document})
