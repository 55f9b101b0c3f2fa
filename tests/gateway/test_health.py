"""Health is looked at in the background and read from memory; a dead sidecar reads degraded, not dead."""

import asyncio
from collections.abc import Callable

import pytest

from edgeinfer.gateway.checks import check_inference, check_resources, check_service, check_sidecars
from edgeinfer.gateway.health import DEGRADED, HEALTHY, UNHEALTHY, HealthMonitor, Look
from edgeinfer.gateway.instruments import GatewayInstruments
from edgeinfer.metrics.registry import new_registry
from tests.gateway import faulty_peer as peers
from tests.gateway.faulty_peer import peer
from tests.gateway.rigs import API, Clock, SmallModel, api, make_rig, running, samples


async def until(is_so: Callable[[], bool]) -> None:
    while not is_so():  # noqa: ASYNC110 - what is watched notifies nobody when it changes
        await asyncio.sleep(0.001)


class Scripted:
    """Checks that say what a test wants."""

    def __init__(self) -> None:
        self.looks = {"service": HEALTHY, "hailo_backend": HEALTHY}
        self.runs = 0

    async def service(self) -> Look:
        self.runs += 1
        return Look(self.looks["service"], "said so")

    async def hailo_backend(self) -> Look:
        if self.looks["hailo_backend"] == "breaks":
            raise ZeroDivisionError("a fault in the check")
        if self.looks["hailo_backend"] == "hangs":
            await asyncio.sleep(10)
        return Look(self.looks["hailo_backend"], "said so")

    def monitor(self, **changes: object) -> HealthMonitor:
        self.registry = new_registry()
        instruments = GatewayInstruments(self.registry, motifs=("a",), sidecars=())
        checks = {"service": self.service, "hailo_backend": self.hailo_backend}
        return HealthMonitor(checks, instruments, timeout_seconds=0.05, **changes)  # type: ignore[arg-type]  # as the test names them

    def shown(self, check: str) -> dict[str, float | None]:
        return {
            status: self.registry.get_sample_value("edgeinfer_health_status", {"check": check, "status": status})
            for status in (HEALTHY, DEGRADED, UNHEALTHY)
        }


async def test_before_the_first_run_it_is_starting_and_readings_are_absent() -> None:
    script = Scripted()
    monitor = script.monitor()
    assert monitor.status == UNHEALTHY
    assert "starting" in monitor.why
    assert set(script.shown("service").values()) == {0}
    name = "edgeinfer_health_check_duration_seconds"
    assert script.registry.get_sample_value(name, {"check": "service"}) is None
    await monitor.run_once()
    assert monitor.status == HEALTHY
    assert script.registry.get_sample_value(name, {"check": "service"}) is not None
    assert script.shown("service") == {HEALTHY: 1, DEGRADED: 0, UNHEALTHY: 0}


@pytest.mark.parametrize(
    ("service", "backend", "overall"),
    [
        (HEALTHY, HEALTHY, HEALTHY),
        (HEALTHY, UNHEALTHY, DEGRADED),
        (HEALTHY, "breaks", DEGRADED),
        (HEALTHY, "hangs", DEGRADED),
        (DEGRADED, HEALTHY, DEGRADED),
        (UNHEALTHY, HEALTHY, UNHEALTHY),
    ],
)
async def test_only_what_is_vital_makes_it_unhealthy(service: str, backend: str, overall: str) -> None:
    script = Scripted()
    script.looks = {"service": service, "hailo_backend": backend}
    monitor = script.monitor()
    await monitor.run_once()
    assert monitor.status == overall


async def test_draining_is_unhealthy_at_once() -> None:
    script = Scripted()
    monitor = script.monitor()
    await monitor.run_once()
    monitor.drain()
    assert monitor.status == UNHEALTHY
    assert "draining" in monitor.why


async def test_asking_runs_no_check_and_waking_does() -> None:
    script = Scripted()
    monitor = script.monitor(interval_seconds=3600)
    watching = asyncio.create_task(monitor.watch())
    await until(lambda: script.runs > 0)
    await asyncio.sleep(0.01)
    for _ in range(100):
        assert monitor.status == HEALTHY
    assert script.runs == 1
    monitor.wake()
    await asyncio.sleep(0.01)
    assert script.runs == 2
    watching.cancel()


async def test_a_failing_check_is_repeated_sooner() -> None:
    script = Scripted()
    script.looks["hailo_backend"] = UNHEALTHY
    monitor = script.monitor(interval_seconds=3600, repeat_seconds=0.01)
    watching = asyncio.create_task(monitor.watch())
    await until(lambda: script.runs >= 3)
    script.looks["hailo_backend"] = HEALTHY
    await until(lambda: monitor.status == HEALTHY)
    runs = script.runs
    await asyncio.sleep(0.05)
    assert script.runs == runs
    watching.cancel()


async def test_a_check_outside_the_catalog_is_refused() -> None:
    instruments = GatewayInstruments(new_registry(), motifs=(), sidecars=())
    with pytest.raises(ValueError, match="invented"):
        HealthMonitor({"invented": Scripted().service}, instruments)


