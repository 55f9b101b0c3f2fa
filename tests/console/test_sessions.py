"""Sessions over HTTP: what a real gateway says of them, and what is said where none answers."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from edgeinfer.console.app import build_app
from edgeinfer.console.gateway import no_key
from edgeinfer.gateway.keys import KeyRing, new_key
from edgeinfer.web.client_key import authorization
from tests.console.conftest import Lifespan
from tests.gateway.rigs import API, api, make_rig, samples

Answer = Callable[[web.Request], Any]


@asynccontextmanager
async def serving(answer: Answer) -> AsyncIterator[str]:
    """The address of a server that answers everything by a function."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    server = TestServer(app)
    await server.start_server()
    try:
        yield str(server.make_url("")).rstrip("/")
    finally:
        await server.close()


@asynccontextmanager
async def gateway(**changes: Any) -> AsyncIterator[tuple[str, httpx.AsyncClient]]:
    """A real gateway behind a socket: its address, and a phone that reaches it directly."""
    async with api(make_rig(), **changes) as client:

        async def answer(request: web.Request) -> web.Response:
            headers = {name: request.headers[name] for name in ("Authorization",) if name in request.headers}
            given = await client.request(request.method, request.path_qs, headers=headers)
            return web.Response(status=given.status_code, body=given.content, content_type="application/json")

        async with serving(answer) as url:
            yield url, client


@asynccontextmanager
async def console(
    url: str, folder: Path, authorize: Callable[[], Mapping[str, str]] = no_key
) -> AsyncIterator[httpx.AsyncClient]:
    """A console in front of a gateway."""
    async with AsyncExitStack() as stack:
        app = build_app(
            dashboards=folder,
            prometheus_url="http://127.0.0.1:1",
            alertmanager_url="",
            gateway_url=url,
            authorize=authorize,
            hosts=("console.test",),
        )
        await stack.enter_async_context(Lifespan(app))
        transport = httpx.ASGITransport(app)
        yield await stack.enter_async_context(httpx.AsyncClient(transport=transport, base_url="http://console.test"))


async def begin(phone: httpx.AsyncClient, **headers: str) -> str:
    session_id = str((await phone.post(f"{API}/start", headers=headers)).json()["sessionId"])
    body = {"sessionId": session_id, "role": "dog", "samples": samples(200)}
    assert (await phone.put(f"{API}/stream", json=body, headers=headers)).status_code == 202
    return session_id


async def test_sessions_are_listed_and_one_is_opened_by_either_id(tmp_path: Path) -> None:
    async with gateway() as (url, phone), console(url, tmp_path) as client:
        session_id = await begin(phone)
        listed = (await client.get("/api/sessions")).json()
        assert [one["session"] for one in listed["sessions"]] == [session_id[:8]]
        for name in (session_id, session_id[:8]):
            found = (await client.get(f"/api/sessions/{name}")).json()
            assert (found["sessionId"], found["totalSamples"]) == (name, 200)
            assert found["streams"][0]["role"] == "dog"


async def test_a_session_that_ended_is_gone_with_what_was_known(tmp_path: Path) -> None:
    async with gateway() as (url, phone), console(url, tmp_path) as client:
        session_id = await begin(phone)
        await phone.post(f"{API}/stop", json={"sessionId": session_id})
        answer = await client.get(f"/api/sessions/{session_id[:8]}")
        assert answer.status_code == 410
        assert answer.json()["lastKnown"]["totalSamples"] == 200
        assert answer.json()["lastKnown"]["endReason"] == "stopped"


@pytest.mark.parametrize("session_id", ["00000000", "a" * 65, "..%2Fmetrics", "a%20b", "%00", "é"])
async def test_an_id_of_none_is_not_found(tmp_path: Path, session_id: str) -> None:
    async with gateway() as (url, _), console(url, tmp_path) as client:
        answer = await client.get(f"/api/sessions/{session_id}")
        assert answer.status_code == 404
        assert answer.json()["remedy"]


