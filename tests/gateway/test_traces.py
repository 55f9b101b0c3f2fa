"""Traces: one request is one tree whose parts add up, and no collector disturbs the service."""

import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import httpx
import numpy as np
import pytest

from edgeinfer.backends.onnx import OnnxBackend
from edgeinfer.gateway.app import build_app
from edgeinfer.metrics.exposition import expose
from edgeinfer.metrics.registry import new_registry
from edgeinfer.settings import GatewaySettings
from edgeinfer.sidecar.app import build_sidecar
from edgeinfer.web.trace_context import parse
from edgeinfer.web.tracing import Tracing, make_tracing
from tests.gateway import faulty_peer as peers
from tests.gateway.faulty_peer import Exchange, peer
from tests.gateway.rigs import API, Rig, make_rig, samples
from tests.sidecar.rig import shipped_card
from tests.web.otlp_receiver import OtlpReceiver

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
PARENT = {"traceparent": f"00-{TRACE}-{SPAN}-01", "tracestate": "vendor=1"}
OPEN_METRICS = "application/openmetrics-text; version=1.0.0"


def traced(rig: Rig, receiver: OtlpReceiver, **changes: str) -> Tracing:
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url, "OTEL_BSP_SCHEDULE_DELAY": "20"} | changes
    tracing = make_tracing(GatewaySettings.from_environment(environment), "edge-infer", rig.instruments.spans)
    assert tracing is not None
    return tracing


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Callable[[OtlpReceiver], None]:
    """The SDK reads the address of the collector from the environment by itself."""
    return lambda receiver: monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)


def spans_counted(rig: Rig, result: str) -> float:
    return rig.value("edgeinfer_trace_spans_total", result=result) or 0


async def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.005)


async def process(
    rig: Rig, tracing: Tracing | None, headers: dict[str, str] | None = None, times: int = 1
) -> list[httpx.Response]:
    app = build_app(rig.parts(tracing=tracing))
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with app.router.lifespan_context(app), httpx.AsyncClient(transport=transport, base_url="http://g") as client:
        return [
            await client.post(f"{API}/process", json={"samples": samples(100)}, headers=headers) for _ in range(times)
        ]


def windows_of_phones(heads: list[bytes]) -> list[str]:
    """Heads of the requests that are no health checks."""
    lower = [head.decode().lower() for head in heads]
    return [head for head in lower if head.startswith("post") and "health-check" not in head]


def seconds(span: Any) -> float:
    return float(span.end_time_unix_nano - span.start_time_unix_nano) / 1e9


async def test_a_request_is_one_tree_whose_parts_add_up(endpoint: Callable[[OtlpReceiver], None]) -> None:
    with OtlpReceiver() as receiver:
        endpoint(receiver)
        async with peer(peers.good) as sidecar:
            rig = make_rig(sidecar.url)
            (answer,) = await process(rig, traced(rig, receiver), PARENT)
    assert answer.json()["requestId"] == TRACE
    tree = receiver.tree(TRACE)
    (root,) = tree[SPAN]
    assert (root.name, root.trace_state) == (f"POST {API}/process", "vendor=1")
    stages = sorted(tree[root.span_id.hex()], key=lambda span: span.start_time_unix_nano)
    assert [span.name for span in stages] == ["decode", "sidecar", "postprocess"]
    assert sum(map(seconds, stages)) == pytest.approx(seconds(root), abs=2e-6)
    call = stages[1]
    around = tree[call.span_id.hex()]
    assert [span.name for span in around] == ["network", "network"]
    assert sum(map(seconds, around)) == pytest.approx(seconds(call) - 0.0005, abs=2e-6)
    (head,) = windows_of_phones(sidecar.heads)
    sent = parse(head.partition("traceparent: ")[2].split("\r\n")[0].encode(), b"")
    assert sent is not None
    assert (sent.trace_id, sent.span_id, sent.is_sampled) == (TRACE, call.span_id.hex(), True)
    assert "tracestate: vendor=1\r\n" in head
    assert f"x-request-id: {TRACE}\r\n" in head
    assert spans_counted(rig, "exported") == 6


