"""The verbs and their flags, and the last stop of every error.

A user's mistake ends in one block on standard error and an exit code, never in a traceback; a
mistake of ours keeps its traceback, for whoever has to mend it.
"""

from __future__ import annotations

import argparse
import io
import os
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, get_args

from chalicelib.cli import (
    asking,
    copying,
    costing,
    data_paths,
    doctoring,
    exporting,
    keeping,
    redriving,
    resuming,
    serving,
    simulating,
    submitting,
    syncing,
    token_verbs,
)
from chalicelib.cli.complaints import Complaint, Exit, complaint_of
from chalicelib.core.errors import FalseworkError
from chalicelib.core.run import RunState
from chalicelib.settings import Runner
from chalicelib.version import VERSION

_EPILOG: Final = """\
exit codes: 0 done (with --wait: SUCCESS), 1 ERROR, 2 bad request, 3 CANCELED,
130 after Ctrl-C. `falsework VERB --help` tells of one verb.
A command works on the embedded home in --root (default ./.falsework, or
FALSEWORK_ROOT) unless --url or FALSEWORK_URL names a deployment;
FALSEWORK_TOKEN is its token."""
_RUN: Final = "its id, as `falsework list` shows it"
_REQUEST: Final = "a request of any kind as JSON; - is standard input"
_AS_JSON: Final = "as the REST answer has it"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal may not know our arrows
    words = list(sys.argv[1:] if argv is None else argv)
    arguments = parser(has_engine=words[:1] == ["engine"]).parse_args(words)
    verb: Callable[[argparse.Namespace], Exit] = arguments.verb
    try:
        code = verb(arguments)
        sys.stdout.flush()  # here a closed pipe can still be told from a mistake
    except Complaint as exc:
        return _complain(exc)
    except BrokenPipeError:  # whoever read our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.SUCCESS
    except (FalseworkError, OSError) as exc:
        return _complain(complaint_of(exc))
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    return code


def _complain(complaint: Complaint) -> Exit:
    print(complaint, file=sys.stderr)
    return complaint.code


