"""What the deployment has: EFS file systems, Batch queues, images in ECR.

File systems change rarely and are asked for at every submission, so the answer is kept for some
minutes; whoever adds an access point waits that long, or names it by its id in the site file. A
queue that is there is believed for a minute; one that is not is asked for again each time.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any, Final

from botocore.exceptions import ClientError

from chalicelib.aws.client_errors import code_of, is_denied, never, translated
from chalicelib.aws.mounted_files import write_file
from chalicelib.core.demand.batch_args import is_registry_image
from chalicelib.core.errors import NotFound
from chalicelib.core.site import AccessPoint, FileSystem, FileSystems, Mount

INVENTORY_LIFE: Final = timedelta(minutes=5)
QUEUE_LIFE: Final = timedelta(minutes=1)

_QUEUE: Final = re.compile(
    r"[A-Za-z0-9_-]{1,128}|arn:aws[a-z-]*:batch:[a-z0-9-]+:\d{12}:job-queue/[A-Za-z0-9_-]{1,128}"
)
"""AWS Batch API reference, CreateJobQueue, jobQueueName."""

_REPOSITORY: Final = re.compile(r"(?=.{2,256}\Z)[a-z0-9]+(?:[._/-]+[a-z0-9]+)*")
"""Amazon ECR API reference, repositoryName, a little more generous."""

_USABLE: Final = frozenset({"available", "updating"})
"""Amazon EFS API reference, LifeCycleState."""


class AwsFacilities:
    """The Facilities of the AWS home. ``inventory``: the site file's, instead of EFS's own."""

    def __init__(  # noqa: PLR0913  (three clients)
        self,
        efs: Any,
        batch: Any,
        ecr: Any,
        *,
        clock: Callable[[], datetime],
        mounts: tuple[Mount, ...] = (),
        inventory: FileSystems | None = None,
    ) -> None:
        self._efs = efs
        self._batch = batch
        self._ecr = ecr
        self._clock = clock
        self._mounts = mounts
        self._fixed = inventory
        self._kept: tuple[datetime, FileSystems] | None = None
        self._queues: dict[str, datetime] = {}

    def file_systems(self) -> FileSystems:
        """Return what EFS has, as it was at most ``INVENTORY_LIFE`` ago."""
        if self._fixed is not None:
            return self._fixed
        now = self._clock()
        if self._kept is None or now - self._kept[0] >= INVENTORY_LIFE:
            self._kept = (now, self._ask_efs())
        return self._kept[1]

    def has_queue(self, name: str) -> bool:
        """Return whether a queue of that name or ARN takes jobs, as of ``QUEUE_LIFE`` ago."""
        if not _QUEUE.fullmatch(name):
            return False
        now = self._clock()
        seen_at = self._queues.get(name)
        if seen_at is not None and now - seen_at < QUEUE_LIFE:
            return True
        self._queues.pop(name, None)
        if not self._takes_jobs(name):
            return False
        self._queues[name] = now
        return True

    def resolve_image(self, image: str) -> str:
        """Return a registry's image as it is; else the newest of the ECR repository of that name.

        Where the newest has several tags it is the first by name, but ``latest`` only if it has no
        other, for that one moves. Raises NotFound.
        """
        if is_registry_image(image):
            return image
        if not _REPOSITORY.fullmatch(image):
            raise NotFound(f"image {image!r} is neither in a known registry nor a repository")
        with translated(f"image {image}", is_denied):
            try:
                return self._newest(image)
            except ClientError as exc:
                if code_of(exc) != "RepositoryNotFoundException":
                    raise
                raise NotFound(f"there is no repository {image!r} in this account") from exc

    def write_file(self, path: str, content: bytes) -> None:
        """Write ``fs-…:/path``. Raises Refused where it is not mounted here."""
        write_file(
            path, content, self._mounts, self.file_systems() if self._mounts else FileSystems()
        )

    def _ask_efs(self) -> FileSystems:
        with translated("the inventory of file systems", never):
            return FileSystems(
                file_systems=tuple(
                    FileSystem.model_validate(_named(each))
                    for each in self._pages("describe_file_systems", "FileSystems")
                ),
                access_points=tuple(
                    AccessPoint.model_validate(
                        {**_named(each), "Path": each.get("RootDirectory", {}).get("Path", "/")}
                    )
                    for each in self._pages("describe_access_points", "AccessPoints")
                ),
            )

    def _pages(self, call: str, key: str) -> Iterator[dict[str, Any]]:
        for page in self._efs.get_paginator(call).paginate():
            yield from (each for each in page[key] if each["LifeCycleState"] in _USABLE)

    def _takes_jobs(self, name: str) -> bool:
        """A queue that is being updated takes jobs; a new, an invalid or a dying one does not."""
        with translated(f"job queue {name}", never):
            queues = self._batch.describe_job_queues(jobQueues=[name])["jobQueues"]
        return any(
            name in {queue["jobQueueName"], queue["jobQueueArn"]}
            and queue["state"] == "ENABLED"
            and queue.get("status") in {"VALID", "UPDATING"}
            for queue in queues
        )

    def _newest(self, name: str) -> str:
        (repository,) = self._ecr.describe_repositories(repositoryNames=[name])["repositories"]
        pages = self._ecr.get_paginator("describe_images").paginate(
            repositoryName=name, filter={"tagStatus": "TAGGED"}
        )
        images = [image for page in pages for image in page["imageDetails"]]
        tagged = [image for image in images if image.get("imageTags")]
        if not tagged:
            raise NotFound(f"repository {name!r} has no tagged image")
        newest = max(tagged, key=lambda image: image["imagePushedAt"])
        return f"{repository['repositoryUri']}:{_steadiest(newest['imageTags'])}"


def _named(described: dict[str, Any]) -> dict[str, Any]:
    """EFS gives tags as a list, and leaves ``Name`` out where there is none."""
    tags = {tag["Key"]: tag["Value"] for tag in described.get("Tags", [])}
    return {**described, "Tags": tags, "Name": described.get("Name") or tags.get("Name", "")}


def _steadiest(tags: Iterable[str]) -> str:
    return min(tags, key=lambda tag: (tag == "latest", tag))
