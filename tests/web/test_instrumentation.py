"""The integration for other people's sidecars, and the example that shows it."""

import asyncio
import importlib.util
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from edgeinfer.catalog.all import metrics_of
from edgeinfer.catalog.metric import Owner
from edgeinfer.errors import BackendError, NotReady
from edgeinfer.metrics.registry import new_registry
from edgeinfer.web.instrumentation import instrument

EXAMPLE = Path(__file__).parents[2] / "docs/examples/hailo_sidecar_metrics_template.py"


@pytest.fixture
def registry() -> CollectorRegistry:
    return new_registry()


def windows(registry: CollectorRegistry, status: str) -> float | None:
    return registry.get_sample_value("hailo_sidecar_inferences_total", {"status": status})


def example() -> Any:
    specification = importlib.util.spec_from_file_location("example", EXAMPLE)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def scraped(client: TestClient) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    text = client.get("/metrics", headers={"accept": "text/plain"}).text
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_the_example_counts_what_it_serves() -> None:
    with TestClient(example().app, raise_server_exceptions=False) as client:
        answer = client.post("/infer", json={"x": [[0.5] * 9] * 100}).json()
        assert (len(answer["latent"]), len(answer["motif_scores"])) == (64, 12)
        assert client.post("/infer", json={"x": [[0.0] * 9] * 100}).status_code == 500
        assert client.post("/infer", json={"x": [[0.5] * 9] * 99}).status_code == 422
        found = scraped(client)
    for status, count in (("200", 1), ("500", 1), ("422", 1)):
        labels = (("endpoint", "/infer"), ("method", "POST"), ("status_code", status))
        assert found["hailo_http_requests_total", labels] == count
    assert found["hailo_sidecar_inferences_total", (("status", "success"),)] == 1
    assert found["hailo_sidecar_inferences_total", (("status", "backend_error"),)] == 1
    assert found["hailo_hardware_errors_total", (("error_class", "misuse"),)] == 1
    assert found["hailo_sidecar_stage_duration_seconds_count", (("stage", "execute"),)] == 1
    assert found["hailo_runtime_info", (("backend", "stub"), ("device", "none"), ("runtime", "none"))] == 1


def test_it_exports_only_what_the_catalog_names() -> None:
    with TestClient(example().app) as client:
        text = client.get("/metrics", headers={"accept": "text/plain"}).text
    ours = {
        family.name
        for family in text_string_to_metric_families(text)
        if not family.name.startswith(("process_", "python_"))
    }
    assert ours <= {metric.name.removesuffix("_total") for metric in metrics_of(Owner.SIDECAR)}


def test_the_machine_is_read_between_start_and_end(registry: CollectorRegistry) -> None:
    app = FastAPI()
    instrument(app, registry)
    resident = {"memory_type": "process_resident"}
    assert registry.get_sample_value("hailo_memory_usage_bytes", resident) is None
    with TestClient(app) as client:
        for _ in range(500):
            if registry.get_sample_value("hailo_memory_usage_bytes", resident):
                break
            client.get("/metrics")
        assert registry.get_sample_value("hailo_memory_usage_bytes", resident)


def test_the_applications_own_lifespan_still_runs(registry: CollectorRegistry) -> None:
    seen = []

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[dict[str, str]]:
        seen.append("start")
        yield {"what": "state"}
        seen.append("end")

    app = FastAPI(lifespan=lifespan)
    instrument(app, registry)
    with TestClient(app) as client:
        assert seen == ["start"]
        assert client.app_state == {"what": "state"}
    assert seen == ["start", "end"]


@pytest.mark.parametrize(
    ("failure", "status"),
    [
        (ValueError("bad"), "invalid_input"),
        (NotReady("the model", "loads", "Wait."), "not_ready"),
        (RuntimeError("odd"), "backend_error"),
        (BackendError("chip", "is hot", "Cool it.", error_class="thermal_throttling"), "backend_error"),
    ],
)
def test_a_failure_is_counted_by_kind_and_raised(registry: CollectorRegistry, failure: Exception, status: str) -> None:
    hailo = instrument(FastAPI(), registry)
    with pytest.raises(type(failure)), hailo.window():
        raise failure
    assert windows(registry, status) == 1
    assert windows(registry, "success") == 0


def test_a_failed_stage_is_not_timed(registry: CollectorRegistry) -> None:
    hailo = instrument(FastAPI(), registry)
    with pytest.raises(RuntimeError), hailo.stage("execute"):
        raise RuntimeError
    name = "hailo_sidecar_stage_duration_seconds_count"
    assert registry.get_sample_value(name, {"stage": "execute"}) == 0


def test_an_error_class_that_nobody_knows_is_one_value(registry: CollectorRegistry) -> None:
    hailo = instrument(FastAPI(), registry)
    hailo.hardware_error("made up by someone")
    assert registry.get_sample_value("hailo_hardware_errors_total", {"error_class": "unknown"}) == 1


def test_readiness_is_shown(registry: CollectorRegistry) -> None:
    hailo = instrument(FastAPI(), registry)
    assert registry.get_sample_value("hailo_sidecar_ready") == 0
    hailo.ready(backend="cpu", device="cpu", runtime="none")
    assert registry.get_sample_value("hailo_sidecar_ready") == 1
    hailo.not_ready()
    assert registry.get_sample_value("hailo_sidecar_ready") == 0


async def test_many_windows_at_a_time_are_counted_each(registry: CollectorRegistry) -> None:
    hailo = instrument(FastAPI(), registry)

    async def one() -> None:
        with hailo.window():
            await asyncio.sleep(0)

    await asyncio.gather(*(one() for _ in range(100)))
    assert windows(registry, "success") == 100
