"""The check-up of a deployment: what is there, compared with what the code relies on.

Reading calls only, with the operator's own credentials; nothing is changed, no item, message or
object is read. A question that AWS does not answer is a finding, too, and the others go on:
but not without credentials.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    NoCredentialsError,
    PartialCredentialsError,
    TokenRetrievalError,
)

from chalicelib.aws.checkup.account import check_account, check_clock
from chalicelib.aws.checkup.alarms import check_alarms
from chalicelib.aws.checkup.deployment import Check, Deployment
from chalicelib.aws.checkup.functions import (
    check_functions,
    check_mappings,
    check_mounts,
    check_recursion,
    check_rules,
)
from chalicelib.aws.checkup.machines import check_image, check_job_queue
from chalicelib.aws.checkup.policies import check_policies
from chalicelib.aws.checkup.queues import check_queues
from chalicelib.aws.checkup.table import check_table, check_table_safety
from chalicelib.aws.client_errors import code_of
from chalicelib.core.findings import Finding, unknown

CHECKS: Final[tuple[tuple[str, Check], ...]] = (
    ("table", check_table),
    ("table's safety", check_table_safety),
    ("queues", check_queues),
    ("functions", check_functions),
    ("queue mappings", check_mappings),
    ("wake-ups that follow each other", check_recursion),
    ("mounts", check_mounts),
    ("rules", check_rules),
    ("policies", check_policies),
    ("worker image", check_image),
    ("job queue", check_job_queue),
    ("alarms", check_alarms),
    ("account limits", check_account),
    ("clock", check_clock),
)
CREDENTIALS: Final = (
    CredentialRetrievalError,
    NoCredentialsError,
    PartialCredentialsError,
    TokenRetrievalError,
)
"""With these nothing else can be asked either, so it is said once."""


def check_up(deployment: Deployment) -> Iterator[Finding]:
    """Yield what is found, one thing after the other."""
    for about, check in CHECKS:
        try:
            yield from check(deployment)
        except ClientError as exc:
            said = f"AWS does not answer: {code_of(exc)}"
            yield unknown(about, said, "use credentials that may read this, and look again")
        except CREDENTIALS as exc:
            said = f"AWS cannot be asked anything: {exc}"
            yield unknown("credentials", said, "log in, or set AWS_PROFILE, and look again")
            return
        except BotoCoreError as exc:
            said = f"AWS cannot be asked: {exc}"
            yield unknown(about, said, "check credentials, region and network")
