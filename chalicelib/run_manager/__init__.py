"""Run management over the runs of every kind (specs: flowserv): what each call of it does.

::

    web ──▶ changes, ageing, files, archives, results ──▶ core/flowserv   (pure)
                  │                │
                  │                └──▶ ports.objects, file_ports.Contents
                  └──▶ engine.handle, ports.runs

It never changes a run's state itself: it asks the engine to, as everybody does.
"""
