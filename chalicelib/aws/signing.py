"""Signatures for a REST API whose routes ask for AWS_IAM (AWS Signature Version 4).

The caller's own credentials are found where the AWS command line finds them. The signature covers
method, path, query, host, date and body; it holds for five minutes and for nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import botocore.session
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import BotoCoreError

from chalicelib.aws.gateway_hosts import gateway_region
from chalicelib.core.errors import Misconfigured

_SERVICE: Final = "execute-api"


class RequestSigner:
    """Signs requests; the credentials are fetched once, and renewed where they can be."""

    def __init__(self, credentials: Any, region: str | None = None) -> None:
        self._credentials = credentials
        self._region = region

    def sign(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes = b""
    ) -> dict[str, str]:
        """Return ``headers`` and those that make the signature. Raises Misconfigured.

        ``url`` is the one that will be asked, query and all. The region is that of the host's
        name; a domain of the deployment's own has none in it, and then the site's counts.
        """
        region = self._region_of(url)
        request = AWSRequest(method=method, url=url, data=body, headers=dict(headers))
        try:
            frozen = self._credentials.get_frozen_credentials()
            SigV4Auth(frozen, _SERVICE, region).add_auth(request)
        except BotoCoreError as exc:
            raise Misconfigured(f"no AWS credentials to sign the request with: {exc}") from exc
        return dict(request.headers.items())

    def _region_of(self, url: str) -> str:
        region = gateway_region(url) or self._region
        if not region:
            raise Misconfigured(f"{url}: AWS_REGION is needed to sign requests to this host")
        return region


def signer(region: str | None = None) -> RequestSigner:
    """Return a signer with the credentials of the environment. Raises Misconfigured."""
    try:
        credentials = botocore.session.get_session().get_credentials()
    except BotoCoreError as exc:
        raise Misconfigured(f"AWS credentials: {exc}") from exc
    if credentials is None:
        raise Misconfigured(
            "this deployment takes signed requests and there are no AWS credentials: set"
            " AWS_PROFILE or AWS_ACCESS_KEY_ID, or give a token"
        )
    return RequestSigner(credentials, region)
