"""Run management as flowserv's clients know it (specs: flowserv), over runs of every kind. Pure.

::

    states   which state may follow which            files     what a run left, and by what name
    views    the JSON of the /flowserv paths         archive   the bytes of a tar.gz
    results  a document read by its schema; ranking  ageing    which runs are obsolete
    workflows  what a group's runs are made from     demands   a template and arguments → a demand
"""
