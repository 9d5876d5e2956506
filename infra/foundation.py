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

from infra import administrators, leftovers, packages, reach, stacks, templates
from infra.account import Aws
from infra.outputs import Place
from infra.stacks import StackFailed

_NAMES: Final = frozenset({"Prefix", "EnvBase"})
"""Parameters that all names are made of, also those in `.chalice/` and of the functions."""
_FAIR: Final = "FairShare"
_QUEUE: Final = "JobQueueArn"


def deploy(aws: Aws, stage: str, parameters: Mapping[str, str]) -> Place:
    """Make or change what must outlive the application. Raises StackFailed."""
    cloudformation = aws.cloudformation
    name = f"falsework-{stage}-foundation"
    is_there = stacks.is_there(cloudformation, name)
    told = _told(aws, stage, parameters, stacks.parameters(cloudformation, name))
    if not is_there:
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


def _told(
    aws: Aws, stage: str, parameters: Mapping[str, str], before: Mapping[str, str]
) -> dict[str, str]:
    """Return what the stack is told now. Raises StackFailed for what it cannot become."""
    for each in sorted(_NAMES & parameters.keys()):
        raise StackFailed(
            f"parameter {each}={parameters[each]}: names follow from the stage: STAGE=… is meant"
        )
    for each in sorted(parameters.keys() & set(reach.ARNS)):
        for arn in filter(None, parameters[each].split(",")):
            if not arn.startswith("arn:"):
                raise StackFailed(f"parameter {each}={arn}: an ARN is meant (arn:aws:s3:::name)")
    fair = parameters.get(_FAIR)
    if fair and before.get(_FAIR, fair) != fair and not before.get(_QUEUE):
        raise StackFailed(
            f"parameter {_FAIR}={fair}: the queues were made with {before[_FAIR]}, and Batch can"
            " neither take a queue's scheduling policy away nor give one a policy that has none:"
            " leave it as it is, or make a stage of its own (STAGE=dev-fair, say)"
        )
    told = {"EnvBase": stage, **parameters}
    admins = administrators.PARAMETER
    if not told.get(admins, before.get(admins)):
        told[admins] = administrators.caller(aws)
    return told
