"""The verb that shows dead letters, or sends them back to be taken in again."""

from __future__ import annotations

import argparse
import json

from chalicelib.cli.complaints import Exit
from chalicelib.cli.connection import connect
from chalicelib.cli.places import settings_of
from chalicelib.cli.showing import printable


def redrive(arguments: argparse.Namespace) -> Exit:
    """``redrive``: how many messages went back to which queue, and how many could not."""
    if arguments.list:
        return _show(arguments)
    told = connect(settings_of(arguments)).post("/dead-letters/redrive").document
    if arguments.json:
        print(json.dumps(told, indent=2))
        return Exit.SUCCESS
    for queue, count in sorted(told["sent_back"].items()):
        print(f"{count} sent back to {queue}")
    if not told["sent_back"]:
        print("no dead letters were sent back")
    if told["left"]:
        print(f"{told['left']} cannot be sent back; the API's log says why")
    if told["has_more"]:
        print("there may be more: run it again")
    return Exit.SUCCESS


def _show(arguments: argparse.Namespace) -> Exit:
    told = connect(settings_of(arguments)).get("/dead-letters")
    if arguments.json:
        print(json.dumps(told, indent=2))
        return Exit.SUCCESS
    for letter in told["dead_letters"]:
        told = (letter["since"], letter["about"], letter["id"], letter["reason"])
        print("  ".join(printable(str(each)) for each in told))
    if not told["dead_letters"]:
        print("there are no dead letters")
    return Exit.SUCCESS
