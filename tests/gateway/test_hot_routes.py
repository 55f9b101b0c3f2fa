"""The routes past the framework answer what the framework's answer: the same requests go both ways and are compared.

A header `Origin` sends a request through the application, where no origin is let in by default.
"""

import gzip
import json
import socket
import ssl
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Any

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from edgeinfer.gateway.app import build_app, direct_routes
from edgeinfer.gateway.keys import KeyRing, new_key
from edgeinfer.web.tracing import SERVER, Span, Tracing
from tests.gateway.rigs import API, Rig, SmallModel, make_rig, samples
from tests.web import server_rig

MAX_BODY_BYTES = 40_000
MAX_WAITING = 8
BOMB = gzip.compress(bytes(MAX_BODY_BYTES + 1))
# What two answers to one question may differ in.
VARIES = {"timestamp", "requestId", "sessionId", "newest_age_ms", "duration_s"}
# Each client would read all certificates of the machine, 20 ms, to ask for plain HTTP.
NO_AUTHORITIES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
UNKNOWN = "0b7e4c0e-5f5c-4a55-9a61-4d0d1f3a7c11"


class Both:
    """One gateway, asked both ways."""

    def __init__(self, rig: Rig, server: server_rig.Rig, through_asgi: list[str], headers: dict[str, str]) -> None:
        url = f"http://127.0.0.1:{server.port}"
        self.rig = rig
        self.server = server
        self.through_asgi = through_asgi
        self.ways = {
            "direct": httpx.Client(base_url=url, headers=headers, timeout=60, verify=NO_AUTHORITIES),
            "asgi": httpx.Client(
                base_url=url, headers=headers | {"Origin": "http://page.example"}, timeout=60, verify=NO_AUTHORITIES
            ),
        }
        self.sessions = {way: client.post(API + "/start").json()["sessionId"] for way, client in self.ways.items()}
        through_asgi.clear()

    def ask(self, method: str, path: str, body: Any = None, **options: Any) -> httpx.Response:
        """The direct answer, proven to be that of the application; SESSION in path or body is the session's id."""
        found = {}
        for way, client in self.ways.items():
            session, sent = self.sessions[way], dict(options)
            if body is not None and "content" not in sent:
                sent["content"] = json.dumps(body).replace("SESSION", session).encode()
            if body is not None:
                sent["headers"] = {"Content-Type": "application/json", **sent.get("headers", {})}
            found[way] = client.request(method, path.replace("SESSION", session), **sent)
        direct, asgi = found["direct"], found["asgi"]
        assert direct.status_code == asgi.status_code
        assert described(direct) == described(asgi)
        varies = {"x-request-id", "content-length"}
        assert {*direct.headers} - varies == {*asgi.headers} - varies
        return direct


def described(answer: httpx.Response) -> dict[str, Any]:
    document = {key: value for key, value in answer.json().items() if key not in VARIES}
    for key in ("window", "message"):
        if isinstance(document.get(key), dict):
            document[key] = {name: value for name, value in document[key].items() if name not in VARIES}
    return document | {"type": answer.headers["content-type"]}


@pytest.fixture(params=["memory", "folder"])
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Rig:
    return make_rig(durable_folder=tmp_path if request.param == "folder" else None)


@pytest.fixture
def both(rig: Rig) -> Iterator[Both]:
    with served(rig) as both:
        yield both


