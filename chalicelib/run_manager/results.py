"""Results and rankings: the file that the Site's schema for the group names, read when asked for.

A group without a schema has none. Everything of an ended run stays as it is, so that what was
read once is remembered.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from chalicelib.core.errors import InvalidRequest, NotFound, Refused
from chalicelib.core.flowserv.results import Ranked, Results, ResultSchema, ranking, read_results
from chalicelib.core.flowserv.views import text
from chalicelib.core.json_text import read_value
from chalicelib.core.run import RunRecord, RunState
from chalicelib.core.site import Site
from chalicelib.ports import Ports
from chalicelib.recent import Recent
from chalicelib.run_manager.files import get_file

DOCUMENT_BYTES: Final = 1024 * 1024
RANKED_RUNS: Final = 10_000
_PAGE: Final = 1000


class _Known(NamedTuple):
    results: Results | None


_KNOWN: Final[Recent[tuple[str, str, int], _Known]] = Recent(RANKED_RUNS)
"""(uid, schema, generation) → what was read."""


def schema_of(group: str, site: Site) -> ResultSchema:
    """Return the schema of the group's results. Raises NotFound."""
    try:
        return site.result_schemas[group]
    except KeyError:
        raise NotFound(f"the site has no result schema for the group {group!r:.100}") from None


def results_of(run: RunRecord, ports: Ports) -> Results:
    """Return the run's results. Raises NotFound without them, InvalidRequest for wrong ones."""
    schema = schema_of(run.group, ports.site)
    file = get_file(run, ports, key=schema.file)
    if file.size_bytes > DOCUMENT_BYTES:
        raise InvalidRequest(
            f"{file.key!r} has {file.size_bytes} bytes; results have at most {DOCUMENT_BYTES}",
            field="file",
            mend="write the results into a file of their own",
        )
    return read_results(schema, read_value(ports.objects.read(file.uri)))


def rank_group(group: str, ports: Ports) -> tuple[Ranked, ...]:
    """Return the group's successful runs with results, best first. Raises NotFound, Refused."""
    schema = schema_of(group, ports.site)
    found: list[Ranked] = []
    examined, cursor = 0, None
    while True:
        page = ports.runs.list(group=group, state=RunState.SUCCESS, cursor=cursor, limit=_PAGE)
        examined += len(page.runs)
        if examined > RANKED_RUNS:
            raise Refused(f"{group!r:.100} has more than {RANKED_RUNS} runs: too many to rank")
        found += [ranked for run in page.runs if (ranked := _ranked(run, schema, ports))]
        cursor = page.next_cursor
        if cursor is None:
            return ranking(schema, found)


def best_of(group: str, ports: Ports) -> str | None:
    """Return the id of the group's best run; None without a schema, or without results."""
    if group not in ports.site.result_schemas:
        return None
    return next((run.run_id for run in rank_group(group, ports)), None)


def _ranked(run: RunRecord, schema: ResultSchema, ports: Ports) -> Ranked | None:
    place = (run.uid, schema.model_dump_json(), run.generation)
    known = _KNOWN.get(place)
    if known is None:
        known = _Known(_readable(run, ports))
        _KNOWN.put(place, known)
    if known.results is None:
        return None
    return Ranked(run.id, run.group, text(run.created_at), known.results)


def _readable(run: RunRecord, ports: Ports) -> Results | None:
    try:
        return results_of(run, ports)
    except (InvalidRequest, NotFound):
        return None
