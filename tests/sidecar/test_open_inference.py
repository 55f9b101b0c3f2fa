"""The Open Inference Protocol on the sidecar: the same numbers as POST /infer, in its own shapes."""

import gzip
import json
import threading
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeinfer.backends.onnx import OnnxBackend
from edgeinfer.errors import BackendError
from edgeinfer.parity import recorded_windows
from edgeinfer.recordings.reader import list_recordings
from tests.sidecar.rig import Rig, ToyBackend, running, shipped_card, window

NAME, VERSION = shipped_card().name, shipped_card().version
INFER = f"/v2/models/{NAME}/infer"
BINARY = "application/octet-stream"
LENGTH = "inference-header-content-length"


@pytest.fixture(scope="module")
def onnx() -> Iterator[Rig]:
    with running(OnnxBackend(shipped_card())) as rig:
        yield rig


@pytest.fixture
def toy() -> Iterator[Rig]:
    with running(ToyBackend(), queue_capacity=4) as rig:
        yield rig


def asked(windows: Any, count: int = 1, **more: Any) -> dict[str, Any]:
    tensor = {"name": "window", "shape": [count, 100, 9], "datatype": "FP32", "data": windows}
    return {"inputs": [tensor | more]}


def as_binary(windows: np.ndarray, **more: Any) -> tuple[bytes, dict[str, str]]:
    data = windows.astype("<f4").tobytes()
    tensor = {"name": "window", "shape": list(windows.shape), "datatype": "FP32"} | {
        "parameters": {"binary_data_size": len(data)}
    }
    head = json.dumps({"inputs": [tensor]} | more).encode()
    return head + data, {LENGTH: str(len(head)), "content-type": BINARY}


def outputs_of(answer: Any) -> dict[str, np.ndarray]:
    """The tensors of an answer, whichever way each travelled."""
    size = int(answer.headers.get(LENGTH, len(answer.content)))
    document, rest = json.loads(answer.content[:size]), answer.content[size:]
    found = {}
    for output in document["outputs"]:
        if "data" in output:
            values = np.array(output["data"], np.float32)
        else:
            size = output["parameters"]["binary_data_size"]
            values, rest = np.frombuffer(rest[:size], "<f4"), rest[size:]
        found[output["name"]] = values.reshape(output["shape"])
    assert not rest
    return found


def of_infer(rig: Rig, windows: np.ndarray) -> dict[str, np.ndarray]:
    """What POST /infer answers to each."""
    answers = [rig.client.post("/infer", json={"x": one.tolist()}).json() for one in windows]
    return {name: np.array([answer[name] for answer in answers], np.float32) for name in ("latent", "motif_scores")}


