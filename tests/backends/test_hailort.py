"""The backend on both lines of HailoRT, through every failure that they can have."""

import hashlib
import logging
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeinfer.backends.hailort import create
from edgeinfer.errors import BackendError, ModelFileError
from edgeinfer.hailort.status import STATUSES, Status
from edgeinfer.model.processing import make_scale, softmax
from edgeinfer.settings import SidecarSettings
from tests.fakes.hailo_platform.hef import Edge, Network, write_hef
from tests.fakes.hailo_platform.machine import Machine, default_chip
from tests.hailort.rigs import VERSIONS, Rig, build_rig, shipped_card

WINDOW = np.random.default_rng(1).normal(0, 2, (100, 9)).astype(np.float32)


@pytest.fixture(params=VERSIONS)
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    built = build_rig(Machine(request.param), tmp_path)
    yield built
    built.machine.chip.stuck = False
    built.backend.close()
    assert (built.machine.aborted, built.machine.races) == ([], [])
    assert built.machine.vdevices_open == 0


def fails_with(rig: Rig) -> str:
    with pytest.raises(BackendError) as caught:
        rig.backend.infer(WINDOW)
    return caught.value.error_class


def test_the_description_names_chip_library_model_and_file(rig: Rig) -> None:
    description = rig.backend.open()
    assert description.kind == "hailo"
    assert description.device == f"0001:01:00.0 {rig.machine.chip.architecture}"
    assert description.runtime == f"hailort {rig.machine.version}"
    assert (description.latent_dimensions, description.motif_count) == (64, 12)
    assert len(description.model_sha256) == 64
    assert rig.backend.parallelism == 8  # frames that the chip's queue takes


