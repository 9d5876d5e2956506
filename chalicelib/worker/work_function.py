"""One call of a user's function: ``python -m chalicelib.worker.work_function CALL ANSWER``.

``CALL`` is ``{"function": "package.module.name", "parameters": {…}}``; ``ANSWER`` gets what the
function returned as ``{"results", "products", "plots", "error"}``. Of a tuple the first dict are
the results, the first list the products and the second the plots (specs: work, section 7); a dict
alone are the results. Anything else is written to the log and means nothing.

A click command is called as from a command line, with the parameters as its options.
"""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any


def main(call: Path, answer: Path) -> int:
    """Call the function; 1 if it raised."""
    told = json.loads(call.read_text())
    try:
        outcome = sorted_out(called(told["function"], told["parameters"]))
        text = json.dumps({**outcome, "error": None})
    except BaseException as exc:  # noqa: BLE001 -- an entry point: sys.exit() is a failure too
        traceback.print_exc()
        error = _text(f"{type(exc).__name__}: {exc}")
        text = json.dumps({"results": None, "products": [], "plots": [], "error": error})
    partial = answer.with_suffix(".partial")
    partial.write_text(text)
    partial.replace(answer)
    return 0 if json.loads(text)["error"] is None else 1


def called(name: str, parameters: Mapping[str, Any]) -> object:
    """Return what the function returns. Raises whatever it raises."""
    module, _, attribute = name.rpartition(".")
    if not module:
        raise ImportError(f"{name!r} names no module; give package.module.function")
    function = getattr(import_module(module), attribute)
    if hasattr(function, "main") and hasattr(function, "params"):
        arguments = list(_arguments(function.params, parameters))
        result: object = function.main(args=arguments, standalone_mode=False)
        return result
    if not callable(function):
        raise TypeError(f"{name} is not callable")
    return function(**parameters)


def sorted_out(outcome: object) -> dict[str, Any]:
    """Return results, products and plots."""
    items = outcome if isinstance(outcome, tuple) else (outcome,) if outcome else ()
    results: dict[str, Any] | None = None
    lists: list[list[str]] = []
    for item in items:
        if isinstance(item, dict) and results is None:
            results = item
        elif isinstance(item, list) and isinstance(outcome, tuple):
            lists.append([str(each) for each in item])
        else:
            sys.stderr.write(f"not kept, for it is neither results nor files: {item!r:.200}\n")
    files = [*lists, [], []]
    return {"results": results, "products": files[0], "plots": files[1]}


def _text(told: str) -> str:
    """Names of files can hold bytes that are no text, and errors tell of them."""
    return told.encode(errors="backslashreplace").decode()


def _arguments(params: Any, parameters: Mapping[str, Any]) -> Iterator[str]:
    """Options first, then the arguments in their order."""
    positional: list[str] = []
    for param in params:
        if param.name not in parameters:
            continue
        value = parameters[param.name]
        values = value if isinstance(value, list) else [value]
        if param.param_type_name == "argument":
            positional += [str(each) for each in values]
        elif getattr(param, "is_flag", False):
            yield from _flag(param, is_set=bool(value))
        else:
            for each in values:
                yield from (param.opts[0], str(each))
    yield from positional


def _flag(param: Any, *, is_set: bool) -> Iterator[str]:
    if is_set:
        yield param.opts[0]
    elif param.secondary_opts:
        yield param.secondary_opts[0]


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
