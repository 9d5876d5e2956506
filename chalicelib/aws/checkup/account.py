"""What the account allows, and whether this machine and AWS agree on what time it is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from chalicelib.aws.checkup.deployment import Deployment
from chalicelib.core.findings import Finding, fine, skew, warning

CONCURRENT: Final = 50
"""Functions at a time: ten for each queue, and the API's and the events' beside them."""
SPOT_VCPUS: Final = "L-34B43A08"
ON_DEMAND_VCPUS: Final = "L-1216C47A"
"""Codes of EC2's quotas "All Standard (A, C, D, H, I, M, R, T, Z) Spot Instance Requests" and
"Running On-Demand Standard … instances", in vCPUs (Service Quotas console)."""
FEW_VCPUS: Final = 32


def check_account(deployment: Deployment) -> Iterator[Finding]:
    """Look at limits that a young account has set low."""
    quotas = deployment.clients.get("service-quotas")
    for about, code in (("Spot vCPUs", SPOT_VCPUS), ("on-demand vCPUs", ON_DEMAND_VCPUS)):
        told = quotas.get_service_quota(ServiceCode="ec2", QuotaCode=code)["Quota"]["Value"]
        yield _enough(about, int(told), FEW_VCPUS, "ask for more in the Service Quotas console")
    settings = deployment.clients.get("lambda").get_account_settings()["AccountLimit"]
    free = int(settings["UnreservedConcurrentExecutions"])
    mend = "ask for more of Lambda's concurrent executions in the Service Quotas console"
    yield _enough("functions at a time", free, CONCURRENT, mend)


def check_clock(deployment: Deployment) -> Iterator[Finding]:
    """Compare this machine's clock with AWS's."""
    told = deployment.clients.get("sts").get_caller_identity()["ResponseMetadata"]
    yield skew(told["HTTPHeaders"]["date"], deployment.clock())


def _enough(about: str, there: int, wanted: int, mend: str) -> Finding:
    if there >= wanted:
        return fine(about, f"up to {there}")
    return warning(about, f"up to {there} only", mend)
