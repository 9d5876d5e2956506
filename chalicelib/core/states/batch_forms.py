"""What Batch is sent, in its two spellings (sections 3.4 and 5).

State machines write ``{"Name", "Value"}`` and ``EfsVolumeConfiguration``; the SDK writes
``{"name", "value"}`` and ``efsVolumeConfiguration``. Requests may have either; plans hold the
SDK's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from pydantic import JsonValue

from chalicelib.core.demand.wire import Wire
from chalicelib.core.documents import shortened
from chalicelib.core.errors import InvalidRequest

_EFS: Final = "efsVolumeConfiguration"
_NAMED: Final = ({"Name", "Value"}, {"name", "value"})


class MountPointConfig(Wire):
    """A file system, or an access point of it, and where a container sees it."""

    file_system: str
    access_point: str | None = None
    container_path: str
    root_directory: str | None = None
    read_only: bool = False

    def volume(self, name: str) -> dict[str, JsonValue]:
        """Return the Batch volume; with an access point it has no root directory."""
        if self.access_point is None:
            root = self.root_directory or "/"
            efs: dict[str, JsonValue] = {"fileSystemId": self.file_system, "rootDirectory": root}
        else:
            efs = {
                "fileSystemId": self.file_system,
                "transitEncryption": "ENABLED",
                "authorizationConfig": {"accessPointId": self.access_point, "iam": "DISABLED"},
            }
        return {"name": name, _EFS: efs}

    def mount_point(self, name: str) -> dict[str, JsonValue]:
        """Return the mount point of the volume of that name."""
        return {
            "containerPath": self.container_path,
            "sourceVolume": name,
            "readOnly": self.read_only,
        }


def mounted(
    configs: Iterable[MountPointConfig],
) -> tuple[tuple[dict[str, JsonValue], ...], tuple[dict[str, JsonValue], ...]]:
    """Return mount points and volumes, called ``efs-vol0``, ``efs-vol1``, …"""
    named = [(f"efs-vol{number}", config) for number, config in enumerate(configs)]
    return (
        tuple(config.mount_point(name) for name, config in named),
        tuple(config.volume(name) for name, config in named),
    )


def encrypted(volumes: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the volumes as they are sent to Batch: over TLS where nothing else is said.

    The wire leaves it out of volumes without an access point, Batch takes that for DISABLED (API
    reference, EFSVolumeConfiguration), and our own file system lets nobody in without TLS.
    """
    return [_encrypted(each) for each in volumes]


def _encrypted(volume: Mapping[str, Any]) -> dict[str, Any]:
    efs = volume.get(_EFS)
    if not isinstance(efs, Mapping):
        return dict(volume)
    return {**volume, _EFS: {"transitEncryption": "ENABLED", **efs}}


def environment_pairs(environment: Mapping[str, str]) -> list[dict[str, str]]:
    """Return the variables as state machines write them, sorted by name."""
    return [{"Name": name, "Value": environment[name]} for name in sorted(environment)]


def environment_of(given: Any) -> dict[str, str]:
    """Return the variables of an object, or of a list of pairs. Raises InvalidRequest."""
    if isinstance(given, list | tuple):
        pairs = [_pair(each, str(place)) for place, each in enumerate(given)]
    elif isinstance(given, Mapping):
        pairs = list(given.items())
    else:
        raise _unfit(given, "", "give an object, or a list of names and values")
    for name, value in pairs:
        if not isinstance(name, str) or not isinstance(value, str):
            raise _unfit(value, str(shortened(name)), "give a text; numbers are not converted")
    return dict(pairs)


def _pair(given: Any, place: str) -> tuple[Any, Any]:
    if not isinstance(given, Mapping) or set(given) not in _NAMED:
        raise _unfit(given, place, 'give {"Name": …, "Value": …}')
    spelt = camel(given)
    return spelt["name"], spelt["value"]


def requirements(
    memory: str | None, vcpus: str | None, gpu: str | None
) -> tuple[dict[str, str], ...]:
    """Return what is asked for in the SDK's form; nothing asks for nothing, and zero neither."""
    asked = (("GPU", gpu), ("MEMORY", memory), ("VCPU", vcpus))
    return tuple(
        {"type": kind, "value": value} for kind, value in asked if value and not _is_zero(value)
    )


def pascal(tree: Any) -> Any:
    """Return the tree with the keys of state machines."""
    return _respelt(tree, str.upper)


def camel(tree: Any) -> Any:
    """Return the tree with the keys of the SDK; of either spelling, and twice is as once."""
    return _respelt(tree, str.lower)


def _respelt(tree: Any, letter: Any) -> Any:
    if isinstance(tree, Mapping):
        return {letter(key[:1]) + key[1:]: _respelt(value, letter) for key, value in tree.items()}
    if isinstance(tree, list | tuple):
        return [_respelt(each, letter) for each in tree]
    return tree


def _is_zero(value: str) -> bool:
    try:
        return float(value) == 0
    except ValueError:
        return False


def _unfit(value: object, field: str, mend: str) -> InvalidRequest:
    return InvalidRequest(
        f"{value!r:.100} is no environment", field=field, value=shortened(value), mend=mend
    )
