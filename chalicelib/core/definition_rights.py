"""What no job definition may have unless the site allows it: privilege, the machine's own folders,
others' secrets, and another team's role.

Root in a container that mounts ``/`` of its machine is root on the machine, as with privilege. A
role is looked at here only where the definition was there before: who registers one needs to be
allowed to pass its role, and SubmitJob asks nobody.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from chalicelib.core.demand.batch_args import forbidden_privilege
from chalicelib.core.documents import shortened
from chalicelib.core.errors import Forbidden
from chalicelib.core.job_roles import is_users_role, users_roles
from chalicelib.core.plans.plan import JobDefinition
from chalicelib.core.site import Site


def check_rights(
    definition: JobDefinition, site: Site, *, secrets: str = "job_definition"
) -> None:
    """Raise Forbidden for what the site does not allow, whoever made the definition.

    ``secrets``: the field that names them.
    """
    if definition.privileged and not site.allow_privileged:
        raise forbidden_privilege("privileged")
    check_host_volumes(definition.volumes, site)
    for name, arn in definition.secrets.items():
        if not arn.startswith(site.allowed_secrets):
            raise Forbidden(
                f"the site does not allow the secret of {name}",
                field=secrets,
                value=arn,
                mend="name a definition whose secrets are below one of the site's allowed_secrets",
            )


def check_host_volumes(volumes: Sequence[Mapping[str, Any]], site: Site) -> None:
    """Raise Forbidden for a folder of the machine itself, in either spelling of the volume.

    A volume without a path is an empty one of Docker's, and harms nobody.
    """
    if site.allow_host_volumes:
        return
    for place, volume in enumerate(volumes):
        source = _source(volume)
        if source:
            raise Forbidden(
                "this site does not show containers the folders of their machine",
                field=f"volumes.{place}.host.sourcePath",
                value=shortened(source),
                mend="mount a file system, or ask the operator to set allow_host_volumes",
            )


def check_found_role(
    definition: JobDefinition, site: Site, listed: Collection[str] | None
) -> None:
    """Raise Forbidden for the role of a definition that was there, unless it is for users' jobs.

    That is by its name, or because ``listed``, the group's own list, has it. On one's own machine
    roles mean nothing.
    """
    role = definition.job_role_arn
    if site.has_local_paths or not role or role in (listed or ()) or is_users_role(role, site):
        return
    raise Forbidden(
        f"the definition's job role {role!r:.200} is not for the jobs of this site",
        field="job_definition",
        value=shortened(role),
        mend=f"name a definition without a role, or with one called {users_roles(site)}…; or ask"
        " the operator to add the role to the group's job_roles",
    )


def _source(volume: Mapping[str, Any]) -> Any:
    """Return the folder; of a form that Batch does not know, whatever is in its place."""
    host = volume.get("host") or volume.get("Host")
    if isinstance(host, Mapping):
        return host.get("sourcePath") or host.get("SourcePath")
    return host
