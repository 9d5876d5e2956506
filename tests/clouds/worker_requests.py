"""Requests of workers, as the server that stands in for AWS gets them: which calls they are.

Workers move bytes with a library of their own, which no hook of botocore sees. They are known by
their access key; the body is put back for who serves the request.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, unquote
from xml.etree import ElementTree as ET

WORKER_KEY = "worker"
_REST = {
    "/v1/describejobs": ("batch", "DescribeJobs"),
    "/2015-02-01/file-systems": ("efs", "DescribeFileSystems"),
    "/2015-02-01/access-points": ("efs", "DescribeAccessPoints"),
}

Call = tuple[str, str, dict[str, Any]]


def read_request(environ: dict[str, Any]) -> Iterator[Call]:
    """Yield (service, operation, parameters). Raises KeyError for what no worker should ask."""
    service = environ["HTTP_AUTHORIZATION"].partition("Credential=")[2].split("/")[3]
    path = unquote(environ["PATH_INFO"])
    match service:
        case "dynamodb":
            operation = environ["HTTP_X_AMZ_TARGET"].partition(".")[2]
            yield service, operation, json.loads(_body(environ))
        case "s3":
            yield from _of_s3(environ, path)
        case _:
            yield (*_REST[path.rstrip("/")], {})


def _of_s3(environ: dict[str, Any], path: str) -> Iterator[Call]:
    bucket, _, key = path.lstrip("/").partition("/")
    asked = parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True)
    method, params = environ["REQUEST_METHOD"], {"Bucket": bucket, **({"Key": key} if key else {})}
    if source := environ.get("HTTP_X_AMZ_COPY_SOURCE"):
        params["CopySource"] = source
    if "tagging" in asked:
        yield "s3", {"GET": "GetObjectTagging", "PUT": "PutObjectTagging"}[method], params
    elif "delete" in asked:
        found = ET.fromstring(_body(environ)).iter()
        keys = [each.text for each in found if each.tag.rpartition("}")[2] == "Key"]
        yield "s3", "DeleteObjects", params | {"Delete": {"Objects": [{"Key": k} for k in keys]}}
    elif method == "DELETE":
        yield "s3", "AbortMultipartUpload" if "uploadId" in asked else "DeleteObject", params
    elif method in {"PUT", "POST"}:
        yield "s3", "PutObject", params
    else:
        yield "s3", "GetObject" if key else "ListObjectsV2", params


def _body(environ: dict[str, Any]) -> bytes:
    content = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.input"] = io.BytesIO(content)
    return content
