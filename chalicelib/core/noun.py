"""The base of our own nouns: values that cannot change and refuse what they do not know."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Noun(BaseModel):
    """A frozen value. Wire models of the neighbours have their own base (``demand/wire.py``)."""

    model_config = ConfigDict(frozen=True, extra="forbid")
