"""A chip of each line of HailoRT, read by its collectors."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.collectors.chips import Station, station
from tests.fakes.hailo_platform.machine import Machine

VERSIONS = ("4.23.0", "5.2.0")


@pytest.fixture(params=VERSIONS)
def here(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Station]:
    built = station(Machine(request.param), tmp_path)
    yield built
    for collector in built.collectors.values():
        collector.close()
    assert built.machine.chips[0].open_devices == 0
    assert built.machine.aborted == []


@pytest.fixture
def old(tmp_path: Path) -> Station:
    return station(Machine("4.23.0"), tmp_path)
