"""The first stack: made in two steps, and of what is there already.

::

    what a deleted foundation has left ─▶ taken in, unchanged
    all but alarms and dashboard       ─▶ made: now there is a bucket
    the whole template, from there     ─▶ alarms and dashboard, too

A template in a request has room for the first half only (``templates``). Later there is but one
step, the last. State is retained when its stack is deleted, and keeps its name: without taking it
in, nobody could make the stack again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from infra import leftovers, packages, stacks, templates
from infra.account import Aws
from infra.outputs import Place
from infra.stacks import StackFailed

_NAMES: Final = frozenset({"Prefix", "EnvBase"})
"""Parameters that all names are made of, also those in `.chalice/` and of the functions."""


def deploy(aws: Aws, stage: str, parameters: Mapping[str, str]) -> Place:
    """Make or change what must outlive the application. Raises StackFailed."""
    for each in sorted(_NAMES & parameters.keys()):
        raise StackFailed(
            f"parameter {each}={parameters[each]}: names follow from the stage: STAGE=… is meant"
        )
    cloudformation = aws.cloudformation
    told = {"EnvBase": stage, **parameters}
    name = f"falsework-{stage}-foundation"
    if not stacks.is_there(cloudformation, name):
        first = templates.first()
        if found := leftovers.find(aws, first, told):
            small = leftovers.only(first, {each["LogicalResourceId"] for each in found})
            stacks.take_in(cloudformation, name, small, told, found)
        stacks.apply(cloudformation, name, {"TemplateBody": templates.body(first)}, told)
    whole = templates.read()
    place = Place(stage, stacks.outputs(cloudformation, name))
    bucket = place.outputs["ArtifactBucket"]
    key = packages.put(aws.s3, bucket, templates.body(whole).encode(), ".json")
    url = {"TemplateURL": place.object_url(bucket, key)}
    return Place(stage, stacks.apply(cloudformation, name, url, told, says=whole))
