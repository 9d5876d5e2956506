"""The Site's workflows as a caller sees them: to who is in no group of one there is none."""

from __future__ import annotations

from chalicelib.core.errors import NotFound
from chalicelib.core.flowserv.workflows import Workflow, own_group
from chalicelib.ports import Ports


def find_workflow(workflow_id: str, ports: Ports) -> Workflow:
    """Return the workflow. Raises NotFound."""
    workflow = ports.site.workflows.get(workflow_id)
    sees = ports.caller.principal.sees
    groups = (own_group(workflow_id), *groups_of(workflow_id, ports))
    if workflow is None or not any(sees(group) for group in groups):
        raise NotFound(f"there is no workflow {workflow_id!r:.100}")
    return workflow


def groups_of(workflow_id: str, ports: Ports) -> tuple[str, ...]:
    """Return the groups that work by it, whoever sees them."""
    pairs = ports.site.group_workflows.items()
    return tuple(group for group, its in pairs if its == workflow_id)


def workflow_id_of(group: str, ports: Ports) -> str:
    """Return the workflow that the group works by. Raises NotFound."""
    workflow_id = ports.site.group_workflows.get(group)
    if workflow_id is None or not ports.caller.principal.sees(group):
        raise NotFound(
            f"there is no group {group!r:.100} with a workflow: the site names them in"
            " group_workflows"
        )
    return workflow_id
