"""moto as a server that a real ``chalice deploy`` succeeds against; run, it prints its port.

Four things in moto 5.2 are not as in AWS, all of them in its import of REST APIs: it asks for a
description, refuses Swagger 2.0, and takes neither ``uri`` nor ``httpMethod`` of a MOCK
integration for optional. It does not know PutFunctionRecursionConfig, which is answered and
forgotten. And an update of a stack takes what was never made, its condition being false, for
something to change, and a parameter that is told as its default for a new one; and lists that are
parameters are shown as Python shows them. A process of its own, for it warns of what it cannot do,
and warnings are errors here.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).parents[2]


@contextlib.contextmanager
def serving() -> Iterator[str]:
    """Serve an empty account; yield the address."""
    command = [sys.executable, "-W", "ignore", "-m", "tests.deploy.moto_for_chalice"]
    with subprocess.Popen(
        command, cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as server:  # fmt: skip
        port = int(server.stdout.readline())
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()


def serve() -> None:
    """Serve until standard input is closed."""
    from moto.apigateway.models import APIGatewayBackend
    from moto.awslambda.urls import url_paths
    from moto.cloudformation.models import Stack
    from moto.cloudformation.parsing import ResourceMap
    from moto.server import ThreadedMotoServer

    _take_swagger(APIGatewayBackend)
    _heed_conditions(ResourceMap)
    _show_lists(Stack)
    url_paths[r"{0}/2024-08-31/functions/(?P<name>[^/]+)/recursion-config$"] = _recursion
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    sys.stdout.write(f"{server.get_host_and_port()[1]}\n")
    sys.stdout.flush()
    sys.stdin.read()
    server.stop()


def _take_swagger(backend: Any) -> None:
    importing, putting, reading = (
        backend.import_rest_api,
        backend.put_rest_api,
        backend._build_integration_args,
    )

    def as_openapi(document: dict[str, Any]) -> dict[str, Any]:
        rest = {key: value for key, value in document.items() if key != "swagger"}
        return {**rest, "info": {"description": "", **document["info"]}}

    def import_rest_api(self: Any, document: dict[str, Any], fail_on_warnings: bool) -> Any:
        return importing(self, as_openapi(document), fail_on_warnings)

    def put_rest_api(
        self: Any, api: str, document: dict[str, Any], *told: Any, **named: Any
    ) -> Any:
        return putting(self, api, as_openapi(document), *told, **named)

    def arguments(self: Any, integration: dict[str, Any]) -> dict[str, Any]:
        return reading(self, {"uri": "", "httpMethod": "", **integration})

    backend.import_rest_api = import_rest_api
    backend.put_rest_api = put_rest_api
    backend._build_integration_args = arguments


def _heed_conditions(resources: Any) -> None:
    comparing = resources.build_resource_diff

    def build_resource_diff(self: Any, template: dict[str, Any], parameters: Any = None) -> Any:
        known = {name: str(each.get("Default")) for name, each in template["Parameters"].items()}
        before = known | self.input_parameters
        told = {name: each for name, each in (parameters or {}).items() if before[name] != each}
        found = comparing(self, template, told)
        never_made = [each for each in found["Modify"] if not self._parsed_resources.get(each)]
        rest = [each for each in found["Modify"] if each not in never_made]
        return {**found, "Add": [*found["Add"], *never_made], "Modify": rest}

    resources.build_resource_diff = build_resource_diff


def _show_lists(stack: Any) -> None:
    showing = stack.parameter_list.fget

    def parameter_list(self: Any) -> list[dict[str, Any]]:
        return [
            {**each, "ParameterValue": ",".join(value) if isinstance(value, list) else value}
            for each in showing(self)
            for value in [each["ParameterValue"]]
        ]

    stack.parameter_list = property(parameter_list)


def _recursion(request: Any, full_url: str, headers: Any) -> tuple[int, dict[str, str], str]:
    return 200, {}, request.get_data(as_text=True)


if __name__ == "__main__":
    serve()
