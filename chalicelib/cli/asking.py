"""The verbs that ask about runs and cancel them."""

from __future__ import annotations

import argparse
import json
from typing import Any, Final

from chalicelib.cli.complaints import Exit
from chalicelib.cli.connection import Connection, connect, run_path
from chalicelib.cli.costing import amount
from chalicelib.cli.places import settings_of
from chalicelib.cli.showing import columns, item_cell, outputs_text, printable, run_text, second
from chalicelib.core.pipelines.model import KIND as PIPELINE
from chalicelib.core.states.failures import CHILD

_PAGE: Final = 100
"""The most runs that one answer holds."""


def show(arguments: argparse.Namespace) -> Exit:
    """``show RUN``: the run, its stages, and where its outputs are."""
    settings = settings_of(arguments)
    connection = connect(settings)
    run = connection.get(run_path(arguments.run))
    if arguments.json:
        print(json.dumps(run, indent=2))
        return Exit.SUCCESS
    print(run_text(run))
    print(outputs_text(run, settings), end="")
    if run["kind"] == PIPELINE:
        print(_children(connection, arguments.run))
    # When a stage is tried again, or which run of a run failed, does not stand in the run's form.
    if any(stage["status"] == "RETRY" for stage in run["stages"]) or _is_of_another(run):
        print()
        print(_sentences(connection.get(run_path(arguments.run, "/why"))))
    return Exit.SUCCESS


def why(arguments: argparse.Namespace) -> Exit:
    """``why RUN``: what it waits for, or why it ended so, and what to do; a line a sentence."""
    told = connect(settings_of(arguments)).get(run_path(arguments.run, "/why"))
    if arguments.json:
        print(json.dumps(told, indent=2))
    else:
        print(_sentences(told))
    return Exit.SUCCESS


def list_(arguments: argparse.Namespace) -> Exit:
    """``list``: the newest runs, one a line."""
    page = _page(connect(settings_of(arguments)), arguments)
    if arguments.json:
        print(json.dumps(page, indent=2))
        return Exit.SUCCESS
    headings = ["RUN", "STATE", "GROUP", "CREATED", *(["COST"] if arguments.cost else [])]
    print(columns([headings, *(_list_row(run) for run in page["runs"])]))
    if page["next_cursor"]:
        print(f"… and more: --limit {arguments.limit * 2}")
    return Exit.SUCCESS


def cancel(arguments: argparse.Namespace) -> Exit:
    """``cancel RUN``: order it to stop."""
    run = connect(settings_of(arguments)).post(run_path(arguments.run, "/cancel")).document
    print(f"{run['id']} {run['state']}")
    return Exit.SUCCESS


def logs(arguments: argparse.Namespace) -> Exit:
    """``logs RUN``: what its jobs wrote."""
    connection = connect(settings_of(arguments))
    text = connection.text(run_path(arguments.run, "/logs"), stage=arguments.stage)
    print(printable(text, keep="\n\t"), end="" if text.endswith("\n") else "\n")
    return Exit.SUCCESS


def _children(connection: Connection, run_id: str) -> str:
    """Return the runs that it has started as a table, or the first of them."""
    page = connection.get(run_path(run_id, "/children"), limit=_PAGE)
    rows = [
        [each["stage"], item_cell(each), each["state"] or "-", each["id"]]
        for each in page["children"]
    ]
    more = "\n… and more: GET /runs/RUN/children" if page["next_cursor"] else ""
    return f"\n{columns([['STAGE', 'ITEM', 'STATE', 'RUN'], *rows])}{more}"


def _is_of_another(run: dict[str, Any]) -> bool:
    return run["error"] is not None and run["error"]["cause"] == CHILD


def _sentences(told: dict[str, Any]) -> str:
    return "\n".join(printable(sentence) for sentence in told["why"])


def _list_row(run: dict[str, Any]) -> list[str]:
    row = [run["id"], run["state"], run["group"], second(run["created_at"])]
    if "cost" not in run:
        return row
    cost = run["cost"]
    return [*row, amount(cost["amount"], cost["currency"]) if cost else "-"]


def _page(connection: Connection, arguments: argparse.Namespace) -> dict[str, Any]:
    """Return as many runs as were asked for, out of as many answers as that takes."""
    runs: list[Any] = []
    cursor = None
    while True:
        page = connection.get(
            "/runs",
            state=arguments.state,
            group=arguments.group,
            cursor=cursor,
            cost="true" if arguments.cost else None,
            limit=min(_PAGE, arguments.limit - len(runs)),
        )
        runs += page["runs"]
        cursor = page["next_cursor"]
        if cursor is None or len(runs) >= arguments.limit:
            return {"runs": runs, "next_cursor": cursor}
