"""How a command ends that cannot go on: with one sentence that says what to do, and exit code 1.

::

    Failed ─┬─ StackFailed   a stack is not as it should be        (stacks)
            ├─ BuildFailed   there is nothing to deploy            (build)
            └─ NoImage       there is no image of the worker       (image)

What AWS refuses is told in its own words, with the mend where we know one. Nothing else is caught:
any other exception is a fault of ours, and its traceback is what helps.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Final

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    TokenRetrievalError,
)


class Failed(Exception):
    """What was asked for cannot be done, why, and what to do."""


_LOGIN: Final = "log in (`aws sso login`), or set AWS_PROFILE or the keys"
_RIGHTS: Final = (
    "who deploys needs the policies of infra/deployer.yaml (docs/deploy.md, Who may deploy)"
)
_MENDS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("AccessDenied", "AccessDeniedException", "UnauthorizedOperation"), _RIGHTS),
    **dict.fromkeys(
        (
            "ExpiredToken",
            "ExpiredTokenException",
            "InvalidClientTokenId",
            "SignatureDoesNotMatch",
            "UnrecognizedClientException",
        ),
        _LOGIN,
    ),
    **dict.fromkeys(("Throttling", "ThrottlingException"), "the same command again in a minute"),
}
"""Error code → what to do about it."""


def exit_code(command: str, run: Callable[[], int]) -> int:
    """Return what ``run`` returns, or 1 when it cannot go on, having said why on stderr."""
    try:
        return run()
    except (Failed, ClientError, BotoCoreError) as exc:
        print(f"{command}: {sentence(exc)}", file=sys.stderr)
        return 1


def sentence(exc: Exception) -> str:
    """Return what is told of it."""
    match exc:
        case NoRegionError():
            return "no region is named: set AWS_REGION, or `region` in the profile"
        case NoCredentialsError() | PartialCredentialsError() | TokenRetrievalError():
            return f"{exc}: {_LOGIN}"
        case ClientError():
            mend = _MENDS.get(str(exc.response["Error"]["Code"]))
            return f"{exc}: {mend}" if mend else str(exc)
        case _:
            return str(exc)
