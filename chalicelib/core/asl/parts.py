"""Parts of a state machine: some states, the first of them, and a way on that is still open.

A state that goes on says ``"Next": NEXT``; joining parts says to where, closing them ends there.
Names of states are the machine's own: no two of them are alike, wherever they stand.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple, Self

from chalicelib.core.asl.expressions import Marks, fields
from chalicelib.core.limits import STATE_NAME_CHARACTERS
from chalicelib.core.site import Site

NEXT: Final = "\0next"
ANY_ERROR: Final = "States.ALL"
State = dict[str, Any]


class Part(NamedTuple):
    """Some states, and the name of the first."""

    start: str
    states: dict[str, State]


class Names:
    """The names that are taken."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def take(self, text: str) -> str:
        """Return a name that nobody has, the text itself where that is possible."""
        name = text
        for number in range(len(self._taken) + 2):
            if len(name) <= STATE_NAME_CHARACTERS and name not in self._taken:
                break
            mark = hashlib.sha256(f"{text} {number}".encode()).hexdigest()[:8]
            name = f"{text[: STATE_NAME_CHARACTERS - 9]}-{mark}"
        self._taken.add(name)
        return name


class Place(NamedTuple):
    """Where in the machine something is put, and what is the same in all of it."""

    names: Names
    marks: Marks
    site: Site
    nested: Callable[[dict[str, Any], Place], Part]
    """Makes the part of a pipeline within the pipeline."""
    path: str = ""
    retry: tuple[State, ...] = ()
    """What each stage of a pipeline is tried again by."""

    def below(self, name: str) -> Self:
        """Return the place of what belongs to something of that name."""
        return self._replace(path=f"{self.path}{name}.")

    def name(self, text: str) -> str:
        """Return the name for a state."""
        return self.names.take(f"{self.path}{text}")

    def resource(self, call: str) -> str:
        """Return the ARN of a service's call."""
        region = self.site.aws_region
        special = {"cn": "aws-cn", "us-gov": "aws-us-gov"}
        found = (name for start, name in special.items() if region.startswith(f"{start}-"))
        return f"arn:{next(found, 'aws')}:states:::{call}"


def single(name: str, state: State) -> Part:
    """Return the part of one state; it goes on, unless it says where to."""
    ends = {"Fail", "Choice", "Succeed"}
    return Part(name, {name: state if state["Type"] in ends else {**state, "Next": NEXT}})


def passing(name: str, tree: Mapping[str, Any], result_path: str) -> Part:
    """Return a Pass state that puts a template's value at the path."""
    state = {"Type": "Pass", "Parameters": fields(tree), "ResultPath": result_path}
    return single(name, state)


def chain(*parts: Part) -> Part:
    """Return the parts one after another."""
    states: dict[str, State] = {}
    for part, after in zip(parts, (*parts[1:], None), strict=True):
        states |= part.states if after is None else _led(part, {"Next": after.start})
    return Part(parts[0].start, states)


def closed(part: Part) -> dict[str, Any]:
    """Return the part as a machine, or as a branch or an iterator of one."""
    return {"StartAt": part.start, "States": _led(part, {"End": True})}


def enclosed(
    name: str, part: Part, result_path: str | None, selector: Mapping[str, Any], **more: Any
) -> Part:
    """Return the part as one state, which takes what is around it and adds what comes of it.

    The one branch of a Parallel state: only so can States put several states in the place of one.
    """
    state = {"Type": "Parallel", **more, "Branches": [closed(part)]}
    return single(name, {**state, "ResultSelector": dict(selector), "ResultPath": result_path})


def either(name: str, rule: Mapping[str, Any], then: Part, otherwise: Part) -> Part:
    """Return a choice between two parts, which meet again."""
    choice = {
        "Type": "Choice",
        "Choices": [{**rule, "Next": then.start}],
        "Default": otherwise.start,
    }
    return Part(name, {name: choice, **then.states, **otherwise.states})


def for_each(name: str, part: Part, items: str, selector: Mapping[str, Any], **more: Any) -> Part:
    """Return a Map state over the items at the path."""
    processor = {"ProcessorConfig": {"Mode": "INLINE"}, **closed(part)}
    state = {"Type": "Map", "ItemsPath": items, "ItemSelector": fields(selector)}
    return single(name, {**state, "ItemProcessor": processor, **more})


def _led(part: Part, way: Mapping[str, Any]) -> dict[str, State]:
    return {
        name: {**{k: v for k, v in state.items() if k != "Next"}, **way}
        if state.get("Next") == NEXT
        else state
        for name, state in part.states.items()
    }
