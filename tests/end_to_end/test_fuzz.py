"""Gateway and sidecar as processes survive spoilt input of every kind, and serve afterwards."""

import random
from pathlib import Path

import pytest

from tools.fuzz import fuzz

pytestmark = [pytest.mark.end_to_end, pytest.mark.timeout(120)]

SECONDS = 12.0
MOST_GROWTH_BYTES = 30_000_000


async def test_no_input_crashes_a_service_or_is_answered_with_500(tmp_path: Path) -> None:
    seed = random.randrange(10**6)  # noqa: S311 - other inputs in each run; a failure tells the input
    result = await fuzz(tmp_path, SECONDS, seed)
    assert result.faults == [], f"seed {seed}: {result}"
    assert result.tried.total() > 100
    assert {200, 400, 422} <= set(result.statuses)
    assert all(grown < MOST_GROWTH_BYTES for grown in result.grown_bytes.values()), result.grown_bytes
