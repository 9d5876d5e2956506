"""Which file system serves which role: what a request may say, and how it is looked up.

Each role has candidates; one is chosen by a generator that is seeded with the execution's id, so
a resubmission finds its files again. A candidate names an access point, and perhaps its file
system, by id, ARN or name; a name is looked up among those of this deployment (tag ``env_base``)
and must be the name of exactly one. (Sections 6.1, 6.3 and 6.4 of the demand wire format.)
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Any, Final, NamedTuple, TypeVar

from pydantic import AfterValidator, BeforeValidator

from chalicelib.core.demand.wire import Wire
from chalicelib.core.documents import at_field, shortened
from chalicelib.core.errors import InvalidRequest
from chalicelib.core.site import AccessPoint, FileSystem, FileSystems

Thing = TypeVar("Thing", AccessPoint, FileSystem)

_ARN: Final = re.compile(
    r"arn:aws[a-z-]*:elasticfilesystem:[a-z0-9-]+:[0-9]{12}:(?:access-point|file-system)/(.+)"
)
_FILE_SYSTEM_ID: Final = re.compile(r"fs-[0-9a-f]{8,40}")
_ACCESS_POINT_ID: Final = re.compile(r"fsap-[0-9a-f]{8,40}")


class Role(StrEnum):
    """What a mounted file system is for. The order is that of the wire."""

    SCRATCH = "scratch"
    """Working directories: read and written."""
    SHARED = "shared"
    """Inputs that executions share: read only."""
    TMP = "tmp"
    """Temporary files, where they are not to lie on scratch."""


class SelectionStrategy(StrEnum):
    """How one of several candidates is chosen."""

    RANDOM = "RANDOM"


class Candidate(Wire):
    """One file system that may serve; the role's own defaults fill what it leaves out."""

    file_system: str | None = None
    access_point: str | None = None
    container_path: str | None = None


def _as_list(value: Any) -> Any:
    # The 1.0 wire had one object here.
    return [value] if isinstance(value, Mapping | Candidate) else value


def _none_as_empty(value: Any) -> Any:
    return () if value is None else value


def _not_empty(candidates: tuple[Candidate, ...]) -> tuple[Candidate, ...]:
    if not candidates:
        raise InvalidRequest(
            "there is no candidate",
            value=[],
            mend="give at least {}, which stands for the default access point",
        )
    return candidates


Candidates = Annotated[tuple[Candidate, ...], BeforeValidator(_as_list)]
SomeCandidates = Annotated[Candidates, AfterValidator(_not_empty)]


class FileSystemConfigurations(Wire):
    """The candidates of each role; without any for tmp there is no such volume."""

    scratch: SomeCandidates = (Candidate(),)
    shared: SomeCandidates = (Candidate(),)
    tmp: Annotated[Candidates, BeforeValidator(_none_as_empty)] = ()
    selection_strategy: SelectionStrategy = SelectionStrategy.RANDOM


class Selected(NamedTuple):
    """The candidate that serves, and the path of the field that named it."""

    candidate: Candidate
    field: str


def select(candidates: Sequence[Candidate], execution_id: str, role: Role) -> Selected:
    """Choose the candidate of a role: always the same one for the same execution.

    The choice is CPython's ``random.Random("<execution_id>#<role>").choice``, as in the original
    system; clients of both rely on finding the same file system.
    """
    indexes = range(len(candidates))
    generator = random.Random(f"{execution_id}#{role}")  # noqa: S311 - a choice, not a secret
    index = indexes[0] if len(indexes) == 1 else generator.choice(indexes)
    return Selected(candidates[index], f"file_system_configurations.{role}.{index}")


def find_access_point(
    candidate: Candidate, role: Role, env_base: str, inventory: FileSystems
) -> AccessPoint:
    """Return the access point that a candidate means; a role's default bears the role's name.

    Raises InvalidRequest, with a field relative to the candidate, when it is unknown, ambiguous,
    or belongs to another file system than the one that the candidate names.
    """
    wanted = candidate.access_point or role.value
    with at_field("access_point"):
        point = _one(_matching_points(wanted, env_base, inventory), wanted, "access point")
    if candidate.file_system:
        with at_field("file_system"):
            expected = _file_system_id(candidate.file_system, env_base, inventory)
            _refuse_foreign(point, expected)
    return point


def _matching_points(wanted: str, env_base: str, inventory: FileSystems) -> list[AccessPoint]:
    name = _reduced(wanted)
    if _ACCESS_POINT_ID.fullmatch(name):
        return [point for point in inventory.access_points if point.access_point_id == name]
    return [point for point in inventory.access_points if _is_named(point, name, env_base)]


def _file_system_id(wanted: str, env_base: str, inventory: FileSystems) -> str:
    name = _reduced(wanted)
    if _FILE_SYSTEM_ID.fullmatch(name):
        return name
    found = [system for system in inventory.file_systems if _is_named(system, name, env_base)]
    return _one(found, wanted, "file system").file_system_id


def _reduced(wanted: str) -> str:
    match = _ARN.fullmatch(wanted)
    return match[1] if match else wanted


def _is_named(thing: AccessPoint | FileSystem, name: str, env_base: str) -> bool:
    is_ours = thing.tags.get("env_base") == env_base
    return is_ours and thing.tags.get("Name", thing.name) == name


def _one(found: Sequence[Thing], wanted: str, what: str) -> Thing:
    if len(found) != 1:
        problem = "is unknown here" if not found else f"is the name of {len(found)}"
        raise InvalidRequest(
            f"the {what} {shortened(wanted)!r} {problem}",
            value=shortened(wanted),
            mend=f"give the id of one {what}, or a name that one {what} of this deployment has",
        )
    return found[0]


def _refuse_foreign(point: AccessPoint, expected: str) -> None:
    if point.file_system_id != expected:
        raise InvalidRequest(
            f"the access point {point.access_point_id} belongs to {point.file_system_id}, "
            f"not to {expected}",
            value=expected,
            mend="name an access point of that file system, or leave file_system out",
        )
