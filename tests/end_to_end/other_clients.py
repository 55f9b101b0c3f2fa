"""Clients of others, each with a whole session, a bad request and a huge body, against running services.

`python -m tests.end_to_end.other_clients GATEWAY SIDECAR PORT` prints what each of them got as a table; the page of
another origin is served on that port of loopback.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from edgeinfer.stack.ports import PortPool

FOLDER = Path(__file__).parent / "clients"
# Where tools/setup_fleet.sh leaves it.
_FETCHED = Path(os.environ.get("XDG_CACHE_HOME", str(Path.home() / ".cache"))) / "edgeinfer/fleet/usr/sbin"
NGINX = shutil.which("nginx") or shutil.which("nginx", path=f"/usr/sbin:{_FETCHED}")
CHROMIUM = shutil.which("chromium")
WANTED = {
    "start": "200",
    "stream": "202",
    "motifs": "200",
    "process": "200",
    "infer": "200",
    "bad": "400 invalid_body",
    "huge": "413 body_too_large",
    "stop": "200",
}
"""What each step answers: status, and error where it is one."""

Steps = dict[str, str]


@dataclass(frozen=True)
class Client:
    """A program that plays a session.

    Args:
        name: for people.
        program: that must be on PATH.
        words: before the addresses of gateway and sidecar and the folder of the bodies.
        options: after them.
    """

    name: str
    program: str
    words: tuple[str, ...]
    options: tuple[str, ...] = ()

    @property
    def is_there(self) -> bool:
        return shutil.which(self.program) is not None

    def play(self, gateway: str, sidecar: str, bodies: Path) -> Steps:
        """Status and error of each step, as the client saw them."""
        command = [*self.words, gateway, sidecar, str(bodies), *self.options]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, (command, done.stdout, done.stderr)
        return read_steps(done.stdout)


def read_steps(text: str) -> Steps:
    return {name: rest.strip() for name, _, rest in (line.partition(" ") for line in text.strip().splitlines())}


_SHELL, _PYTHON = ("bash", str(FOLDER / "session.sh")), (sys.executable, str(FOLDER / "session.py"))
CLIENTS = (
    Client("JDK's HttpClient", "java", ("java", str(FOLDER / "Session.java"))),
    Client("curl --http2", "curl", (*_SHELL, "curl"), ("--http2",)),
    Client("curl --http1.0", "curl", (*_SHELL, "curl"), ("--http1.0",)),
    Client("wget", "wget", (*_SHELL, "wget")),
    Client("Node's fetch", "node", ("node", str(FOLDER / "session.mjs"))),
    Client("Python's requests", sys.executable, (*_PYTHON, "requests")),
    Client("Python's httpx", sys.executable, (*_PYTHON, "httpx")),
    Client("Python's urllib", sys.executable, (*_PYTHON, "urllib")),
    Client("Go's net/http", "go", ("go", "run", str(FOLDER / "session.go"))),
    Client("Perl's HTTP::Tiny", "perl", ("perl", str(FOLDER / "session.pl"))),
)


def write_bodies(folder: Path) -> None:
    """The bodies that clients send: a stream with SESSION in place of the id, windows, a cut one, ten megabytes."""
    channels = dict.fromkeys(("ay", "az", "gx", "gy", "gz", "mx", "my", "mz"), 0.0)
    samples = [{"t": number / 100, "ax": 9.81, **channels} for number in range(150)]
    process = json.dumps({"samples": samples})
    bodies = {
        "stream": json.dumps({"sessionId": "SESSION", "samples": samples}),
        "process": process,
        "infer": json.dumps({"x": [[9.81] + [0.0] * 8] * 100}),
        "bad": process[:200],
        "huge": json.dumps({"samples": samples * 600}),
    }
    for name, text in bodies.items():
        (folder / f"{name}.json").write_text(text)


@contextmanager
def page_server(folder: Path, port: int = 0) -> Iterator[str]:
    """A server of the page and the bodies; gives its origin, which is not the gateway's."""

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the library's name
            del format, args

    shutil.copy(FOLDER / "page.html", folder)
    server = ThreadingHTTPServer(("127.0.0.1", port), partial(Handler, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def play_in_browser(gateway: str, *origins: str) -> list[Steps]:
    """The same session by a page of each of these origins."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - only where there is a browser

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        found = []
        for origin in origins:
            page = browser.new_page()
            page.goto(f"{origin}/page.html?gateway={gateway}")
            page.wait_for_function("document.title === 'done'", timeout=60_000)
            found.append(read_steps(page.text_content("body") or ""))
        return found


def send_from_api_page(address: str) -> tuple[str, list[str]]:
    """What the page of the API shows after the button of its first route was pressed, and what it loaded."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - only where there is a browser

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(ignore_https_errors=True)
        loaded: list[str] = []
        page.on("request", lambda request: loaded.append(request.url))
        page.goto(f"{address}/docs")
        page.click("summary >> nth=0")
        page.click("button >> nth=0")
        page.wait_for_function("/\\d ms/.test(document.querySelector('output').textContent)", timeout=30_000)
        return page.text_content("output") or "", [url for url in loaded if not url.startswith("data:")]


@contextmanager
def proxy(folder: Path, gateway: str, sidecar: str) -> Iterator[tuple[str, Path]]:
    """Nginx with TLS, HTTP/2 and a path prefix for each service; gives its address and the certificate to trust."""
    [port] = PortPool().take(1)
    key, certificate = folder / "proxy.key", folder / "proxy.crt"
    words = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    words += ["-subj", "/CN=proxy", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key)]
    subprocess.run([*words, "-out", str(certificate)], check=True, capture_output=True)
    places = "".join(
        f"location {prefix}/ {{ proxy_pass {url}/; proxy_set_header X-Forwarded-Prefix {prefix}; }}\n"
        for prefix, url in (("/edge", gateway), ("/npu0", sidecar))
    )
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    folders = "".join(f"{kind}_temp_path {folder}/{kind};\n" for kind in kinds)
    (folder / "nginx.conf").write_text(
        f"pid {folder}/pid;\nevents {{}}\nhttp {{ access_log off; {folders} server {{\n"
        f"listen 127.0.0.1:{port} ssl http2; client_max_body_size 16m;\n"
        f"ssl_certificate {certificate}; ssl_certificate_key {key};\n{places}}} }}\n"
    )
    command = [str(NGINX), "-c", str(folder / "nginx.conf"), "-e", "stderr", "-g", "daemon off; master_process off;"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as nginx:
        try:
            wait = ["curl", "-s", "--retry", "100", "--retry-delay", "0", "--retry-all-errors", "--max-time", "20"]
            subprocess.run(
                [*wait, "--cacert", str(certificate), f"https://127.0.0.1:{port}/edge/healthz"],
                check=True,
                capture_output=True,
            )
            yield f"https://127.0.0.1:{port}", certificate
        finally:
            nginx.terminate()


def through_proxy(certificate: Path) -> tuple[Client, ...]:
    """Clients that speak TLS, HTTP/2 among them, and trust the proxy."""
    return (
        Client("curl --http2 over nginx", "curl", (*_SHELL, "curl"), ("--http2", "--cacert", str(certificate))),
        Client("Python's requests over nginx", sys.executable, (*_PYTHON, "requests"), (str(certificate),)),
    )


def main() -> None:
    """Print the table: a row for each client, a column for each step."""
    gateway, sidecar, port = sys.argv[1:]
    rows: dict[str, Steps] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_bodies(folder)
        for client in CLIENTS:
            rows[client.name] = client.play(gateway, sidecar, folder) if client.is_there else {}
        if CHROMIUM:
            with page_server(folder, int(port)) as origin:
                [rows["Chromium, a page of another origin"]] = play_in_browser(gateway, origin)
        if NGINX:
            with proxy(folder, gateway, sidecar) as (address, certificate):
                for client in through_proxy(certificate):
                    rows[client.name] = client.play(f"{address}/edge", f"{address}/npu0", folder)
    cells = [["client", *WANTED], ["---"] * (1 + len(WANTED))]
    cells += [[name, *(steps.get(step, "-") for step in WANTED)] for name, steps in rows.items()]
    sys.stdout.writelines(f"| {' | '.join(row)} |\n" for row in cells)


if __name__ == "__main__":
    main()