def parser(*, has_engine: bool = False) -> argparse.ArgumentParser:
    """Return the parser of all verbs; ``engine``, which only we call, is shown to nobody."""
    whole = argparse.ArgumentParser(
        prog="falsework",
        description="Container jobs on AWS Batch, or on this machine.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    whole.add_argument("--version", action="version", version=f"falsework {VERSION}")
    verbs = whole.add_subparsers(dest="word", required=True, metavar="VERB")
    _add_submitting(verbs)
    _add_asking(verbs)
    _add_resuming(verbs)
    _add_keeping(verbs)
    _add_copying(verbs)
    _add_syncing(verbs)
    _add_serving(verbs)
    _add_tokens(verbs)
    _add_doctor(verbs)
    if has_engine:
        _add_runner(_verb(verbs, "engine", serving.engine, "move runs on", has_url=False))
    return whole


def _add_submitting(verbs: Any) -> None:
    run = _verb(verbs, "run", submitting.run, "submit a request")
    run.add_argument("file", metavar="FILE", help=_REQUEST)
    run.add_argument("--wait", action="store_true", help="stay until the run has ended")
    _add_runner(run)
    validate = _verb(verbs, "validate", submitting.validate, "say what a request would do")
    validate.add_argument("file", metavar="FILE", help="a demand or a pipeline; - as for run")
    validate.add_argument("--json", action="store_true", help=_AS_JSON)
    _add_runner(validate)
    summary = "try a request against Spot losses, duplicates and outages; nothing is submitted"
    simulating.add_simulate(_verb(verbs, "simulate", simulating.simulate, summary, has_url=False))
    summary = "write a pipeline, or a request, as a state machine of AWS Step Functions"
    exporting.add_export(_verb(verbs, "export", exporting.export, summary, has_url=False))


def _add_asking(verbs: Any) -> None:
    show = _verb(verbs, "show", asking.show, "show a run")
    listing = _verb(verbs, "list", asking.list_, "list runs, newest first")
    cancel = _verb(verbs, "cancel", asking.cancel, "cancel a run")
    why = _verb(verbs, "why", asking.why, "say what a run waits for, or why it failed")
    cost = _verb(verbs, "cost", costing.cost, "say what a run has cost, and what was in vain")
    logs = _verb(verbs, "logs", asking.logs, "print what a run's jobs wrote")
    for verb in (show, why, cost, cancel, logs):
        verb.add_argument("run", metavar="RUN", help=_RUN)
    redrive = _verb(
        verbs, "redrive", redriving.redrive, "send dead letters back, to be taken in again"
    )
    for verb in (show, why, cost, listing, redrive):
        verb.add_argument("--json", action="store_true", help=_AS_JSON)
    redrive.add_argument("--list", action="store_true", help="only show them, and why they are")
    states = [str(state) for state in RunState]
    listing.add_argument("--state", choices=states, help="only those that are in it")
    listing.add_argument("--group", help="only those of one group")
    listing.add_argument("--cost", action="store_true", help="with what each has cost")
    listing.add_argument("--limit", type=_count, default=50, metavar="N", help="at most (50)")
    logs.add_argument("--stage", help="of one stage only")


def _add_doctor(verbs: Any) -> None:
    summary = "look at a deployment, or at the embedded home, and say what to mend"
    verb = _verb(verbs, "doctor", doctoring.doctor, summary)
    doctoring.add_doctor(verb)
    _add_runner(verb)


def _add_resuming(verbs: Any) -> None:
    resume = _verb(verbs, "resume", resuming.resume, "let a run that failed or was canceled go on")
    rollback = _verb(verbs, "rollback", resuming.rollback, "run an ended run again from a stage")
    for verb in (resume, rollback):
        verb.add_argument("run", metavar="RUN", help=_RUN)
        verb.add_argument("--wait", action="store_true", help="stay until the run has ended")
        verb.add_argument(
            "--generation", type=_count, metavar="N", help="only if the run is still in that one"
        )
        _add_runner(verb)
    rollback.add_argument(
        "stage", metavar="STAGE", help="one of those that `falsework show` lists"
    )


def _add_keeping(verbs: Any) -> None:
    keeping.add_verbs(
        _verb(verbs, "files", keeping.files, "list the files of a run that has succeeded"),
        _verb(verbs, "archive", keeping.archive, "bring all of a run's files as one tar.gz"),
        _verb(verbs, "delete", keeping.delete, "delete a run that has ended"),
    )


def _add_copying(verbs: Any) -> None:
    put = _verb(verbs, "put", copying.put, "copy a file or folder into a bucket")
    put.add_argument("local", metavar="LOCAL", help="a file, or a folder with all that is in it")
    put.add_argument("uri", metavar="s3://BUCKET/KEY", help="its name there; a folder ends with /")
    get = _verb(verbs, "get", copying.get, "copy an object, or all below a name, to this machine")
    get.add_argument("uri", metavar="s3://BUCKET/KEY", help="an object, or what names begin with")
    get.add_argument("local", metavar="LOCAL", help="where to; folders are made")


def _add_syncing(verbs: Any) -> None:
    sync = _verb(verbs, "sync", syncing.sync, "bring files from one place to another")
    syncing.add_sync(sync)
    _add_runner(sync)
    verify = _verb(verbs, "verify", syncing.verify, "compare an output with its manifest")
    verify.add_argument("uri", metavar="s3://BUCKET/KEY", help="as `falsework show RUN` names it")
    summary = "sum up, list, find outdated or remove what is at a path"
    paths = _verb(verbs, "paths", data_paths.paths, summary)
    data_paths.add_paths(paths)
    _add_runner(paths)


def _add_serving(verbs: Any) -> None:
    serve = _verb(verbs, "serve", serving.serve, "serve REST and move runs on", has_url=False)
    serve.add_argument(
        "--host", default="127.0.0.1", help="an address; tokens are needed but for loopback"
    )
    serve.add_argument("--port", type=_port, default=8000, help="0 takes a free one")
    serve.add_argument("--tokens", action="store_true", help="ask for tokens on loopback, too")
    _add_runner(serve)


def _add_tokens(verbs: Any) -> None:
    summary = "make, list and revoke the tokens that callers show"
    word: argparse.ArgumentParser = verbs.add_parser("token", help=summary, description=summary)
    actions = word.add_subparsers(dest="action", required=True, metavar="ACTION")
    create = _verb(actions, "create", token_verbs.create, "make a token and print it, once")
    token_verbs.add_create(create)
    listing = _verb(actions, "list", token_verbs.list_, "list the tokens, without their secrets")
    revoke = _verb(actions, "revoke", token_verbs.revoke, "let a token be good no longer")
    revoke.add_argument("id", metavar="ID", help="as `token list` shows it")
    for verb in (create, listing):
        verb.add_argument("--json", action="store_true", help=_AS_JSON)


def _verb(
    verbs: Any,
    word: str,
    verb: Callable[[argparse.Namespace], Exit],
    summary: str,
    *,
    has_url: bool = True,
) -> argparse.ArgumentParser:
    added: argparse.ArgumentParser = verbs.add_parser(word, help=summary, description=summary)
    added.set_defaults(verb=verb)
    where = added.add_mutually_exclusive_group()
    where.add_argument("--root", type=Path, metavar="DIR", help="the embedded home's folder")
    if has_url:
        where.add_argument("--url", help="address of a deployment")
    added.add_argument("--site", type=Path, metavar="FILE", help="the site's facts, as JSON")
    return added


def _add_runner(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--runner", choices=get_args(Runner), help="how jobs run on this machine")


def _count(text: str) -> int:
    return _whole(text, 1, 1_000_000)


def _port(text: str) -> int:
    return _whole(text, 0, 65_535)


def _whole(text: str, least: int, most: int) -> int:
    """Raises ArgumentTypeError, which names the flag before and leaves the value to us."""
    if not re.fullmatch("[0-9]{1,9}", text) or not least <= int(text) <= most:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from {least} to {most}")
    return int(text)
