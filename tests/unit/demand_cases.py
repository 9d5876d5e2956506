"""The recorded cases of the original system, and small demands to vary.

``REPLAY`` is the site on which our scaffolding answers byte for byte what was recorded;
``INVENTORY`` what its EFS look-ups were answered from (see ``tests/fixtures/README.md``).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from chalicelib.core.demand.scaffolding import (
    PrepareDemandScaffoldingRequest,
    Scaffolding,
    prepare,
)
from chalicelib.core.site import FileSystems, Mount, Site

FIXTURES = Path(__file__).parents[1] / "fixtures"

REPLAY = Site(
    env_base="dev-interop",
    aws_region="us-west-2",
    account_id="123456789012",
    allow_privileged=True,
    mirror_outputs=True,
    literal_environment_file=False,
    stage_environment_file=False,
)
OURS = Site(env_base="dev-interop", aws_region="us-west-2", account_id="123456789012")
"""The same deployment with every switch where we have it by default."""

INVENTORY = FileSystems.model_validate(json.loads((FIXTURES / "efs_inventory.json").read_text()))

SCRATCH = "/opt/efs/scratch/e1"
"""Where the demands below work."""


def cases(prefix: str) -> list[dict[str, Any]]:
    """Return every recorded case whose id begins with ``prefix``."""
    paths = sorted(FIXTURES.glob(f"{prefix}-*.json"))
    return [json.loads(path.read_text()) for path in paths]


def mounts_of(case: dict[str, Any]) -> tuple[Mount, ...]:
    """Return what a recorded case had mounted."""
    mounted = case["environment"]["efs_locally_mounted"]
    return tuple(Mount(id=item["access_point_id"], path=item["mount_path"]) for item in mounted)


def demand(parameters: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    """Return a small demand's document; ``parameters`` beside the command ``["m"]``."""
    return {
        "execution_type": "t",
        "execution_id": "e1",
        "execution_image": "img",
        "execution_parameters": {"command": ["m"], **(parameters or {})},
        "execution_platform": {"aws_batch": {"job_queue_name": "q"}},
        **fields,
    }


def scaffold(
    document: dict[str, Any],
    site: Site = OURS,
    *,
    mounts: tuple[Mount, ...] = (),
    privileged: bool | None = None,
    efs: FileSystems = INVENTORY,
    **configurations: Any,
) -> Scaffolding:
    """Prepare a demand's document; ``files`` and ``context`` are its two configurations."""
    names = {
        "files": "file_system_configurations",
        "context": "context_manager_configuration",
    }
    given = {names[name]: value for name, value in configurations.items()}
    request = PrepareDemandScaffoldingRequest.parse({"demand_execution": document, **given})
    return prepare(request, site, efs, mounts=mounts, privileged=privileged)


def environment_of(scaffolding: Scaffolding) -> dict[str, str]:
    """Return what Batch is told of the variables."""
    return scaffolding.response.setup_configs.batch_create_request.environment
