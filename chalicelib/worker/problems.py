"""Errors that are the user's to mend, told in one sentence: which parameter, what, and the mend.

A worker ends in one of four ways: it did its work, the order cannot be carried out (this module:
the engine shows the sentence to the user), another job holds the claim, or the infrastructure
failed and somebody may try again.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from chalicelib.core.errors import InvalidRequest, NotFound, Refused

_MENDS: Final = {
    errno.ENOTDIR: "a file lies where a folder is needed: give the input or output another path",
    errno.EISDIR: "a folder lies where a file is needed: give the input or output another path",
    errno.ENOTEMPTY: "a folder lies where a file is needed: give the input or output another path",
    errno.EEXIST: "a file lies where a folder is needed: give the input or output another path",
    errno.ELOOP: "symbolic links lead in a circle: remove them",
    errno.ENAMETOOLONG: "a path is too long for the file system: give a shorter one",
}
"""What a path itself can be guilty of. Anything else (a full disk, an I/O error) is not his."""


@contextmanager
def problems_of(param: str) -> Iterator[None]:
    """Turn what the user can mend into InvalidRequest with the parameter as its field."""
    try:
        yield
    except InvalidRequest as exc:
        raise InvalidRequest(exc.message, field=param, value=exc.value, mend=exc.mend) from exc
    except (Refused, NotFound) as exc:
        raise InvalidRequest(str(exc), field=param) from exc
    except OSError as exc:
        if exc.errno not in _MENDS:
            raise
        message = f"{exc.filename!r}: {exc.strerror}"
        raise InvalidRequest(message, field=param, mend=_MENDS[exc.errno]) from exc


def sentence(exc: InvalidRequest | Refused | NotFound) -> str:
    """Return the error in words for the user."""
    if not isinstance(exc, InvalidRequest):
        return str(exc)
    subject = f"{exc.field}: " if exc.field else ""
    return subject + exc.message + (f"; {exc.mend}" if exc.mend else "")
