"""ListObjectsV2, asked for and read by ourselves.

obstore's listing drops the last ``/`` of a key, so that the mark of an empty folder looks like an
empty file, and fails as a whole at a key with an empty or a ``..`` segment; boto3's takes five
times as long to read a page. The signature is botocore's, the XML the standard library's expat,
without a tree: that makes 6,000 objects of a page, which the garbage collector walks through.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final, NamedTuple
from urllib.parse import quote, unquote_plus, urlsplit
from xml.parsers import expat

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import HTTPClientError
from botocore.httpsession import URLLib3Session

from chalicelib.aws.buckets import Buckets, answered
from chalicelib.aws.client_errors import is_no, translated
from chalicelib.carriers import Entry
from chalicelib.core.errors import NotFound, Unavailable

_PAUSES_SECONDS: Final = (0.1, 0.2, 0.4, 0.8, 1.6)
"""Between tries of a page that S3 did not answer, or answered with "SlowDown"."""
_LONGEST_TEXT: Final = 65_536
"""An encoded key has at most 3 KB; a text that is longer would come in pieces."""


class Page(NamedTuple):
    """At most a thousand objects, and what to ask for the next ones with."""

    entries: list[Entry]
    next_token: str | None


class BucketListing:
    """Lists buckets, page by page."""

    def __init__(self, buckets: Buckets) -> None:
        self._buckets = buckets
        self._http = URLLib3Session(timeout=60)

    def below(self, bucket: str, prefix: str) -> Iterator[Entry]:
        """Yield the objects whose keys begin with the prefix; none where there is no bucket."""
        token = None
        while True:
            try:
                page = self._page(bucket, prefix, token)
            except NotFound:
                return
            yield from page.entries
            token = page.next_token
            if token is None:
                return

    def exactly(self, bucket: str, key: str) -> Iterator[Entry]:
        """Yield the object of that key, which comes before all that begin with it."""
        try:
            page = self._page(bucket, key, None, most=1)
        except NotFound:
            return
        yield from (entry for entry in page.entries if entry.uri == f"s3://{bucket}/{key}")

    def _page(self, bucket: str, prefix: str, token: str | None, most: int = 1000) -> Page:
        asked = {"list-type": "2", "prefix": prefix, "encoding-type": "url", "max-keys": str(most)}
        if token is not None:
            asked["continuation-token"] = token
        uri = f"s3://{bucket}/{prefix}"
        for pause in _PAUSES_SECONDS:
            try:
                return read_page(self._ask(bucket, asked, uri), bucket)
            except Unavailable:
                time.sleep(pause)
        return read_page(self._ask(bucket, asked, uri), bucket)

    def _ask(self, bucket: str, asked: dict[str, str], uri: str) -> bytes:
        with translated(uri, is_no):
            try:
                answer = self._http.send(self._signed(bucket, asked))
            except HTTPClientError as exc:
                raise Unavailable(f"{uri}: {exc}") from exc
            if answer.status_code == 200:
                return bytes(answer.content)
            error = answered(answer.status_code, answer.content.decode(errors="replace"))
            if error.response["Error"]["Code"] in {"NoSuchBucket", "404"}:
                raise NotFound(f"there is no bucket {bucket!r}")
            raise error

    def _signed(self, bucket: str, asked: dict[str, str]) -> Any:
        access = self._buckets.access
        query = "&".join(f"{key}={quote(asked[key], safe='')}" for key in sorted(asked))
        url = f"{access.endpoint}/{bucket}?{query}"
        headers = {"Host": urlsplit(url).netloc, **self._buckets.headers(bucket)}
        request = AWSRequest("GET", url, headers=headers)
        S3SigV4Auth(access.credentials, "s3", access.region).add_auth(request)
        return request.prepare()


def read_page(content: bytes, bucket: str) -> Page:
    """Read one answer of ListObjectsV2 that was asked for with ``encoding-type=url``.

    Raises Unavailable for what is no such answer: it must not pass for an empty bucket.
    """
    entries: list[Entry] = []
    texts: list[str] = []  # what was read since an element ended: one text, or none
    found: dict[str, str] = {}
    root, last = f"s3://{bucket}/", ""

    def ended(name: str) -> None:
        nonlocal last
        last = name
        if texts:
            found[name] = texts.pop()
        if name == "Contents":
            key = found.pop("Key", "").strip()  # its own spaces come as + or %20
            entries.append(
                Entry(
                    root + (unquote_plus(key) if "%" in key or "+" in key else key),
                    int(found.pop("Size", "0")),
                    datetime.fromisoformat(found.pop("LastModified", "").strip()),
                    found.pop("ETag", "").strip().strip('"') or None,
                )
            )

    parser = expat.ParserCreate()
    parser.buffer_text, parser.buffer_size = True, _LONGEST_TEXT
    parser.CharacterDataHandler, parser.EndElementHandler = texts.append, ended
    try:
        parser.Parse(content, True)
    except expat.ExpatError as exc:
        raise Unavailable(f"s3://{bucket}: the list cannot be read: {exc}") from exc
    if last.rpartition(":")[2] != "ListBucketResult":
        raise Unavailable(f"s3://{bucket}: {last!r} came where a list was asked for")
    token = found.get("NextContinuationToken")
    return Page(entries, token.strip() if token else None)
