"""Request files of the AWS home: taken in when S3 tells of them, or when the sweep finds them.

EventBridge delivers at least once, but a rule may be switched off and a function may fail for
good; so the sweep looks for files younger than a day whose receipt does not know them. It looks at
a bounded stretch of the bucket each time and remembers, in the bucket, where it stopped.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Final

from chalicelib import request_files
from chalicelib.aws.inbound import DroppedObject
from chalicelib.aws.request_bucket import Listed, RequestBucket
from chalicelib.core.errors import NotFound, StaleRun, Unavailable
from chalicelib.core.receipts import REQUESTS, Entry, is_request_name, read_receipt
from chalicelib.ports import Ports
from chalicelib.request_files import RequestFile, Submit

YOUNG: Final = timedelta(days=1)
AT_REST: Final = timedelta(minutes=2)
"""Younger files are left to their events, which take seconds."""
LISTED: Final = 5_000
"""Objects of one sweep: five pages."""
LOOKED_AT: Final = 200
"""Receipts that one sweep reads; about four seconds."""
_PLACE: Final = "receipt-parts/.swept"
"""Where the sweep remembers how far it came."""

log = logging.getLogger(__name__)


class DroppedFiles:
    """Takes in request files."""

    def __init__(
        self,
        ports: Ports,
        bucket: RequestBucket,
        split: Callable[[RequestFile], Entry | None],
        submit: Submit,
    ) -> None:
        self._ports = ports
        self._bucket = bucket
        self._split = split
        self._submit = submit
        self._name = ports.site.requests_bucket

    def take_in(self, dropped: DroppedObject) -> None:
        """Answer what was dropped. Raises Unavailable, StaleRun: then it comes again."""
        if dropped.bucket != self._name or not dropped.key.startswith(REQUESTS):
            log.info("an object that is no request file is left alone")
            return
        try:
            file = self._bucket.find(dropped)
        except NotFound as exc:
            log.warning("%s; it was removed before it could be read", exc)
            return
        if is_request_name(file.name):
            self._answer(file)

    def sweep(self) -> int:
        """Take in some of what was missed; return how many files that were."""
        before = self._place()
        stretch = list(self._bucket.listed(before, LISTED))
        place = stretch[-1].key if len(stretch) == LISTED else ""
        young = [listed for listed in stretch if self._is_due(listed)]
        if len(young) > LOOKED_AT:
            place = young[LOOKED_AT - 1].key
        if place != before:  # first: a file that this process dies of must not come every time
            self._bucket.put(_PLACE, place.encode())
        return sum(self._take_missed(listed) for listed in young[:LOOKED_AT])

    def _is_due(self, listed: Listed) -> bool:
        age = self._ports.clock() - listed.modified_at
        return AT_REST <= age < YOUNG and is_request_name(listed.key)

    def _take_missed(self, listed: Listed) -> bool:
        """An entry point: one file's trouble does not keep the others from being looked at."""
        name = listed.key.removeprefix(REQUESTS)
        try:
            entries = read_receipt(self._bucket.load(name).content)
            if listed.etag in {entry.get("etag") for entry in entries}:
                return False
            log.warning("request file %r was missed", name)
            return self._answer(
                self._bucket.find(DroppedObject(self._name, listed.key, None, listed.etag))
            )
        except (Unavailable, StaleRun, NotFound):
            log.warning("request file %r comes again", name, exc_info=True)
        except Exception:
            log.exception("request file %r cannot be taken in", name)
        return False

    def _answer(self, file: RequestFile) -> bool:
        return request_files.answer(file, self._bucket, self._ports, self._submit, self._split)

    def _place(self) -> str:
        """A place that cannot be read is the beginning."""
        try:
            return self._bucket.read(_PLACE).decode()
        except (NotFound, UnicodeDecodeError):
            return ""
