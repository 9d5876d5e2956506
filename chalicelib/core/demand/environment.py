"""The variables of an execution, and the command that runs among them (section 6.5).

First come EXECUTION_ID, WORKING_DIR and TMPDIR, then the parameters by environment name, last
what the service sets over anything supplied. The command is one line for bash: make the
directories, go there, perhaps source the environment file, and then the elements as they were
given. They are not quoted: callers have relied on the shell seeing them since the original.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from chalicelib.core.demand.job_params import JobParam
from chalicelib.core.demand.placement import PARAMETERS_FIELD, Places
from chalicelib.core.documents import shortened
from chalicelib.core.errors import InvalidRequest
from chalicelib.core.site import Site

FILE_VARIABLE: Final = "_ENVIRONMENT_FILE"
"""Where the container finds its environment file."""

PRELUDE: Final = ("mkdir -p ${WORKING_DIR}", "mkdir -p ${TMPDIR}", "cd ${WORKING_DIR}")
SOURCE: Final = f". ${{{FILE_VARIABLE}}}"

RESERVED_PREFIXES: Final = ("FALSEWORK_", "AWS_BATCH")
"""Ours, and Batch's ("Environment variables cannot start with AWS_BATCH", API reference,
ContainerOverrides, environment)."""

SHELL_NAMES: Final = frozenset(
    [
        "BASHOPTS",
        "BASHPID",
        "BASH_ALIASES",
        "BASH_ARGC",
        "BASH_ARGV",
        "BASH_ARGV0",
        "BASH_CMDS",
        "BASH_COMMAND",
        "BASH_ENV",
        "BASH_LINENO",
        "BASH_REMATCH",
        "BASH_SOURCE",
        "BASH_SUBSHELL",
        "BASH_VERSINFO",
        "COMP_WORDBREAKS",
        "DIRSTACK",
        "ENV",
        "EPOCHREALTIME",
        "EPOCHSECONDS",
        "EUID",
        "FUNCNAME",
        "GROUPS",
        "HISTCMD",
        "IFS",
        "LINENO",
        "OLDPWD",
        "OPTIND",
        "PATH",
        "PIPESTATUS",
        "POSIXLY_CORRECT",
        "PPID",
        "PWD",
        "RANDOM",
        "SECONDS",
        "SHELLOPTS",
        "SHLVL",
        "SRANDOM",
        "UID",
        "_",
    ]
)
"""What the shell keeps for itself, sets anew or obeys (Bash reference manual, 5.2 "Bash
Variables"): a parameter of such a name would not come out as it was put in."""

_MENTION: Final = re.compile(r"\$\{?(\w+)\}?", re.ASCII)


def variables(params: Sequence[JobParam], execution_id: str, where: Places) -> dict[str, str]:
    """Return the variables in the order of the wire, without those that the service sets.

    Raises InvalidRequest for a parameter whose name is taken or whose value holds a NUL.
    """
    found = {
        "EXECUTION_ID": execution_id,
        "WORKING_DIR": where.working_directory,
        "TMPDIR": where.temporary_directory,
    }
    for param in params:
        is_taken = found.get(param.env_name, param.value) != param.value
        is_reserved = param.env_name.startswith(RESERVED_PREFIXES)
        if is_taken or is_reserved or param.env_name == FILE_VARIABLE:
            raise _unusable(param, f"the variable {param.env_name} is set by us", "rename it")
        if param.env_name in SHELL_NAMES:
            raise _unusable(param, f"the shell uses {param.env_name} itself", "rename it")
        if "\0" in param.value:
            raise _unusable(param, "no variable can hold a NUL", "leave the NUL out")
        found[param.env_name] = param.value
    return found


def site_variables(site: Site) -> dict[str, str]:
    """Return what the service sets over anything supplied."""
    return {"ENV_BASE": site.env_base, "AWS_REGION": site.aws_region}


def mentioned(text: str) -> dict[str, None]:
    """Return the names that a text mentions as ``$NAME`` or ``${NAME}``, in order, each once."""
    return dict.fromkeys(_MENTION.findall(text))


def shell_command(command: Sequence[str], *, is_file_sourced: bool) -> tuple[str, ...]:
    """Return the three elements of the container's command; nothing is quoted."""
    steps = (*PRELUDE, *((SOURCE,) if is_file_sourced else ()), " ".join(command))
    return ("/bin/bash", "-c", " && ".join(steps))


def named_in_command(environment: Mapping[str, str], command: Sequence[str]) -> dict[str, str]:
    """Return the variables that the command or its prelude names, in order of first mention."""
    names = mentioned("\n".join((*command, *PRELUDE)))
    return {name: environment[name] for name in names if name in environment}


def _unusable(param: JobParam, problem: str, mend: str) -> InvalidRequest:
    return InvalidRequest(
        f"{shortened(param.name)!r} cannot be a variable: {problem}",
        field=f"{PARAMETERS_FIELD}.params.{param.name}",
        value=shortened(param.value),
        mend=mend,
    )
