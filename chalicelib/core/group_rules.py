"""What the operator allows each group: lists of what it may use, and how much at once.

A list that is not given means everything of the site, an empty one nothing. What a list holds is
compared as it is written: a queue's name and its ARN are two values.
"""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import AfterValidator, Field

from chalicelib.core.documents import shortened
from chalicelib.core.errors import InvalidRequest
from chalicelib.core.limits import QUOTA_LIVE_RUNS, QUOTA_SUBMISSIONS_PER_MINUTE
from chalicelib.core.noun import Noun
from chalicelib.core.paths import efs_parts, path_kind, without_dots

EVERY_OTHER: Final = "*"
"""The entry for the groups that have none of their own."""


def _root(text: str) -> str:
    is_absolute = path_kind(text) == "efs" or text.startswith("/")
    path = efs_parts(text).path if path_kind(text) == "efs" else text
    if not is_absolute or without_dots(path) is None or ".." in path.split("/"):
        raise InvalidRequest(
            f"{shortened(text)!r} is not the root of anything",
            value=shortened(text),
            mend="write fs-<id>:/path, or an absolute path of the host, without '..'",
        )
    return text


Root = Annotated[str, AfterValidator(_root)]


class Quota(Noun):
    """How much a group may have at once; what is not given has no limit."""

    live_runs: int | None = Field(default=None, ge=1, le=QUOTA_LIVE_RUNS)
    """Runs that have not settled."""
    submissions_per_minute: int | None = Field(default=None, ge=1, le=QUOTA_SUBMISSIONS_PER_MINUTE)
    """Runs that are started, resumed or rolled back within any 60 seconds."""
    vcpus: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    """Of the live runs together, each counted with the most that it has at one time."""
    gpus: float | None = Field(default=None, ge=0, allow_inf_nan=False)

    @property
    def counts_runs(self) -> bool:
        """Whether it must be known which runs are live."""
        return any(each is not None for each in (self.live_runs, self.vcpus, self.gpus))


class GroupRules(Noun):
    """What one group may use."""

    job_queues: tuple[str, ...] | None = None
    """Names or ARNs, as requests spell them; the site's default queue too, for jobs over files."""
    job_roles: tuple[str, ...] | None = None
    """Likewise. A job without a role needs none of them."""
    buckets: tuple[str, ...] | None = None
    roots: tuple[Root, ...] | None = None
    """``fs-…:/path``, or paths of the host: what is at or below one of them is the group's."""
    quota: Quota | None = None
