"""Runs as text: tables of stages, times, and where the outputs are. Nothing here asks anything.

What a message says may come from a user's program, so that nothing of it may steer the terminal:
every text is made ``printable`` first.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from rich.table import Table
from rich.text import Text

from chalicelib.cli.places import folder_of
from chalicelib.core.states.failures import CHILD
from chalicelib.settings import Settings

HEADINGS: Final = ["STAGE", "STATUS", "ATTEMPTS", "STARTED", "DURATION", "MESSAGE"]
_MESSAGE_CHARACTERS: Final = 160
_COLORS: Final = {
    "COMPLETE": "green", "RUNNING": "cyan", "RETRY": "yellow", "ERROR": "red",
    "CANCELED": "magenta",
}  # fmt: skip


def stage_rows(run: dict[str, Any]) -> list[list[str]]:
    """Return one row per stage, as ``HEADINGS`` names its cells."""
    return [_stage_row(stage) for stage in run["stages"]]


def _stage_row(stage: dict[str, Any]) -> list[str]:
    history = _of_this_life(stage)
    started = datetime.fromisoformat(history[0]["begin_ts"]) if history else None
    seconds = sum(entry["run_time_seconds"] for entry in history)
    message = printable(history[-1]["message"]) if history else ""
    return [
        stage["stage_name"],
        stage["status"],
        str(stage["attempts"]),
        f"{started.astimezone():%H:%M:%S}" if started else "-",
        duration(seconds) if history else "-",
        cut(message),
    ]


def cut(text: str) -> str:
    """Return what a table has room for of a message."""
    return text if len(text) <= _MESSAGE_CHARACTERS else f"{text[: _MESSAGE_CHARACTERS - 1]}…"


def item_cell(child: dict[str, Any]) -> str:
    """Return which item a run of a stage is for; a stage of one run has none."""
    if child["item"] is None:
        return str(child["index"])
    return printable(f"{child['index']} {child['item']}")


def _of_this_life(stage: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what the stage has done since it was reset last, as resume and rollback do.

    The history keeps what was before. A stage that begins anew is CREATED first; and one that is
    at work, and whose last execution was not to be followed by another, has just been reset.
    """
    history: list[dict[str, Any]] = stage["history"]
    is_new = stage["status"] == "CREATED" or (
        stage["status"] == "RUNNING" and history and history[-1]["end_status"] != "RETRY"
    )
    starts = [n for n, entry in enumerate(history) if entry["begin_status"] == "CREATED"]
    return [] if is_new else history[starts[-1] if starts else 0 :]


def live_table(run: dict[str, Any]) -> Table:
    """Return the stages as a table for a terminal."""
    table = Table(title=f"{printable(run['id'])}  {run['state']}", title_justify="left")
    for heading in HEADINGS:
        table.add_column(heading.lower())
    for row in stage_rows(run):
        table.add_row(*(Text(cell, style=_COLORS.get(cell, "")) for cell in row))
    return table


def run_text(run: dict[str, Any]) -> str:
    """Return the run and the timeline of its stages."""
    lines = [f"run      {printable(run['id'])}", f"state    {run['state']}"]
    if run["group"] != "default":
        lines.append(f"group    {printable(run['group'])}")
    if run["generation"] > 1:
        lines.append(f"again    {run['generation']} (its generation: resumed or rolled back)")
    lines += [f"{label:9}{run[key]}" for label, key in _TIMES if run[key]]
    if run["error"]:
        where = f" (in {run['error']['stage']})" if run["error"]["stage"] else ""
        lines.append(f"error    {run['error']['cause']}{where}: {_message(run)}")
    return "\n".join([*lines, "", columns([HEADINGS, *stage_rows(run)])])


_TIMES: Final = (("created", "created_at"), ("started", "started_at"), ("ended", "ended_at"))


def _message(run: dict[str, Any]) -> str:
    """Of runs in runs it says so much that it is cut: ``why`` tells each in a line."""
    if run["error"]["cause"] == CHILD:
        return cut(printable(run["error"]["message"]))
    return printable(run["error"]["message"], keep="\n").replace("\n", "\n         ")


def outputs_text(run: dict[str, Any], settings: Settings) -> str:
    """Return where the outputs are: their names in S3 and, embedded, their folders."""
    lines = []
    for name, output in sorted(run["outputs"].items()):
        uri = output["uri"]
        lines.append(f"output   {printable(name)}: {uri} ({_amount(output)})")
        if not settings.url:
            lines.append(f"         {folder_of(uri, settings)}")
    return "".join(f"{line}\n" for line in lines)


def _amount(output: dict[str, Any]) -> str:
    files, size = output.get("files"), output.get("bytes")
    return f"{files} file{'' if files == 1 else 's'}, {size} bytes"


def plan_text(plan: dict[str, Any]) -> str:
    """Return the stages of a pipeline's plan, and what each comes after, as a table."""
    rows = [
        [stage["name"], _does(stage), ", ".join(stage.get("after", ())) or "-"]
        for stage in plan["stages"]
    ]
    return columns([["STAGE", "DOES", "AFTER"], *rows])


def _does(stage: dict[str, Any]) -> str:
    action = stage["action"]
    told = action.get("kind", action["action"])
    if "for_each" in action:
        told += f" for each of {action['for_each']}"
    if "when" in stage:
        told += f" if {stage['when']['stage']} is {stage['when']['branch']}"
    if "closes_for" in stage:
        told += f" if {stage['closes_for']} fails"
    return printable(told)


def columns(rows: Sequence[Sequence[str]]) -> str:
    """Return the rows in columns as wide as their widest cells; the last one is free."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )
    return "\n".join(lines)


def second(moment: str) -> str:
    """Return a time of an answer without the parts of its second: a row has 80 characters."""
    return re.sub(r"\.\d+", "", moment)


def duration(seconds: float) -> str:
    """Return a time span as people read it: ``0.4 s``, ``12 s``, ``3:04 min``, ``2:05 h``."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    if seconds < 3600:
        return f"{int(seconds) // 60}:{int(seconds) % 60:02} min"
    return f"{int(seconds) // 3600}:{int(seconds) % 3600 // 60:02} h"


def printable(text: str, keep: str = "") -> str:
    """Return ``text`` with everything that a terminal would obey replaced, but ``keep``."""
    return "".join(
        character if character.isprintable() or character in keep else _stand_in(character)
        for character in text
    )


def _stand_in(character: str) -> str:
    return " " if character in "\n\r\t" else "\N{REPLACEMENT CHARACTER}"
