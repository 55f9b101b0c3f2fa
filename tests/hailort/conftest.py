"""HailoRT's fake in both lines, for the tests that compare it with the original."""

from typing import Any

import pytest

from tests.fakes.hailo_platform.machine import Machine
from tests.hailort.conformance import VERSIONS, Stack


@pytest.fixture(params=VERSIONS)
def stack(request: pytest.FixtureRequest, tmp_path: Any) -> Stack:
    return Stack(Machine(request.param), tmp_path / "net.hef")
