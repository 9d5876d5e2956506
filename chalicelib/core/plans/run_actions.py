"""The stages of pipelines: runs that a run starts, choices, and values made of other values.

Their texts may be references (``core/states``) into one document::

    {"input": …, "stages": {NAME: {"result": …}}, "run": {"id", "group"}}

and, for the runs of a ``for_each``, ``item`` and ``index`` besides. They are looked up when the
stage is performed, for only then are the results there.
"""

from __future__ import annotations

from typing import Final, Literal

from pydantic import Field, JsonValue

from chalicelib.core.noun import Noun

PIPELINE: Final = "pipeline"
"""The kind of run whose document has stages."""
MOST_CHILDREN: Final = 1_000
"""Runs of one stage: their results are looked at together, in seconds of a Lambda."""
MOST_AT_ONCE: Final = 40
"""As many iterations as an inline Map of Step Functions runs at once (its quotas page)."""


class RunsAction(Noun):
    """Start a run for each item, and wait until they have ended: then the stage has a result.

    One fails: those that have not ended are cancelled, and the stage fails as that one did.
    Result: the run's own, or the list of the items' own.
    """

    action: Literal["runs"] = "runs"
    kind: str
    request: dict[str, JsonValue] | str
    """The document that the kind takes, with references, or a reference to the whole of it."""
    defaults: dict[str, JsonValue] = {}
    """Merged under the document that is referred to (3.1)."""
    for_each: str | None = None
    """A reference to a list; None: one run."""
    at_once: int = Field(default=MOST_AT_ONCE, ge=1, le=MOST_AT_ONCE)
    may_fail: bool = False
    """Its failure is noted, ``{"Error", "Cause"}``, and the stage is COMPLETE all the same."""
    keeps_results: bool = True
    """False: the result is null, whatever the runs' are."""


class Case(Noun):
    """One branch of a choice."""

    when: dict[str, JsonValue]
    """A rule of ``core/states/choices.py``."""
    then: str
    """What the stage's result is if the rule holds, and no rule before it does."""


class Choose(Noun):
    """Tell which branch is taken. Result: its name; stages with ``when`` look at it."""

    action: Literal["choose"] = "choose"
    cases: tuple[Case, ...]
    default: str | None = None
    """None: where no rule holds the stage fails, as States.NoChoiceMatched does."""


class MakeValue(Noun):
    """Make a value out of the others. Result: the value."""

    action: Literal["make-value"] = "make-value"
    value: JsonValue
    """With references."""


class Chosen(Noun):
    """What must have been chosen for a stage to be performed."""

    stage: str
    """Whose result it is: a Choose that the stage comes after."""
    branch: str