def test_the_host_normalizes_before_and_makes_scores_of_logits_after(rig: Rig) -> None:
    rig.backend.open()
    answer = rig.backend.infer(WINDOW)
    card = shipped_card()
    flat = make_scale(card.normalization).apply(WINDOW).reshape(-1)
    outputs = {}
    for number, size in ((0, 12), (1, 64)):  # the fake's network: a fixed random matrix for each output
        outputs[size] = flat @ np.random.default_rng(7 + number).normal(0, 0.05, (900, size)).astype(np.float32)
    np.testing.assert_allclose(answer.latent, outputs[64], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(answer.motif_scores, softmax(outputs[12], card.temperature), rtol=1e-4, atol=1e-6)
    assert answer.execute_seconds > 0


def test_an_answer_is_the_callers_own(rig: Rig) -> None:
    rig.backend.open()
    first = rig.backend.infer(WINDOW)
    kept = first.latent.copy()
    rig.backend.infer(WINDOW * 2)
    np.testing.assert_array_equal(first.latent, kept)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_channel_major_network_gets_the_window_transposed(version: str, tmp_path: Path) -> None:
    rig = build_rig(Machine(version), tmp_path, hef={"input_shape": (1, 9, 100)})
    rig.backend.open()
    answer = rig.backend.infer(WINDOW)
    flat = np.ascontiguousarray(make_scale(shipped_card().normalization).apply(WINDOW).T).reshape(-1)
    expected = flat @ np.random.default_rng(8).normal(0, 0.05, (900, 64)).astype(np.float32)
    np.testing.assert_allclose(answer.latent, expected, rtol=1e-5, atol=1e-5)
    rig.backend.close()


@pytest.mark.parametrize("version", VERSIONS)
def test_a_flat_input_is_warned_about_unless_the_layout_is_set(
    version: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    flat: dict[str, Any] = {"hef": {"input_shape": (900,)}}
    cases: list[tuple[dict[str, Any], int]] = [({}, 1), ({"layout": "channel_major"}, 0)]
    for given, warnings in cases:
        caplog.clear()
        rig = build_rig(Machine(version), tmp_path, **flat, **given)
        rig.backend.open()
        rig.backend.close()
        assert sum("EDGEINFER_HEF_LAYOUT" in record.message for record in caplog.records) == warnings


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("shape", [(64,), (1, 1, 64), (1, 64, 1)])
def test_outputs_are_distinguished_by_size_whatever_their_rank(
    version: str, tmp_path: Path, shape: tuple[int, ...]
) -> None:
    rig = build_rig(Machine(version), tmp_path, hef={"latent_shape": shape, "scores_shape": (12,)})
    rig.backend.open()
    answer = rig.backend.infer(WINDOW)
    assert (answer.latent.shape, answer.motif_scores.shape) == ((64,), (12,))
    rig.backend.close()


@pytest.mark.parametrize("version", VERSIONS)
def test_a_network_with_other_outputs_is_refused_and_nothing_stays_open(version: str, tmp_path: Path) -> None:
    rig = build_rig(Machine(version), tmp_path, hef={"latent_shape": (1, 1, 32)})
    with pytest.raises(ModelFileError, match="a latent of 64 and 12 scores are due"):
        rig.backend.open()
    assert rig.machine.vdevices_open == 0


@pytest.mark.parametrize("version", VERSIONS)
def test_a_network_with_two_inputs_is_refused_and_nothing_stays_open(version: str, tmp_path: Path) -> None:
    inputs = (Edge("net/accelerometer", (1, 100, 3)), Edge("net/gyroscope", (1, 100, 6)))
    outputs = (Edge("net/latent", (64,)), Edge("net/scores", (12,)))
    rig = build_rig(Machine(version), tmp_path, hef={"networks": (Network("net", inputs, outputs),)})
    with pytest.raises(ModelFileError, match="where one window is due"):
        rig.backend.open()
    assert rig.machine.vdevices_open == 0


@pytest.mark.parametrize("version", VERSIONS)
def test_what_runs_is_what_was_checked_even_if_the_file_is_replaced(version: str, tmp_path: Path) -> None:
    rig = build_rig(Machine(version), tmp_path)
    described = rig.backend.open()
    before = rig.backend.infer(WINDOW).latent
    write_hef(rig.hef, architecture=rig.machine.chip.architecture, latent_shape=(1, 1, 32))
    rig.machine.inject("run_async", 62)
    assert fails_with(rig) == "communication_closed"
    rig.clock.advance(1.1)
    np.testing.assert_array_equal(rig.backend.infer(WINDOW).latent, before)
    assert described.model_sha256 != hashlib.sha256(rig.hef.read_bytes()).hexdigest()
    rig.backend.close()


def test_the_scheduler_is_set_whatever_the_default_of_the_line(rig: Rig) -> None:
    rig.backend.open()
    assert rig.machine.chip.owner_group == "SHARED"
    rig.backend.infer(WINDOW)  # without a scheduler this would be 72


@pytest.mark.parametrize(
    ("call", "code", "expected"),
    [
        ("run_async", 82, "backpressure"),
        ("run_async", 6, "misuse"),
        ("run_async", 3, "memory_allocation_error"),
        ("run_async", 47, "memory_allocation_error"),
        ("wait_for_async_ready", 4, "timeout"),
        ("job.wait", 4, "timeout"),
        ("completion", 4, "timeout"),
        ("completion", 87, "timeout"),
        ("completion", 18, "execution_failed"),
    ],
)
def test_a_failure_that_shuts_the_model_down_is_recovered_before_the_next_window(
    rig: Rig, call: str, code: int, expected: str
) -> None:
    rig.backend.open()
    rig.machine.inject(call, code)
    assert fails_with(rig) == expected
    assert rig.machine.vdevices_open == 1
    assert rig.backend.infer(WINDOW).latent.shape == (64,)


@pytest.mark.parametrize("status", STATUSES, ids=lambda status: f"{status.code}_{status.name}")
def test_every_status_has_its_class_and_the_chip_answers_again(rig: Rig, status: Status) -> None:
    rig.backend.open()
    rig.machine.inject("run_async", status.code)
    # An internal failure of a chip that is open is one of that frame.
    assert fails_with(rig) == ("execution_failed" if status.name == "INTERNAL_FAILURE" else status.error_class)
    rig.clock.advance(1.1)
    assert rig.backend.infer(WINDOW).latent.shape == (64,)
    assert rig.machine.vdevices_open == 1


@pytest.mark.parametrize("code", [62, 77, 88, 89, 76, 85, 36])
def test_after_a_fatal_failure_the_chip_is_opened_again_with_growing_waits(rig: Rig, code: int) -> None:
    rig.backend.open()
    rig.machine.inject("run_async", code)
    first = fails_with(rig)
    assert rig.machine.vdevices_open == 0
    with pytest.raises(BackendError) as again:
        rig.backend.infer(WINDOW)
    assert (again.value.error_class, again.value.is_repeated) == (first, True)  # without touching the chip
    rig.machine.inject("VDevice", 96)
    rig.clock.advance(1.1)
    with pytest.raises(BackendError) as other:
        rig.backend.infer(WINDOW)
    assert (other.value.error_class, other.value.is_repeated) == ("device_not_found", False)
    rig.clock.advance(1.1)
    assert fails_with(rig) == "device_not_found"  # the wait is two seconds now
    rig.clock.advance(1.0)
    assert rig.backend.infer(WINDOW).latent.shape == (64,)


def test_a_stuck_frame_times_out_and_the_network_comes_back(rig: Rig) -> None:
    rig.backend.open()
    rig.machine.chip.stuck = True
    assert fails_with(rig) == "timeout"
    rig.machine.chip.stuck = False
    assert rig.backend.infer(WINDOW).latent.shape == (64,)


def test_two_timeouts_in_a_row_open_the_chip_again(rig: Rig) -> None:
    rig.backend.open()
    rig.machine.inject("job.wait", 4, times=2)
    assert [fails_with(rig), fails_with(rig)] == ["timeout", "timeout"]
    assert rig.machine.vdevices_open == 0
    rig.clock.advance(1.1)
    assert rig.backend.infer(WINDOW).latent.shape == (64,)


def test_streams_closed_by_heat_are_thermal_throttling_where_the_chip_can_say_so(rig: Rig) -> None:
    rig.backend.open()
    chip = rig.machine.chip
    chip.ts0, chip.zone, chip.streams_closed = 120.5, 2, True
    chip.control_calls.clear()
    expected = "thermal_throttling" if rig.machine.is_old_line else "communication_closed"
    assert fails_with(rig) == expected
    # A Hailo-10H has no zone, and is not called: a hanging one would hold the interpreter.
    assert bool(chip.control_calls) == rig.machine.is_old_line
    chip.ts0, chip.zone, chip.streams_closed = 90.0, 0, False
    rig.clock.advance(1.1)
    assert rig.backend.infer(WINDOW).latent.shape == (64,)


def test_an_abort_without_heat_is_a_lost_device(rig: Rig) -> None:
    rig.backend.open()
    rig.machine.chip.streams_closed = True
    assert fails_with(rig) == "communication_closed"


def test_unplug_and_replug_without_a_restart(rig: Rig) -> None:
    rig.backend.open()
    rig.machine.chip.present = False
    assert fails_with(rig) == "communication_closed"
    rig.clock.advance(1.1)
    assert fails_with(rig) == "device_not_found"
    rig.machine.chip.present = True
    rig.clock.advance(2.1)
    assert rig.backend.infer(WINDOW).latent.shape == (64,)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("code", "expected"),
    [(73, "device_in_use"), (76, "version_mismatch"), (3, "memory_allocation_error"), (97, "device_in_use")],
)
def test_a_chip_that_cannot_be_opened_shows_its_class(version: str, code: int, expected: str, tmp_path: Path) -> None:
    rig = build_rig(Machine(version), tmp_path)
    rig.machine.inject("VDevice", code)
    with pytest.raises(BackendError) as caught:
        rig.backend.open()
    assert caught.value.error_class == expected
    assert rig.machine.vdevices_open == 0
    rig.backend.open()
    rig.backend.close()


def test_a_machine_without_a_chip_is_reported_before_anything_is_opened(rig: Rig) -> None:
    rig.machine.chip.present = False
    with pytest.raises(BackendError, match="scan finds no device") as caught:
        rig.backend.open()
    assert caught.value.error_class == "device_not_found"


def test_a_chip_of_another_process_is_in_use(rig: Rig) -> None:
    rig.machine.chip.owner = "other"
    with pytest.raises(BackendError) as caught:
        rig.backend.open()
    assert caught.value.error_class == "device_in_use"


@pytest.mark.parametrize("version", VERSIONS)
def test_a_hef_of_another_chip_is_invalid(version: str, tmp_path: Path) -> None:
    target = {"4.23.0": "HAILO8P", "5.2.0": "HAILO15L"}[version]
    rig = build_rig(Machine(version), tmp_path, hef={"architecture": target})
    with pytest.raises(ModelFileError, match=f"compiled for {target}, and the chip is a HAILO"):
        rig.backend.open()
    # A chip that does not say what it is leaves the judgement to the library.
    rig.machine.inject("Device", 36, times=None)
    with pytest.raises(BackendError) as caught:
        rig.backend.open()
    assert caught.value.error_class == "hef_invalid"


@pytest.mark.parametrize("version", VERSIONS)
def test_a_hef_with_two_networks_is_refused(version: str, tmp_path: Path) -> None:
    edge = Edge("in", (1, 100, 9))
    both = tuple(Network(name, (edge,), (Edge("out", (64,)),)) for name in ("one", "two"))
    rig = build_rig(Machine(version), tmp_path, hef={"networks": both})
    with pytest.raises(ModelFileError, match=r"holds the networks one, two.* Compile a HEF with one model"):
        rig.backend.open()


def two_chips(version: str) -> Machine:
    first, second = default_chip(version), default_chip(version)
    second.device_id = "0002:01:00.0"
    return Machine(version, [first, second])


@pytest.mark.parametrize("version", VERSIONS)
def test_several_chips_serve_at_once(version: str, tmp_path: Path) -> None:
    machine = two_chips(version)
    rig = build_rig(machine, tmp_path, timeout_ms=2000)
    description = rig.backend.open()
    assert rig.backend.parallelism == 16
    assert "0001:01:00.0" in description.device
    assert "0002:01:00.0" in description.device
    assert {chip.owner_group for chip in machine.chips} == {"SHARED-0001:01:00.0", "SHARED-0002:01:00.0"}
    gate = threading.Barrier(2, timeout=5)
    for chip in machine.chips:
        chip.noise = lambda answer: (gate.wait(), answer)[1] if answer.size == 64 else answer
    answers: list[Any] = []
    threads = [threading.Thread(target=lambda: answers.append(rig.backend.infer(WINDOW))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(answers) == 2  # the barrier lets them pass only together
    rig.backend.close()


@pytest.mark.parametrize("version", VERSIONS)
def test_one_lost_chip_does_not_cost_the_other(version: str, tmp_path: Path) -> None:
    machine = two_chips(version)
    rig = build_rig(machine, tmp_path)
    rig.backend.open()
    machine.chips[0].present = False
    assert fails_with(rig) == "communication_closed"
    for _ in range(3):
        assert rig.backend.infer(WINDOW).latent.shape == (64,)
    machine.chips[0].present = True
    rig.clock.advance(1.1)
    rig.backend.infer(WINDOW)
    assert machine.vdevices_open == 2
    rig.backend.close()


@pytest.mark.parametrize("version", VERSIONS)
def test_a_chip_that_was_taken_at_the_start_serves_once_it_is_free(version: str, tmp_path: Path) -> None:
    machine = two_chips(version)
    machine.chips[1].owner = "other"
    rig = build_rig(machine, tmp_path)
    rig.backend.open()
    assert machine.vdevices_open == 1
    machine.chips[1].owner = None
    rig.clock.advance(1.1)
    for _ in range(3):
        assert rig.backend.infer(WINDOW).latent.shape == (64,)
    assert machine.vdevices_open == 2
    machine.chips[0].present = False
    assert fails_with(rig) == "communication_closed"
    assert rig.backend.infer(WINDOW).latent.shape == (64,)  # on the second
    rig.backend.close()


@pytest.mark.parametrize("version", VERSIONS)
def test_a_chip_named_by_the_settings_is_the_only_one_taken(version: str, tmp_path: Path) -> None:
    machine = two_chips(version)
    rig = build_rig(machine, tmp_path, device_ids=("0002:01:00.0",))
    assert rig.backend.parallelism == 1
    rig.backend.open()
    assert [chip.owner for chip in machine.chips] == [None, "here"]
    rig.backend.close()
    wrong = build_rig(machine, tmp_path, device_ids=("0009:01:00.0",))
    with pytest.raises(BackendError) as caught:
        wrong.backend.open()
    assert caught.value.error_class == "device_not_found"


@pytest.mark.parametrize(
    ("hef", "words"),
    [(None, "HEF_PATH: is not set"), (b"", "is empty"), (b"PK zipped", "is not a HEF: it begins with 50 4b 20 7a")],
)
def test_a_hef_that_cannot_be_used_is_reported_before_anything_is_served(
    tmp_path: Path, hef: bytes | None, words: str
) -> None:
    path = tmp_path / "model.hef"
    if hef is not None:
        path.write_bytes(hef)
    settings = SidecarSettings.from_environment({}, backend="hailort", hef_path=None if hef is None else path)
    with pytest.raises(ModelFileError, match=words):
        create(shipped_card(), settings)


def test_closing_twice_and_using_it_closed_are_reported_plainly(rig: Rig) -> None:
    rig.backend.open()
    rig.backend.close()
    rig.backend.close()
    assert fails_with(rig) == "misuse"
