"""Results and rankings: the file that the Site's schema for the group names, read when asked for.

A group without a schema has none. Everything of an ended run stays as it is, so that what was
read once is remembered.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from chalicelib.core.errors import InvalidRequest, NotFound, Refused
from chalicelib.core.flowserv.files import find_file
from chalicelib.core.flowserv.results import (
    Ranked,
    Results,
    ResultSchema,
    best_of_groups,
    ranking,
    read_results,
)
from chalicelib.core.flowserv.views import text
from chalicelib.core.json_text import read_value
from chalicelib.core.run import RunRecord, RunState
from chalicelib.core.site import Site
from chalicelib.ports import Ports
from chalicelib.recent import Recent
from chalicelib.run_manager.files import check_unchanged, left_files
from chalicelib.run_manager.workflows import find_workflow, groups_of

DOCUMENT_BYTES: Final = 1024 * 1024
RANKED_RUNS: Final = 10_000
_PAGE: Final = 1000


class _Known(NamedTuple):
    results: Results | None


_KNOWN: Final[Recent[tuple[str, str, int], _Known]] = Recent(RANKED_RUNS)
"""(uid, schema, generation) → what was read."""


def schema_of(group: str, site: Site) -> ResultSchema:
    """Return the schema of the group's results, its own or its workflow's. Raises NotFound."""
    workflow = site.workflows.get(site.group_workflows.get(group, ""))
    inherited = None if workflow is None else workflow.result_schema
    schema = site.result_schemas.get(group) or inherited
    if schema is None:
        raise NotFound(f"the site has no result schema for the group {group!r:.100}")
    return schema


def workflow_schema(workflow_id: str, ports: Ports) -> ResultSchema:
    """Return the schema of the workflow's results. Raises NotFound."""
    schema = find_workflow(workflow_id, ports).result_schema
    if schema is None:
        raise NotFound(f"the workflow {workflow_id!r} has no result schema")
    return schema


def results_of(run: RunRecord, ports: Ports) -> Results:
    """Return the run's results. Raises NotFound without them, InvalidRequest for wrong ones."""
    schema = schema_of(run.group, ports.site)
    file = find_file(left_files(run, ports.objects), key=schema.file)
    check_unchanged(file, ports.objects)
    if file.size_bytes > DOCUMENT_BYTES:
        raise InvalidRequest(
            f"{file.key!r} has {file.size_bytes} bytes; results have at most {DOCUMENT_BYTES}",
            field="file",
            mend="write the results into a file of their own",
        )
    return read_results(schema, read_value(ports.objects.read(file.uri)))


def rank_group(group: str, ports: Ports) -> tuple[Ranked, ...]:
    """Return the group's successful runs with results, best first. Raises NotFound, Refused."""
    return _ranked_by(schema_of(group, ports.site), group, ports)


def _best(group: str, schema: ResultSchema, ports: Ports) -> tuple[Ranked, ...]:
    try:
        return _ranked_by(schema, group, ports)[:1]
    except NotFound:
        return ()


def _ranked_by(schema: ResultSchema, group: str, ports: Ports) -> tuple[Ranked, ...]:
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


def rank_workflow(workflow_id: str, ports: Ports) -> tuple[Ranked, ...]:
    """Return the best run of each group that works by the workflow, best first.

    Groups that the caller does not see are left out. Raises NotFound without a schema.
    """
    schema = workflow_schema(workflow_id, ports)
    found: list[Ranked] = []
    for group in groups_of(workflow_id, ports):
        found += _best(group, schema, ports)
    return best_of_groups(ranking(schema, found))


def best_of(group: str, ports: Ports) -> str | None:
    """Return the id of the group's best run; None without a schema, or without results."""
    try:
        return next((run.run_id for run in rank_group(group, ports)), None)
    except NotFound:
        return None


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