async def test_a_gateway_that_is_down_is_said_and_nothing_is_shown(tmp_path: Path, unused_tcp_port: int) -> None:
    async with console(f"http://127.0.0.1:{unused_tcp_port}", tmp_path) as client:
        for path in ("/api/sessions", "/api/sessions/7bf48c73"):
            answer = await client.get(path)
            assert answer.status_code == 502
            assert f"cannot be reached at http://127.0.0.1:{unused_tcp_port}" in answer.json()["message"]
            assert "EDGEINFER_GATEWAY_URL" in answer.json()["remedy"]
            assert "sessions" not in answer.json()
        assert (await client.get("/healthz")).status_code == 200


async def test_a_console_without_a_gateway_says_so(tmp_path: Path) -> None:
    async with console("", tmp_path) as client:
        assert "no address" in (await client.get("/api/sessions")).json()["message"]


async def test_a_gateway_with_keys_is_asked_with_the_key_of_the_file(tmp_path: Path) -> None:
    secret, key = new_key("console")
    keys_file, key_file = tmp_path / "keys", tmp_path / "console.key"
    keys_file.write_text(key.line + "\n", "ascii")
    keys_file.chmod(0o600)
    keys = KeyRing(keys_file, requests_per_second=100)
    keys.load()
    async with gateway(keys=keys) as (url, phone):
        session_id = await begin(phone, Authorization=f"Bearer {secret}")
        async with console(url, tmp_path) as client:
            refused = await client.get("/api/sessions")
        async with console(url, tmp_path, lambda: authorization(key_file)) as client:
            missing = await client.get("/api/sessions")
            key_file.write_text("edgeinfer_wrong\n", "ascii")
            wrong = await client.get("/api/sessions")
            key_file.write_text(secret + "\n", "ascii")  # no restart
            answer = await client.get("/api/sessions")
            one = await client.get(f"/api/sessions/{session_id[:8]}")
    assert [one["session"] for one in answer.json()["sessions"]] == [session_id[:8]]
    for failure in (refused, missing, wrong):
        assert failure.status_code == 502
    assert "EDGEINFER_API_KEY_FILE" in refused.json()["remedy"]
    assert str(key_file) in missing.json()["message"]
    assert "none that is valid" in wrong.json()["message"]
    for shown in (refused, missing, wrong, answer, one):
        assert secret not in shown.text + str(shown.headers)


async def test_the_key_is_never_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=500, text="boom")

    caplog.set_level("DEBUG")
    key = {"Authorization": "Bearer edgeinfer_secret"}
    async with serving(answer) as url, console(url, tmp_path, lambda: key) as client:
        assert (await client.get("/api/sessions")).status_code == 502
    assert "edgeinfer_secret" not in caplog.text


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (200, "<html>a router's page</html>", "something else answers at its address (status 200)"),
        (302, "", "something else answers at its address (status 302)"),
        (200, "[]", "something else answers"),
        (503, '{"error": "overloaded", "message": "shed", "remedy": "Later."}', "it refused (shed)"),
        (404, '{"error": "not_found", "message": "no route"}', "older than this console"),
        (200, " " * 4_000_001, "larger than 4 MB"),
    ],
)
async def test_what_is_no_answer_of_a_gateway_is_said(tmp_path: Path, status: int, body: str, said: str) -> None:
    async def answer(request: web.Request) -> web.Response:
        headers = {"Location": f"{request.url.origin()}/elsewhere"} if status == 302 else {}
        return web.Response(status=status, text=body, headers=headers)

    async with serving(answer) as url, console(url, tmp_path) as client:
        found = await client.get("/api/sessions")
        assert found.status_code == 502
        assert said in found.json()["message"]
        assert found.json()["remedy"]


async def test_many_viewers_are_one_question(tmp_path: Path) -> None:
    asked = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.path_qs)
        return web.json_response({"total": 0, "sessions": [], "ended": []})

    async with serving(answer) as url, console(url, tmp_path) as client:
        for _ in range(5):
            assert (await client.get("/api/sessions")).json()["total"] == 0
    assert asked == [f"{API}/sessions?limit=200"]


async def test_the_pages_have_addresses_of_their_own(tmp_path: Path) -> None:
    async with console("", tmp_path) as client:
        for path in ("/sessions", "/sessions/7bf48c73"):
            assert (await client.get(path)).headers["content-type"].startswith("text/html")
