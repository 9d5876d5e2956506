"""A strict, seeded stand-in for AWS, in memory and under a virtual clock.

It shows what becomes of a request, or of our own code, under everything that AWS may do. All real
code runs: intake, engine, lifecycle. Only what lies behind the ports is ours::

    world        one seed: everything below, put together     campaign   many seeds, all cores
    dice         what strikes, and how hard: faults, outages  shrinking  the least that still fails
    schedule     the virtual clock and the queue of deeds     forecast   a user's own request
    boundary     what may happen at every call of a port      figures    what is told of many seeds
    lambdas      invocations: they die, and are called again
    bus          EventBridge and SQS        users      submit, cancel, resume, roll back
    batch        jobs, as strict as Batch   containers what runs inside them
    stores       runs, claims, objects      services   facilities, timers, the pace
    invariants   what must hold at every save
    ending       what must hold when all is quiet

One seed reproduces everything exactly. Nothing here touches a disk, a network or a real clock.
"""
