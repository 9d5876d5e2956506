"""Who is an admin of a deployment from the start: without one nobody could ask it for a token.

::

    whoever deploys first ─▶ Administrators, a parameter of the foundation, kept from then on
                          ─▶ identities of the stage, beside those that it has   (site_files)

The parameter names others as well, or ``nobody``. A role counts by its name alone, so everybody
who takes it is an admin (docs/access.md).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from infra.account import Aws

PARAMETER: Final = "Administrators"
NOBODY: Final = "nobody"
_SESSION: Final = re.compile(r"(arn:[a-z-]+):sts::(\d{12}):assumed-role/([^/]+)/.+")
_ADMIN: Final[Mapping[str, Any]] = {"scopes": ["admin"], "groups": None}


def caller(aws: Aws) -> str:
    """Return who deploys, as a site names identities: of a session, its role."""
    arn = str(aws.client("sts").get_caller_identity()["Arn"])
    return _SESSION.sub(r"\1:iam::\2:role/\3", arn)


def identities(outputs: Mapping[str, str]) -> dict[str, Any]:
    """Return what the foundation's administrators are; empty where it names nobody."""
    told = outputs.get(PARAMETER, "")
    names = [each.strip() for each in told.split(",")]
    return {name: dict(_ADMIN) for name in names if name and name != NOBODY}
