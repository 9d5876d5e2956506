"""The name of a parameter as an environment variable (section 3.1 of the demand wire format).

``inputs``, ``outputs``, pairs and references all speak of parameters by this name, so ``in-file``,
``in.file`` and ``IN_FILE`` are one parameter, and two of them in one document are an error.
"""

from __future__ import annotations

import re
from typing import Final

from chalicelib.core.documents import shortened
from chalicelib.core.errors import InvalidRequest

NAME_PATTERN: Final = "[_a-zA-Z][_a-zA-Z0-9]*"
_NAME: Final = re.compile(NAME_PATTERN)
_SEPARATORS: Final = str.maketrans("-.", "__")


def env_name(name: str) -> str:
    """Return ``in-file`` as ``IN_FILE``; raises InvalidRequest, without a field.

    The pattern is applied before the letters are raised: upper case makes plain ASCII of some
    letters that are not, such as the German sharp s.
    """
    candidate = name.translate(_SEPARATORS)
    if _NAME.fullmatch(candidate) is None:
        raise InvalidRequest(
            f"{shortened(name)!r} is not a parameter's name",
            value=shortened(name),
            mend="use ASCII letters, digits, '_', '-' and '.', and do not begin with a digit",
        )
    return candidate.upper()
