"""What is deployed, in the artifacts bucket: each file under its digest, so it never changes."""

from __future__ import annotations

import hashlib
from typing import Any


def put(s3: Any, bucket: str, content: bytes, ending: str) -> str:
    """Put the content and return its key. Putting it again changes nothing."""
    key = f"packages/{hashlib.sha256(content).hexdigest()}{ending}"
    s3.put_object(Bucket=bucket, Key=key, Body=content)
    return key
