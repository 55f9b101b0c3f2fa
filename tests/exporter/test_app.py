"""The exporter through its own scrape, on a faked machine."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient

from edgeinfer.catalog.all import metrics_of
from edgeinfer.catalog.metric import Owner
from edgeinfer.collectors.context import Sources
from edgeinfer.collectors.found import collectors
from edgeinfer.exporter.app import build_app
from edgeinfer.hailort.library import load_library
from edgeinfer.metrics.registry import new_registry
from tests.fakes.hailo_platform.build import importer
from tests.fakes.hailo_platform.machine import Machine
from tests.fakes.kernel import write_kernel


@asynccontextmanager
async def client_of(app: FastAPI) -> AsyncIterator[AsyncClient]:
    transport = ASGITransport(app)
    async with app.router.lifespan_context(app), AsyncClient(transport=transport, base_url="http://exporter") as client:
        yield client


@pytest.mark.parametrize("version", ["4.23.0", "5.2.0"])
async def test_a_scrape_shows_the_chip_and_only_what_the_catalog_names(version: str, tmp_path: Path) -> None:
    machine = Machine(version)
    load = importer(machine)
    registry = new_registry()
    sources = Sources(
        kernel_root=write_kernel(tmp_path), monitor_folder=tmp_path / "none", load=lambda: load_library(load)
    )
    built = collectors(sources, registry)
    app = build_app(built, registry)
    for collector in built[:1]:
        collector.collect()
    async with client_of(app) as client:
        assert (await client.get("/healthz")).json()["ok"] is True
        text = (await client.get("/metrics")).text
    assert 'hailo_hardware_temperature_celsius{chip_id="0001:01:00.0"} 48.5' in text
    assert 'hailo_notifications_total{notification="dataflow_shutdown"} 0.0' in text
    known = {metric.name.removesuffix("_total") for metric in metrics_of(Owner.EXPORTER)}
    families = {line.split()[2].removesuffix("_total") for line in text.splitlines() if line.startswith("# TYPE hailo")}
    assert families - known == set()
    assert machine.chip.open_devices == 0


async def test_the_device_is_let_go_when_the_exporter_ends(tmp_path: Path) -> None:
    machine = Machine()
    load = importer(machine)
    registry = new_registry()
    app = build_app(collectors(Sources(kernel_root=tmp_path, load=lambda: load_library(load)), registry), registry)
    async with client_of(app) as client:
        await client.get("/metrics")
    assert machine.chip.open_devices == 0
