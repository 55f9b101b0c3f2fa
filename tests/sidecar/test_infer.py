"""POST /infer on good input: the answer is the model's, and its time is accounted for."""

import platform
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import onnxruntime
import pytest

from edgeinfer.backends.base import Inference, Window
from edgeinfer.backends.onnx import OnnxBackend
from edgeinfer.model.card import default_folder
from edgeinfer.sidecar.fast_json import find_parser
from tests.sidecar.rig import Rig, ToyBackend, running, shipped_card, window

BINARY = "application/octet-stream"


@pytest.fixture(scope="module")
def onnx() -> Iterator[Rig]:
    with running(OnnxBackend(shipped_card())) as rig:
        yield rig


def of_the_session(rows: list[list[float]]) -> tuple[np.ndarray, np.ndarray]:
    session = onnxruntime.InferenceSession(default_folder() / shipped_card().file("cpu").path.name)
    latent, scores = session.run(["latent", "motif_scores"], {"window": np.array([rows], np.float32)})
    return latent[0], scores[0]


def test_a_json_answer_equals_onnx_runtime_exactly(onnx: Rig) -> None:
    answer = onnx.client.post("/infer", json={"x": window()}).json()
    latent, scores = of_the_session(window())
    assert np.array_equal(np.array(answer["latent"], np.float32), latent)
    assert np.array_equal(np.array(answer["motif_scores"], np.float32), scores)
    assert answer["backend"] == "cpu"


def test_a_binary_answer_equals_onnx_runtime_exactly(onnx: Rig) -> None:
    body = np.array(window(), "<f4").tobytes()
    answer = onnx.client.post("/infer", content=body, headers={"content-type": BINARY, "accept": BINARY})
    latent, scores = of_the_session(window())
    assert np.array_equal(np.frombuffer(answer.content, "<f4"), np.concatenate([latent, scores]))
    assert answer.headers["x-latent-dimensions"] == "64"
    assert answer.headers["x-backend"] == "cpu"


@pytest.mark.parametrize(("find", "decoder"), [(lambda: find_parser("no_simdjson"), "msgspec"), (find_parser, None)])
def test_without_simdjson_the_answer_is_the_same_and_the_decoder_is_named(
    onnx: Rig, find: Callable[[], Callable[[], Any] | None], decoder: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    decoder = decoder or ("msgspec" if find_parser() is None else "simdjson")
    caplog.set_level("INFO")
    body = {"x": window()}
    with running(OnnxBackend(shipped_card()), find_json_parser=find) as rig:
        assert rig.client.post("/infer", json=body).json() == onnx.client.post("/infer", json=body).json()
        assert rig.client.get("/status").json()["json_decoder"] == decoder
        info = {"version": "1.2.3", "python": platform.python_version(), "json_decoder": decoder}
        assert rig.value("hailo_sidecar_build_info", **info) == 1
    assert decoder in {vars(record).get("json_decoder") for record in caplog.records}


def test_integers_are_numbers(onnx: Rig) -> None:
    answer = onnx.client.post("/infer", json={"x": [[1] * 9] * 100})
    assert answer.status_code == 200


def test_the_stages_add_up_to_the_total(onnx: Rig) -> None:
    timing = onnx.client.post("/infer", json={"x": window()}).headers["server-timing"]
    stages = {name: float(ms) for name, ms in (part.split(";dur=") for part in timing.split(", "))}
    total = stages.pop("total")
    assert set(stages) == {"queue", "decode", "preprocess", "execute", "postprocess"}
    assert sum(stages.values()) == pytest.approx(total, abs=0.001)


def test_every_answered_window_is_in_each_stage_once() -> None:
    with running(ToyBackend()) as rig:
        for _ in range(3):
            rig.client.post("/infer", json={"x": window()})
        for stage in ("queue", "decode", "preprocess", "execute", "postprocess"):
            assert rig.value("hailo_sidecar_stage_duration_seconds_count", stage=stage) == 3
        assert rig.value("hailo_sidecar_stage_duration_seconds_sum", stage="execute") == pytest.approx(0.006)
        assert rig.value("hailo_sidecar_inferences_total", status="success") == 3
        assert rig.value("hailo_sidecar_batch_size_count") == 3


def test_a_request_id_is_echoed_and_a_strange_one_replaced(onnx: Rig) -> None:
    given = onnx.client.post("/infer", json={"x": window()}, headers={"x-request-id": "phone-7.a_1"})
    strange = onnx.client.post("/infer", json={"x": window()}, headers={"x-request-id": "a b;" * 40})
    assert given.headers["x-request-id"] == "phone-7.a_1"
    assert len(strange.headers["x-request-id"]) == 16


def test_the_description_shows_both_encodings(onnx: Rig) -> None:
    operation = onnx.client.get("/openapi.json").json()["paths"]["/infer"]["post"]
    assert set(operation["requestBody"]["content"]) == {"application/json", BINARY}
    assert set(operation["responses"]["200"]["content"]) == {"application/json", BINARY}


class ScatteredScores(ToyBackend):
    """Its scores lie apart in memory, which the encoder of JSON does not take."""

    step = 2

    def infer(self, window: Window) -> Inference:
        inference = super().infer(window)
        inference.motif_scores = np.repeat(inference.motif_scores, self.step)[:: self.step]
        return inference


@pytest.mark.parametrize("kind", [np.float64, np.float16, object])
def test_an_output_of_another_type_than_float32_is_refused_before_its_bytes_travel(kind: type) -> None:
    with running(ToyBackend()) as rig:
        backend = rig.sidecar.model.backend
        backend.scores = backend.scores.astype(kind)  # type: ignore[attr-defined]
        body = np.array(window(), "<f4").tobytes()
        answer = rig.client.post("/infer", content=body, headers={"content-type": BINARY, "accept": BINARY})
        assert answer.status_code == 500
        assert f"scores {np.dtype(kind)}" in answer.json()["message"]
        assert rig.value("hailo_sidecar_inferences_total", status="invalid_output") == 1


def test_an_output_that_cannot_be_encoded_is_answered_as_a_failure_and_not_left_open() -> None:
    with running(backend := ScatteredScores(is_cpu_bound=True)) as rig:
        path = f"/v2/models/{shipped_card().name}/infer"
        data = [value for row in window() for value in row]
        tensor = {"name": "window", "shape": [1, 100, 9], "datatype": "FP32", "data": data}
        answers = [rig.client.post("/infer", json={"x": window()}), rig.client.post(path, json={"inputs": [tensor]})]
        assert [(answer.status_code, answer.headers["content-type"]) for answer in answers] == [
            (500, "application/json")
        ] * 2
        assert rig.value("hailo_sidecar_inferences_total", status="success") == 0
        assert rig.value("hailo_sidecar_inferences_total", status="backend_error") == 2
        backend.step = 1
        assert rig.client.post("/infer", json={"x": window()}).status_code == 200
