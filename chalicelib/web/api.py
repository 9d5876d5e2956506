"""All routes, and who is let in to them: on this machine, and behind API Gateway.

Whoever imports this imports every route with what it takes and answers; what starts quickly
imports ``web.chalice_api``.
"""

from __future__ import annotations

import copy
from functools import cache
from typing import Final

from chalice.app import IAMAuthorizer

from chalicelib.core.errors import Misconfigured
from chalicelib.web import (
    batch_job_routes,
    batch_lambda_routes,
    bucket_routes,
    config_routes,
    cost_routes,
    dead_letter_routes,
    demand_routes,
    doc_routes,
    file_routes,
    flowserv_routes,
    health_routes,
    pipeline_routes,
    result_routes,
    run_files_routes,
    run_routes,
    schedule_routes,
    token_routes,
)
from chalicelib.web.asked import by_signature, has_scope
from chalicelib.web.chalice_api import Api, Routes, new

ROUTES: Final = (
    demand_routes,
    file_routes,
    batch_job_routes,
    batch_lambda_routes,
    pipeline_routes,
    run_routes,
    cost_routes,
    run_files_routes,
    flowserv_routes,
    bucket_routes,
    result_routes,
    config_routes,
    schedule_routes,
    dead_letter_routes,
    token_routes,
    health_routes,
    doc_routes,
)
SIGNED: Final = {("/tokens", "POST")}
"""What API Gateway lets in by its caller's AWS signature; all else shows a token of ours."""


@cache
def rest_app() -> Api:
    """Return the application of this machine: open to whoever the HTTP server lets in."""
    app = new(Api)
    for module in ROUTES:
        app.register_blueprint(module.routes)
    for path, methods in app.routes.items():
        for method, entry in methods.items():
            if not has_scope(entry.view_function):
                raise Misconfigured(f"{method} {path} does not say who may call it")
    return app


def deployed_routes() -> Routes:
    """Return the routes for API Gateway: the same ones, some for signed callers only.

    One method cannot have two authorizers there, so tokens are the application's own affair. The
    routes of ``rest_app`` stay as they are: Chalice's local gateway cannot check a signature.
    """
    found: Routes = {}
    for path, methods in rest_app().routes.items():
        found[path] = {method: copy.copy(entry) for method, entry in methods.items()}
        for method, entry in found[path].items():
            if (path, method) in SIGNED:
                entry.authorizer = IAMAuthorizer()
                entry.view_function = by_signature(entry.view_function)
    return found
