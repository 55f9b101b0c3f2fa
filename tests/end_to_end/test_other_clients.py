"""Clients that others wrote, against real processes: a whole session, a bad request and a huge body each.

`make setup-clients` installs what is missing of them; a test that is skipped names it.
"""

import shutil
import ssl
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end import other_clients
from tests.end_to_end.other_clients import CLIENTS, WANTED, Client
from tests.end_to_end.service_process import ServiceProcess

pytestmark = pytest.mark.end_to_end
_BROWSER_STEPS = {step: wanted for step, wanted in WANTED.items() if step != "infer"}
SETUP = "is missing; make setup-clients installs it"


@pytest.fixture(scope="module")
def bodies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bodies")
    other_clients.write_bodies(folder)
    return folder


@pytest.fixture(scope="module")
def origin(bodies: Path) -> Iterator[str]:
    with other_clients.page_server(bodies) as address:
        yield address


@pytest.fixture(scope="module")
def services(origin: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """Addresses of a gateway, which lets the page's origin in, and of its sidecar."""
    folder = tmp_path_factory.mktemp("services")
    with ServiceProcess("sidecar", log=folder / "sidecar.log") as sidecar:
        settings = {"MODEL_BACKEND_URL": f"{sidecar.url}/infer", "EDGEINFER_GATEWAY_CORS_ORIGINS": origin}
        with ServiceProcess("gateway", log=folder / "gateway.log", environment=settings) as gateway:
            yield gateway.url, sidecar.url


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)
def test_a_client_of_others_plays_a_session(client: Client, services: tuple[str, str], bodies: Path) -> None:
    if not client.is_there:
        pytest.skip(f"{client.program} {SETUP}")
    assert client.play(*services, bodies) == WANTED


@pytest.mark.skipif(other_clients.CHROMIUM is None, reason="chromium is missing; make setup-browser installs it")
def test_a_page_of_an_origin_that_is_named_plays_a_session_and_no_other_reads_anything(
    services: tuple[str, str], origin: str, bodies: Path
) -> None:
    with other_clients.page_server(bodies) as stranger:
        named, other = other_clients.play_in_browser(services[0], origin, stranger)
    assert named == _BROWSER_STEPS
    assert other == dict.fromkeys(_BROWSER_STEPS, "TypeError")


@pytest.fixture
def proxy(services: tuple[str, str], tmp_path: Path) -> Iterator[tuple[str, Path]]:
    if other_clients.NGINX is None:
        pytest.skip("nginx is missing; make setup-fleet fetches it")
    if shutil.which("openssl") is None:
        pytest.skip("openssl is missing; make setup-fleet fetches it")
    with other_clients.proxy(tmp_path, *services) as found:
        yield found


def test_clients_play_a_session_through_tls_and_a_path_prefix(proxy: tuple[str, Path], bodies: Path) -> None:
    address, certificate = proxy
    for client in other_clients.through_proxy(certificate):
        assert client.play(f"{address}/edge", f"{address}/npu0", bodies) == WANTED, client.name


@pytest.mark.parametrize("prefix", ["/edge", "/npu0"])
def test_the_pages_of_the_api_hold_behind_a_path_prefix(proxy: tuple[str, Path], prefix: str) -> None:
    address, certificate = proxy
    trust = ssl.create_default_context(cafile=str(certificate))

    def read(path: str) -> str:
        with urllib.request.urlopen(f"{address}{prefix}{path}", context=trust, timeout=10) as answer:  # noqa: S310
            assert answer.url == f"{address}{prefix}{path}"
            text: str = answer.read().decode()
            return text

    page = read("/docs")
    assert 'href="docs/page.css"' in page
    assert ".base" in read("/docs/page.js")
    assert f'"servers":[{{"url":"{prefix}"}}]' in read("/openapi.json").replace(" ", "")


@pytest.mark.skipif(other_clients.CHROMIUM is None, reason="chromium is missing; make setup-browser installs it")
def test_the_page_of_the_api_sends_requests_behind_a_prefix_and_loads_nothing_else(proxy: tuple[str, Path]) -> None:
    address = f"{proxy[0]}/edge"
    shown, loaded = other_clients.send_from_api_page(address)
    assert shown.startswith("200")
    assert '"sessionId"' in shown
    paths = ("docs", "docs/page.css", "docs/page.js", "api/v1/analysis/start")
    assert sorted(loaded) == sorted(f"{address}/{path}" for path in paths)


def test_a_gateway_asks_a_sidecar_behind_a_prefix_for_health_there(proxy: tuple[str, Path], tmp_path: Path) -> None:
    address, certificate = proxy
    settings = {"MODEL_BACKEND_URL": f"{address}/npu0/infer", "SSL_CERT_FILE": str(certificate)}
    with (
        ServiceProcess("gateway", log=tmp_path / "gateway.log", environment=settings) as gateway,
        urllib.request.urlopen(f"{gateway.url}/health/detailed", timeout=10) as answer,  # noqa: S310
    ):
        text = answer.read().decode()
    assert '"hailo_backend":{"status":"healthy"' in text.replace(" ", ""), text
