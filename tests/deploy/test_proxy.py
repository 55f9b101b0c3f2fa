"""The TLS proxy in front of the gateway, as a real nginx: the API passes, nothing else does."""

import os
import shutil
import ssl
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from edgeinfer.stack.ports import PortPool

CONFIGURATION = Path(__file__).parents[2] / "deploy/proxy/gateway.conf"
# Where tools/setup_fleet.sh leaves it.
FETCHED = Path(os.environ.get("XDG_CACHE_HOME", str(Path.home() / ".cache"))) / "edgeinfer/fleet/usr/sbin"
NGINX = shutil.which("nginx") or shutil.which("nginx", path=f"/usr/sbin:{FETCHED}")

pytestmark = [
    pytest.mark.skipif(NGINX is None, reason="nginx is missing; make setup-fleet fetches it"),
    pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is missing"),
]


class Gateway(BaseHTTPRequestHandler):
    """Answers everything with the path and the key that arrived."""

    def do_GET(self) -> None:
        body = f"{self.path} {self.headers.get('Authorization')}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the library's name
        del format, args


@pytest.fixture
def gateway() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Gateway)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def proxy(gateway: int, tmp_path: Path) -> Iterator[str]:
    """Nginx with our file, its paths and ports moved; gives its address."""
    [port] = PortPool().take(1)
    words = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    words += ["-subj", "/CN=pi", "-addext", "subjectAltName=IP:127.0.0.1"]
    words += ["-keyout", str(tmp_path / "gateway.key"), "-out", str(tmp_path / "gateway.crt")]
    subprocess.run(words, check=True, capture_output=True)
    text = CONFIGURATION.read_text().replace("/etc/edgeinfer/tls", str(tmp_path))
    text = text.replace("listen 8443", f"listen 127.0.0.1:{port}").replace("127.0.0.1:8080", f"127.0.0.1:{gateway}")
    (tmp_path / "gateway.conf").write_text(text)
    folders = "".join(f"  {kind}_temp_path {tmp_path}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi"))
    folders += "".join(f"  {kind}_temp_path {tmp_path}/{kind};\n" for kind in ("uwsgi", "scgi"))
    http = f"http {{\n  access_log off;\n{folders}  include {tmp_path}/gateway.conf;\n}}\n"
    (tmp_path / "nginx.conf").write_text(f"pid {tmp_path}/pid;\nevents {{}}\n{http}")
    command = [str(NGINX), "-c", str(tmp_path / "nginx.conf"), "-e", "stderr", "-g", "daemon off; master_process off;"]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as nginx:
        yield f"127.0.0.1:{port}"
        nginx.terminate()
        nginx.communicate(timeout=10)


def ask(url: str, folder: Path, key: str = "") -> tuple[int, str]:
    trust = ssl.create_default_context(cafile=str(folder / "gateway.crt"))
    request = urllib.request.Request(url, headers={"Authorization": key})  # noqa: S310 - a literal scheme
    give_up = time.monotonic() + 20
    while True:
        try:
            with urllib.request.urlopen(request, context=trust, timeout=5) as answer:  # noqa: S310
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code, ""
        except urllib.error.URLError:  # not listening yet
            if time.monotonic() > give_up:
                raise
            time.sleep(0.05)


def test_phones_reach_the_api_over_tls_and_nothing_else(proxy: str, tmp_path: Path) -> None:
    path = "/api/v1/analysis/motifs?sessionId=1"
    assert ask(f"https://{proxy}{path}", tmp_path, "Bearer secret") == (200, f"{path} Bearer secret")
    assert ask(f"https://{proxy}/healthz", tmp_path)[0] == 200
    for closed in ("/metrics", "/docs", "/openapi.json", "/health/detailed", "/healthz/", "/api/../metrics"):
        assert ask(f"https://{proxy}{closed}", tmp_path)[0] == 404, closed


def test_nobody_sends_a_key_in_the_clear(proxy: str, tmp_path: Path) -> None:
    ask(f"https://{proxy}/healthz", tmp_path)
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"http://{proxy}/api/v1/analysis/motifs", timeout=5)
    with refused.value:
        assert refused.value.code == 400
