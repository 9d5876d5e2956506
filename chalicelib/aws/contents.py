"""The Contents of the AWS home: S3 hands the bytes out itself, to whoever has the link.

A link is for one object, as an attachment, and lives five minutes. S3 answers Range requests.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final
from urllib.parse import quote

from botocore.exceptions import BotoCoreError, IncompleteReadError
from urllib3.exceptions import HTTPError

from chalicelib.aws.bucket_owners import expecting
from chalicelib.aws.clients import Clients
from chalicelib.aws.object_store import telling
from chalicelib.aws.piecewise import put_pieces
from chalicelib.core.data_sync.checksums import part_bytes
from chalicelib.core.errors import Unavailable
from chalicelib.core.object_names import parse_object
from chalicelib.core.site import Site

LINK_SECONDS: Final = 300
CHUNK_BYTES: Final = 256 * 1024


class S3Contents:
    """Reads through one of boto3's clients, and signs links with another."""

    def __init__(self, s3: Any, presigning: Any) -> None:
        self._s3 = s3
        self._presigning = presigning

    def chunks(self, uri: str, start: int = 0, length: int | None = None) -> Iterator[bytes]:
        """Yield what one GetObject brings, as it comes."""
        name = parse_object(uri)
        end = "" if length is None else start + length - 1
        asked = {"Range": f"bytes={start}-{end}"} if start or length is not None else {}
        with telling(uri):
            answer = self._s3.get_object(Bucket=name.bucket, Key=name.key, **asked)
        try:
            yield from answer["Body"].iter_chunks(CHUNK_BYTES)
        except (BotoCoreError, IncompleteReadError, HTTPError) as exc:
            raise Unavailable(f"{uri}: {exc}") from exc
        finally:
            answer["Body"].close()

    def link(self, uri: str, name: str, mime_type: str) -> str | None:
        """Return the presigned URL. It is a secret: never log it."""
        found = parse_object(uri)
        asked = {
            "Bucket": found.bucket,
            "Key": found.key,
            "ResponseContentType": mime_type,
            "ResponseContentDisposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}",
        }
        with telling(uri):
            url: str = self._presigning.generate_presigned_url(
                "get_object", Params=asked, ExpiresIn=LINK_SECONDS
            )
        return url

    def put(self, uri: str, pieces: Iterable[bytes], most_bytes: int) -> int:
        """Put what fits into a part in one request, and anything larger part by part."""
        return put_pieces(self._s3, uri, pieces, part_bytes(most_bytes))


def worker_contents(site: Site) -> S3Contents:
    """Return those of a worker job, for which nobody waits."""
    clients = Clients(site.aws_region, is_patient=True, prepare=expecting(site.bucket_owners))
    return S3Contents(clients.get("s3"), clients.presigning())
