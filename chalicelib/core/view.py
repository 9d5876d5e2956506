"""How a run is shown: the JSON form that users and their programs rely on (DESIGN, section 9)."""

from __future__ import annotations

from typing import Any

from chalicelib.core.run import RunRecord, Stage


def run_view(run: RunRecord) -> dict[str, Any]:
    """Return the run as users see it; absent times are null."""
    shown = run.model_dump(
        mode="json",
        include={
            "id", "kind", "group", "state", "generation", "created_at", "started_at",
            "ended_at", "settled_at", "outputs", "error",
        },
    )  # fmt: skip
    return {**shown, "stages": stages_view(run)}


def stages_view(run: RunRecord) -> list[dict[str, Any]]:
    """Return the states of the stages, in their order, in the wire form of the stage model."""
    return [stage_view(stage) for stage in run.stages]


def stage_view(stage: Stage) -> dict[str, Any]:
    """Return one stage's state: BaseStageState, no other keys."""
    return stage.on_the_wire().model_dump(mode="json")
