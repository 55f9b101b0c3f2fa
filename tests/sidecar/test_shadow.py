"""The shadow: samples its share, keeps its budget, and is never felt."""

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from edgeinfer.backends.base import Description, Inference, Window
from edgeinfer.errors import BackendError
from edgeinfer.metrics.registry import new_registry
from edgeinfer.sidecar.inference import one_by_one
from edgeinfer.sidecar.instruments import SidecarInstruments
from edgeinfer.sidecar.shadow import Shadow, ShadowPlan

WINDOW = np.ones((100, 9), np.float32)


def answer(top: int = 3) -> Inference:
    scores = np.full(12, 0.01, np.float32)
    scores[top] = 0.89
    return Inference(np.ones(64, np.float32), scores, 0.0, 0.0, 0.0)


class Second:
    """A backend that answers as the test set it."""

    parallelism = 1
    is_cpu_bound = False

    def __init__(self, compute: Callable[[], Inference] = answer) -> None:
        self.compute = compute
        self.closed = 0
        self.asked = threading.Event()

    def open(self) -> Description:
        return Description("cpu", "cpu", "fake", "m", "1", "", 64, 12)

    def infer(self, window: Window) -> Inference:
        self.asked.set()
        return self.compute()

    def close(self) -> None:
        self.closed += 1


class Clocks:
    wall = 0.0
    cpu = 0.0


class Rig:
    def __init__(self, second: Second, *, share: float = 1.0, budget: float = 0.5) -> None:
        self.registry: CollectorRegistry = new_registry()
        self.clocks = Clocks()
        self.shadow = Shadow(
            ShadowPlan(second, share, budget),
            SidecarInstruments(self.registry),
            clock=lambda: self.clocks.wall,
            cpu_clock=lambda: self.clocks.cpu,
        )

    def counted(self) -> dict[str, float]:
        name = "hailo_shadow_comparisons_total"
        results = ("agreed", "differed", "failed", "skipped")
        found = {result: self.registry.get_sample_value(name, {"result": result}) or 0.0 for result in results}
        return {result: value for result, value in found.items() if value}

    def compare(self, served: Inference, times: int = 1) -> None:
        for _ in range(times):
            self.shadow.offer(WINDOW, served)
            self.clocks.wall += 1.0
            self.shadow.compare_next(0.0)


def test_agreement_and_cosine_are_counted() -> None:
    rig = Rig(Second())
    rig.compare(answer(3), times=2)
    rig.compare(answer(5))
    assert rig.counted() == {"agreed": 2.0, "differed": 1.0}
    assert rig.registry.get_sample_value("hailo_shadow_latent_cosine_count") == 3.0
    assert rig.registry.get_sample_value("hailo_shadow_latent_cosine_sum") == pytest.approx(3.0)


def test_only_its_share_is_compared() -> None:
    rig = Rig(Second(), share=0.1)
    rig.compare(answer(), times=100)
    assert sum(rig.counted().values()) == pytest.approx(10.0, abs=1.0)


def test_what_is_beyond_the_cpu_budget_is_skipped() -> None:
    def costly() -> Inference:
        rig.clocks.cpu += 2.0
        return answer()

    rig = Rig(Second(costly), budget=0.5)
    rig.compare(answer(), times=40)  # each costs two seconds, and half a second is allowed in each
    counted = rig.counted()
    assert counted["agreed"] == pytest.approx(10.0, abs=1.0)
    assert counted["agreed"] + counted["skipped"] == 40.0


def test_a_burst_beyond_the_queue_is_skipped_and_nobody_waits() -> None:
    rig = Rig(Second())
    for _ in range(10):
        rig.shadow.offer(WINDOW, answer())
    assert rig.counted() == {"skipped": 6.0}


@pytest.mark.parametrize("latent", [np.full(64, np.nan, np.float32), np.ones(32, np.float32)])
def test_a_shadow_that_returns_without_an_answer_has_failed_and_changes_no_figure(latent: Window) -> None:
    rig = Rig(Second(lambda: Inference(latent, answer().motif_scores, 0.0, 0.0, 0.0)))
    rig.compare(answer())
    assert rig.counted() == {"failed": 1.0}
    assert rig.registry.get_sample_value("hailo_shadow_latent_cosine_count") == 0.0


def test_a_failing_shadow_is_counted_and_not_felt() -> None:
    def fail() -> Inference:
        raise BackendError("it", "failed", "Wait.", error_class="timeout")

    rig = Rig(Second(fail))
    serve = rig.shadow.around(one_by_one(lambda _: answer()))
    assert [outcome.latent.shape for outcome in serve([WINDOW]) if isinstance(outcome, Inference)] == [(64,)]
    rig.clocks.wall += 1.0
    rig.shadow.compare_next(0.0)
    assert rig.counted() == {"failed": 1.0}


def test_a_shadow_that_cannot_be_opened_compares_nothing() -> None:
    class Broken(Second):
        def open(self) -> Any:
            raise BackendError("it", "is away", "Wait.", error_class="device_not_found")

    rig = Rig(Broken())
    rig.shadow.start()
    rig.shadow.close()
    assert rig.counted() == {"failed": 1.0}


def test_it_compares_on_a_thread_of_its_own_and_closes_its_backend() -> None:
    second = Second()
    rig = Rig(second)
    rig.clocks.wall = 1.0
    rig.shadow.offer(WINDOW, answer())
    rig.shadow.start()
    assert second.asked.wait(5)
    rig.shadow.close()
    assert rig.counted() == {"agreed": 1.0}
    assert second.closed == 1
