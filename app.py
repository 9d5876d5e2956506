"""Where Chalice finds the application: the routes come from ``chalicelib.web``.

Event handlers (queues, Batch's state changes, objects in S3, the sweep) stand here and never
move: ``chalice deploy`` does not update a function's handler.
"""

from __future__ import annotations

from chalicelib.web.api import rest_app

app = rest_app()
