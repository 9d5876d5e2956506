"""A run that is to go on starts new jobs, and so must pass the rules of today, as a new one must.

Compared is what its plan holds with what the site allows now: the group's lists, privilege,
secrets and functions. What no longer exists is not looked for here: its job finds that out.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from chalicelib.core.allowances import check_allowed, listed_roles
from chalicelib.core.definition_rights import check_found_role, check_rights
from chalicelib.core.errors import Forbidden, InvalidRequest, NotFound, Refused
from chalicelib.core.plans.demand_execution import KIND as DEMAND
from chalicelib.core.plans.function_actions import InvokeFunction
from chalicelib.core.plans.functions import check_function
from chalicelib.core.plans.plan import JobDefinition, Plan
from chalicelib.core.run import Run
from chalicelib.core.used_again import used_by_run, users_jobs
from chalicelib.core.uses import Use, used_roles
from chalicelib.ports import Ports


def check_still_allowed(run: Run, ports: Ports) -> None:
    """Raise Forbidden for what the site does not let the run, or its group, use any more."""
    try:
        _check(run, ports)
    except InvalidRequest as exc:
        raise Forbidden(
            f"run {run.id} cannot go on with what it was allowed once: {exc.message}",
            field=exc.field,
            value=exc.value,
            mend=f"{exc.mend}; or submit what is allowed under another id",
        ) from exc


def _check(run: Run, ports: Ports) -> None:
    site, definitions = ports.site, _definitions(run.plan, ports)
    members = ports.caller.principal.groups
    for name, definition in definitions.items():
        check_rights(definition, site, secrets=_secrets_field(run))
        if name not in run.plan.definitions:
            check_found_role(definition, site, listed_roles(run.group, site, members))
    for stage in run.plan.stages:
        if isinstance(stage.action, InvokeFunction):
            check_function(stage.action.function, site)
    uses: Iterable[Use] = used_roles(definitions.values())
    if site.groups is not None:
        uses = used_by_run(run, site, ports.facilities.file_systems(), definitions)
    check_allowed(run.group, uses, site, members)


def _secrets_field(run: Run) -> str:
    return "options.secrets" if run.kind == DEMAND else "job_definition"


def _definitions(plan: Plan, ports: Ports) -> dict[str, JobDefinition]:
    """What the jobs that are not our worker's are defined as, as far as anybody knows."""
    own, found = plan.definitions, {}
    for name in {job.definition for job in users_jobs(plan)}:
        if name in own:
            found[name] = own[name]
            continue
        with suppress(NotFound, Refused):
            found[name] = ports.definitions.describe(name)[1]
    return found
