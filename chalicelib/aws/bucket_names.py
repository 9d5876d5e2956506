"""Names of objects as a bucket may have them: any key but the empty one.

``core.object_names`` refuses keys that are no paths, such as the ``a/`` that marks a folder. S3
has them all the same, and whoever copies or removes a folder meets them.
"""

from __future__ import annotations

from chalicelib.core.object_names import ObjectName, parse_prefix, refused


def any_object(uri: str) -> ObjectName:
    """Return the parts of the name, the key as it stands. Raises InvalidRequest."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    if not uri.startswith("s3://") or not key:
        raise refused(uri, "a name is s3://BUCKET/KEY")
    return ObjectName(parse_prefix(f"s3://{bucket}").bucket, key)
