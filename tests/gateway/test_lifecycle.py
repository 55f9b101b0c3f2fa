"""The service starts and closes what it is made of; nobody reaches through it."""

from pathlib import Path

import pytest

from edgeinfer.errors import NotReady
from tests.gateway.rigs import a_window, make_rig, running


async def test_a_started_service_answers_without_a_sidecar_and_a_closed_one_does_not() -> None:
    rig = make_rig()
    async with running(rig) as service:
        assert (await service.analyze_imu_window(a_window(), "process", "a-request")).source == "fallback"
    with pytest.raises(NotReady):
        await service.analyze_imu_window(a_window(), "process", "a-request")


async def test_a_service_without_a_fallback_starts_and_closes_too() -> None:
    async with running(make_rig("http://127.0.0.1:1/infer", has_fallback=False)):
        pass


def test_the_application_does_not_reach_through_the_service() -> None:
    text = Path("src/edgeinfer/gateway/app.py").read_text()
    assert "service.fallback" not in text
    assert "service.balancer" not in text
