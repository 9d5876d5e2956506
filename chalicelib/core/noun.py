"""The base of our own nouns: values that cannot change and refuse what they do not know."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Noun(BaseModel):
    """A frozen value. Wire models of the neighbours have their own base (``demand/wire.py``)."""

    # An error that nobody foresaw is logged, and what was sent must not be in it. Validators are
    # built at their first use: a Lambda's event needs few of the three hundred that it imports.
    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, defer_build=True
    )
