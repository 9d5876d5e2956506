"""Removing a run from DynamoDB: marked first, so that from then on nobody can save or create it.

::

    RUN marked  ──▶  payloads, PLAN, HISTORY removed  ──▶  RUN removed

The mark is a save: it has the version condition, so that a resume that was faster wins. Who dies
in the middle leaves a marked run, which no list shows; deleting it again ends what was begun.
"""

from __future__ import annotations

from typing import Final

from chalicelib.aws.expressions import BASE, Item, Query
from chalicelib.aws.run_items import run_key
from chalicelib.aws.table import ConditionFailed, Key, Table
from chalicelib.core.errors import BeingDeleted, StaleRun
from chalicelib.core.flowserv.states import check_deletable
from chalicelib.core.run import RunState
from chalicelib.ports import ObjectStore

_MARK: Final = "is_deleting"
_PAGE: Final = 1000
_ANY: Final = "attribute_exists(pk) OR attribute_not_exists(pk)"


def is_marked(item: Item) -> bool:
    """Tell whether the run is being deleted."""
    return bool(item.get(_MARK))


def refuse_marked(run_id: str, item: Item) -> None:
    """Raise BeingDeleted for a marked run: neither load it nor create it anew."""
    if is_marked(item):
        message = f"run {run_id!r} is being deleted; delete it again if that does not end"
        raise BeingDeleted(message, group=item["group"])


def remove_run(run_id: str, table: Table, objects: ObjectStore, scratch_bucket: str) -> None:
    """Remove the run and all that lies beside it. Raises Conflict, StaleRun."""
    item = table.get(run_key(run_id))
    if item is None or not _is_marking(run_id, item, table):
        return
    for folder in ("payloads", "plans"):
        for found in list(objects.list(f"s3://{scratch_bucket}/runs/{run_id}/{folder}/")):
            objects.remove(found.uri)
    key = run_key(run_id)
    for beside in list(table.query(Query(BASE, key.pk, _PAGE))):
        if beside["sk"] != key.sk:
            table.remove(Key(key.pk, beside["sk"]), _ANY)
    _remove_marked(key, table)


def _is_marking(run_id: str, item: Item, table: Table) -> bool:
    """Mark the run; False when it is gone."""
    if is_marked(item):
        return True
    is_settled = item.get("settled_at") is not None
    check_deletable(run_id, RunState(item["state"]), is_settled=is_settled)
    version = item["version"]
    change = f"SET #{_MARK} = :yes, #version = :next"
    told = {"yes": True, "next": version + 1, "expected": version}
    try:
        table.update(run_key(run_id), change, "#version = :expected", **told)
    except ConditionFailed as exc:
        if exc.item is not None and not is_marked(exc.item):
            raise StaleRun(f"run {run_id!r} is no longer at version {version}") from exc
        return exc.item is not None
    return True


def _remove_marked(key: Key, table: Table) -> None:
    """Remove the RUN, but not the one of a later life that took its id meanwhile."""
    try:
        table.remove(key, f"attribute_not_exists(pk) OR #{_MARK} = :yes", yes=True)
    except ConditionFailed:
        return
