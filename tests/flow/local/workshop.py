"""A home with short commands for its jobs, and the end of whatever was left running."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from chalicelib.core.job_state import ENDED_JOBS, JobStatus
from chalicelib.core.plans.plan import JobDefinition
from chalicelib.job_ports import JobRequest, JobSeen
from chalicelib.local.home import Home
from chalicelib.local.leftovers import kill_carriers
from tests.contract.openers import LocalOpener, until

IMAGE = "ghcr.io/somebody/tool:1"


class Workshop:
    """One home; ``submit`` takes the text of a shell script."""

    def __init__(self, root: Path, width: int = 2, **settings: object) -> None:
        self.root = root
        self.home: Home = LocalOpener(root).home(width, **settings)
        self.jobs = self.home.jobs

    def define(self, mounts: dict[str, str] | None = None, **fields: Any) -> str:
        """Return the ARN of a definition that mounts {role: container path}; shared read-only."""
        points = self.home.ports.facilities.file_systems().access_points
        mounted = [point for point in points if point.name in (mounts or {})]
        volumes = tuple(
            {
                "name": point.name,
                "efsVolumeConfiguration": {
                    "fileSystemId": point.file_system_id,
                    "rootDirectory": "/",
                    "authorizationConfig": {"accessPointId": point.access_point_id},
                },
            }
            for point in mounted
        )
        mount_points = tuple(
            {
                "readOnly": point.name == "shared",
                "containerPath": (mounts or {})[point.name],
                "sourceVolume": point.name,
            }
            for point in mounted
        )
        told = {"name": "dev-x", "image": IMAGE, "mount_points": mount_points, "volumes": volumes}
        return self.jobs.define(JobDefinition.model_validate({**told, **fields}))

    def submit(self, script: str, arn: str | None = None, cores: int = 1, **fields: Any) -> str:
        return self.jobs.submit(
            JobRequest.model_validate(
                {
                    "name": "falsework-job-1",
                    "queue": "default",
                    "definition_arn": arn or self.define(),
                    "command": ("/bin/sh", "-c", script),
                    "resource_requirements": ({"type": "VCPU", "value": str(cores)},),
                    **fields,
                }
            )
        )

    def seen(self, job_id: str) -> JobSeen:
        (found,) = self.jobs.describe([job_id])
        return found

    def pump_until(self, *statuses: JobStatus, job_id: str) -> JobSeen:
        """Pump until the job has one of the statuses."""

        def look() -> JobSeen | None:
            self.jobs.pump()
            found = self.seen(job_id)
            return found if found.status in statuses else None

        return until(look, f"one of {[*statuses]}")

    def started(self, job_id: str) -> JobSeen:
        return self.pump_until(JobStatus.RUNNING, job_id=job_id)

    def ended(self, job_id: str) -> JobSeen:
        return self.pump_until(*ENDED_JOBS, job_id=job_id)

    def run(self, script: str, **fields: Any) -> JobSeen:
        return self.ended(self.submit(script, **fields))

    def output(self, seen: JobSeen, limit: int = 100_000) -> str:
        assert seen.log_stream is not None
        return self.jobs.log(seen.log_stream, limit).decode()

    def job_ids(self, statuses: Sequence[JobStatus] = tuple(JobStatus)) -> list[str]:
        return [seen.job_id for seen in self.jobs.changes(0)[0] if seen.status in statuses]

    def wrapper_pid(self, job_id: str) -> int:
        """Return the process that watches the job, as the kernel knows it."""
        folder = str(self.root / "jobs" / job_id).encode()
        for process in Path("/proc").glob("[0-9]*"):
            try:
                words = (process / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if b"chalicelib.local.wrapper" in words and folder in words:
                return int(process.name)
        raise AssertionError(f"nobody watches {job_id}")


@contextmanager
def workshop(root: Path, width: int = 2, **settings: object) -> Iterator[Workshop]:
    """Lend a home; at the end no process of its jobs is left."""
    shop = Workshop(root, width, **settings)
    try:
        yield shop
    finally:
        for job_id in shop.job_ids():
            shop.jobs.stop(job_id, "the test is over")
            kill_carriers(job_id)
        for job_id in shop.job_ids((JobStatus.RUNNING,)):
            shop.ended(job_id)
        shop.home.database.close()
