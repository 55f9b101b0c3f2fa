"""The Open Inference Protocol over gRPC: the same numbers, checks and counters as over HTTP."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import numpy as np
import pytest

from edgeinfer.backends.onnx import OnnxBackend
from edgeinfer.errors import BackendError
from edgeinfer.parity import recorded_windows
from edgeinfer.recordings.reader import list_recordings
from edgeinfer.sidecar.open_inference.rpc.messages import HEALTH_SERVICE, SERVICE
from tests.sidecar.rig import ToyBackend, shipped_card, window
from tests.sidecar.rpc_rig import INFER, MESSAGES, NAME, OF_TRITON, VERSION, Rpc, outputs_of, request, serving

ONE = np.array([window()], np.float32)
INVALID, NOT_FOUND = grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND
UNAVAILABLE, EXHAUSTED = grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED


@pytest.fixture(scope="module")
def onnx() -> Iterator[Rpc]:
    with serving(OnnxBackend(shipped_card())) as rpc:
        yield rpc


@pytest.fixture
def toy() -> Iterator[Rpc]:
    with serving(ToyBackend(), queue_capacity=4) as rpc:
        yield rpc


def until(event: threading.Event) -> Callable[[], None]:
    """Blocks a worker until then."""

    def wait() -> None:
        event.wait(20)

    return wait


def wait_for(holds: Callable[[], bool]) -> None:
    ends = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < ends
        time.sleep(0.01)


def test_both_forms_of_tensors_give_the_bits_of_infer_over_all_recordings(onnx: Rpc) -> None:
    windows = np.array(list(recorded_windows([info.name for info in list_recordings()], length=100, hop=1600)))
    answers = [onnx.rig.client.post("/infer", json={"x": one.tolist()}).json() for one in windows]
    for first in range(0, len(windows), 16):
        for raw in (True, False):
            found = outputs_of(onnx.infer(request(windows[first : first + 16], raw=raw)))
            for name in ("latent", "motif_scores"):
                expected = np.array([answer[name] for answer in answers[first : first + 16]], np.float32)
                assert np.array_equal(found[name], expected)


def test_an_answer_names_model_version_id_and_backend(onnx: Rpc) -> None:
    response = onnx.infer(request(ONE, id="call 7", model_version=VERSION))
    assert (response.model_name, response.model_version, response.id) == (NAME, VERSION, "call 7")
    assert response.parameters["backend"].string_param == "cpu"
    assert [(one.name, one.datatype, list(one.shape)) for one in response.outputs] == [
        ("latent", "FP32", [1, 64]),
        ("motif_scores", "FP32", [1, 12]),
    ]


def test_what_follows_an_answer_is_what_the_headers_of_http_say(onnx: Rpc) -> None:
    answer, followed = onnx.send(INFER, request(ONE).SerializeToString(), (("x-request-id", "phone-1"),))
    assert followed["x-request-id"] == MESSAGES["ModelInferResponse"].FromString(answer).id == "phone-1"
    assert followed["x-backend"] == "cpu"
    assert "execute;dur=" in followed["server-timing"]


def test_a_call_without_an_id_has_that_of_its_trace(onnx: Rpc) -> None:
    parent = (("traceparent", f"00-{'ab' * 16}-{'cd' * 8}-01"),)
    assert onnx.send(INFER, request(ONE).SerializeToString(), parent)[1]["x-request-id"] == "ab" * 16


def test_tensors_travel_back_in_the_form_that_they_came_in(onnx: Rpc) -> None:
    raw, typed = onnx.infer(request(ONE)), onnx.infer(request(ONE, raw=False))
    assert [len(part) for part in raw.raw_output_contents] == [256, 48]
    assert not raw.outputs[0].HasField("contents")
    assert not typed.raw_output_contents
    assert len(typed.outputs[0].contents.fp32_contents) == 64


def test_only_the_outputs_that_are_asked_for_come_in_their_order(onnx: Rpc) -> None:
    message = request(ONE)
    message.outputs.add(name="motif_scores")
    response = onnx.infer(message)
    assert [one.name for one in response.outputs] == ["motif_scores"]
    assert len(response.raw_output_contents) == 1


def test_health_and_metadata_are_those_of_rest(onnx: Rpc) -> None:
    get = onnx.rig.client.get
    assert onnx.ask("ServerLive").live
    assert onnx.ask("ServerReady").ready
    assert onnx.ask("ModelReady", name=NAME, version=VERSION).ready
    server, model = onnx.ask("ServerMetadata"), onnx.ask("ModelMetadata", name=NAME)
    assert {"name": server.name, "version": server.version, "extensions": list(server.extensions)} == get("/v2").json()
    expected = get(f"/v2/models/{NAME}").json()
    for side in ("inputs", "outputs"):
        found = [{"name": one.name, "datatype": one.datatype, "shape": list(one.shape)} for one in getattr(model, side)]
        assert found == expected[side]
    assert (list(model.versions), model.platform) == (expected["versions"], expected["platform"])


def test_the_health_service_of_grpc_says_serving(onnx: Rpc) -> None:
    check = f"/{HEALTH_SERVICE}/Check"
    for service in ("", SERVICE):
        asked = MESSAGES["HealthCheckRequest"](service=service).SerializeToString()
        assert onnx.send(check, asked)[0] == b"\x08\x01"
    other = MESSAGES["HealthCheckRequest"](service="other").SerializeToString()
    assert onnx.failure(check, other).code is NOT_FOUND


def test_messages_are_read_as_the_published_ones_are() -> None:
    message = MESSAGES["ModelInferRequest"].FromString(OF_TRITON)
    assert (message.model_name, message.model_version, message.id) == ("m", "2", "i")
    assert (message.inputs[0].name, message.inputs[0].datatype) == ("window", "FP32")
    assert list(message.inputs[0].shape) == [1, 1]
    assert message.outputs[0].name == "latent"
    assert list(message.raw_input_contents) == [b"\x00\x00\x80?"]


@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip])
def test_a_message_that_is_too_large_is_refused_and_counted(toy: Rpc, compression: Any) -> None:
    failure = toy.failure(INFER, bytes(40_000_000), compression=compression)
    assert failure.code is EXHAUSTED
    wait_for(lambda: toy.counted(INFER, 413) == 1)
    assert toy.rig.value("hailo_sidecar_http_errors_total", error_type="body_too_large") == 1
    assert toy.windows("invalid_input") == 1


def test_a_compressed_message_is_read(toy: Rpc) -> None:
    message = request(ONE).SerializeToString()
    answers = [
        outputs_of(MESSAGES["ModelInferResponse"].FromString(toy.send(INFER, message, compression=one)[0]))
        for one in (grpc.Compression.Gzip, grpc.Compression.Deflate, grpc.Compression.NoCompression)
    ]
    assert all(np.array_equal(answer["latent"], answers[-1]["latent"]) for answer in answers)


def test_a_call_that_sends_no_message_is_ended(toy: Rpc) -> None:
    with serving(ToyBackend(), body_seconds=0.2) as rpc:
        release = threading.Event()

        def nothing() -> Iterator[bytes]:
            release.wait(20)
            yield from ()

        call = rpc.channel.stream_unary(INFER).future(nothing())
        try:
            with pytest.raises(grpc.RpcError) as failed:
                call.result(20)
        finally:
            release.set()
        assert failed.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        assert rpc.rig.value("hailo_http_refusals_total", error_type="slow_request") == 1
        assert rpc.counted(INFER, 408) == 1


def test_connections_beyond_the_limit_are_closed() -> None:
    with serving(ToyBackend(), max_connections=2) as rpc:
        assert rpc.ask("ServerLive").live
        idle = [socket.create_connection(("127.0.0.1", rpc.port), timeout=10) for _ in range(4)]
        try:
            # HTTP/2's first word of a server, or the end of the connection.
            first = [connection.recv(1) for connection in idle]
        finally:
            for connection in idle:
                connection.close()
        assert sorted(first) == [b"", b"", b"", b"\x00"]
        assert rpc.ask("ServerLive").live


def test_a_connection_that_never_speaks_http_2_is_closed() -> None:
    with (
        serving(ToyBackend(), head_seconds=0.2) as rpc,
        socket.create_connection(("127.0.0.1", rpc.port), timeout=10) as silent,
    ):
        while silent.recv(1000):
            pass
        assert rpc.ask("ServerLive").live


def test_a_call_that_ends_without_a_message_is_refused(toy: Rpc) -> None:
    with pytest.raises(grpc.RpcError) as failed:
        toy.channel.stream_unary(INFER)(iter(()))
    assert failed.value.code() is INVALID
    assert "there is none" in failed.value.details()


def test_another_method_is_not_implemented_and_counted_under_no_name_of_the_callers(toy: Rpc) -> None:
    failure = toy.failure(f"/{SERVICE}/ModelConfig", b"")
    assert failure.code is grpc.StatusCode.UNIMPLEMENTED
    assert toy.counted("unmatched", 405) == 1
    assert toy.rig.value("hailo_sidecar_http_errors_total", error_type="method_not_allowed") == 1


def test_an_unknown_model_has_no_metadata(toy: Rpc) -> None:
    for method in ("ModelReady", "ModelMetadata"):
        message = MESSAGES[f"{method}Request"](name="other").SerializeToString()
        assert toy.failure(f"/{SERVICE}/{method}", message).code is NOT_FOUND
    assert toy.rig.value("hailo_sidecar_http_errors_total", error_type="not_found") == 2


def test_answers_are_counted_and_timed_like_every_request(toy: Rpc) -> None:
    toy.infer(request(np.concatenate([ONE, ONE])))
    assert toy.counted(INFER, 200) == 1
    assert toy.windows("success") == 2
    labels = {"method": "POST", "endpoint": INFER}
    assert toy.rig.value("hailo_http_request_duration_seconds_count", **labels) == 1
    assert toy.rig.value("hailo_sidecar_stage_duration_seconds_count", stage="decode") == 2


def test_windows_beyond_the_queue_are_shed_with_a_time_to_come_back() -> None:
    free = threading.Event()
    with serving(ToyBackend(until(free)), queue_capacity=2) as rpc:
        try:
            under_way = [rpc.channel.unary_unary(INFER).future(request(ONE).SerializeToString()) for _ in range(3)]
            wait_for(lambda: (rpc.rig.value("hailo_sidecar_queue_depth") or 0) == 2)
            failure = rpc.failure(INFER, request(ONE).SerializeToString())
        finally:
            free.set()
        assert failure.code is UNAVAILABLE
        assert failure.metadata["error"] == "overloaded"
        assert int(failure.metadata["grpc-retry-pushback-ms"]) >= 1000
        assert all(call.result(20) for call in under_way)
        assert rpc.windows("shed") == 1


def test_calls_beyond_the_limit_are_refused_unread() -> None:
    free = threading.Event()
    with serving(ToyBackend(until(free)), max_running_requests=1) as rpc:
        try:
            first = rpc.channel.unary_unary(INFER).future(request(ONE).SerializeToString())
            wait_for(lambda: (rpc.rig.value("hailo_sidecar_in_flight") or 0) == 1)
            failure = rpc.failure(f"/{SERVICE}/ServerLive", b"")
        finally:
            free.set()
        assert failure.code is UNAVAILABLE
        assert rpc.rig.value("hailo_http_refusals_total", error_type="overloaded") == 1
        assert first.result(20)
        assert rpc.ask("ServerLive").live


@pytest.mark.parametrize("deadline_seconds", [None, 0.5])
def test_a_window_whose_caller_is_gone_is_not_computed(deadline_seconds: float | None) -> None:
    free, backend = threading.Event(), ToyBackend()
    backend.before = until(free)
    with serving(backend) as rpc:
        try:
            message = request(ONE).SerializeToString()
            first = rpc.channel.unary_unary(INFER).future(message)
            wait_for(lambda: (rpc.rig.value("hailo_sidecar_in_flight") or 0) == 1)
            second = rpc.channel.unary_unary(INFER).future(message, timeout=deadline_seconds)
            wait_for(lambda: (rpc.rig.value("hailo_sidecar_queue_depth") or 0) == 1)
            if deadline_seconds is None:
                second.cancel()
            wait_for(lambda: rpc.counted(INFER, 499) == 1)
        finally:
            free.set()
        assert first.result(20)
        wait_for(lambda: rpc.windows("abandoned") == 1)
        assert backend.windows == 1


def test_a_window_that_takes_too_long_is_refused_as_over_http() -> None:
    free = threading.Event()
    with serving(ToyBackend(until(free)), answer_seconds=0.3) as rpc:
        try:
            failure = rpc.failure(INFER, request(ONE).SerializeToString())
        finally:
            free.set()
        assert failure.code is UNAVAILABLE
        assert failure.metadata["error"] == "overloaded"
        assert int(failure.metadata["grpc-retry-pushback-ms"]) > 0
        assert rpc.counted(INFER, 503) == 1
        assert rpc.rig.value("hailo_http_refusals_total", error_type="overloaded") == 1


def test_a_failure_of_the_device_is_internal() -> None:
    def fail() -> None:
        raise BackendError("chip 0", "it did not answer", "Look at it.", error_class="timeout")

    with serving(ToyBackend(fail)) as rpc:
        failure = rpc.failure(INFER, request(ONE).SerializeToString())
    assert failure.code is grpc.StatusCode.INTERNAL
    assert failure.details == "chip 0: it did not answer. Look at it."
    assert failure.metadata["error"] == "backend_error"


def test_a_model_that_is_not_loaded_is_not_ready() -> None:
    opened, backend = threading.Event(), ToyBackend()
    backend.opening = until(opened)
    with serving(backend, ready=False) as rpc:
        try:
            assert rpc.ask("ServerLive").live
            assert not rpc.ask("ServerReady").ready
            assert not rpc.ask("ModelReady", name=NAME).ready
            assert rpc.send(f"/{HEALTH_SERVICE}/Check", b"")[0] == b"\x08\x02"
            failure = rpc.failure(INFER, request(ONE).SerializeToString())
        finally:
            opened.set()
    assert failure.code is UNAVAILABLE
    assert failure.metadata["error"] == "not_ready"


def test_a_call_under_way_is_answered_before_the_server_ends() -> None:
    free, started = threading.Event(), threading.Event()

    def block() -> None:
        started.set()
        free.wait(20)

    with serving(ToyBackend(block)) as rpc:
        call = rpc.channel.unary_unary(INFER).future(request(ONE).SerializeToString())
        started.wait(20)
        threading.Timer(0.3, free.set).start()
    assert call.done()
    assert call.result(0)


def test_no_call_is_taken_while_the_windows_of_those_before_are_finished() -> None:
    free, started, refused = threading.Event(), threading.Event(), threading.Event()

    def block() -> None:
        started.set()
        free.wait(20)

    def free_once_calls_are_refused(rpc: Rpc) -> None:
        ends = time.monotonic() + 15
        while time.monotonic() < ends and not refused.is_set():
            try:
                rpc.ask("ServerLive")
            except grpc.RpcError as failed:
                if failed.code() is UNAVAILABLE:
                    refused.set()
        free.set()

    with serving(ToyBackend(block)) as rpc:
        call = rpc.channel.unary_unary(INFER).future(request(ONE).SerializeToString())
        assert started.wait(20)
        asking = threading.Thread(target=free_once_calls_are_refused, args=(rpc,))
        asking.start()
    asking.join(20)
    assert refused.is_set()
    assert call.result(0)
