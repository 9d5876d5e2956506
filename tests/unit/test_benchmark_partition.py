"""The benchmark of the partition still runs; how fast is not asked here."""

from __future__ import annotations

import pytest

from benchmarks.partition import LAYOUTS, measured


@pytest.mark.parametrize("layout", sorted(LAYOUTS))
def test_every_layout_can_be_measured(layout):
    row = measured(layout, 2_500)
    assert row["nodes"] >= 1
    assert 1 <= row["batches"] <= row["nodes"]
