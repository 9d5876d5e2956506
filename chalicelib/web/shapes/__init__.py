"""The shapes of what the routes answer, as models: for the OpenAPI document, and for nothing else.

::

    runs      a run, a page of them, what deleting did     works     the work queue's answers
    files     files, results, rankings                     flowserv  the /flowserv paths' own forms
    requests  bodies: a wire model with our keys beside    problems  refusals

The routes answer what ``core/view.py`` and its like return, never these. Tests compare the two,
so that neither changes without the other. Validators are built at their first use.
"""
