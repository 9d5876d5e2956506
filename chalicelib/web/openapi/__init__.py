"""The OpenAPI 3.1 document of the routes: built when it is first asked for, and kept.

::

    the routes of the application, each with its scope and its ``@described``
        │
    operations ── parameters, body, answers ──┬── refusals   what any route may answer
        │                                     └── headers    what they mean
    document  ── paths, tags, who may ── components: the models as JSON schemas

It says nothing that the code does not: summaries are the routes' docstrings, and the descriptions
of fields are the strings that stand below them.
"""
