"""What the account allows, and whether this machine and AWS agree on what time it is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from botocore.exceptions import ClientError

from chalicelib.aws.checkup.deployment import Deployment, or_none
from chalicelib.aws.client_errors import code_of
from chalicelib.core.findings import Finding, fault, fine, skew, unknown, warning

CONCURRENT: Final = 50
"""Functions at a time: ten for each queue, and the API's and the events' beside them."""
SPOT_VCPUS: Final = "L-34B43A08"
ON_DEMAND_VCPUS: Final = "L-1216C47A"
"""Codes of EC2's quotas "All Standard (A, C, D, H, I, M, R, T, Z) Spot Instance Requests" and
"Running On-Demand Standard … instances", in vCPUs (Service Quotas console)."""
FEW_VCPUS: Final = 32
FUNCTIONS: Final = "L-B99A9384"
"""Lambda's quota "Concurrent executions" (the same)."""


def check_account(deployment: Deployment) -> Iterator[Finding]:
    """Look at limits that a young account has set low."""
    quotas = deployment.clients.get("service-quotas")
    for about, code in (("Spot vCPUs", SPOT_VCPUS), ("on-demand vCPUs", ON_DEMAND_VCPUS)):
        yield _quota(quotas, about, code)
    settings = deployment.clients.get("lambda").get_account_settings()["AccountLimit"]
    free = int(settings["UnreservedConcurrentExecutions"])
    yield _enough("functions at a time", free, CONCURRENT, _more("lambda", FUNCTIONS, 1000))


def check_clock(deployment: Deployment) -> Iterator[Finding]:
    """Compare this machine's clock with AWS's."""
    told = deployment.clients.get("sts").get_caller_identity()["ResponseMetadata"]
    yield skew(told["HTTPHeaders"]["date"], deployment.clock())


def _quota(quotas: Any, about: str, code: str) -> Finding:
    """An account that never asked for more may have no value of its own, but AWS's."""
    asked = {"ServiceCode": "ec2", "QuotaCode": code}
    mend = _more("ec2", code, 8 * FEW_VCPUS)
    try:
        own = or_none(lambda: quotas.get_service_quota(**asked))
        told = own or quotas.get_aws_default_service_quota(**asked)
    except ClientError as exc:  # the other limits are looked at all the same
        said = f"AWS does not tell the quota {code}: {code_of(exc)}"
        return unknown(about, said, f"see the console of Service Quotas; for more: {mend}")
    return _enough(about, int(told["Quota"]["Value"]), FEW_VCPUS, mend)


def _enough(about: str, there: int, wanted: int, mend: str) -> Finding:
    if there >= wanted:
        return fine(about, f"up to {there}")
    if there == 0:
        return fault(about, "the account has none: nothing can start", mend)
    return warning(about, f"up to {there} only", mend)


def _more(service: str, code: str, count: int) -> str:
    return (
        "aws service-quotas request-service-quota-increase"
        f" --service-code {service} --quota-code {code} --desired-value {count}"
    )
