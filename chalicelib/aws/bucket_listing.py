"""ListObjectsV2, asked for and read by ourselves.

obstore's listing drops the last ``/`` of a key, so that the mark of an empty folder looks like an
empty file, and fails as a whole at a key with an empty or a ``..`` segment; boto3's takes five
times as long to read a page. The signature is botocore's, the XML the standard library's.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final, NamedTuple
from urllib.parse import quote, unquote_plus, urlsplit
from xml.etree import ElementTree as ET

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import HTTPClientError
from botocore.httpsession import URLLib3Session

from chalicelib.aws.buckets import Buckets, answered
from chalicelib.aws.client_errors import is_no, translated
from chalicelib.core.errors import NotFound, Unavailable
from chalicelib.ports import Entry

_PAUSES_SECONDS: Final = (0.1, 0.2, 0.4, 0.8, 1.6)
"""Between tries of a page that S3 did not answer, or answered with "SlowDown"."""


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
    """Read one answer of ListObjectsV2 that was asked for with ``encoding-type=url``."""
    root = ET.fromstring(content)  # noqa: S314 -- S3's own answer to a signed request
    space = root.tag.removesuffix(
        "ListBucketResult"
    )  # a page has 5,000 elements: look up, no loop
    key, size, at, etag = (f"{space}{name}" for name in ("Key", "Size", "LastModified", "ETag"))
    entries = []
    for found in root.iterfind(f"{space}Contents"):
        name = found.findtext(key, "")
        entries.append(
            Entry(
                f"s3://{bucket}/{unquote_plus(name) if '%' in name or '+' in name else name}",
                int(found.findtext(size, "0")),
                datetime.fromisoformat(found.findtext(at, "")),
                found.findtext(etag, "").strip('"') or None,
            )
        )
    return Page(entries, root.findtext(f"{space}NextContinuationToken"))
