"""From a config to its pipelines and their works, all of them checked before anything is done.

A work's site is its deployment's, else its own, else the default one; where ``runs_on`` names
several deployments, the first one's, for a work has one site.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from chalicelib.core.configs.matrices import Values, combinations, filled, size_of
from chalicelib.core.configs.model import ConfigPlan, PipelineSteps, StepPlan
from chalicelib.core.documents import at_field, parse_document
from chalicelib.core.errors import InvalidRequest, TooLarge
from chalicelib.core.limits import DOCUMENT_CHARACTERS
from chalicelib.core.work.model import Work
from chalicelib.core.work.reading import json_text, read_works

MOST_PIPELINES: Final = 200
MOST_PIPELINE_WORKS: Final = 500
"""Its state is one document, with a line for each work."""
MOST_WORKS: Final = 2000
"""Of a config: each is checked, at some 20 a millisecond, while its client waits; our choice."""
MOST_CHARACTERS: Final = 20_000_000
"""Of all works of a config in JSON; those of a step are in memory at once. Our choice, too."""


def read_config(document: object) -> ConfigPlan:
    """Return the config, sound in every work that it will ever deposit. Raises InvalidRequest."""
    config = parse_document(ConfigPlan, document)
    if config.version != "2":
        raise InvalidRequest(
            f"version {config.version!r:.20} of configs is not known here",
            field="version",
            value=config.version,
            mend="send version 2, or a version 1 to /configs/migrate",
        )
    if len(json_text(document)) > DOCUMENT_CHARACTERS:
        raise TooLarge(
            f"the config has more than {DOCUMENT_CHARACTERS} characters of JSON",
            value=len(json_text(document)),
            mend="put what is large into a file and name its place in the parameters",
        )
    _check_names(config)
    _check_sizes(config.pipeline)
    left = MOST_CHARACTERS
    for values in combinations(config.pipeline.matrix):
        for number, step in enumerate(config.pipeline.steps):
            with at_field(f"pipeline.steps.{number}.work"):
                works, left = _within(works_of(config, step, values), left)
                read_works(works)
    return config


def _within(works: Iterable[dict[str, Any]], left: int) -> tuple[list[dict[str, Any]], int]:
    """Return the works, and how many characters others may have; one mark is 15 of the config's
    and may stand for thousands."""
    taken = []
    for work in works:
        left -= len(json_text(work))
        if left < 0:
            raise TooLarge(
                f"with the matrices filled in, the works have more than {MOST_CHARACTERS}"
                " characters of JSON",
                mend="put what is large into a file and name its place in the parameters",
            )
        taken.append(work)
    return taken, left


def works_of(
    config: ConfigPlan, step: StepPlan, values: Values, parent: str | None = None
) -> Iterator[dict[str, Any]]:
    """Yield the works of a step, in a pipeline with these values, as they are deposited."""
    for own in combinations(step.matrix):
        work = filled(step.work, {**values, **own})
        yield {
            "user": config.defaults.user,
            **{name: value for name, value in work.items() if value is not None},
            "pipeline": step.bucket(values),
            "site": _site_of(config, step, work),
            "config": _with_parent(work.get("config") or {}, parent),
        }


def read_works_of(config: ConfigPlan, step: StepPlan, values: Values, parent: str) -> list[Work]:
    """Return them as works."""
    return read_works(list(works_of(config, step, values, parent)))


def _with_parent(config: object, parent: str | None) -> object:
    """What is no object is left as it is, for the work's own rules to refuse."""
    return {**config, "parent": parent} if isinstance(config, Mapping) else config


def _site_of(config: ConfigPlan, step: StepPlan, work: dict[str, Any]) -> Any:
    names = step.runs_on or config.pipeline.runs_on
    sites = {each.name: each.site for each in config.deployments}
    return sites[names[0]] if names else work.get("site") or config.defaults.site


def _check_names(config: ConfigPlan) -> None:
    deployments = [each.name for each in config.deployments]
    steps = [each.name for each in config.pipeline.steps]
    _check_once(deployments, "deployments")
    _check_once(steps, "pipeline.steps")
    asked = {"pipeline": config.pipeline.runs_on}
    for number, step in enumerate(config.pipeline.steps):
        asked[f"pipeline.steps.{number}"] = step.runs_on
    for field, names in asked.items():
        for name in names:
            if name not in deployments:
                raise InvalidRequest(
                    f"there is no deployment {name!r}",
                    field=f"{field}.runs_on",
                    value=name,
                    mend=f"known are: {', '.join(deployments) or 'none'}",
                )


def _check_once(names: list[str], field: str) -> None:
    for number, name in enumerate(names):
        if name in names[:number]:
            raise InvalidRequest(
                f"two of them are called {name!r}",
                field=f"{field}.{number}.name",
                value=name,
                mend="give each a name of its own",
            )


def _check_sizes(plan: PipelineSteps) -> None:
    pipelines = size_of(plan.matrix)
    works = sum(size_of(step.matrix) for step in plan.steps)
    for what, count, most in (
        ("pipelines", pipelines, MOST_PIPELINES),
        ("works in a pipeline", works, MOST_PIPELINE_WORKS),
        ("works", pipelines * works, MOST_WORKS),
    ):
        if count > most:
            raise InvalidRequest(
                f"the matrices make {count} {what}; {most} can be taken",
                field="pipeline.matrix",
                value=count,
                mend="give the matrices fewer values, or divide the config",
            )
