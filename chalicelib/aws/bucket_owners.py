"""Whose account a bucket has to be in, said with every request that boto3 sends to S3.

A bucket's name is free again once it is deleted, and anybody may take it then: a request that
names the account it expects is refused by everyone else's bucket (Amazon S3 user guide, "Verifying
bucket ownership with bucket owner condition"). obstore is told by itself (``buckets``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Prepare = Callable[[Any], Any]


def expecting(owners: Mapping[str, str]) -> Prepare:
    """Return what prepares a client: one of S3 names the owner of every bucket in ``owners``."""

    def with_owner(params: dict[str, Any], model: Any, **_: Any) -> dict[str, Any]:
        owner = owners.get(params.get("Bucket", ""))
        if owner is None or "ExpectedBucketOwner" not in model.input_shape.members:
            return params
        return {"ExpectedBucketOwner": owner, **params}

    def prepare(client: Any) -> Any:
        if owners and client.meta.service_model.service_name == "s3":
            client.meta.events.register("provide-client-params.s3", with_owner)
        return client

    return prepare