def equal(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> bool:
    return one.keys() == other.keys() and all(np.array_equal(one[name], other[name]) for name in one)


def test_every_way_in_gives_the_bits_of_infer_over_all_recordings(onnx: Rig) -> None:
    windows = np.array(list(recorded_windows([info.name for info in list_recordings()], length=100, hop=1600)))
    assert len(windows) > 40
    expected = of_infer(onnx, windows)
    for first in range(0, len(windows), 16):
        some = windows[first : first + 16]
        wanted = {name: values[first : first + 16] for name, values in expected.items()}
        body, headers = as_binary(some, parameters={"binary_data_output": True})
        assert equal(outputs_of(onnx.client.post(INFER, content=body, headers=headers)), wanted)
        for data in (some.tolist(), some.reshape(-1).tolist()):
            assert equal(outputs_of(onnx.client.post(INFER, json=asked(data, len(some)))), wanted)


def test_an_answer_names_model_version_id_and_backend(onnx: Rig) -> None:
    answer = onnx.client.post(INFER, json=asked([window()]) | {"id": "call 7"})
    document = answer.json()
    assert (document["model_name"], document["model_version"], document["id"]) == (NAME, VERSION, "call 7")
    assert document["parameters"] == {"backend": "cpu"}
    assert answer.headers["x-backend"] == "cpu"
    assert "execute;dur=" in answer.headers["server-timing"]


def test_an_answer_to_a_request_without_an_id_has_the_one_of_its_header(onnx: Rig) -> None:
    answer = onnx.client.post(INFER, json=asked([window()]), headers={"x-request-id": "phone-1"})
    assert answer.json()["id"] == answer.headers["x-request-id"] == "phone-1"


def test_outputs_come_as_they_are_asked_for(onnx: Rig) -> None:
    wanted = [{"name": "motif_scores", "parameters": {"binary_data": True}}, {"name": "latent"}]
    answer = onnx.client.post(INFER, json=asked([window()]) | {"outputs": wanted})
    document = json.loads(answer.content[: int(answer.headers[LENGTH])])
    assert [output["name"] for output in document["outputs"]] == ["motif_scores", "latent"]
    assert equal(outputs_of(answer), of_infer(onnx, np.array([window()])))


def test_health_and_metadata_are_those_of_the_published_description(onnx: Rig) -> None:
    get = onnx.client.get
    assert get("/v2/health/live").json() == {"live": True}
    assert get("/v2/health/ready").json() == {"ready": True}
    assert get("/v2/").json() == {"name": "edgeinfer", "version": "1.2.3", "extensions": ["binary_tensor_data"]}
    assert get(f"/v2/models/{NAME}/versions/{VERSION}/ready").json() == {"name": NAME, "ready": True}
    document = get(f"/v2/models/{NAME}").json()
    assert document["versions"] == [VERSION]
    assert document["inputs"] == [{"name": "window", "datatype": "FP32", "shape": [-1, 100, 9]}]
    assert [one["shape"] for one in document["outputs"]] == [[-1, 64], [-1, 12]]


def test_a_model_that_is_not_loaded_is_live_and_not_ready() -> None:
    backend, loading = ToyBackend(), threading.Event()

    def wait() -> None:
        assert loading.wait(10)

    backend.opening = wait
    with running(backend, ready=False) as rig:
        assert rig.client.get("/v2/health/live").status_code == 200
        assert rig.client.get("/v2/health/ready").status_code == 503
        assert rig.client.get(f"/v2/models/{NAME}/ready").json() == {"name": NAME, "ready": False}
        answer = rig.client.post(INFER, json=asked([window()]))
        loading.set()
    assert (answer.status_code, answer.json()["code"]) == (503, "not_ready")
    assert answer.headers["retry-after"] == "1"


_GOOD = np.ones((2, 100, 9), np.float32)


@pytest.mark.parametrize(
    ("changed", "status", "place"),
    [
        ({"name": "x"}, 400, "input 'x'"),
        ({"datatype": "FP64"}, 422, "FP64"),
        ({"datatype": "INT8"}, 422, "INT8"),
        ({"shape": [2, 100]}, 422, "[2, 100]"),
        ({"shape": [-2, 100, 9]}, 422, "[-2, 100, 9]"),
        ({"shape": [0, 100, 9]}, 422, "[0, 100, 9]"),
        ({"shape": [2, 9, 100]}, 422, "[2, 9, 100]"),
        ({"shape": [10_000, 100, 9]}, 422, "10000 windows"),
        ({"shape": [10**40, 100, 9]}, 422, "windows"),
        ({"shape": [3, 100, 9]}, 422, "2 windows"),
        ({"shape": [1] * 5000}, 422, "..."),
        ({"shape": "many"}, 400, "shape"),
        ({"shape": [2, 100.5, 9]}, 400, "shape"),
        ({"data": [1.0] * 1799}, 422, "1799 numbers"),
        ({"data": [[[1.0] * 9] * 100, [[1.0] * 9] * 99]}, 422, "[99, 100] rows"),
        ({"data": [[[1.0] * 9] * 100, [[1.0] * 9] * 99 + [[1.0] * 8]]}, 422, "window[1][99]"),
        ({"data": [[[1.0] * 9] * 100, [[1.0] * 9] * 99 + [[1.0] * 8 + [None]]]}, 422, "window[1][99][8]"),
        ({"data": [1.0] * 1799 + [True]}, 422, "window[1799]"),
        ({"data": [1.0] * 1799 + ["1"]}, 422, "window[1799]"),
        ({"data": [1.0] * 1799 + [1e39]}, 422, "window[1][99][8] (mz)"),
        ({"data": {"a": 1}}, 422, "window"),
        ({"data": "AAAA"}, 422, "window"),
        ({"parameters": {"shared_memory_region": "r"}}, 400, "shared memory"),
        ({"parameters": {"binary_data_size": 7200}}, 400, "both data and binary_data_size"),
        ({"parameters": {"binary_data_size": "7200"}}, 400, "binary_data_size"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_wrong_tensor_is_refused_by_name_and_place(
    toy: Rig, changed: dict[str, Any], status: int, place: str
) -> None:
    answer = toy.client.post(INFER, json=asked(_GOOD.tolist(), 2, **changed))
    document = answer.json()
    assert (answer.status_code, document["status"]) == (status, status)
    assert isinstance(document["error"], str)
    assert place in document["error"]
    assert toy.value("hailo_sidecar_inferences_total", status="success") == 0


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"[]", 400),
        (b"{", 400),
        (b"\xff\xfe", 400),
        (b'{"inputs": []}', 400),
        (b'{"inputs": [1]}', 400),
        (b"[" * 100_000, 400),
        (b'{"inputs": [{"name": "window", "shape": [1, 100, 9], "datatype": "FP32"}]}', 400),
        (b'{"inputs": [{"name": "window", "shape": [1, 100, 9], "datatype": "FP32", "data": [NaN]}]}', 400),
        (b'{"id": 7, "inputs": []}', 400),
        (b" " * (1024 * 1024 + 1), 413),
    ],
    ids=["empty", "list", "cut", "not-utf8", "no-input", "number", "deep", "no-data", "nan", "id", "huge"],
)
def test_a_body_that_is_no_request_is_refused(toy: Rig, body: bytes, status: int) -> None:
    answer = toy.client.post(INFER, content=body, headers={"content-type": "application/json"})
    assert answer.status_code == status, answer.text
    assert set(answer.json()) == {"error", "code", "status", "message", "remedy", "retry"}


def test_two_inputs_and_unknown_outputs_are_refused(toy: Rig) -> None:
    twice = asked([window()])
    twice["inputs"] *= 2
    assert "2 times" in toy.client.post(INFER, json=twice).json()["error"]
    for outputs, fault in (
        ([{"name": "scores"}], "no such output"),
        ([{"name": "latent"}, {"name": "latent"}], "twice"),
        ([{"name": "motif_scores", "parameters": {"classification": 3}}], "classification"),
    ):
        answer = toy.client.post(INFER, json=asked([window()]) | {"outputs": outputs})
        assert answer.status_code == 400
        assert fault in answer.json()["error"]


def test_huge_parameters_are_skipped(toy: Rig) -> None:
    more: dict[str, Any] = {"parameters": {f"p{number}": "v" * 100 for number in range(5000)} | {"nested": [[{}]]}}
    assert toy.client.post(INFER, json=asked([window()]) | more).status_code == 200


@pytest.mark.parametrize(
    ("cut", "header", "fault"),
    [
        (0, "-1", "length of the JSON"),
        (0, "99999999999999", "length of the JSON"),
        (0, "1e2", "length of the JSON"),
        (4, None, "7196 bytes follow the JSON"),
        (-4, None, "7204 bytes follow the JSON"),
    ],
)
def test_a_wrong_count_of_bytes_is_refused(toy: Rig, cut: int, header: str | None, fault: str) -> None:
    body, headers = as_binary(_GOOD)
    body = body[:-cut] if cut > 0 else body + bytes(-cut)
    answer = toy.client.post(INFER, content=body, headers=headers | ({LENGTH: header} if header else {}))
    assert answer.status_code == 400
    assert fault in answer.json()["error"]


def test_bytes_that_are_not_the_shapes_are_refused_and_so_is_what_is_not_finite(toy: Rig) -> None:
    body, headers = as_binary(_GOOD)
    fewer = body.replace(b"[2, 100, 9]", b"[1, 100, 9]")
    assert toy.client.post(INFER, content=fewer, headers=headers).status_code == 422
    corrupted = _GOOD.copy()
    corrupted[1, 7, 3] = np.inf
    body, headers = as_binary(corrupted)
    answer = toy.client.post(INFER, content=body, headers=headers)
    assert answer.status_code == 422
    assert "window[1][7][3] (gx)" in answer.json()["error"]


@pytest.mark.parametrize(("coding", "compress"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_compressed_tensors_are_read_as_plain_ones(toy: Rig, coding: str, compress: Callable[[bytes], bytes]) -> None:
    body, headers = as_binary(_GOOD)
    plain = toy.client.post(INFER, content=body, headers=headers)
    packed = toy.client.post(INFER, content=compress(body), headers=headers | {"content-encoding": coding})
    assert (packed.status_code, packed.json()["outputs"]) == (200, plain.json()["outputs"])


@pytest.mark.parametrize("headers", [{"content-encoding": "br"}, {"content-type": "text/plain"}])
def test_a_coding_or_a_type_that_is_not_read_is_415(toy: Rig, headers: dict[str, str]) -> None:
    body = json.dumps(asked([window()])).encode()
    answer = toy.client.post(INFER, content=body, headers={"content-type": "application/json"} | headers)
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_content_type")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v2/models/other/infer", 404),
        (f"/v2/models/{NAME}/versions/99/infer", 404),
        (f"/v2/models/{NAME}/versions/{VERSION}/infer", 200),
        (f"/v2/models/{NAME}/infer/", 200),
        (f"/v2/models/{NAME}/versions//infer", 404),
        ("/v2/models//infer", 404),
        (f"/v2/models/{NAME}/stats", 404),
        ("/v2/repository/index", 404),
        ("/v2x", 404),
    ],
)
def test_only_the_served_model_answers(toy: Rig, path: str, status: int) -> None:
    answer = toy.client.post(path, json=asked([window()]))
    assert answer.status_code == status
    assert status == 200 or isinstance(answer.json()["error"], str)


