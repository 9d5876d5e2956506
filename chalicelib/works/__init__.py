"""The work queue: what each call of the Buckets and Results interface does.

::

    web ──▶ buckets, audits, results ──▶ core/work: what becomes of a work  (pure)
                     │
                     └──▶ work_ports: WorkStore, ResultStore  (saved under a version)

A call reads its request, all of it, before it changes anything. It loads, lets ``core/work``
decide, and saves; a save that lost is loaded and decided again. Time is an argument.
"""
