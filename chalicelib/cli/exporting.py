"""``export``: write what a document would do in the words of another system.

Nothing is opened or sent; the site's facts (region, worker image, buckets, queue) go into it.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from chalicelib.atomic_files import write_atomically
from chalicelib.cli.complaints import Exit
from chalicelib.cli.places import settings_of
from chalicelib.cli.submitting import content_of
from chalicelib.core.asl.machine import state_machine
from chalicelib.core.json_text import read_object


def add_export(verb: argparse.ArgumentParser) -> None:
    """Add the verb's own arguments."""
    verb.add_argument(
        "--asl",
        required=True,
        metavar="FILE",
        help="as Amazon States Language: a pipeline, or any request; - is standard input",
    )
    verb.add_argument("--output", type=Path, metavar="PATH", help="where to; else it is printed")


def export(arguments: argparse.Namespace) -> Exit:
    """``export --asl FILE``: the state machine that does the same on AWS Step Functions."""
    document = read_object(content_of(arguments.asl))
    text = json.dumps(state_machine(document, settings_of(arguments).site), indent=2)
    if arguments.output is None:
        print(text)
    else:
        write_atomically(arguments.output, f"{text}\n".encode())
    return Exit.SUCCESS
