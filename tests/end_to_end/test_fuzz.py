"""All services as processes survive corrupted input and hostile connections of every kind, and serve afterwards.

The quick form: crowds of 60; `make fuzz` takes ten minutes and crowds of 4096.
"""

import random
from pathlib import Path

import pytest

from tools.fuzz import fuzz

pytestmark = [pytest.mark.end_to_end, pytest.mark.timeout(300)]

SECONDS = 10.0


async def test_no_input_crashes_a_service_fills_its_memory_or_is_answered_with_500(tmp_path: Path) -> None:
    seed = random.randrange(10**6)  # noqa: S311 - other inputs in each run; a failure shows the input
    result = await fuzz(tmp_path, SECONDS, seed, crowd=60, hold_seconds=0.05)
    assert result.faults == [], f"seed {seed}: {result}"
    assert result.tried.total() > 100
    assert {200, 400, 422} <= set(result.statuses)
    assert result.hostile.total() > 2000
    assert set(result.grown_bytes) == {"gateway", "sidecar", "console", "exporter"}
