"""What a request uses, and whether its group may: one pure question for every kind of run.

::

    used_by_demand, …_file_job, …_invocation, …_batch_job, … ─▶ uses (field, list, value)
                                                                │
                                      Forbidden, or nothing ◀─ check_allowed

Everything that a job can reach counts, whether the request names it or the site picks it: all of
a volume that is mounted, and the queue that jobs over files go to. Links are not looked at here:
where they lead is the file system's affair.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any, Final, NamedTuple

from chalicelib.core.demand.batch_args import CreateDefinitionAndPrepareArgsRequest
from chalicelib.core.demand.scaffolding import Scaffolding
from chalicelib.core.documents import shortened
from chalicelib.core.errors import Forbidden
from chalicelib.core.file_requests import FileSubmission, paths_of, temporary_places_of
from chalicelib.core.group_rules import EVERY_OTHER, GroupRules
from chalicelib.core.paths import efs_parts, is_inside, path_kind, s3_parts, without_dots
from chalicelib.core.plans.batch_invoked import Invocation
from chalicelib.core.plans.plan import JobDefinition
from chalicelib.core.site import FileSystems
from chalicelib.core.submission import Submission
from chalicelib.core.submission_checks import object_paths

SHOWN: Final = 5
"""How many of the allowed values an error names."""

Groups = Mapping[str, GroupRules] | None


class Listed(StrEnum):
    """The lists of ``GroupRules``, and what each is called in a sentence."""

    QUEUE = "job_queues"
    ROLE = "job_roles"
    BUCKET = "buckets"
    ROOT = "roots"

    @property
    def noun(self) -> str:
        """Return what one of the values is."""
        return {"job_queues": "job queue", "job_roles": "job role", "buckets": "bucket"}.get(
            self, "path"
        )


class Use(NamedTuple):
    """One thing that a request uses."""

    field: str
    """Where the request says so."""
    listed: Listed
    value: str


def check_allowed(
    group: str, uses: Iterable[Use], groups: Groups, worker_role: str | None = None
) -> None:
    """Raise Forbidden for the first thing that the group may not use, or for the group itself.

    ``worker_role`` has to be listed: what has it can read what Falsework keeps of every group.
    """
    rules = rules_of(group, groups)
    for use in uses if rules is not None else ():
        allowed: tuple[str, ...] | None = getattr(rules, use.listed)
        if allowed is None and (use.listed, use.value) == (Listed.ROLE, worker_role):
            allowed = ()
        if allowed is not None and not _is_among(use, allowed):
            raise Forbidden(
                f"the group {group!r} may not use the {use.listed.noun} {use.value!r:.200}",
                field=use.field,
                value=shortened(use.value),
                mend=_mend(use, allowed),
            )


def check_any_allows(
    members: Collection[str] | None,
    uses: Collection[Use],
    groups: Groups,
    worker_role: str | None = None,
) -> None:
    """Raise Forbidden unless one of the groups may use it all; None: a member of every group."""
    if groups is None or members is None:
        return
    refusals: list[Forbidden] = []
    for group in sorted(members):
        try:
            check_allowed(group, uses, groups, worker_role)
        except Forbidden as exc:
            refusals.append(exc)
        else:
            return
    raise refusals[0] if refusals else _no_rules("", groups)


def rules_of(group: str, groups: Groups) -> GroupRules | None:
    """Return the group's rules; None where there are none for anybody. Raises Forbidden."""
    if groups is None:
        return None
    found = groups.get(group) or groups.get(EVERY_OTHER)
    if found is None:
        raise _no_rules(group, groups)
    return found


def used_by_demand(submission: Submission, prepared: Scaffolding) -> Iterator[Use]:
    """Yield what a demand execution uses."""
    create = prepared.response.setup_configs.batch_create_request
    platform = "demand_execution.execution_platform.aws_batch"
    yield Use(f"{platform}.job_queue_name", Listed.QUEUE, create.job_queue_name)
    yield from _fallback(submission.options.fallback_job_queue_name)
    if create.job_role_arn:
        yield Use(f"{platform}.job_role", Listed.ROLE, create.job_role_arn)
    for field, path in object_paths(submission, prepared):
        if path:
            yield use_of_path(field, path)
    for volume in prepared.volumes:
        root = f"{volume.file_system_id}:{volume.access_point_path}"
        yield Use(f"file_system_configurations.{volume.role}", Listed.ROOT, root)


