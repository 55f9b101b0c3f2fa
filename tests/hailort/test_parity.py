"""Backends compared on windows: what is the same, what drifts, what fails."""

import json
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from click.testing import CliRunner

from edgeinfer.backends.onnx import OnnxBackend
from edgeinfer.cli.parity import create
from edgeinfer.errors import BackendError
from edgeinfer.parity import Gate, compare, cosine, recorded_windows
from tests.fakes.hailo_platform.machine import Machine
from tests.hailort.rigs import VERSIONS, build_rig, shipped_card

WINDOWS = list(recorded_windows(["walking-upper-leg"], length=100, hop=200))


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("shape", [(1, 100, 9), (100, 1, 9), (100, 9, 1)])
def test_the_shipped_network_on_a_chip_equals_the_one_on_the_cpu(
    version: str, tmp_path: Path, shape: tuple[int, ...]
) -> None:
    card = shipped_card()
    program = f"onnx:{card.file('device').path}"
    rig = build_rig(Machine(version), tmp_path, hef={"program": program, "input_shape": shape})
    report = compare(OnnxBackend(card, threads=1), rig.backend, WINDOWS)
    assert report.windows == len(WINDOWS)
    assert report.cosine_min > 0.9999
    assert report.agreement == 1.0
    assert report.max_score_difference < 1e-3
    assert (report.reference.kind, report.candidate.kind) == ("cpu", "hailo")
    assert Gate().violations(report) == []


def test_eight_bits_drift_and_the_drift_is_a_number(tmp_path: Path) -> None:
    card = shipped_card()
    program = f"onnx:{card.file('device').path}"
    coarse = build_rig(Machine(), tmp_path, hef={"program": program, "input_scale": 0.5})
    report = compare(OnnxBackend(card, threads=1), coarse.backend, WINDOWS)
    assert 0.5 < report.cosine_min < report.cosine_mean < 0.9999
    assert Gate(cosine_mean=0.99999).violations(report)[0].startswith("mean cosine")


def test_windows_that_fail_are_counted_by_class_and_fail_the_gate(tmp_path: Path) -> None:
    card = shipped_card()
    rig = build_rig(Machine(), tmp_path, hef={"program": f"onnx:{card.file('device').path}"})
    report = compare(OnnxBackend(card, threads=1), _Failing(rig.backend), WINDOWS)
    assert report.failures == {"timeout": 1}
    assert Gate().violations(report) == ["1 windows failed with timeout"]


def test_a_window_that_returns_without_an_answer_has_failed(tmp_path: Path) -> None:
    card = shipped_card()
    rig = build_rig(Machine(), tmp_path, hef={"program": f"onnx:{card.file('device').path}"})
    broken = _Failing(rig.backend, third=lambda inner: msgspec.structs.replace(inner, latent=inner.latent * np.nan))
    report = compare(OnnxBackend(card, threads=1), broken, WINDOWS)
    assert report.failures == {"invalid_output": 1}
    assert report.cosine_min > 0.9999  # and it is in no mean
    with pytest.raises(BackendError, match="not finite"):
        compare(_Failing(rig.backend, third=broken.third), OnnxBackend(card, threads=1), WINDOWS)


def test_a_candidate_that_answers_nothing_is_an_error(tmp_path: Path) -> None:
    rig = build_rig(Machine(), tmp_path)
    with pytest.raises(BackendError):
        compare(OnnxBackend(shipped_card(), threads=1), _Failing(rig.backend, always=True), WINDOWS)


class _Failing:
    """A backend whose third window, or every window, times out, or whose third is answered otherwise."""

    def __init__(self, inner: Any, *, always: bool = False, third: Any = None) -> None:
        self._inner = inner
        self.third = third
        self._always = always
        self._count = 0
        self.parallelism = 1
        self.is_cpu_bound = True

    def open(self) -> Any:
        return self._inner.open()

    def infer(self, window: Any) -> Any:
        self._count += 1
        if self._count == 3 and self.third is not None:
            return self.third(self._inner.infer(window))
        if self._always or self._count == 3:
            raise BackendError("it", "timed out", "Wait.", error_class="timeout")
        return self._inner.infer(window)

    def close(self) -> None:
        self._inner.close()


def test_cosine_of_nothing_is_zero_and_of_itself_is_one() -> None:
    vector = np.arange(4, dtype=np.float32)
    assert cosine(vector, vector) == pytest.approx(1.0)
    assert cosine(vector, -vector) == pytest.approx(-1.0)
    assert cosine(vector, np.zeros(4, np.float32)) == 0.0


@pytest.mark.parametrize(("least", "code"), [("0.5", 0), ("0.9999999", 1)])
def test_the_command_prints_json_and_ends_by_its_gate(least: str, code: int) -> None:
    words = ["--candidate", "onnx-int8", "--recording", "walking-upper-leg", "--windows", "20", "--json"]
    gate = ["--min-cosine", least, "--min-cosine-p1", "0.5", "--min-agreement", "0.5"]
    result = CliRunner().invoke(create(), [*words, *gate])
    assert result.exit_code == code, result.output
    report = json.loads(result.output)
    assert report["windows"] == 20
    assert bool(report["violations"]) == bool(code)


def test_the_command_shows_people_the_same() -> None:
    result = CliRunner().invoke(create(), ["--candidate", "onnx", "--windows", "5"])
    assert result.exit_code == 0
    assert "cosine     mean 1.00000" in result.output
    assert "100.00% agree" in result.output
