"""Pipelines: a document of stages, each a run of some kind, becomes the plan of one run.

Pure. ``model`` reads the document, ``checks`` looks at it as a whole, ``planning`` makes the plan
out of the combinators of ``core/plans/combinators.py``.
"""
