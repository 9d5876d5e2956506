"""What botocore raises, in our own words. Every call to AWS stands inside ``translated``.

========================================  =============  ========================================
what happened                             is_refused     becomes
========================================  =============  ========================================
AWS says that we may not                  ``is_denied``  Refused: trying again will not help
AWS says no, whatever the reason          ``is_no``      Refused
throttled                                 any            TurnedAway: it had no effect
our own credentials are bad or old        any            TurnedAway: it is not the order's fault
5xx, timeout, no connection               any            Unavailable: the outcome is unknown
the arguments break the SDK's own rules   any            Refused: nothing was ever sent
========================================  =============  ========================================

A method that may not refuse (its port does not say so) passes ``never``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

from chalicelib.core.errors import Refused, TurnedAway, Unavailable

THROTTLED: Final = frozenset(
    {
        "TooManyRequestsException",
        "TooManyRequests",
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "RequestThrottled",
        "RequestThrottledException",
        "RequestLimitExceeded",
        "ProvisionedThroughputExceededException",
        "SlowDown",
    }
)
"""As botocore's own retry rules have them (``botocore/retries/standard.py``); Batch's is the
first (AWS re:Post, "Getting error Too Many Requests")."""

_DENIED: Final = frozenset(
    {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "NotAuthorized"}
)
"""What services answer to a caller whose policy does not allow the action."""

_BAD_CREDENTIALS: Final = frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "MissingAuthenticationToken",
        "RequestExpired",
        "RequestTimeTooSkewed",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
"""AWS, "Common errors" of each API reference: the request was turned away at the door."""

_NOT_FINAL: Final = frozenset({408, 409, 412, 425, 429})
"""HTTP statuses below 500 that tell of a moment, not of the order: timeouts and collisions."""


@contextmanager
def translated(
    what: str, is_refused: Callable[[ClientError], bool] | None = None
) -> Iterator[None]:
    """Turn botocore's errors into Refused and Unavailable; ``what`` begins the message.

    ``is_refused`` tells which answers are final; it is ``is_denied`` unless given.
    """
    try:
        yield
    except ParamValidationError as exc:
        raise Refused(f"{what}: {exc}") from exc
    except ClientError as exc:
        if (is_refused or is_denied)(exc):
            raise Refused(f"{what}: {said(exc)}") from exc
        if is_turned_away(exc):
            raise TurnedAway(f"{what}: {said(exc)}") from exc
        raise Unavailable(f"{what}: {said(exc)}") from exc
    except BotoCoreError as exc:
        raise Unavailable(f"{what}: {exc}") from exc


def code_of(exc: ClientError) -> str:
    """Return the service's name for the error; HTTP's number where it has none."""
    return str(exc.response.get("Error", {}).get("Code", ""))


def said(exc: ClientError) -> str:
    """Return the service's own words, with its name for the error in front."""
    return f"{code_of(exc)}: {exc.response.get('Error', {}).get('Message', '')}"


def is_throttled(exc: ClientError) -> bool:
    """Tell whether the request was turned away for its frequency, and so had no effect."""
    return code_of(exc) in THROTTLED or _status(exc) == 429


def is_turned_away(exc: ClientError) -> bool:
    """Tell whether the request was not looked at, and may be when it comes again."""
    return is_throttled(exc) or code_of(exc) in _BAD_CREDENTIALS


def is_denied(exc: ClientError) -> bool:
    """Tell whether our own policy does not allow the call."""
    return code_of(exc) in _DENIED


def is_no(exc: ClientError) -> bool:
    """Tell whether the service understood the order and will never accept it."""
    is_momentary = is_throttled(exc) or _status(exc) in _NOT_FINAL
    is_about_us = code_of(exc) in _BAD_CREDENTIALS
    return is_denied(exc) or (400 <= _status(exc) < 500 and not is_momentary and not is_about_us)


def never(exc: ClientError) -> bool:  # noqa: ARG001  (one of several)
    """Refuse nothing: for methods whose callers cannot act on it."""
    return False


def _status(exc: ClientError) -> int:
    return int(exc.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
