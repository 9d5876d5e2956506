"""The smaller ports: what the deployment has, wake-ups, and the pace."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Any, Final

from chalicelib.core.limits import BATCH_SUBMISSIONS_PER_SECOND
from chalicelib.core.site import AccessPoint, FileSystem, FileSystems, Site
from chalicelib.dead_letters import DeadLetter, Redriven
from chalicelib.document_ports import Document, StaleDocument
from chalicelib.simulation.bus import Bus

PER_SECOND: Final = BATCH_SUBMISSIONS_PER_SECOND - 5
"""As the AWS home paces itself."""
_OWN: Final = "fs-0000000000000001"


def file_systems_of(site: Site) -> FileSystems:
    """Return one file system with the three access points that scaffolding looks for."""
    tags = {"env_base": site.env_base}
    return FileSystems(
        file_systems=(FileSystem(file_system_id=_OWN, name="efs", tags={"Name": "efs", **tags}),),
        access_points=tuple(
            AccessPoint(
                access_point_id=f"fsap-{number:016x}",
                name=role,
                file_system_id=_OWN,
                path=f"/{role}",
                tags={"Name": role, **tags},
            )
            for number, role in enumerate(("scratch", "shared", "tmp"), 1)
        ),
    )


class StrictFacilities:
    """The Facilities: every queue and image that is asked for is there."""

    def __init__(self, file_systems: FileSystems) -> None:
        self._file_systems = file_systems
        self.files: dict[str, bytes] = {}

    def file_systems(self) -> FileSystems:
        """Return the one file system."""
        return self._file_systems

    def has_queue(self, name: str) -> bool:
        """Every queue that has a name is there."""
        return bool(name)

    def resolve_image(self, image: str) -> str:
        """Return the image as it is."""
        return image

    def write_file(self, path: str, content: bytes) -> None:
        """Keep the file."""
        self.files[path] = content


class LossyTimers:
    """The Timers: the bus brings the wake-ups, or not."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    def wake(self, run_id: str, at: datetime) -> None:
        """Send one."""
        self._bus.wake(run_id, at)


class NothingAside:
    """The DeadLetters of a world in which nothing is put aside."""

    def redrive(self) -> Redriven:
        """Send nothing back."""
        return Redriven(sent_back={}, left=0, has_more=False)

    def listed(self, limit: int) -> tuple[DeadLetter, ...]:  # noqa: ARG002 -- the port's
        """Return none."""
        return ()


class StrictPace:
    """The Pace: a counter for every second, as in DynamoDB."""

    def __init__(self) -> None:
        self._taken: Counter[int] = Counter()

    def admit(self, now: datetime) -> bool:
        """Take one of this second's turns."""
        second = int(now.timestamp())
        if self._taken[second] >= PER_SECOND:
            return False
        self._taken[second] += 1
        return True


class Papers:
    """The Documents, in memory; nothing expires before the world ends."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], Document] = {}

    def load(self, partition: str, key: str) -> Document | None:
        """Return the document."""
        return self._kept.get((partition, key))

    def save(
        self,
        partition: str,
        key: str,
        content: dict[str, Any],
        *,
        version: int = 0,
        expires_at: datetime | None = None,  # noqa: ARG002 -- see above
    ) -> Document:
        """Save it under its version."""
        found = self._kept.get((partition, key))
        if (found.version if found else 0) != version:
            raise StaleDocument(f"{partition} {key} is not at version {version}")
        self._kept[partition, key] = Document(key, content, version + 1)
        return self._kept[partition, key]

    def remove(self, partition: str, key: str) -> None:
        """Remove it."""
        self._kept.pop((partition, key), None)

    def list(self, partition: str, *, after: str = "", limit: int = 100) -> tuple[Document, ...]:
        """Return those behind ``after``."""
        keys = sorted(key for where, key in self._kept if where == partition and key > after)
        return tuple(self._kept[partition, key] for key in keys[:limit])
