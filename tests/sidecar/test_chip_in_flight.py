"""The sidecar's pool on a chip with several frames in flight: threads, callers that hang up, recoveries."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from edgeinfer.metrics.registry import new_registry
from edgeinfer.sidecar.inference import Computed, InferencePool, one_by_one
from edgeinfer.sidecar.instruments import SidecarInstruments
from edgeinfer.sidecar.model import ModelPhase, ServedModel
from tests.fakes.hailo_platform.machine import Gate, Machine
from tests.hailort.flights import ended, in_flight, latent_of, window_of
from tests.hailort.rigs import VERSIONS, Rig, build_rig, shipped_card


@pytest.fixture(params=VERSIONS)
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    built = build_rig(Machine(request.param), tmp_path, timeout_ms=20_000)
    yield built
    built.machine.chip.gate = None
    built.backend.close()
    assert (built.machine.aborted, built.machine.races) == ([], [])


def threads_of_the_pool() -> int:
    return sum(thread.name.startswith("infer-") for thread in threading.enumerate())


async def until_taken(gate: Gate, count: int) -> None:
    await asyncio.to_thread(gate.until_taken, count)


async def test_the_pool_has_a_thread_for_each_frame_that_the_opened_chip_takes_and_the_load_asks_for(rig: Rig) -> None:
    registry = new_registry()
    pool = InferencePool(
        one_by_one(rig.backend.infer),
        SidecarInstruments(registry),
        workers=lambda: rig.backend.parallelism,
        capacity=64,
    )
    pool.start()
    assert registry.get_sample_value("hailo_sidecar_workers") == 1
    rig.backend.open()
    assert registry.get_sample_value("hailo_sidecar_workers") == 8
    before = threads_of_the_pool()
    await pool.infer(window_of(0))
    await pool.infer(window_of(0))
    assert threads_of_the_pool() - before == 1
    rig.machine.chip.gate = gate = Gate()
    waiting = [asyncio.create_task(pool.infer(window_of(number))) for number in range(12)]
    await until_taken(gate, 8)
    assert threads_of_the_pool() - before == 8
    assert registry.get_sample_value("hailo_sidecar_queue_depth") == 4
    for _ in waiting:
        gate.finish()
    for number, computed in enumerate(await asyncio.gather(*waiting)):
        np.testing.assert_allclose(computed.inference.latent, latent_of(window_of(number)), rtol=1e-4, atol=1e-4)
    await pool.close()
    assert registry.get_sample_value("hailo_sidecar_frames_in_flight_count") == 14
    assert registry.get_sample_value("hailo_sidecar_frames_in_flight_bucket", {"le": "8.0"}) == 14
    assert registry.get_sample_value("hailo_sidecar_frames_in_flight_bucket", {"le": "6.0"}) in (8, 9, 10, 11, 12)


async def test_a_caller_that_hangs_up_in_flight_takes_nothing_from_the_others(rig: Rig) -> None:
    rig.backend.open()
    pool = InferencePool(
        one_by_one(rig.backend.infer),
        SidecarInstruments(new_registry()),
        workers=lambda: rig.backend.parallelism,
        capacity=64,
    )
    pool.start()
    rig.machine.chip.gate = gate = Gate()
    tasks = []
    for number in range(4):
        tasks.append(asyncio.create_task(pool.infer(window_of(number))))
        await until_taken(gate, number + 1)
    tasks[1].cancel()
    for _ in tasks:
        gate.finish()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(answers[1], asyncio.CancelledError)
    for number in (0, 2, 3):
        answer = answers[number]
        assert isinstance(answer, Computed)
        np.testing.assert_allclose(answer.inference.latent, latent_of(window_of(number)), rtol=1e-4, atol=1e-4)
    # Its place on the chip is free again: as many are taken as before.
    again = [asyncio.create_task(pool.infer(window_of(number))) for number in range(8)]
    await until_taken(gate, 12)
    for _ in again:
        gate.finish()
    await asyncio.gather(*again)
    await pool.close()


def test_only_a_window_that_began_after_the_failure_is_a_recovery(rig: Rig) -> None:
    registry = new_registry()
    model = ServedModel(rig.backend, shipped_card(), SidecarInstruments(registry))
    model.start()
    while model.model_state.state is not ModelPhase.READY:
        threading.Event().wait(0.01)

    def recoveries() -> float | None:
        return registry.get_sample_value("hailo_sidecar_backend_recoveries_total")

    gate, callers = in_flight(Rig(rig.machine, rig.hef, rig.clock, model), 2)  # type: ignore[arg-type]  # it infers too
    gate.expire(gate.jobs[0])
    assert ended(callers[:1]) == ["timeout"]
    gate.finish()
    gate.finish()
    assert ended(callers[1:]) == ["right"]
    assert recoveries() == 0  # it was on its way before
    rig.machine.chip.gate = None
    model.infer(window_of(2))
    model.infer(window_of(3))
    assert recoveries() == 1
    model.close()
