"""One obstore store for each bucket, and what obstore raises, in our own words.

A header that is given as a default is signed with every request but a listing (object_store
0.14), and we list by ourselves; so ``x-amz-expected-bucket-owner`` is such a default.

What obstore cannot do, and who does it instead: keys with control characters, empty segments or a
last ``/``, which it would change in silence (``is_plain``; boto3); listings that have such
(``bucket_listing``); copies from another bucket, or over 5 GiB (``object_copies``).
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from botocore.exceptions import ClientError
from obstore.exceptions import BaseError
from obstore.store import S3Store

from chalicelib.aws.client_errors import is_no, translated
from chalicelib.aws.s3_access import S3Access
from chalicelib.core.errors import NotFound, Unavailable

if TYPE_CHECKING:
    from obstore.store import RetryConfig

OWNER_HEADER: Final = "x-amz-expected-bucket-owner"
_TIMEOUT: Final = timedelta(minutes=5)
"""For a whole request; the largest part is 512 MiB."""
_SILENCE: Final = timedelta(seconds=60)
RETRIES: RetryConfig = {"max_retries": 10, "retry_timeout": timedelta(minutes=3)}
"""What obstore does by itself: of a request that got no answer, a broken one or a 5xx; between
them 0.1 to 15 s, twice as much each time."""

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_STATUS: Final = re.compile(r"status code: (\d{3})")
_CODE: Final = re.compile(r"<Code>(\w+)</Code>")
_MESSAGE: Final = re.compile(r"<Message>([^<]*)</Message>")


class Buckets:
    """The stores of one process. ``owners`` tells whose account a bucket has to be in."""

    def __init__(self, access: S3Access, owners: Mapping[str, str] | None = None) -> None:
        """Open nothing yet."""
        self.access = access
        self.owners = owners or {}
        self._lock = threading.Lock()
        self._stores: dict[str, S3Store] = {}

    def store(self, bucket: str) -> S3Store:
        """Return the bucket's store; it has a pool of connections of its own."""
        with self._lock:
            if bucket not in self._stores:
                self._stores[bucket] = self._open(bucket)
            return self._stores[bucket]

    def headers(self, bucket: str) -> dict[str, str]:
        """Return the headers that every request for the bucket carries."""
        return {OWNER_HEADER: self.owners[bucket]} if bucket in self.owners else {}

    def _open(self, bucket: str) -> S3Store:
        return S3Store(
            bucket,
            endpoint=self.access.endpoint,
            region=self.access.region,
            credential_provider=self.access.credential,  # type: ignore[arg-type]
            retry_config=RETRIES,
            client_options={
                "allow_http": True,  # said by whoever gives an endpoint that begins with http:
                "connect_timeout": timedelta(seconds=10),
                "read_timeout": _SILENCE,
                "timeout": _TIMEOUT,
                "default_headers": self.headers(bucket),
            },
        )


def is_plain(key: str) -> bool:
    """Tell whether obstore takes the key as it is; of those it does not, some it would change."""
    return _CONTROL.search(key) is None and not {"", ".", ".."} & set(key.split("/"))


@contextmanager
def talking(uri: str) -> Iterator[None]:
    """Turn obstore's errors into ours; ``uri`` begins the message."""
    try:
        yield
    except FileNotFoundError as exc:
        raise NotFound(f"there is no object {uri!r}") from exc
    except BaseError as exc:
        with translated(uri, is_no):
            raise _as_client_error(exc, uri) from exc


def _as_client_error(exc: BaseError, uri: str) -> ClientError:
    """obstore has one class for most answers; the answer itself stands in its text."""
    text = str(exc)
    status = _STATUS.search(text)
    if status is None:
        raise Unavailable(f"{uri}: {text.partition('Debug source')[0].strip()}") from exc
    return answered(int(status[1]), text)


def answered(status: int, body: str) -> ClientError:
    """Return what botocore would have raised for S3's answer."""
    code, message = _CODE.search(body), _MESSAGE.search(body)
    error = {"Code": code[1] if code else str(status), "Message": message[1] if message else ""}
    metadata = {"HTTPStatusCode": status}
    return ClientError({"Error": error, "ResponseMetadata": metadata}, "S3")
