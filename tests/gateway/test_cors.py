"""Pages of other origins: kept out by default, let in by name, with keys too."""

from pathlib import Path

import httpx
import pytest

from edgeinfer.errors import SettingsError
from edgeinfer.gateway.app import build_app
from edgeinfer.gateway.keys import KeyRing, new_key
from edgeinfer.settings import GatewaySettings
from tests.gateway.rigs import API, Rig, make_rig, samples

APP, OTHER = "https://app.example.org", "https://other.example.org"
PREFLIGHT = {"Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "authorization,content-type"}


def client_of(rig: Rig, origins: tuple[str, ...], keys: KeyRing | None = None) -> httpx.AsyncClient:
    app = build_app(rig.parts(cors_origins=origins, keys=keys))
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway")


def allowed(answer: httpx.Response) -> str | None:
    found: str | None = answer.headers.get("access-control-allow-origin")
    return found


async def test_it_is_off_by_default() -> None:
    async with client_of(make_rig(), ()) as client:
        for answer in (
            await client.options(f"{API}/stream", headers=PREFLIGHT | {"Origin": APP}),
            await client.get("/healthz", headers={"Origin": APP}),
        ):
            assert not [name for name in answer.headers if name.startswith("access-control")]


async def test_a_named_origin_may_ask_and_read_every_answer() -> None:
    async with client_of(make_rig(), (APP,)) as client:
        asked = await client.options(f"{API}/stream", headers=PREFLIGHT | {"Origin": APP})
        assert (asked.status_code, allowed(asked), asked.content) == (204, APP, b"")
        assert "PUT" in asked.headers["access-control-allow-methods"]
        assert {"authorization", "content-type"} <= {
            name.strip().lower() for name in asked.headers["access-control-allow-headers"].split(",")
        }
        for answer in (
            await client.post(f"{API}/process", json={"samples": samples(100)}, headers={"Origin": APP}),
            await client.post(f"{API}/process", content=b"{", headers={"Origin": APP}),
            await client.get("/nothing", headers={"Origin": APP}),
        ):
            assert allowed(answer) == APP
            assert "origin" in answer.headers["vary"].lower()
            assert "X-Request-Id" in answer.headers["access-control-expose-headers"]
            assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize("origin", [OTHER, "null", "https://app.example.org.evil.example", "http://app.example.org"])
async def test_the_answer_to_another_origin_names_the_setting_that_would_let_it_in(origin: str) -> None:
    rig = make_rig()
    async with client_of(rig, (APP,)) as client:
        asked = await client.options(f"{API}/stream", headers=PREFLIGHT | {"Origin": origin})
        assert (asked.status_code, asked.json()["error"], allowed(asked)) == (403, "forbidden", None)
        assert "EDGEINFER_GATEWAY_CORS_ORIGINS" in asked.json()["remedy"]
        assert allowed(await client.get("/healthz", headers={"Origin": origin})) is None
    assert rig.value("edgeinfer_http_errors_total", error_type="forbidden") == 1


async def test_every_origin_may_be_let_in() -> None:
    async with client_of(make_rig(), ("*",)) as client:
        assert allowed(await client.get("/healthz", headers={"Origin": OTHER})) == OTHER


async def test_a_browser_asks_without_a_key_and_sends_with_it(tmp_path: Path) -> None:
    secret, key = new_key("page", None)
    path = tmp_path / "api-keys"
    path.write_text(key.line + "\n")
    path.chmod(0o600)
    ring = KeyRing(path, requests_per_second=100.0)
    ring.load()
    async with client_of(make_rig(), (APP,), ring) as client:
        asked = await client.options(f"{API}/start", headers=PREFLIGHT | {"Origin": APP})
        assert asked.status_code == 204
        refused = await client.post(f"{API}/start", headers={"Origin": APP})
        assert (refused.status_code, allowed(refused)) == (401, APP)
        key_header = {"Origin": APP, "Authorization": f"Bearer {secret}"}
        assert (await client.post(f"{API}/start", headers=key_header)).status_code == 200


async def test_what_is_counted_of_it_bears_no_name_of_the_caller() -> None:
    rig = make_rig()
    async with client_of(rig, (APP,)) as client:
        await client.options("/api/v1/whatever", headers=PREFLIGHT | {"Origin": APP})
    counted = {"method": "OTHER", "endpoint": "preflight", "status_code": "204"}
    assert rig.value("edgeinfer_http_requests_total", **counted) == 1


async def test_a_page_in_a_public_network_may_ask_a_private_gateway() -> None:
    async with client_of(make_rig(), (APP,)) as client:
        asked = {"Origin": APP, "Access-Control-Request-Private-Network": "true"}
        answer = await client.options(f"{API}/start", headers=PREFLIGHT | asked)
        assert answer.headers["access-control-allow-private-network"] == "true"


def test_origins_are_written_as_browsers_write_them() -> None:
    given = {"EDGEINFER_GATEWAY_CORS_ORIGINS": f"{APP}, http://[::1]:8000 ,capacitor://localhost,null"}
    settings = GatewaySettings.from_environment(given)
    assert settings.origins == (APP, "http://[::1]:8000", "capacitor://localhost", "null")
    assert GatewaySettings.from_environment({}).origins == ()
    for wrong in ("app.example.org", f"{APP}/", "https://App.example.org", f"{APP}/page", "https://*.example.org"):
        with pytest.raises(SettingsError, match="is not an origin"):
            GatewaySettings.from_environment({"EDGEINFER_GATEWAY_CORS_ORIGINS": wrong})
