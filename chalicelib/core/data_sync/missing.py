"""The error of a sync whose source is not there."""

from __future__ import annotations

from chalicelib.core.errors import NotFound


class SourceMissing(NotFound, FileNotFoundError):
    """Nothing is at the source.

    A FileNotFoundError too, because that is the class which the neighbours' clients catch (specs:
    section 14 of the demand wire format).
    """
