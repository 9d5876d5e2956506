"""The base of the shapes: no key may be missing, and none may be there that is not named."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Shape(BaseModel):
    """What an answer looks like."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)