def used_by_file_job(submission: FileSubmission, queue: str) -> Iterator[Use]:
    """Yield what a job over files uses; ``queue`` is the one that the site sends it to."""
    yield Use("site.default_job_queue", Listed.QUEUE, queue)
    yield from _fallback(submission.options.fallback_job_queue_name)
    for field, path in (*paths_of(submission.request), *temporary_places_of(submission.request)):
        yield use_of_path(field, path)


def used_by_invocation(call: Invocation, efs: FileSystems) -> Iterator[Use]:
    """Yield what a handler's or an executor's job uses."""
    yield Use("job_queue", Listed.QUEUE, call.queue)
    yield from _fallback(call.fallback_queue)
    yield from _container(call.job_role_arn, call.volumes, efs)
    yield Use("bucket_name", Listed.BUCKET, call.bucket)


def used_by_batch_job(
    queue: str, fallback: str | None, definition: JobDefinition, efs: FileSystems
) -> Iterator[Use]:
    """Yield what a Batch job uses, through its definition, too, whoever made that."""
    yield Use("job_queue", Listed.QUEUE, queue)
    yield from _fallback(fallback)
    yield from _container(definition.job_role_arn, definition.volumes, efs)


def used_by_definition(
    request: CreateDefinitionAndPrepareArgsRequest, efs: FileSystems
) -> Iterator[Use]:
    """Yield what a job definition uses that others will submit jobs of."""
    yield Use("job_queue_name", Listed.QUEUE, request.job_queue_name)
    yield from _container(request.job_role_arn, request.volumes, efs)


def use_of_path(field: str, path: str) -> Use:
    """Return the use of a checked data path: of an object it is the bucket that counts."""
    if path_kind(path) == "s3":
        return Use(field, Listed.BUCKET, s3_parts(path).bucket)
    return Use(field, Listed.ROOT, path)


def _fallback(queue: str | None) -> Iterator[Use]:
    if queue is not None:
        yield Use("options.fallback_job_queue_name", Listed.QUEUE, queue)


def _container(
    role: str | None, volumes: Sequence[Mapping[str, Any]], efs: FileSystems
) -> Iterator[Use]:
    if role:
        yield Use("job_role_arn", Listed.ROLE, role)
    for number, volume in enumerate(volumes):
        for path in _mounted(volume, efs):
            yield Use(f"volumes.{number}", Listed.ROOT, path)


def _mounted(volume: Mapping[str, Any], efs: FileSystems) -> Iterator[str]:
    """Yield the root of a volume as Batch writes it; of what is not known, the whole of it."""
    told = volume.get("efsVolumeConfiguration")
    if isinstance(told, Mapping):
        access = (told.get("authorizationConfig") or {}).get("accessPointId")
        roots = {each.access_point_id: each.path for each in efs.access_points}
        folder = roots.get(access, "/") if access else told.get("rootDirectory") or "/"
        yield f"{told.get('fileSystemId')}:{folder}"
    host = volume.get("host")
    if isinstance(host, Mapping) and host.get("sourcePath"):
        yield str(host["sourcePath"])


def _is_among(use: Use, allowed: tuple[str, ...]) -> bool:
    if use.listed is not Listed.ROOT:
        return use.value in allowed
    place = _place(use.value)
    return place is not None and any(_is_below(place, _place(root)) for root in allowed)


def _is_below(place: tuple[str, str], root: tuple[str, str] | None) -> bool:
    return root is not None and place[0] == root[0] and is_inside(place[1], root[1])


def _place(path: str) -> tuple[str, str] | None:
    """Return the file system ("" is the host) and the path in it; None for what may be anywhere:
    a relative path, or one that climbs out of its file system."""
    file_system, inside = efs_parts(path) if path_kind(path) == "efs" else ("", path)
    resolved = without_dots(inside) if inside.startswith("/") else None
    return None if resolved is None else (file_system, resolved)


def _mend(use: Use, allowed: tuple[str, ...]) -> str:
    named = ", ".join(allowed[:SHOWN]) + (", …" if len(allowed) > SHOWN else "")
    where = "at or below one of" if use.listed is Listed.ROOT else "one of"
    ask = f"ask the operator to add it to the group's {use.listed}"
    return f"name {where} {named}; or {ask}" if allowed else ask


def _no_rules(group: str, groups: Mapping[str, GroupRules]) -> Forbidden:
    named = ", ".join(sorted(groups)[:SHOWN])
    return Forbidden(
        f"the group {group!r} may not submit here",
        field="options.group",
        value=group,
        mend=f"name a group of this site: {named}" if named else "ask the operator for one",
    )
