"""Every error that this package raises on purpose: one class per reaction, not per cause.

::

    FalseworkError
    ├── InvalidRequest   the caller's document is wrong          → HTTP 400, never retried
    │   ├── TooLarge     it is larger than we can take           → HTTP 413
    │   └── KeyReused    its Idempotency-Key was another's       → HTTP 422
    ├── Forbidden        the site does not allow it              → HTTP 403
    ├── Unauthenticated  nobody knows who asks                   → HTTP 401
    ├── NotFound         nothing has that name                   → HTTP 404
    ├── Conflict         the run cannot take that now            → HTTP 409
    │   ├── BeingDeleted  it is half deleted already         → HTTP 409, or deleted again
    │   └── UnderWay     the same request is being answered      → HTTP 409, asked again
    ├── StaleRun         another event was faster: reload        → decided again
    ├── Refused          the backend said no, for good           → the stage ends in ERROR
    │   └── StepFailed   what the request itself named failed    → the same, with its own cause
    ├── Unavailable      the backend did not answer: try later   → redelivered, or swept
    │   ├── TurnedAway   it answered "not now": no effect        → a new submission, later
    │   └── TooManyRequests  the group has used up its quota     → HTTP 429, redelivered
    └── Misconfigured    the deployment's own facts are wrong    → fails at the start
"""

from __future__ import annotations


class FalseworkError(Exception):
    """The root of the tree above."""


class InvalidRequest(FalseworkError, ValueError):
    """The document names something that cannot be done; nothing has changed.

    ``field`` is the dotted path of the culprit, ``value`` what stood there (cut short where it
    is shown), ``mend`` what the caller can do about it. It is a ValueError because that is the
    base class the neighbours' clients catch (specs: section 14 of the demand wire format).
    """

    def __init__(
        self, message: str, *, field: str = "", value: object = None, mend: str = ""
    ) -> None:
        super().__init__(message)
        self.message = message
        self.field = field
        self.value = value
        self.mend = mend


class TooLarge(InvalidRequest):
    """The document is larger than a limit of ours or of AWS's; see ``core/limits.py``."""


class KeyReused(InvalidRequest):
    """The Idempotency-Key came with another request before; nothing has changed."""


class Forbidden(InvalidRequest):
    """The request is well formed and the site does not allow it."""


class Unauthenticated(FalseworkError):
    """The request shows no token, or none that is good: nothing is said about why."""


class NotFound(FalseworkError):
    """Nothing of that name exists, or the caller may not know that it does."""


class Conflict(FalseworkError):
    """The run's state does not admit the event; nothing has changed."""


class BeingDeleted(Conflict):
    """Somebody has begun to delete the run: who does it again ends what was begun."""

    def __init__(self, message: str, *, group: str) -> None:
        super().__init__(message)
        self.group = group


class UnderWay(Conflict):
    """The first request with this Idempotency-Key has not been answered yet: ask again."""

    def __init__(self, message: str, *, retry_after_seconds: int) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class StaleRun(FalseworkError):
    """Somebody saved the run since it was loaded: load it and decide again."""


class Refused(FalseworkError):
    """The backend has answered that it will never accept this order."""


class StepFailed(Refused):
    """Something that is the user's own went wrong; ``cause`` is the word for RunError.cause."""

    def __init__(self, message: str, *, cause: str) -> None:
        super().__init__(message)
        self.cause = cause


class Unavailable(FalseworkError):
    """The backend failed or did not answer; whether the order had an effect is unknown."""


class TurnedAway(Unavailable):
    """The backend has answered that it does not take the order now; it certainly had no effect."""


class TooManyRequests(Unavailable):
    """A quota is used up; nothing has changed. The same request may be taken later."""

    def __init__(self, message: str, *, retry_after_seconds: int) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class Misconfigured(FalseworkError):
    """A setting is missing or contradicts another one."""
