"""Readiness is state of the model: loading, lost, back again, unusable, draining."""

import threading

import numpy as np
import pytest

from edgeinfer.errors import BackendError, ModelFileError
from tests.sidecar.rig import Rig, ToyBackend, running, window


def lost_device() -> BackendError:
    return BackendError("the chip", "is gone", "Plug it in.", error_class="device_not_found")


def ask(rig: Rig) -> int:
    return rig.client.post("/infer", json={"x": window()}).status_code


def test_a_loading_model_is_not_ready_and_says_so() -> None:
    gate = threading.Event()
    backend = ToyBackend()

    def opening() -> None:
        gate.wait(10)

    backend.opening = opening
    with running(backend, ready=False) as rig:
        health = rig.client.get("/healthz")
        assert (health.status_code, health.json()["state"], health.json()["ok"]) == (503, "loading", False)
        answer = rig.client.post("/infer", json={"x": window()})
        assert (answer.status_code, answer.json()["error"]) == (503, "not_ready")
        assert answer.headers["retry-after"] == "1"
        assert rig.value("hailo_sidecar_inferences_total", status="not_ready") == 1
        assert rig.value("hailo_sidecar_ready") == 0
        gate.set()
        rig.wait_until_ready()
        assert rig.value("hailo_sidecar_ready") == 1
        assert ask(rig) == 200


def test_a_device_that_cannot_be_opened_is_tried_again() -> None:
    failures = [lost_device(), lost_device()]
    backend = ToyBackend()

    def opening() -> None:
        if failures:
            raise failures.pop()

    backend.opening = opening
    with running(backend) as rig:
        assert rig.value("hailo_hardware_errors_total", error_class="device_not_found") == 2
        assert ask(rig) == 200


def test_a_chip_that_aborts_every_run_is_not_well_until_it_answers_one() -> None:
    hot = threading.Event()

    def before() -> None:
        if hot.is_set():
            raise BackendError("the chip", "aborted the stream", "Cool it.", error_class="thermal_throttling")

    with running(ToyBackend(before)) as rig:
        hot.set()
        for _ in range(2):
            assert ask(rig) == 500
        assert rig.client.get("/healthz").status_code == 200, "two failures are no state"
        assert ask(rig) == 500
        health = rig.client.get("/healthz")
        assert (health.status_code, health.json()["ok"], health.json()["state"]) == (503, False, "ready")
        assert "aborted the stream" in health.json()["reason"]
        hot.clear()
        assert ask(rig) == 200, "windows are let in all the while: else it would never be seen that it is well"
        assert rig.client.get("/healthz").status_code == 200


def test_a_lost_device_turns_readiness_until_it_is_back() -> None:
    gone = threading.Event()

    def before() -> None:
        if gone.is_set():
            raise lost_device()

    with running(ToyBackend(before)) as rig:
        gone.set()
        assert ask(rig) == 500
        health = rig.client.get("/healthz")
        assert (health.status_code, health.json()["state"]) == (503, "lost")
        assert "is gone" in health.json()["reason"]
        assert ask(rig) == 503
        gone.clear()
        rig.wait_until_ready()
        assert ask(rig) == 200
        assert rig.value("hailo_sidecar_backend_recoveries_total") == 1


def test_a_failure_that_costs_one_window_does_not_turn_readiness() -> None:
    fail_once = [BackendError("the chip", "was busy", "Try again.", error_class="backpressure")]

    def before() -> None:
        if fail_once:
            raise fail_once.pop()

    with running(ToyBackend(before)) as rig:
        assert ask(rig) == 500
        assert rig.client.get("/healthz").status_code == 200
        assert ask(rig) == 200
        assert rig.value("hailo_sidecar_inferences_total", status="backend_error") == 1
        assert rig.value("hailo_hardware_errors_total", error_class="backpressure") == 1


def test_a_model_that_does_not_fit_is_unusable_and_says_why() -> None:
    backend = ToyBackend()

    def opening() -> None:
        raise ModelFileError("model.hef", "is for another chip", "Compile it for this one.")

    backend.opening = opening
    with running(backend, ready=False) as rig:
        for _ in range(200):
            health = rig.client.get("/healthz").json()
            if health["state"] == "unusable":
                break
            threading.Event().wait(0.01)
        assert health["state"] == "unusable"
        assert "another chip" in health["reason"]
        assert "Compile it" in rig.client.post("/infer", json={"x": window()}).json()["remedy"]


@pytest.mark.parametrize("fault", ["nan", "infinite", "latent", "scores"])
def test_an_output_outside_the_contract_is_never_passed_on(fault: str) -> None:
    backend = ToyBackend()
    if fault == "nan":
        backend.latent[5] = np.nan
    elif fault == "infinite":
        backend.scores[1] = np.inf
    elif fault == "latent":
        backend.latent = np.zeros(63, np.float32)
    else:
        backend.scores = np.zeros(13, np.float32)
    with running(backend) as rig:
        answer = rig.client.post("/infer", json={"x": window()})
        assert (answer.status_code, answer.json()["error"]) == (500, "backend_error")
        assert rig.value("hailo_sidecar_inferences_total", status="invalid_output") == 1
        assert rig.value("hailo_hardware_errors_total", error_class="invalid_output") == 1


def test_a_draining_sidecar_turns_readiness_and_still_answers() -> None:
    with running(ToyBackend()) as rig:
        rig.sidecar.model.drain()
        assert rig.client.get("/healthz").status_code == 503
        assert ask(rig) == 200


def test_the_backend_is_closed_at_the_end() -> None:
    backend = ToyBackend()
    with running(backend):
        pass
    assert backend.closed == 1


def test_a_crash_inside_a_backend_is_one_error_and_not_the_end() -> None:
    crashes = [ZeroDivisionError("secret detail")]

    def before() -> None:
        if crashes:
            raise crashes.pop()

    with running(ToyBackend(before)) as rig:
        answer = rig.client.post("/infer", json={"x": window()})
        assert (answer.status_code, answer.json()["error"]) == (500, "internal_error")
        assert "secret" not in answer.text
        assert ask(rig) == 200