@contextmanager
def served(rig: Rig, headers: dict[str, str] | None = None, **changes: Any) -> Iterator[Both]:
    parts = rig.parts(max_body_bytes=MAX_BODY_BYTES, **changes)
    app = build_app(parts)
    through_asgi: list[str] = []

    async def watched(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            through_asgi.append(scope["path"])
        await app(scope, receive, send)

    rig.store.open()
    routes = direct_routes(parts, MAX_WAITING)
    try:
        with server_rig.running(watched, direct=routes, has_lifespan=True, max_body_bytes=MAX_BODY_BYTES) as server:
            both = Both(rig, server, through_asgi, headers or {})
            yield both
            for client in both.ways.values():
                client.close()
    finally:
        rig.store.close()


def upload(first: int = 0, count: int = 25, **more: Any) -> dict[str, Any]:
    return {"sessionId": "SESSION", "samples": samples(count, first)} | more


def test_a_phones_second_is_answered_alike_and_past_the_framework(both: Both) -> None:
    for first in range(0, 125, 25):
        assert both.ask("PUT", API + "/stream", upload(first)).json()["totalSamples"] == first + 25
    assert both.ask("PUT", API + "/stream", upload(100)).json()["skipped"] == 25
    more = upload(125, windowStart=1.25, windowEnd=1.5, activity="rest")
    assert both.ask("PUT", API + "/stream", more).status_code == 202
    assert both.ask("GET", API + "/motifs?sessionId=SESSION").json()["source"] == "fallback"
    assert both.ask("GET", API + "/motifs?sessionId=SESSION&role=default").json()["topK"] == 12
    assert both.ask("GET", API + "/synchrony?sessionId=SESSION").json()["reason"] == "one_stream"
    assert both.ask("POST", API + "/process", {"samples": samples(100)}).json()["backend"] == "cpu"
    assert len(both.through_asgi) == 11, "each request went one way"


@pytest.mark.parametrize(
    ("method", "path", "body", "options", "status"),
    [
        ("PUT", "/stream", {"sessionId": UNKNOWN, "samples": samples(2)}, {}, 404),
        ("PUT", "/stream", {"sessionId": "SESSION"}, {}, 400),
        ("PUT", "/stream", {"sessionId": "SESSION", "samples": [{"t": 1}]}, {}, 422),
        ("PUT", "/stream", upload(role="Not A Role"), {}, 422),
        ("PUT", "/stream", upload(activity="x" * 99), {}, 422),
        ("PUT", "/stream", upload(windowStart=9, windowEnd=1), {}, 422),
        ("PUT", "/stream", {"sessionId": "SESSION", "samples": samples(2, ax=1e7)}, {}, 422),
        ("PUT", "/stream", {"sessionId": "SESSION", "samples": samples(400)}, {}, 413),
        ("PUT", "/stream", {}, {"content": b"{"}, 400),
        ("PUT", "/stream", {}, {"content": b""}, 400),
        ("PUT", "/stream", {}, {"headers": {"Content-Type": "text/csv"}}, 415),
        ("PUT", "/stream", {}, {"headers": {"Content-Type": "application/json; charset=utf-16"}}, 415),
        ("PUT", "/stream", {}, {"content": b"xx", "headers": {"Content-Encoding": "br"}}, 415),
        ("PUT", "/stream", {}, {"content": b"xx", "headers": {"Content-Encoding": "gzip"}}, 400),
        ("POST", "/process", {"samples": samples(99)}, {}, 422),
        ("POST", "/process", {"samples": samples(100)[::-1]}, {}, 422),
        ("POST", "/process", {}, {"content": BOMB, "headers": {"Content-Encoding": "gzip"}}, 413),
        ("GET", "/motifs?sessionId=" + UNKNOWN, None, {}, 404),
        ("GET", "/motifs?sessionId=SESSION", None, {}, 409),
        ("GET", "/motifs?sessionId=SESSION&role=none", None, {}, 422),
        ("GET", "/motifs?sessionId=", None, {}, 422),
        ("GET", "/motifs", None, {}, 422),
        ("GET", "/motifs?sessionId=SESSION&role=%20", None, {}, 422),
        ("GET", "/synchrony?sessionId=" + UNKNOWN, None, {}, 404),
        ("POST", "/stream", {}, {}, 405),
        ("PUT", "/process", {}, {}, 405),
    ],
)
def test_every_refusal_is_the_same(
    both: Both, method: str, path: str, body: Any, options: dict[str, Any], status: int
) -> None:
    assert both.ask(method, API + path, body, **options).status_code == status


def test_a_packed_body_is_unpacked(both: Both) -> None:
    packed = gzip.compress(json.dumps({"samples": samples(100)}).encode())
    answer = both.ask("POST", API + "/process", {}, content=packed, headers={"Content-Encoding": "gzip"})
    assert answer.status_code == 200


def test_a_stopped_session_is_gone(both: Both) -> None:
    both.ask("POST", API + "/stop", {"sessionId": "SESSION"})
    assert both.ask("PUT", API + "/stream", upload()).status_code == 410
    assert both.ask("GET", API + "/motifs?sessionId=SESSION").status_code == 410


def test_both_ways_count_alike(both: Both) -> None:
    both.ask("PUT", API + "/stream", upload())
    both.ask("GET", API + "/motifs?sessionId=SESSION")
    for endpoint, method, status in (("/stream", "PUT", "202"), ("/motifs", "GET", "409")):
        labels = {"endpoint": API + endpoint, "method": method, "status_code": status}
        assert both.rig.value("edgeinfer_http_requests_total", **labels) == 2
    assert both.rig.value("edgeinfer_http_errors_total", error_type="not_enough_samples") == 2


def test_a_request_id_of_the_caller_is_given_back(both: Both) -> None:
    answer = both.ask("POST", API + "/process", {"samples": samples(100)}, headers={"X-Request-Id": "mine"})
    assert answer.headers["x-request-id"] == answer.json()["requestId"] == "mine"
    trace = "0af7651916cd43dd8448eb211c80319c"
    headers = {"traceparent": f"00-{trace}-b7ad6b7169203331-01"}
    assert both.ask("POST", API + "/process", {"samples": samples(100)}, headers=headers).json()["requestId"] == trace


def test_a_failure_that_nobody_expects_is_an_answer(both: Both, caplog: pytest.LogCaptureFixture) -> None:
    both.ask("PUT", API + "/stream", upload(0, 125))
    both.rig.model.wait = lambda: 1 / 0  # type: ignore[assignment]  # it fails in a way that no backend may
    answer = both.ask("GET", API + "/motifs?sessionId=SESSION")
    assert answer.json()["error"] == "internal_error"
    assert "unexpected error in a request" in caplog.text


def test_a_key_is_asked_for(rig: Rig, tmp_path: Path) -> None:
    secret, key = new_key("phone")
    path = tmp_path / "keys"
    path.write_text(key.line + "\n")
    keys = KeyRing(path, requests_per_second=1000)
    keys.load()
    opened = {"Authorization": f"Bearer {secret}"}
    with served(rig, opened, keys=keys) as both:
        assert both.ask("PUT", API + "/stream", upload()).status_code == 202
        closed = both.ask("PUT", API + "/stream", upload(), headers={"Authorization": "Bearer none"})
        assert closed.status_code == 401
        assert closed.headers["www-authenticate"] == "Bearer"
    assert rig.value("edgeinfer_http_errors_total", error_type="unauthorized") == 2
    labels = {"endpoint": API + "/stream", "method": "PUT", "status_code": "401"}
    assert rig.value("edgeinfer_http_requests_total", **labels) == 2, "both ways name the route that was refused"


def wait_for(event: Event) -> None:
    assert event.wait(20)


def test_more_waiting_requests_than_there_may_be_are_shed() -> None:
    proceed = Event()
    model = SmallModel()
    with served(make_rig(model=model)) as both, ThreadPoolExecutor(MAX_WAITING + 4) as pool:
        model.wait = lambda: wait_for(proceed)
        url = str(both.ways["direct"].base_url)

        def ask() -> int:
            return httpx.post(url + API + "/process", json={"samples": samples(100)}, timeout=30).status_code

        asked = [pool.submit(ask) for _ in range(MAX_WAITING + 4)]
        server_rig.until(lambda: sum(one.done() for one in asked) == 4)
        proceed.set()
        found = [one.result() for one in asked]
    assert (found.count(503), found.count(200)) == (4, MAX_WAITING)


class KeptSpans:
    """Takes every span, and sends none."""

    def __init__(self) -> None:
        self.spans: list[Span] = []

    def is_sampled(self, _trace_id: str, _caller: object) -> bool:
        return True

    def export(self, spans: Sequence[Span], _epoch_offset_ns: int) -> None:
        self.spans += spans

    def start(self) -> None:
        pass

    def close(self) -> None:
        pass


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("PUT", "/stream", upload(0, 125), 202),
        ("POST", "/process", {"samples": samples(100)}, 200),
        ("GET", "/motifs?sessionId=SESSION", None, 409),
    ],
)
def test_both_ways_record_the_same_spans(rig: Rig, method: str, path: str, body: Any, status: int) -> None:
    kept = KeptSpans()
    with served(rig, tracing=Tracing(kept)) as both:
        kept.spans.clear()
        assert both.ask(method, API + path, body).status_code == status
        server_rig.until(lambda: sum(span.kind == SERVER for span in kept.spans) == 2)
    first, second = (index for index, span in enumerate(kept.spans) if span.kind == SERVER)
    assert first == 0
    direct, asgi = kept.spans[:second], kept.spans[second:]
    assert direct[0].name == asgi[0].name
    ids = {"edgeinfer.request_id"}
    assert {**direct[0].attributes, **dict.fromkeys(ids)} == {**asgi[0].attributes, **dict.fromkeys(ids)}
    stages = [{span.name for span in spans[1:]} - {"handle", "decode", "postprocess"} for spans in (direct, asgi)]
    assert stages[0] == stages[1]
    assert ("fallback" in stages[0]) == (path == "/process"), stages


def test_a_body_that_is_cut_off_is_counted_and_reaches_no_handler(rig: Rig) -> None:
    with served(rig) as both, both.server.connect() as caller:
        caller.sendall(f"PUT {API}/stream HTTP/1.1\r\nHost: h\r\nContent-Length: 99\r\n\r\n{{".encode())
        caller.shutdown(socket.SHUT_WR)
        assert server_rig.receive_all(caller).startswith(b"HTTP/1.1 400 ")
        labels = {"endpoint": API + "/stream", "method": "PUT", "status_code": "499"}
        assert rig.value("edgeinfer_http_requests_total", **labels) == 1
        assert not rig.value("edgeinfer_http_errors_total", error_type="invalid_body")