def test_a_model_that_took_its_place_answers_by_its_own_version() -> None:
    with running(ToyBackend()) as rig:
        rig.sidecar.model.card = replace(shipped_card(), version="2.0.0")
        body = asked([window()])
        assert rig.client.post(f"/v2/models/{NAME}/versions/{VERSION}/infer", json=body).status_code == 404
        assert rig.client.post(f"/v2/models/{NAME}/versions/2.0.0/infer", json=body).status_code == 200
        assert rig.client.post(INFER, json=body).json()["model_version"] == "2.0.0"


def test_the_answer_to_another_method_names_the_right_one(toy: Rig) -> None:
    assert toy.client.get(INFER).headers["allow"] == "POST"
    assert toy.client.put("/v2").headers["allow"] == "GET, HEAD"
    assert toy.client.head("/v2/health/ready").status_code == 200


def test_windows_and_answers_are_counted_by_template(toy: Rig) -> None:
    toy.client.post(INFER, json=asked([window()] * 3, 3))
    toy.client.post("/v2/models/other/infer", json=asked([window()]))
    toy.client.post("/v2/secret", json={})
    labels = {"method": "POST", "endpoint": "/v2/models/{name}/infer"}
    assert toy.value("hailo_http_requests_total", **labels, status_code="200") == 1
    assert toy.value("hailo_http_requests_total", **labels, status_code="404") == 1
    unmatched = {"method": "POST", "endpoint": "unmatched", "status_code": "404"}
    assert toy.value("hailo_http_requests_total", **unmatched) == 1
    assert toy.value("hailo_sidecar_inferences_total", status="success") == 3
    assert toy.value("hailo_sidecar_inferences_total", status="invalid_input") == 1
    for stage in ("queue", "decode", "preprocess", "execute", "postprocess"):
        assert toy.value("hailo_sidecar_stage_duration_seconds_count", stage=stage) == 3


