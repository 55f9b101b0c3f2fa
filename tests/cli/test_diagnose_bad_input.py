"""What `edgeinfer diagnose` says of bad input: never a traceback, never a cause that was not seen."""

import json
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from click.testing import CliRunner

from edgeinfer.cli.diagnose import create
from edgeinfer.stack import lock
from edgeinfer.stack.folder import prepare
from edgeinfer.stack.ports import PortPool


def asked(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(create(), [*words])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.output
    return result.exit_code, result.output


@pytest.fixture
def nobody() -> str:
    return f"http://127.0.0.1:{PortPool().take(1)[0]}"


class _Page(BaseHTTPRequestHandler):
    """A web server that knows nothing of Prometheus."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"<html>Welcome</html>")

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def page() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Page) as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def test_of_a_data_folder_of_another_version_no_cause_is_named(tmp_path: Path) -> None:
    folder = prepare(tmp_path)
    folder.record.write_text('{"version": 99}', encoding="utf-8")
    with lock.hold(folder.lock):
        code, said = asked("--data-folder", str(tmp_path), "--json")
    document = json.loads(said)
    assert (code, document["findings"], document["verdict"]) == (4, [], "unseen")
    assert any("is not of this version" in one for one in document["unseen"])


def test_a_server_that_is_not_prometheus_is_said(page: str, tmp_path: Path) -> None:
    code, said = asked("--data-folder", str(tmp_path), "--prometheus", page)
    assert code == 4
    assert "something else answers at its address" in said


def test_a_prometheus_that_is_not_there_is_said(nobody: str, tmp_path: Path) -> None:
    code, said = asked("--data-folder", str(tmp_path), "--prometheus", nobody)
    assert code == 4
    assert "it cannot be reached" in said


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (("--at", str(time.time() + 3600)), "in the future"),
        (("--at", "someday"), "someday"),
        (("--since", str(time.time() + 3600)), "after the moment"),
        (("--way", "by-hand"), "by-hand"),
    ],
)
def test_an_option_that_cannot_be_is_refused_in_words(words: tuple[str, ...], fault: str) -> None:
    code, said = asked(*words)
    assert code == 2
    assert fault in said