async def test_the_sidecars_stages_are_below_the_callers_span_and_add_up(
    endpoint: Callable[[OtlpReceiver], None],
) -> None:
    with OtlpReceiver() as receiver:
        endpoint(receiver)
        settings = GatewaySettings.from_environment({"OTEL_TRACES_EXPORTER": "otlp"})
        sidecar = build_sidecar(
            backend=OnnxBackend(shipped_card()),
            card=shipped_card(),
            registry=new_registry(),
            version="1",
            tracing_of=lambda spans: make_tracing(settings, "hailo-inference", spans),
        )
        app: Any = sidecar.app
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://s") as client, _lifespan(app):
            await until(lambda: sidecar.model.model_state.state == "ready")
            body = np.zeros(900, "<f4").tobytes()
            binary = {"content-type": "application/octet-stream"}
            answer = await client.post("/infer", content=body, headers=binary | PARENT)
            refused = await client.post("/infer", content=b"", headers=binary | PARENT)
            await client.post(
                "/infer", content=body, headers=binary | {"traceparent": PARENT["traceparent"][:-1] + "0"}
            )
    assert answer.headers["x-request-id"] == TRACE
    assert refused.status_code == 422
    assert receiver.services == {"hailo-inference"}
    tree = receiver.tree(TRACE)
    whole, failed = tree[SPAN]
    stages = tree[whole.span_id.hex()]
    assert [span.name for span in stages] == ["decode", "queue", "preprocess", "execute", "postprocess"]
    assert sum(map(seconds, stages)) == pytest.approx(seconds(whole), abs=5e-6)
    total = float(answer.headers["server-timing"].partition(";dur=")[2].partition(",")[0])
    assert 1e3 * seconds(whole) == pytest.approx(total, abs=0.002)
    assert failed.span_id.hex() not in tree
    assert len(receiver.spans) == 7


def _lifespan(app: Any) -> Any:
    """The lifespan of the framework inside."""
    return app._app._rest.router.lifespan_context(app._app._rest)


async def test_traces_that_are_off_are_passed_on_as_they_came() -> None:
    async with peer(peers.good) as sidecar:
        rig = make_rig(sidecar.url)
        (answer,) = await process(rig, None, PARENT)
        (other,) = await process(make_rig(sidecar.url), None, PARENT | {"x-request-id": "mine"})
        (malformed,) = await process(make_rig(sidecar.url), None, {"traceparent": "00-zz-1-01"})
    assert answer.json()["requestId"] == TRACE
    assert other.json()["requestId"] == "mine"
    assert len(malformed.json()["requestId"]) == 16
    heads = windows_of_phones(sidecar.heads)
    assert all(f"traceparent: {PARENT['traceparent']}\r\ntracestate: vendor=1\r\n" in head for head in heads[:2])
    assert "traceparent" not in heads[2]


