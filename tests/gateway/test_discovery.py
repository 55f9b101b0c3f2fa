"""A gateway in front of anything: each sidecar is asked as it says of itself, and nothing is assumed of a stranger."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from edgeinfer.errors import SidecarError
from edgeinfer.gateway.checks import check_sidecars
from edgeinfer.gateway.health import HEALTHY, UNHEALTHY
from edgeinfer.gateway.transport import parse_target
from tests.gateway import faulty_peer as peers
from tests.gateway.faulty_peer import LATENT, SCORES, Exchange, peer
from tests.gateway.rigs import make_rig, running

WINDOW = np.arange(900, dtype=np.float32).reshape(100, 9)
OURS = {"ok": True, "model": "m", "device": "d", "content_types": ["application/json", "application/octet-stream"]}


class Stranger:
    """A server that knows some paths; others are 404. What it was asked is in `asked`."""

    def __init__(self, **documents: Any) -> None:
        self.documents = {path.replace("_", "/"): document for path, document in documents.items()}
        self.asked: list[tuple[str, dict[str, str], bytes]] = []
        self.infer: Callable[[Exchange, dict[str, str]], Any] = self.answer_json

    async def __call__(self, exchange: Exchange) -> None:
        lines = exchange.head.decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:] if line)}
        if exchange.head.startswith(b"POST"):
            self.asked.append((exchange.path, headers, exchange.body))
            await self.infer(exchange, headers)
        elif exchange.path in self.documents:
            await exchange.answer_json(self.documents[exchange.path])
        else:
            await exchange.answer(b'{"detail": "Not Found"}', "404 Not Found")

    async def answer_json(self, exchange: Exchange, headers: dict[str, str]) -> None:
        if headers["content-type"] != "application/json" or not exchange.path.endswith("/infer"):
            await exchange.answer(b"{}", "422 Unprocessable Entity")
        else:
            await exchange.answer_json({"latent": LATENT, "motif_scores": SCORES})

    async def answer_open_inference(self, exchange: Exchange, headers: dict[str, str]) -> None:
        outputs = [
            {"name": "scores_out", "shape": [1, 12], "datatype": "FP32", "data": [SCORES]},
            {"name": "z", "shape": [1, 64], "datatype": "FP32", "data": LATENT},
        ]
        await exchange.answer_json({"model_name": "small", "outputs": outputs})

    async def answer_open_inference_binary(self, exchange: Exchange, headers: dict[str, str]) -> None:
        parts = [np.array(values, "<f4").tobytes() for values in (LATENT, SCORES)]
        outputs = [
            {"name": name, "shape": [1, len(part) // 4], "datatype": "FP32"}
            | {"parameters": {"binary_data_size": len(part)}}
            for name, part in zip(("latent", "motif_scores"), parts, strict=True)
        ]
        head = json.dumps({"model_name": "small", "outputs": outputs}).encode()
        extra = f"Inference-Header-Content-Length: {len(head)}\r\n"
        await exchange.answer(head + b"".join(parts), content_type="application/octet-stream", extra=extra)


def triton(**more: Any) -> Stranger:
    model = {"name": "small", "inputs": [{"name": "in", "datatype": "FP32", "shape": [-1, 100, 9]}]}
    documents = {"/v2": {"name": "triton", "version": "2", "extensions": []}, "/v2/models/small": model}
    stranger = Stranger()
    stranger.documents = documents | {"/v2/models/small/ready": {}} | more
    stranger.infer = stranger.answer_open_inference
    return stranger


async def ask(stranger: Stranger, path: str = "/infer", encoding: str = "auto") -> tuple[str, str, str]:
    """Source of an analysis, and what health says."""
    async with peer(stranger) as sidecar:
        rig = make_rig(sidecar.url.removesuffix("/infer") + path, encoding=encoding, timeout_seconds=5)
        async with running(rig) as service:
            analysis = await service.analyze_imu_window(WINDOW, "process", "r")
            look = await check_sidecars(service.balancer.members)
    return analysis.source, look.status, look.message


async def test_a_stranger_is_asked_in_json() -> None:
    predecessor = Stranger(_healthz={"ok": True, "model": "tcn_vae", "uptime_s": 1})
    assert (await ask(predecessor))[:2] == ("sidecar", HEALTHY)
    path, headers, body = predecessor.asked[0]
    assert (path, headers["content-type"]) == ("/infer", "application/json")
    assert np.array_equal(np.array(json.loads(body)["x"], np.float32), WINDOW)


async def test_a_sidecar_that_says_that_it_reads_bytes_is_asked_in_bytes() -> None:
    ours = Stranger(_healthz=OURS)

    async def answer(exchange: Exchange, headers: dict[str, str]) -> None:
        await exchange.answer_binary([*LATENT, *SCORES])

    ours.infer = answer
    source, status, message = await ask(ours)
    assert (source, status) == ("sidecar", HEALTHY)
    assert "m on d, asked by /infer binary" in message
    assert ours.asked[0][2] == WINDOW.tobytes()


async def test_one_without_any_word_of_itself_is_judged_by_its_answer() -> None:
    silent = Stranger()
    source, status, message = await ask(silent)
    assert (source, status) == ("sidecar", HEALTHY)
    assert "says nothing of itself, asked by /infer JSON" in message
    refusing = Stranger()
    refusing.infer = lambda exchange, _: exchange.answer(b"{}", "404 Not Found")
    source, status, message = await ask(refusing)
    assert (source, status) == ("fallback", UNHEALTHY)
    assert "does not answer a window" in message


@pytest.mark.parametrize("word", [{"status": "healthy"}, ["ok"], "OK"])
async def test_health_of_another_form_is_no_failure(word: Any) -> None:
    stranger = Stranger(_healthz=word)
    assert (await ask(stranger))[:2] == ("sidecar", HEALTHY)


async def test_a_server_of_the_open_inference_protocol_is_asked_by_it_in_json() -> None:
    server = triton()
    source, status, message = await ask(server)
    assert (source, status) == ("sidecar", HEALTHY)
    assert "small on triton 2, asked by Open Inference Protocol, JSON" in message
    path, _, body = server.asked[0]
    assert path == "/v2/models/small/infer"
    (tensor,) = json.loads(body)["inputs"]
    assert (tensor["name"], tensor["shape"], tensor["datatype"]) == ("in", [1, 100, 9], "FP32")
    assert np.array_equal(np.array(tensor["data"], np.float32).reshape(100, 9), WINDOW)


async def test_bytes_go_to_a_server_that_says_that_it_reads_them_and_a_window_without_a_batch() -> None:
    model = {"inputs": [{"name": "window", "datatype": "FP32", "shape": [100, 9]}], "name": "m"}
    outputs = [{"name": "latent", "shape": [-1, 64]}, {"name": "motif_scores", "shape": [-1, 12]}]
    server = triton(
        **{
            "/npu/v2": {"name": "triton", "extensions": ["binary_tensor_data"]},
            "/npu/v2/models/a/versions/3": model | {"outputs": outputs},
            "/npu/v2/models/a/versions/3/ready": {},
        }
    )
    server.infer = server.answer_open_inference_binary
    source, status, message = await ask(server, "/npu/v2/models/a/versions/3/infer")
    assert (source, status) == ("sidecar", HEALTHY)
    assert "Open Inference Protocol, binary" in message
    path, headers, body = server.asked[0]
    size = int(headers["inference-header-content-length"])
    assert path == "/npu/v2/models/a/versions/3/infer"
    assert body[size:] == WINDOW.tobytes()
    assert json.loads(body[:size])["inputs"][0]["shape"] == [100, 9]


@pytest.mark.parametrize(
    ("model", "fault"),
    [
        ({"inputs": [{"name": "a"}, {"name": "b"}]}, "2 inputs"),
        ({"inputs": [{"name": "image", "datatype": "FP32", "shape": [-1, 3, 224, 224]}]}, "image"),
        ({"inputs": [{"name": "a", "datatype": "BYTES", "shape": [-1, 100, 9]}]}, "BYTES"),
        ({"inputs": [{"name": "a", "datatype": "FP32", "shape": [-1, 128, 6]}]}, "128"),
        ([], "does not describe a model"),
    ],
)
async def test_a_model_that_takes_no_window_is_named_and_not_asked(model: Any, fault: str) -> None:
    server = triton(**{"/v2/models/small": model})
    source, status, message = await ask(server)
    assert (source, status) == ("fallback", UNHEALTHY)
    assert fault in message
    assert not server.asked


async def test_a_model_of_another_name_is_asked_for_in_the_remedy() -> None:
    server = triton()
    del server.documents["/v2/models/small"]
    async with peer(server) as sidecar:
        rig = make_rig(sidecar.url, encoding="auto")
        async with running(rig) as service:
            with pytest.raises(SidecarError, match="/v2/models/NAME/infer"):
                await service.balancer.members[0].client.describe(1.0)


async def test_what_it_becomes_is_learned_by_the_next_health_check() -> None:
    old, new = Stranger(_healthz={"ok": True}), triton()
    async with peer(old) as sidecar:
        rig = make_rig(sidecar.url, encoding="auto")
        async with running(rig) as service:
            assert (await service.analyze_imu_window(WINDOW, "process", "r")).source == "sidecar"
            sidecar.behaviour = new
            assert (await service.analyze_imu_window(WINDOW, "process", "r")).source == "fallback"
            await check_sidecars(service.balancer.members)
            assert (await service.analyze_imu_window(WINDOW, "process", "r")).source == "sidecar"
    assert rig.errors == {"malformed_response": 1}


async def test_many_first_windows_ask_once_what_it_is() -> None:
    asked: list[str] = []
    stranger = Stranger(_healthz=OURS | {"content_types": []})

    async def count(exchange: Exchange) -> None:
        asked.append(exchange.path)
        await stranger(exchange)

    async with peer(count) as sidecar:
        rig = make_rig(sidecar.url, encoding="auto", timeout_seconds=5)
        async with running(rig) as service:
            found = await asyncio.gather(*(service.analyze_imu_window(WINDOW, "process", "r") for _ in range(8)))
    assert {analysis.source for analysis in found} == {"sidecar"}
    assert asked.count("/healthz") == 1


async def test_a_silent_sidecar_times_out_as_before() -> None:
    async with peer(peers.silent) as sidecar:
        rig = make_rig(sidecar.url, encoding="auto", timeout_seconds=0.1)
        async with running(rig) as service:
            assert (await service.analyze_imu_window(WINDOW, "process", "r")).source == "fallback"
    assert rig.errors == {"timeout": 1}


@pytest.mark.parametrize(
    ("document", "error_type"),
    [
        ({"outputs": []}, "malformed_response"),
        ({"outputs": [{"name": "z", "shape": [1, 64], "datatype": "FP32", "data": LATENT}]}, "malformed_response"),
        ({"outputs": [{"name": "z", "shape": [1], "datatype": "INT8", "data": [1]}]}, "malformed_response"),
        ({"outputs": [{"name": "z", "shape": [1], "datatype": "FP32", "data": ["a"]}]}, "malformed_response"),
        ({"outputs": [{"name": "z", "shape": [1], "datatype": "FP32", "data": [[1], [1, 2]]}]}, "malformed_response"),
        (
            {
                "outputs": [
                    {"name": "z", "shape": [1], "datatype": "FP32", "parameters": {"binary_data_size": 1 << 40}},
                ]
            },
            "malformed_response",
        ),
        (
            {
                "outputs": [
                    {"name": "latent", "shape": [64], "datatype": "FP32", "data": LATENT},
                    {"name": "motif_scores", "shape": [12], "datatype": "FP32", "data": [2.0] * 12},
                ]
            },
            "decode_error",
        ),
    ],
)
async def test_an_answer_that_breaks_the_protocol_falls_back(document: Any, error_type: str) -> None:
    server = triton()
    server.infer = lambda exchange, _: exchange.answer_json(document)
    async with peer(server) as sidecar:
        rig = make_rig(sidecar.url, encoding="auto")
        async with running(rig) as service:
            assert (await service.analyze_imu_window(WINDOW, "process", "r")).source == "fallback"
    assert rig.errors == {error_type: 1}


@pytest.mark.parametrize(
    ("url", "prefix", "model", "health"),
    [
        ("http://h:1", "", "", "/healthz"),
        ("http://h:1/npu0/infer", "/npu0", "", "/npu0/healthz"),
        ("http://h:1/v2/models/a/infer", "", "/v2/models/a", "/healthz"),
        ("http://h:1/p/v2/models/a/versions/2", "/p", "/p/v2/models/a/versions/2", "/p/healthz"),
    ],
)
def test_where_a_sidecar_answers(url: str, prefix: str, model: str, health: str) -> None:
    target = parse_target(url)
    assert (target.prefix, target.model_path, target.health_path) == (prefix, model, health)


async def test_scores_need_not_sum_to_one_where_the_card_says_so() -> None:
    async def sigmoid(exchange: Exchange, _: dict[str, str]) -> None:
        await exchange.answer_json({"latent": LATENT, "motif_scores": [0.9, 0.8, *[0.1] * 10]})

    for sum_to_one, source in ((True, "fallback"), (False, "sidecar")):
        stranger = Stranger(_healthz={"ok": True})
        stranger.infer = sigmoid
        async with peer(stranger) as sidecar:
            rig = make_rig(sidecar.url, encoding="auto", scores_sum_to_one=sum_to_one)
            async with running(rig) as service:
                assert (await service.analyze_imu_window(WINDOW, "process", "r")).source == source
