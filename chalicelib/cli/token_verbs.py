"""``token``: make, list and revoke the tokens that callers show.

The text of a token is printed once, alone on its line, and stands nowhere else.
"""

from __future__ import annotations

import argparse
import json
import sys
from datetime import timedelta
from typing import Any, Final

from chalicelib.cli.complaints import Exit
from chalicelib.cli.connection import Connection, connect
from chalicelib.cli.places import settings_of
from chalicelib.cli.showing import columns, printable, second
from chalicelib.core.principals import Scope

_USUAL_GROUP: Final = "default"
"""Where runs go that name none."""
_USUAL_DAYS: Final = timedelta(days=30)


def add_create(verb: argparse.ArgumentParser) -> None:
    """Add the flags of ``token create``."""
    verb.add_argument("name", metavar="NAME", help="whose it is, as audits show it")
    verb.add_argument("--scope", action="append", choices=[str(scope) for scope in Scope],
                      help="again for another; read and submit where there is none")  # fmt: skip
    whose = verb.add_mutually_exclusive_group()
    whose.add_argument("--group", action="append", metavar="GROUP",
                       help=f"again for another; {_USUAL_GROUP} where there is none")  # fmt: skip
    whose.add_argument("--all-groups", action="store_true", help="the runs of every group")
    verb.add_argument("--days", type=_days, default=_USUAL_DAYS, metavar="N",
                      help=f"how long it is good; else {_USUAL_DAYS.days}")  # fmt: skip


def create(arguments: argparse.Namespace) -> Exit:
    """``token create NAME``: print the token, alone on its line; what it is on standard error."""
    wanted = {
        "name": arguments.name,
        "scopes": sorted(set(arguments.scope or (Scope.READ, Scope.SUBMIT))),
        "groups": None if arguments.all_groups else arguments.group or [_USUAL_GROUP],
        "lifetime_seconds": int(arguments.days.total_seconds()),
    }
    body = json.dumps(wanted).encode()
    made = connect(settings_of(arguments)).post("/tokens", body).document
    if arguments.json:
        print(json.dumps(made, indent=2))
        return Exit.SUCCESS
    print(made["token"])
    print(f"token {made['id']}: {_what_it_is(made)}; it is not shown again", file=sys.stderr)
    return Exit.SUCCESS


def list_(arguments: argparse.Namespace) -> Exit:
    """``token list``: a line for each, the expired ones of late too."""
    found = _all_tokens(connect(settings_of(arguments)))
    if arguments.json:
        print(json.dumps({"tokens": found, "next_cursor": None}, indent=2))
        return Exit.SUCCESS
    head = ["TOKEN", "NAME", "SCOPES", "GROUPS", "EXPIRES", "LAST USED", "MADE BY"]
    print(columns([head, *[[printable(cell) for cell in _row(each)] for each in found]]))
    return Exit.SUCCESS


def revoke(arguments: argparse.Namespace) -> Exit:
    """``token revoke ID``: from now on it is not good."""
    connect(settings_of(arguments)).delete("/tokens", arguments.id)
    print(f"{arguments.id} revoked")
    return Exit.SUCCESS


def _all_tokens(connection: Connection) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor = None
    while True:
        page = connection.get("/tokens", cursor=cursor, limit=100)
        found += page["tokens"]
        cursor = page["next_cursor"]
        if cursor is None:
            return found


def _row(token: dict[str, Any]) -> list[str]:
    return [
        token["id"],
        token["name"],
        ",".join(token["scopes"]),
        _groups(token),
        second(token["expires_at"]),
        second(token["last_used_at"] or "never"),
        token["created_by"],
    ]


def _what_it_is(token: dict[str, Any]) -> str:
    whose, scopes = _groups(token), ", ".join(token["scopes"])
    return printable(f"{scopes} for group {whose}, until {token['expires_at']}")


def _groups(token: dict[str, Any]) -> str:
    return "*" if token["groups"] is None else ",".join(token["groups"])


def _days(text: str) -> timedelta:
    try:
        days = timedelta(days=float(text))
    except (ValueError, OverflowError) as exc:
        raise argparse.ArgumentTypeError("a number of days is needed") from exc
    if days < timedelta(seconds=1):
        raise argparse.ArgumentTypeError("more than nothing is needed")
    return days
