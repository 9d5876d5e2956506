"""Pipelines, Configs and Schedules of CHIME/FRB's ``workflow`` client (specs: work, section 6).

Nothing runs here. A config becomes works of the work queue, stage after stage; what follows them
is the sweep, and every call that changes a work or a config looks at once. All of it is state
under versions in small documents (``shelf``), decided purely in ``core/configs``.
"""
