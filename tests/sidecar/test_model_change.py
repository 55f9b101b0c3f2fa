"""Another model in place of the serving one: loaded next to it, compared with it, and without a window lost."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from edgeinfer.backends.base import Backend, Description, Window
from edgeinfer.backends.hailort import HailortBackend
from edgeinfer.errors import BackendError, ModelFileError
from edgeinfer.hailort.library import load_library
from edgeinfer.metrics.registry import new_registry
from edgeinfer.model.card import ModelCard
from edgeinfer.sidecar.app import build_sidecar
from edgeinfer.sidecar.reload import Candidate, ModelReload, ReloadOutcome, ReloadPlan
from edgeinfer.sidecar.shadow import ShadowPlan
from tests.fakes.hailo_platform.build import importer
from tests.fakes.hailo_platform.hef import write_hef
from tests.fakes.hailo_platform.machine import Machine
from tests.hailort.rigs import VERSIONS
from tests.sidecar.rig import Rig, ToyBackend, shipped_card, window

WINDOWS = np.random.default_rng(2).normal(0, 3, (20, 100, 9)).astype(np.float32)
CARD = shipped_card()
NEWER = replace(CARD, version="2.0.0")


class Newer(ToyBackend):
    """A toy whose file is another; `top` is the motif that it names."""

    def __init__(self, before: Callable[[], None] = lambda: None, *, top: int = 0) -> None:
        super().__init__(before)
        self.scores[top] += 0.5

    def open(self) -> Description:
        return replace(super().open(), model_version="2.0.0", model_sha256="1" * 64)


def plan(backend: Backend, card: ModelCard = NEWER, **given: Any) -> ReloadPlan:
    options: dict[str, Any] = {"min_agreement": 0.9, "cpu_budget": 1.0, **given}
    shadow = options.pop("shadow", None)
    return ReloadPlan(lambda: Candidate(card, backend, shadow), lambda _: WINDOWS, **options)


@contextmanager
def serving(backend: Backend, change_plan: ReloadPlan, shadow_plan: ShadowPlan | None = None) -> Iterator[Rig]:
    registry = new_registry()
    sidecar = build_sidecar(
        backend=backend,
        card=CARD,
        registry=registry,
        version="1.2.3",
        change_plan=change_plan,
        shadow_plan=shadow_plan,
    )
    with TestClient(sidecar.app, raise_server_exceptions=False) as client:
        rig = Rig(sidecar, client, registry)
        rig.wait_until_ready()
        yield rig


def change(rig: Rig) -> ReloadOutcome:
    assert rig.sidecar.change is not None
    return rig.sidecar.change.run()


def test_the_new_model_answers_and_says_so_everywhere() -> None:
    old, new = Newer(), Newer()
    old.open = ToyBackend().open  # type: ignore[method-assign]  # the same answers from another file
    with serving(old, plan(new)) as rig:
        assert rig.client.get("/status").json()["model_change"] is None
        outcome = change(rig)
        assert (outcome.result, outcome.version, outcome.reason) == ("switched", "2.0.0", "")
        asked = new.windows
        assert rig.client.post("/infer", json={"x": window()}).status_code == 200
        assert (new.windows, old.closed, new.closed) == (asked + 1, 1, 0)
        status = rig.client.get("/status").json()
        assert (status["config_version"], status["hef_sha256"], status["ok"]) == ("2.0.0", "1" * 64, True)
        agreement = {"windows": 20, "agreement": 1.0, "cosine_mean": pytest.approx(1.0)}
        assert status["model_change"]["agreement"] == agreement
        assert rig.value("hailo_sidecar_model_changes_total", result="switched") == 1
        infos = [sample.labels for family in rig.registry.collect() for sample in family.samples]
        assert {labels["sha256"] for labels in infos if "sha256" in labels} == {"1" * 64}
    assert new.closed == 1


def test_a_model_that_names_other_motifs_is_refused_and_the_old_one_serves_on() -> None:
    old, new = Newer(top=3), Newer(top=5)
    old.open = ToyBackend().open  # type: ignore[method-assign]  # as above
    with serving(old, plan(new)) as rig:
        outcome = change(rig)
        assert outcome.result == "refused"
        assert "the same motif as the serving one in 0.0% of 20 recorded windows" in outcome.reason
        assert "EDGEINFER_MODEL_CHANGE_MIN_AGREEMENT" in outcome.remedy
        assert (old.closed, new.closed) == (0, 1)
        assert rig.client.get("/status").json()["config_version"] == CARD.version
        assert rig.client.post("/infer", json={"x": window()}).status_code == 200
        assert rig.value("hailo_sidecar_model_changes_total", result="refused") == 1
    with serving(Newer(top=3), plan(Newer(top=5), min_agreement=0.0)) as rig:
        assert change(rig).result in ("switched", "unchanged")


@pytest.mark.parametrize(
    ("card", "words"),
    [
        (replace(NEWER, latent_size=32), "latent_size"),
        (replace(NEWER, motifs=NEWER.motifs[:-1]), "motifs"),
        (replace(NEWER, window=replace(NEWER.window, length=50), latent_size=32), "window, latent_size"),
    ],
)
def test_another_contract_is_refused_before_anything_is_opened(card: ModelCard, words: str) -> None:
    def never() -> None:
        raise AssertionError("opened")

    new = Newer()
    new.opening = never
    with serving(ToyBackend(), plan(new, card)) as rig:
        outcome = change(rig)
        assert (outcome.result, outcome.reason) == ("refused", f"the new card differs from the serving one in {words}")


def lost() -> BackendError:
    return BackendError("the chip", "is gone", "Plug it in.", error_class="device_not_found")


@pytest.mark.parametrize("failure", [lost(), ModelFileError("x.hef", "is empty", "Copy it."), RuntimeError("boom")])
def test_a_model_that_cannot_be_read_opened_or_asked_is_refused(failure: Exception) -> None:
    def fail() -> None:
        raise failure

    unreadable = replace(plan(Newer()), read=fail)  # type: ignore[arg-type]  # it only raises
    unopenable, unanswering = Newer(), Newer(fail)
    unopenable.opening = fail
    for change_plan in (unreadable, plan(unopenable), plan(unanswering)):
        old = ToyBackend()
        with serving(old, change_plan) as rig:
            outcome = change(rig)
            assert outcome.result == "refused"
            assert str(failure.args[0]).split(":")[0] in outcome.reason
            assert old.closed == 0
            assert rig.client.post("/infer", json={"x": window()}).status_code == 200
            assert rig.value("hailo_hardware_errors_total", error_class="device_not_found") == 0
    assert (unopenable.closed, unanswering.closed) == (1, 1)


def test_answers_that_are_not_finite_are_refused() -> None:
    new = Newer()
    new.latent[5] = np.nan
    with serving(ToyBackend(), plan(new)) as rig:
        assert "not finite" in change(rig).reason
        assert rig.client.get("/healthz").status_code == 200


def test_the_same_card_and_file_change_nothing() -> None:
    old, new = ToyBackend(), ToyBackend()
    with serving(old, plan(new, CARD)) as rig:
        assert change(rig).result == "unchanged"
        assert (old.closed, new.closed) == (0, 1)


def test_without_a_serving_model_there_is_nothing_to_change() -> None:
    broken = ToyBackend()

    def unusable() -> None:
        raise ModelFileError("model", "is damaged", "Fix it.")

    broken.opening = unusable
    registry = new_registry()
    sidecar = build_sidecar(backend=broken, card=CARD, registry=registry, version="1", change_plan=plan(Newer()))
    with TestClient(sidecar.app):
        assert sidecar.change is not None
        while sidecar.model.model_state.state.value == "loading":
            threading.Event().wait(0.01)
        outcome = sidecar.change.run()
        assert (outcome.result, "Restart the sidecar" in outcome.remedy) == ("refused", True)


def test_windows_that_are_with_the_old_model_are_answered_although_it_closes() -> None:
    inside, go = threading.Event(), threading.Event()

    class Closing(ToyBackend):
        """Refuses what comes after its end, as every backend does."""

        def infer(self, window: Window) -> Any:
            inside.set()
            go.wait(10)
            if self.closed:
                raise BackendError("the backend", "is not open", "Open it first.", error_class="misuse")
            return super().infer(window)

    old, new = Closing(parallelism=1), Newer()
    with serving(old, plan(new)) as rig, ThreadPoolExecutor(1) as caller:
        answer = caller.submit(rig.client.post, "/infer", json={"x": window()})
        assert inside.wait(10)
        rig.sidecar.model.replace(NEWER, new, new.open())
        go.set()
        assert answer.result(10).status_code == 200
        assert new.windows == 1
        assert rig.value("hailo_hardware_errors_total", error_class="misuse") == 0


def test_one_change_at_a_time_and_none_outlives_the_sidecar() -> None:
    reading, go = threading.Event(), threading.Event()
    reads = []

    def read() -> Candidate:
        reads.append(1)
        reading.set()
        go.wait(10)
        return Candidate(NEWER, Newer())

    with serving(ToyBackend(), replace(plan(Newer()), read=read)) as rig:
        assert rig.sidecar.change is not None
        rig.sidecar.change.begin()
        assert reading.wait(10)
        rig.sidecar.change.begin()
        threading.Timer(0.1, go.set).start()
    assert (len(reads), rig.sidecar.change.last is not None) == (1, True)


def test_the_comparison_keeps_to_its_share_of_a_core() -> None:
    pauses: list[float] = []
    now, cpu = [0.0], [0.0]

    def compute() -> None:
        cpu[0] += 0.5
        now[0] += 0.5

    def wait(_: threading.Event, seconds: float) -> bool:
        pauses.append(seconds)
        now[0] += seconds
        return False

    with serving(ToyBackend(), plan(Newer())) as rig:
        instruments = rig.sidecar.change._instruments  # type: ignore[union-attr]  # the registry has them already
        paced = ModelReload(
            rig.sidecar.model,
            plan(Newer(compute), cpu_budget=0.1, min_agreement=0.0),
            instruments,
            clock=lambda: now[0],
            cpu_clock=lambda: cpu[0],
            wait=wait,
        )
        assert paced.run().result == "switched"
    assert cpu[0] / now[0] == pytest.approx(0.1)
    assert len(pauses) == len(WINDOWS)


def test_the_shadow_compares_with_the_new_models_shadow() -> None:
    first, second = ToyBackend(), ToyBackend()
    change_plan = plan(Newer(), min_agreement=0.0, shadow=second)
    with serving(ToyBackend(), change_plan, ShadowPlan(first, 1.0, 1.0)) as rig:
        for asked in (first, second):
            for _ in range(500):
                rig.client.post("/infer", json={"x": window()})
                if asked.windows:
                    break
                threading.Event().wait(0.01)
            assert asked.windows
            if asked is first:
                assert change(rig).result == "switched"
    assert (first.closed, second.closed) == (1, 1)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_chip_runs_both_networks_while_they_are_compared(version: str, tmp_path: Path) -> None:
    machine = Machine(version)
    load = importer(machine)

    def backend(hef: Path) -> HailortBackend:
        return HailortBackend(CARD, hef, load=lambda: load_library(load), timeout_ms=2000)

    hefs = [
        write_hef(tmp_path / name, architecture=machine.chip.architecture, input_scale=scale)
        for name, scale in (("old.hef", 0.0), ("new.hef", 0.05))
    ]
    with serving(backend(hefs[0]), plan(backend(hefs[1]), min_agreement=0.5)) as rig:
        outcome = change(rig)
        assert outcome.result == "switched", outcome
        assert outcome.agreement is not None
        assert 0.9 < outcome.agreement.cosine_mean < 1.0  # eight bits differ, and that is a number
        assert rig.client.post("/infer", json={"x": window()}).json()["backend"] == "hailo"
        assert machine.vdevices_open == 1
    assert (machine.vdevices_open, machine.chip.owner) == (0, None)
    assert machine.aborted == []