async def test_a_dead_sidecar_reads_degraded_and_a_dead_gateway_503() -> None:
    rig = make_rig("http://127.0.0.1:1/infer")
    async with api(rig) as client:
        answer = await client.get("/healthz")
        assert (answer.status_code, answer.text) == (200, "DEGRADED")
        rig.model.fails_to_infer = True
        await rig.health.run_once()
        answer = await client.get("/healthz")
        assert (answer.status_code, answer.text) == (503, "UNAVAILABLE")
        detailed = (await client.get("/health/detailed")).json()
        assert detailed["checks"]["inference_capability"]["status"] == "unhealthy"
        assert detailed["checks"]["service"]["status"] == "healthy"


async def test_when_both_fail_the_caller_gets_503_and_a_time_to_come_back() -> None:
    rig = make_rig("http://127.0.0.1:1/infer", model=SmallModel(fails_to_open=True))
    async with api(rig) as client:
        answer = await client.post(f"{API}/process", json={"samples": samples(100)})
    assert (answer.status_code, answer.json()["error"]) == (503, "not_ready")
    assert answer.headers["retry-after"]
    assert rig.counts("edgeinfer_analyses_total", "source") == {"none": 1}


async def test_the_sidecar_says_of_itself_what_it_is() -> None:
    async with peer(peers.good) as sidecar:
        rig = make_rig(sidecar.url, "http://127.0.0.1:1/infer")
        async with running(rig) as service:
            look = await check_sidecars(service.balancer.members)
            assert look.status == DEGRADED
            assert "m on stub" in look.message
            assert "connection_error" in look.message
            assert (await check_sidecars(service.balancer.members[:1])).status == HEALTHY
            sidecar.behaviour = peers.not_found
            assert (await check_sidecars(service.balancer.members[:1])).status == UNHEALTHY


async def well_but_useless(exchange: peers.Exchange) -> None:
    """A chip in its red zone: HailoRT aborts every run, and the process around it is well."""
    if exchange.path == "/healthz":
        await peers.good(exchange)
    else:
        await peers.internal_error(exchange)


async def behind_a_prefix(exchange: peers.Exchange) -> None:
    """As behind a proxy that knows one path."""
    if not exchange.path.startswith("/edge/"):
        await peers.not_found(exchange)
        return
    exchange.head = exchange.head.replace(b" /edge/", b" /", 1)
    await peers.good(exchange)


async def full_and_well(exchange: peers.Exchange) -> None:
    await (peers.good if exchange.path == "/healthz" else peers.busy)(exchange)


async def test_a_sidecar_whose_every_run_fails_is_unhealthy_whatever_it_says() -> None:
    async with peer(well_but_useless) as sidecar:
        rig = make_rig(sidecar.url)
        async with running(rig) as service:
            look = await check_sidecars(service.balancer.members)
            assert look.status == UNHEALTHY
            assert "does not answer a window" in look.message
            sidecar.behaviour = full_and_well
            assert (await check_sidecars(service.balancer.members)).status == HEALTHY, "load is not a failure"


async def test_an_open_circuit_is_unhealthy_though_the_sidecar_is_back() -> None:
    async with peer(peers.internal_error) as sidecar:
        rig = make_rig(sidecar.url, circuit_failures=1, clock=Clock())
        async with running(rig) as service:
            await check_inference(service)
            sidecar.behaviour = peers.good
            look = await check_sidecars(service.balancer.members)
            assert look.status == UNHEALTHY
            assert "circuit is open" in look.message


async def test_health_is_next_to_the_inference_route_behind_a_prefix() -> None:
    async with peer(behind_a_prefix) as sidecar:
        rig = make_rig(sidecar.url.replace("/infer", "/edge/infer"), sidecar.url)
        async with running(rig) as service:
            behind, direct = service.balancer.members
            assert (await check_sidecars((behind,))).status == HEALTHY
            assert (await check_sidecars((direct,))).status == UNHEALTHY


async def test_a_known_window_goes_through_the_service_and_heals_its_circuit() -> None:
    clock = Clock()
    async with peer(peers.internal_error) as sidecar:
        rig = make_rig(sidecar.url, circuit_failures=1, clock=clock)
        async with running(rig) as service:
            assert (await check_inference(service)).status == DEGRADED
            sidecar.behaviour = peers.good
            assert (await check_inference(service)).status == DEGRADED
            clock.now += 1
            assert (await check_inference(service)).status == HEALTHY
    assert rig.value("edgeinfer_circuit_transitions_total", sidecar=f"127.0.0.1:{sidecar.port}", state="closed") == 1
    assert rig.errors == {}


async def test_a_late_event_loop_is_noticed() -> None:
    rig = make_rig()
    ticks = iter([0.0, 5.0])
    look = await check_service(rig.store, lambda: next(ticks))
    assert look.status == DEGRADED
    assert "late" in look.message


def test_resources_are_read() -> None:
    look = check_resources(None)
    assert "memory" in look.message
    assert "descriptors" in look.message
