"""Where S3 is and who we are there, found as every AWS tool finds it: by botocore.

Environment (``AWS_ENDPOINT_URL_S3``, ``AWS_ENDPOINT_URL``, ``AWS_REGION`` and the rest), profiles
in files, web identity, the container's role, the instance's. obstore knows some of these too; it
is told what botocore found, so that one process is never two principals.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from botocore.configprovider import ConfiguredEndpointProvider
from botocore.credentials import RefreshableCredentials
from botocore.session import Session

from chalicelib.core.errors import Misconfigured

_GOOD_FOR: Final = timedelta(minutes=10)
"""What is left at least of credentials that botocore hands out: it renews them before that
(``botocore/credentials.py``, mandatory refresh)."""


class S3Access(NamedTuple):
    """What is needed to sign a request and to send it."""

    endpoint: str
    """Without a last ``/``; buckets are named in the path."""
    region: str
    credentials: Any
    """botocore's; they renew themselves."""

    def credential(self) -> dict[str, Any]:
        """Return the present credential in obstore's form."""
        frozen = self.credentials.get_frozen_credentials()
        is_lasting = not isinstance(self.credentials, RefreshableCredentials)
        return {
            "access_key_id": frozen.access_key,
            "secret_access_key": frozen.secret_key,
            "token": frozen.token,
            "expires_at": None if is_lasting else datetime.now(UTC) + _GOOD_FOR,
        }


def find_access(region: str, session: Session | None = None) -> S3Access:
    """Return what this process was told; ``region`` is for one that was told none.

    Raises Misconfigured where there are no credentials.
    """
    session = session or Session()
    region = session.get_config_variable("region") or region
    credentials = session.get_credentials()
    if credentials is None:
        raise Misconfigured("there are no AWS credentials: set a profile or a role")
    configured = ConfiguredEndpointProvider(
        full_config=session.full_config,
        scoped_config=session.get_scoped_config(),
        client_name="s3",
    ).provide()
    return S3Access((configured or _endpoint(region)).rstrip("/"), region, credentials)


def _endpoint(region: str) -> str:
    return f"https://s3.{region}.amazonaws.com{'.cn' if region.startswith('cn-') else ''}"
