"""What a run's machines and bytes cost, as the operator says it in the site (``prices``).

The defaults are AWS's list prices of us-east-1, without tax, discounts and free tiers, looked up
on ``LOOKED_UP``. The machine that this was written on reaches no AWS page: the values were read
in the stored pages named. Whoever has other prices, or machines of his own, sets
``FALSEWORK_PRICES``.

Batch charges nothing for itself; it is the machine that costs, by the second, whatever runs on
it. So a job is charged its share: what it asked for, as long as it ran. What stands idle beside
it, and a machine's start, is no job's and is not in here.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Final

from pydantic import Field

from chalicelib.core.noun import Noun

LOOKED_UP: Final = "2026-11-21"

_C5_XLARGE: Final = 0.170
_M5_XLARGE: Final = 0.192
"""USD an hour for 4 vCPUs and 8, or 16, GiB (https://aws.amazon.com/ec2/pricing/on-demand/; read
for m5.xlarge in gist.github.com/turtlemonvh/89ceb82d80bfee10c19db33f45f8a7b4, for c5.xlarge from
memory). Two machines that differ in memory only give the price of each."""
_GIB: Final = (_M5_XLARGE - _C5_XLARGE) / 8
_VCPU: Final = (_C5_XLARGE - 8 * _GIB) / 4
_GPU: Final = 1.006 - 4 * _VCPU - 16 * _GIB
"""What g5.xlarge costs an hour beyond its 4 vCPUs and 16 GiB (us-east-1, June 2026, read in
main.d1m6t5n8e4tvia.amplifyapp.com/blog/amazon-ec2-on-demand-pricing-instance-families-2026)."""
SPOT_SHARE: Final = 0.35
"""Assumed: "up to 90 %" off, says https://aws.amazon.com/ec2/spot/; the price moves by the hour
and is another one in each zone, so that no number is right."""

Usd = float


class MachinePrices(Noun):
    """What an hour of a machine's parts costs."""

    vcpu_hour: Usd = Field(default=round(_VCPU, 5), ge=0)
    memory_gib_hour: Usd = Field(default=round(_GIB, 5), ge=0)
    gpu_hour: Usd = Field(default=round(_GPU, 5), ge=0)
    is_spot: bool = False
    """Whether the machines can be taken away at any time."""


_SPOT: Final = MachinePrices(
    vcpu_hour=round(SPOT_SHARE * _VCPU, 5),
    memory_gib_hour=round(SPOT_SHARE * _GIB, 5),
    gpu_hour=round(SPOT_SHARE * _GPU, 5),
    is_spot=True,
)


class Prices(Noun):
    """The site's price table."""

    currency: str = Field(default="USD", pattern=r"^[A-Z]{3}$")
    as_of: str = f"AWS list prices of us-east-1, {LOOKED_UP}; Spot at {SPOT_SHARE:.0%} of them"
    """Where they are from; it is shown beside every cost."""
    queues: dict[str, MachinePrices] = {"*spot*": _SPOT, "*": MachinePrices()}
    """Name of a job queue, or a pattern with ``*`` → its machines. The longest that fits wins."""
    efs_written_gib: Usd = Field(default=0.06, ge=0)
    efs_read_gib: Usd = Field(default=0.03, ge=0)
    """Of elastic throughput (https://aws.amazon.com/efs/pricing/, read in factualminds.com/blog/
    amazon-efs-pricing-throughput-modes-storage-classes)."""
    s3_thousand_puts: Usd = Field(default=0.005, ge=0)
    s3_thousand_gets: Usd = Field(default=0.0004, ge=0)
    """Of requests (https://aws.amazon.com/s3/pricing/); bytes within a region cost nothing."""

    def of_queue(self, queue: str) -> MachinePrices:
        """Return what the queue's machines cost; those of a queue that nobody knows, nothing."""
        name = queue.rpartition("/")[2]
        fitting = [each for each in self.queues if fnmatchcase(name, each) or each == queue]
        if not fitting:
            return MachinePrices(vcpu_hour=0, memory_gib_hour=0, gpu_hour=0)
        return self.queues[max(fitting, key=lambda each: (each == name, len(each)))]
