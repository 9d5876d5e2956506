"""The base of our own nouns: values that cannot change and refuse what they do not know.

What is stored must be readable by the version before, as long as nothing is used that is new:
while a deployment lasts both are at work, and it may have to be taken back. So a field that a
stored noun gets later stays out of it while it is empty:
``Field(default=None, exclude_if=is_empty)``.
"""

from __future__ import annotations

from operator import not_ as is_empty

from pydantic import BaseModel, ConfigDict

__all__ = ["Noun", "is_empty"]


class Noun(BaseModel):
    """A frozen value. Wire models of the neighbours have their own base (``demand/wire.py``)."""

    # An error that nobody foresaw is logged, and what was sent must not be in it. Validators are
    # built at their first use: a Lambda's event needs few of the three hundred that it imports.
    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, defer_build=True
    )
