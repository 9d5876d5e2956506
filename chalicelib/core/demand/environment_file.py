r"""The environment file, which takes the variables that Batch has no room for (section 6.6).

Batch carries at most 8,192 bytes of overrides. Variables that the command does not name can go to
``<working directory>/.demand.env``, which the command sources before it begins::

    export EXECUTION_ID="e1"
    export NOTE="a \$5 \"draft\""

Values are data: with the site's ``literal_environment_file`` everything that a shell looks at
between double quotes is escaped, and what was put in comes out byte for byte. Without it values
are written as they are, as the original did, and the shell expands them once more.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final, NamedTuple

from chalicelib.core.demand.environment import (
    FILE_VARIABLE,
    mentioned,
    named_in_command,
    site_variables,
)
from chalicelib.core.demand.placement import Places
from chalicelib.core.limits import BATCH_OVERRIDES_BYTES
from chalicelib.core.noun import Noun
from chalicelib.core.paths import efs_parts, is_inside, normal_path
from chalicelib.core.site import AccessPoint, FileSystems, Mount, Site

FILE_NAME: Final = ".demand.env"

FILE_THRESHOLD_BYTES: Final = 0.9 * BATCH_OVERRIDES_BYTES
VARIABLE_OVERHEAD_BYTES: Final = 100
"""What one variable counts beside ``KEY=VALUE`` against the threshold above: about what the
original counted, which added up the sizes of Python objects."""

_SPECIAL: Final = re.compile(r'([\\"`$])')
_ESCAPED: Final = r"\\\1"


class EnvFileWriteMode(StrEnum):
    """When the environment file is written."""

    NEVER = "NEVER"
    ALWAYS = "ALWAYS"
    IF_REQUIRED = "IF_REQUIRED"
    """When Batch would not have room for the variables."""


class EnvironmentFile(Noun):
    """A file to write before the execution starts."""

    efs_path: str
    """``fs-…:/…/.demand.env``."""
    container_path: str
    text: str
    """The whole of it; no newline at the end."""


class SplitEnvironment(NamedTuple):
    """What Batch is told, and the file with the rest if there is one."""

    environment: dict[str, str]
    file: EnvironmentFile | None


def split_environment(
    found: Mapping[str, str], command: Sequence[str], where: Places, site: Site, *, has_file: bool
) -> SplitEnvironment:
    """Divide the variables between Batch and the file, or leave all to Batch."""
    service = site_variables(site)
    if not has_file:
        return SplitEnvironment({**found, **service}, None)
    stays = named_in_command(found, command)
    rest = {name: text for name, text in found.items() if name not in {*stays, *service}}
    path = f"{where.working_directory}/{FILE_NAME}"
    file = EnvironmentFile(
        efs_path=where.efs_form(path),
        container_path=path,
        text=file_text(rest, is_literal=site.literal_environment_file),
    )
    return SplitEnvironment({**stays, FILE_VARIABLE: path, **service}, file)


def is_file_wanted(
    mode: EnvFileWriteMode, found: Mapping[str, str], *, is_room_without: bool
) -> bool:
    """Tell whether the mode asks for a file.

    IF_REQUIRED does where the original's rule did, and where Batch has no room without it.
    """
    if mode is EnvFileWriteMode.IF_REQUIRED:
        return counted_bytes(found) > FILE_THRESHOLD_BYTES or not is_room_without
    return mode is EnvFileWriteMode.ALWAYS


def counted_bytes(environment: Mapping[str, str]) -> int:
    """Return what the variables count against the threshold of IF_REQUIRED."""
    return sum(
        len(f"{name}={value}".encode()) + VARIABLE_OVERHEAD_BYTES
        for name, value in environment.items()
    )


def is_mounted_here(efs_location: str, mounts: Sequence[Mount], efs: FileSystems) -> bool:
    """Tell whether a location (``fs-…:/…``) lies in something that is mounted on this host."""
    file_system_id, path = efs_parts(efs_location)
    points = {point.access_point_id: point for point in efs.access_points}
    return any(
        mount.id == file_system_id or _holds(points.get(mount.id), file_system_id, path)
        for mount in mounts
    )


def _holds(point: AccessPoint | None, file_system_id: str, path: str) -> bool:
    return (
        point is not None
        and point.file_system_id == file_system_id
        and is_inside(path, normal_path(point.path))
    )


def file_text(environment: Mapping[str, str], *, is_literal: bool) -> str:
    """Write variables as lines of a shell script, each after those that its value mentions."""
    return "\n".join(
        f'export {name}="{_SPECIAL.sub(_ESCAPED, value) if is_literal else value}"'
        for name, value in _by_mention(environment)
    )


def _by_mention(environment: Mapping[str, str]) -> list[tuple[str, str]]:
    """Order depth first; variables that mention each other in a circle come out all the same."""
    done: dict[str, str] = {}
    entered: set[str] = set()
    waiting = [(name, False) for name in reversed(list(environment))]
    while waiting:
        name, is_ready = waiting.pop()
        if is_ready:
            done[name] = environment[name]
        elif name not in entered:
            entered.add(name)
            others = [other for other in mentioned(environment[name]) if other in environment]
            waiting.append((name, True))
            waiting.extend((other, False) for other in reversed(others))
    return list(done.items())