@pytest.mark.parametrize(("flag", "spans"), [("01", 6), ("00", 0)])
async def test_a_caller_can_ask_for_one_traced_request(
    flag: str, spans: int, endpoint: Callable[[OtlpReceiver], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_traceidratio")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "0")
    with OtlpReceiver() as receiver:
        endpoint(receiver)
        async with peer(peers.good) as sidecar:
            rig = make_rig(sidecar.url)
            tracing = traced(rig, receiver)
            await process(rig, tracing, {"traceparent": f"00-{TRACE}-{SPAN}-{flag}"})
            await process(make_rig(sidecar.url), None)
    assert len(receiver.spans) == spans


async def test_an_exemplar_of_a_sampled_call_names_its_trace(
    endpoint: Callable[[OtlpReceiver], None], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "edgeinfer.gateway.exemplars")
    with OtlpReceiver() as receiver:
        endpoint(receiver)
        async with peer(peers.good) as sidecar:
            rig = make_rig(sidecar.url)
            await process(rig, traced(rig, receiver), PARENT | {"x-request-id": "phone-1"})
    text = expose(rig.registry, accept=OPEN_METRICS, compress=False).body.decode()
    assert f'# {{request_id="phone-1",trace_id="{TRACE}"}}' in text
    (line,) = [vars(record) for record in caplog.records if record.message == "inference"]
    assert (line["request_id"], line["trace_id"]) == ("phone-1", TRACE)


async def test_a_collector_that_is_away_slow_or_broken_is_not_noticed(
    endpoint: Callable[[OtlpReceiver], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    gate = threading.Event()

    def slow() -> int:
        gate.wait(30)
        return 200

    for before, result in ((lambda: 500, "failed"), (slow, "dropped"), (None, "dropped")):
        with OtlpReceiver(before or (lambda: 200)) as receiver:
            endpoint(receiver)
            if before is None:
                monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
            async with peer(peers.good) as sidecar:
                rig = make_rig(sidecar.url)
                tracing = traced(rig, receiver, OTEL_BSP_MAX_QUEUE_SIZE="12", OTEL_BSP_MAX_EXPORT_BATCH_SIZE="6")
                answers = await process(rig, tracing, times=20)
            gate.set()
        assert {answer.json()["source"] for answer in answers} == {"sidecar"}
        assert spans_counted(rig, result) > 0
        # Six spans a request; what waits when the process ends may be lost uncounted with it.
        assert sum(spans_counted(rig, one) for one in ("dropped", "failed", "exported")) >= 6 * 20 - 12
        gate.clear()


async def test_a_failed_call_and_the_fallback_are_spans_too(endpoint: Callable[[OtlpReceiver], None]) -> None:
    async def fails(exchange: Exchange) -> None:
        await peers.internal_error(exchange)

    with OtlpReceiver() as receiver:
        endpoint(receiver)
        async with peer(fails) as sidecar:
            rig = make_rig(sidecar.url)
            await process(rig, traced(rig, receiver), PARENT)
    (root,) = receiver.tree(TRACE)[SPAN]
    stages = {span.name: span for span in receiver.tree(TRACE)[root.span_id.hex()]}
    assert {"decode", "sidecar", "fallback", "postprocess"} <= set(stages)
    assert stages["sidecar"].status.code == 2


def test_nothing_of_the_sdk_is_imported_where_traces_are_off() -> None:
    program = (
        "import sys; from edgeinfer.cli import gateway, sidecar; from edgeinfer.settings import GatewaySettings; "
        "parts = gateway.make_parts(GatewaySettings.from_environment({})); assert parts.tracing is None; "
        "print([name for name in sys.modules if name.startswith(('opentelemetry.sdk', 'opentelemetry.exporter'))])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("environment", "is_on"),
    [
        ({}, False),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c:4318/v1/traces"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_TRACES_EXPORTER": "none"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_SDK_DISABLED": "true"}, False),
    ],
)
def test_the_standard_variables_switch_it(environment: dict[str, str], *, is_on: bool) -> None:
    assert GatewaySettings.from_environment(environment).traces_are_on is is_on


async def test_samples_that_are_stored_have_a_span_of_the_store(
    endpoint: Callable[[OtlpReceiver], None], tmp_path: Any
) -> None:
    with OtlpReceiver() as receiver:
        endpoint(receiver)
        rig = make_rig(durable_folder=tmp_path)
        rig.store.open()
        app = build_app(rig.parts(tracing=traced(rig, receiver)))
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://g") as http,
        ):
            session = (await http.post(f"{API}/start")).json()["sessionId"]
            body = {"sessionId": session, "samples": samples(25), "windowStart": 0, "windowEnd": 0.25}
            assert (await http.put(f"{API}/stream", json=body, headers=PARENT)).status_code == 202
        rig.store.close()
    (root,) = receiver.tree(TRACE)[SPAN]
    names = [span.name for span in receiver.tree(TRACE)[root.span_id.hex()]]
    assert "store" in names
    assert names.index("store") == 0
    assert set(names) == {"store", "decode", "postprocess"}
