"""Whose a job role is, by its name: Falsework's own, or for users' jobs.

::

    <prefix>-job-…     our worker's, and the one that secrets are fetched with: for a user's job
                       only where the list of its group names it
    <prefix>-user-…    what the deployment may pass to users' jobs (infra/grants.py says the same)

A name is enough: an account has it once, whatever the path before it and the case (IAM user guide,
names).
"""

from __future__ import annotations

from chalicelib.core.site import Site


def users_roles(site: Site) -> str:
    """Return how the names of roles begin that the deployment may give to users' jobs."""
    return f"{site.prefix}-user-"


def is_users_role(arn: str, site: Site) -> bool:
    """Tell whether the role is one of those."""
    return _name(arn).startswith(users_roles(site))


def is_own_role(arn: str, site: Site) -> bool:
    """Tell whether the role is Falsework's own: what has it reads what is kept of every group."""
    name = _name(arn).lower()
    known = (site.worker_role_arn, *site.own_roles)
    own = {_name(each).lower() for each in known if each}
    return name in own or name.startswith(f"{site.prefix}-job-")


def _name(arn: str) -> str:
    return arn.rpartition("/")[2]
