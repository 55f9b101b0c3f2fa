import asyncio
from contextlib import AsyncExitStack

from tests.gateway import faulty_peer as peers
from tests.gateway.faulty_peer import Exchange, FaultyPeer, peer
from tests.gateway.rigs import Clock, Rig, a_window, make_rig, running


def answered(rig: Rig, sidecar: FaultyPeer, status: str = "success") -> float | None:
    return rig.value("edgeinfer_sidecar_requests_total", sidecar=f"127.0.0.1:{sidecar.port}", status=status)


async def test_equal_sidecars_take_turns() -> None:
    async with peer(peers.good) as one, peer(peers.good) as other:
        rig = make_rig(one.url, other.url)
        async with running(rig) as service:
            for _ in range(10):
                await service.analyze_imu_window(a_window(), "process", "r")
        assert (answered(rig, one), answered(rig, other)) == (5, 5)


async def test_the_min_loaded_sidecar_is_chosen() -> None:
    async def slow(exchange: Exchange) -> None:
        await asyncio.sleep(0.3)
        await peers.good(exchange)

    async with peer(slow) as busy, peer(peers.good) as idle:
        rig = make_rig(busy.url, idle.url, timeout_seconds=2)
        async with running(rig) as service:
            first = [asyncio.create_task(service.analyze_imu_window(a_window(), "process", "r")) for _ in range(2)]
            await asyncio.sleep(0.1)
            for _ in range(10):
                await service.analyze_imu_window(a_window(), "process", "r")
            await asyncio.gather(*first)
        assert (answered(rig, busy), answered(rig, idle)) == (1, 11)


async def test_a_dead_sidecar_costs_nobody_an_answer_and_its_recovery_is_noticed() -> None:
    clock = Clock()
    async with AsyncExitStack() as stack:
        living = await stack.enter_async_context(peer(peers.good))
        mortal = await stack.enter_async_context(peer(peers.reset))
        rig = make_rig(living.url, mortal.url, retries=1, circuit_failures=2, clock=clock)
        service = await stack.enter_async_context(running(rig))
        for _ in range(10):
            clock.now += 0.001
            assert (await service.analyze_imu_window(a_window(), "process", "r")).source == "sidecar"
        assert answered(rig, mortal, "failure") == 2
        mortal.behaviour = peers.good
        clock.now += 1
        for _ in range(10):
            assert (await service.analyze_imu_window(a_window(), "process", "r")).source == "sidecar"
        assert (answered(rig, mortal) or 0) >= 4
        name = f"127.0.0.1:{mortal.port}"
        assert rig.value("edgeinfer_circuit_state", sidecar=name, state="closed") == 1
        for state in ("open", "half_open", "closed"):
            assert rig.value("edgeinfer_circuit_transitions_total", sidecar=name, state=state) == 1


async def test_a_retry_goes_to_another_sidecar_first() -> None:
    async with peer(peers.internal_error) as broken, peer(peers.good) as good:
        rig = make_rig(broken.url, good.url, retries=1)
        async with running(rig) as service:
            for _ in range(6):
                assert (await service.analyze_imu_window(a_window(), "process", "r")).source == "sidecar"
        assert answered(rig, good) == 6
        assert answered(rig, broken, "failure") == 3


async def test_a_busy_sidecar_keeps_its_circuit_closed() -> None:
    async with peer(peers.busy) as sidecar:
        rig = make_rig(sidecar.url, circuit_failures=1)
        async with running(rig) as service:
            for _ in range(4):
                await service.analyze_imu_window(a_window(), "process", "r")
        assert rig.errors == {"http_5xx": 4}
        assert sidecar.requests["/infer"] == 4
