"""Chalice's application with what Chalice lacks: for several threads, and for quick starts.

In Lambda a process serves one request at a time, and Chalice keeps the current one in a plain
attribute of the application. Behind ``falsework serve`` threads share that attribute, so that
one client's view could read another one's body. ``Api`` keeps it per thread, as Chalice's own
development server does.

Every function of a deployment imports ``app.py``, and all but one answer no requests.
``DeployedApi`` imports the routes, with all the forms that they describe, when somebody looks at
them: Chalice when it packages, the API's function as it starts.
"""

from __future__ import annotations

from typing import Final, TypeVar

from chalice.app import Chalice, Request, RouteEntry

from chalicelib.web.current import current
from chalicelib.web.problems import as_problems

API_HANDLER: Final = "app.app"
"""What Lambda calls the handler of the function that answers requests."""
Routes = dict[str, dict[str, RouteEntry]]
"""Path → method → route."""


class Api(Chalice):
    """A Chalice application whose ``current_request`` is the calling thread's own."""

    @property
    def current_request(self) -> Request | None:
        """Return the request that this thread is answering."""
        return current.request

    @current_request.setter
    def current_request(self, request: Request | None) -> None:
        current.request = request


AnyApi = TypeVar("AnyApi", bound=Api)


class DeployedApi(Api):
    """An application for API Gateway; its routes are not imported before they are looked at."""

    _routes: Routes | None = None

    @property
    def routes(self) -> Routes:
        """Return the deployment's routes."""
        if self._routes is None:
            from chalicelib.web.api import deployed_routes  # noqa: PLC0415 -- see above

            self._routes = deployed_routes()
        return self._routes

    @routes.setter
    def routes(self, routes: Routes) -> None:
        """Take nothing: Chalice begins with no routes."""


def new(kind: type[AnyApi]) -> AnyApi:
    """Return an application that answers what goes wrong with problems.

    Chalice is kept from the environment, where it would write AWS_EXECUTION_ENV for every job
    to inherit, and from standard output, which belongs to the command line.
    """
    app = kind("falsework", configure_logs=False, env={})
    app.register_middleware(as_problems, "http")
    return app


def deployed_app(handler: str = "") -> DeployedApi:
    """Return the application; whose handler answers requests gets its routes at once.

    At the first request they would cost more: a function has a whole processor while it starts.
    """
    app = new(DeployedApi)
    if handler == API_HANDLER:
        _ = app.routes
    return app
