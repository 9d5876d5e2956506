"""What a pipeline refers to in its input, where the input is known before anything starts.

It is not where it is made of references itself, as that of a pipeline within a pipeline may be,
nor for a state machine, to whose executions another may be given. What stands behind a choice is
left out: the choice may ask whether something is there.
"""

from __future__ import annotations

from pydantic import JsonValue

from chalicelib.core.documents import at_field, shortened
from chalicelib.core.errors import InvalidRequest
from chalicelib.core.pipelines.model import AnyStage, ChoiceStage, Pipeline, RunStage
from chalicelib.core.pipelines.references import found_in, has_references, references_of
from chalicelib.core.run_values import no_list
from chalicelib.core.states.intrinsics import check
from chalicelib.core.states.paths import is_present, read, steps


def check_input(pipeline: Pipeline) -> None:
    """Raise InvalidRequest for a reference to what the input of a checked pipeline lacks, or for
    a ``for_each`` over something in it that is no list."""
    if has_references(pipeline.input):
        return
    known: JsonValue = {"input": pipeline.input}
    for place, stage in enumerate(pipeline.stages):
        if stage.when is None and not isinstance(stage, ChoiceStage):
            with at_field(f"stages.{place}"):
                for field, text, _ in references_of(stage):
                    _check_paths(text, field, known)
                _check_items(stage, known)
    for field, text in found_in(pipeline.output, "output"):
        _check_paths(text, field, known)


def _check_paths(text: str, field: str, known: JsonValue) -> None:
    for path in check(text):
        if _is_of_input(path) and not is_present(known, path):
            raise InvalidRequest(
                f"there is nothing at {path:.100}",
                field=field,
                value=shortened(text),
                mend="correct the path, or give the input that member",
            )


def _check_items(stage: AnyStage, known: JsonValue) -> None:
    path = stage.for_each if isinstance(stage, RunStage) else None
    if path is None or not path.startswith("$") or not _is_of_input(path):
        return
    if not isinstance(found := read(known, path), list):
        raise no_list(path, found)


def _is_of_input(path: str) -> bool:
    return not path.startswith("$$") and [step.name for step in steps(path)[:1]] == ["input"]
