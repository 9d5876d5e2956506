"""The Chalice application: its routes, and what Chalice lacks for several threads.

In Lambda a process serves one request at a time, and Chalice keeps the current one in a plain
attribute of the application. Behind ``falsework serve`` threads share that attribute, so that
one client's view could read another one's body. ``Api`` keeps it per thread, as Chalice's own
development server does.
"""

from __future__ import annotations

import copy
from functools import cache
from typing import Final

from chalice.app import Chalice, IAMAuthorizer, Request

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
from chalicelib.web.current import current
from chalicelib.web.problems import as_problems

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


class Api(Chalice):
    """A Chalice application whose ``current_request`` is the calling thread's own."""

    @property
    def current_request(self) -> Request | None:
        """Return the request that this thread is answering."""
        return current.request

    @current_request.setter
    def current_request(self, request: Request | None) -> None:
        current.request = request


@cache
def rest_app() -> Api:
    """Return the application of this machine: open to whoever the HTTP server lets in.

    Chalice is kept from the environment, where it would write AWS_EXECUTION_ENV for every job
    to inherit, and from standard output, which belongs to the command line.
    """
    app = Api("falsework", configure_logs=False, env={})
    app.register_middleware(as_problems, "http")
    for module in ROUTES:
        app.register_blueprint(module.routes)
    for path, methods in app.routes.items():
        for method, entry in methods.items():
            if not has_scope(entry.view_function):
                raise Misconfigured(f"{method} {path} does not say who may call it")
    return app


def deployed_app() -> Api:
    """Return an application for API Gateway: the same routes, some for signed callers only.

    One method cannot have two authorizers there, so tokens are the application's own affair. The
    routes of ``rest_app`` stay as they are: Chalice's local gateway cannot check a signature.
    """
    app = Api("falsework", configure_logs=False, env={})
    app.register_middleware(as_problems, "http")
    for path, methods in rest_app().routes.items():
        for method, entry in methods.items():
            app.routes[path][method] = copy.copy(entry)
            if (path, method) in SIGNED:
                app.routes[path][method].authorizer = IAMAuthorizer()
                app.routes[path][method].view_function = by_signature(entry.view_function)
    return app