def test_more_windows_than_the_queue_takes_are_refused_and_none_is_computed(toy: Rig) -> None:
    backend = toy.sidecar.model.backend
    assert isinstance(backend, ToyBackend)
    gate, entered = threading.Event(), threading.Event()

    def hold() -> None:
        entered.set()
        gate.wait(10)

    backend.before = hold
    first: list[int] = []
    request = asked([window()] * 2, 2)
    caller = threading.Thread(target=lambda: first.append(toy.client.post(INFER, json=request).status_code))
    caller.start()
    assert entered.wait(10)
    full = toy.client.post(INFER, json=asked([window()] * 4, 4))
    gate.set()
    caller.join(10)
    assert (full.status_code, full.json()["code"]) == (503, "overloaded")
    assert int(full.headers["retry-after"]) >= 1
    assert first == [200]
    assert backend.windows == 2
    assert toy.value("hailo_sidecar_inferences_total", status="shed") == 4


def test_one_window_that_fails_fails_its_request_once(toy: Rig) -> None:
    backend = toy.sidecar.model.backend
    assert isinstance(backend, ToyBackend)

    def fail() -> None:
        if backend.windows == 1:
            raise BackendError("the chip", "it failed", "Look at it.", error_class="execution_failed")

    backend.before = fail
    answer = toy.client.post(INFER, json=asked([window()] * 4, 4))
    assert (answer.status_code, answer.json()["code"]) == (500, "backend_error")
    assert toy.value("hailo_sidecar_inferences_total", status="backend_error") == 4
    assert toy.value("hailo_sidecar_inferences_total", status="success") == 0
    backend.before = lambda: None
    assert toy.client.post(INFER, json=asked([window()] * 4, 4)).status_code == 200


def changes() -> st.SearchStrategy[bytes]:
    """A good body with a few bytes changed, or cut."""
    good = json.dumps(asked([[[1] * 9] * 100])).encode()
    places = st.lists(st.tuples(st.integers(0, len(good) - 1), st.sampled_from(b'{}[]",:0e-. \x00')), max_size=4)

    def change(where: list[tuple[int, int]]) -> bytes:
        body = bytearray(good)
        for place, byte in where:
            body[place] = byte
        return bytes(body)

    return places.map(change)


@settings(max_examples=120, deadline=None)
@given(body=changes())
def test_a_changed_body_is_answered_with_a_window_or_a_refusal(body: bytes, onnx: Rig) -> None:
    answer = onnx.client.post(INFER, content=body, headers={"content-type": "application/json"})
    assert answer.status_code in {200, 400, 422}
    if answer.status_code == 200:
        tensor = json.loads(body)["inputs"][0]
        assert np.array(tensor["data"], np.float64).size == 900
