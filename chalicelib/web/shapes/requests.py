"""Bodies that start something: a wire model, and the keys of ours that stand beside its fields.

Names are taken in snake_case and in camelCase, and keys that nobody knows are ignored, but for
those of ``options``.
"""

from __future__ import annotations

from pydantic import ConfigDict, Field

from chalicelib.core.data_sync.path_requests import (
    GetDataPathStatsRequest,
    ListDataPathsRequest,
    OutdatedDataPathScannerRequest,
)
from chalicelib.core.data_sync.requests import PrepareBatchDataSyncRequest, RemoveDataPathsRequest
from chalicelib.core.demand.execution import DemandExecution
from chalicelib.core.demand.scaffolding_wire import PrepareDemandScaffoldingRequest
from chalicelib.core.demand.wire import Wire
from chalicelib.core.file_requests import RUN_ID_PATTERN
from chalicelib.core.options import Options


class _WithOptions(Wire):
    model_config = ConfigDict(defer_build=True)

    options: Options = Options()
    """What is asked of Falsework besides."""


class _WithRunId(_WithOptions):
    run_id: str | None = Field(default=None, pattern=RUN_ID_PATTERN)
    """Under which the run is known and a repeat recognised; one is made up where there is none."""


class DemandSubmission(_WithOptions, DemandExecution):
    """A demand execution, bare."""


class ScaffoldingSubmission(_WithOptions, PrepareDemandScaffoldingRequest):
    """A demand execution with its surroundings."""


Demand = DemandSubmission | ScaffoldingSubmission


class DataSync(_WithRunId, PrepareBatchDataSyncRequest):
    """A data sync."""


class DataPathStats(_WithRunId, GetDataPathStatsRequest):
    """``stats``: how much is there?"""


class DataPathList(_WithRunId, ListDataPathsRequest):
    """``list``: what is there?"""


class OutdatedDataPaths(_WithRunId, OutdatedDataPathScannerRequest):
    """``outdated``: what has not been written for so many days?"""


class DataPathRemoval(_WithRunId, RemoveDataPathsRequest):
    """``remove``: remove these paths."""


DataPathOperation = DataPathStats | DataPathList | OutdatedDataPaths | DataPathRemoval


class FileSystemCleanup(_WithRunId, OutdatedDataPathScannerRequest):
    """A clean-up: what has not been written for so many days goes."""
