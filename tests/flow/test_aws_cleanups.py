"""The day's clean-ups, as the deployed function starts them."""

from __future__ import annotations

from chalicelib.core.data_sync.path_requests import OutdatedDataPathScannerRequest
from chalicelib.core.run import RunState
from chalicelib.local.folders import OWN_FILE_SYSTEM_ID as FS
from tests.flow.aws_worlds import aws_account


def test_at_its_time_each_clean_up_of_the_site_is_a_run_and_once_a_day():
    with aws_account() as world:
        wanted = OutdatedDataPathScannerRequest.parse({"path": f"{FS}:/scratch", "min_depth": 1})
        site = world.settings.site.model_copy(update={"file_system_cleanups": (wanted,)})
        world.restart(site=site)
        event = world.lambdas.events.generate_cw_event("aws.events", "Scheduled Event", {}, [])
        told = [world.invoke("on_cleanup_time", event) for _ in range(2)]
        assert told[0] == told[1]
        (run_id,) = told[0]["runs"]
        (job_id,) = world.waiting(run_id)
        world.finish(job_id)
        world.tell(job_id, "SUCCEEDED")
        assert world.run(run_id).state is RunState.SUCCESS
