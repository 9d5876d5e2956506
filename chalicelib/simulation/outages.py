"""Which services are down when, in a world: drawn once, before anything happens."""

from __future__ import annotations

from collections.abc import Iterable

from chalicelib.simulation.batch_jobs import DAY, HOUR
from chalicelib.simulation.boundary import Boundary, Service
from chalicelib.simulation.dice import Dice, Fault
from chalicelib.simulation.lambdas import Lambdas


def plan_outages(dice: Dice, boundaries: Iterable[Boundary], lambdas: Lambdas) -> float:
    """Plan what is down and return for how many seconds in all, each service by itself."""
    throws = dice.stream("outages")
    down = 0.0
    met = tuple(boundaries)
    for service in Service:
        if dice.strikes(Fault.OUTAGE):
            start = throws.uniform(0, 4 * HOUR)
            length = throws.choice((60.0, 600.0, HOUR, 3 * HOUR))
            for boundary in met:
                boundary.plan_outage(service, start, start + length)
            down += length
    if dice.strikes(Fault.ENGINE_OFF):
        start = throws.uniform(0, 4 * HOUR)
        length = throws.choice((HOUR, DAY, 8 * DAY))
        lambdas.off.append((start, start + length))
        down += length
    return down
