"""The comparison with published descriptions reports what differs, and only that."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from tools.published_description import compare, load

ANSWERS: dict[str, tuple[int, bytes]] = {
    "/v2": (200, b'{"name": "x", "version": "1"}'),
    "/v2/health/live": (500, b'{"error": "no"}'),
    "/v2/health/ready": (415, b'{"detail": "no"}'),
}


class Server(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        status, body = ANSWERS[self.path]
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def url() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def described(*required: str) -> dict[str, Any]:
    """A description of GET /v2 with these fields, and of the health without any."""
    schema = {"type": "object", "required": list(required), "properties": {}}
    answer = {"200": {"description": "", "content": {"application/json": {"schema": schema}}}}
    any_answer = {"200": {"description": ""}}
    paths = {
        "/v2": {"get": {"responses": answer}},
        "/v2/health/live": {"get": {"responses": any_answer}},
        "/v2/health/ready": {"get": {"responses": any_answer}},
    }
    return {"openapi": "3.0.3", "info": {"title": "", "version": ""}, "paths": paths}


def test_a_missing_field_a_server_error_and_an_error_of_another_shape_differ(url: str) -> None:
    answers, findings = compare(described("name", "extensions"), url)
    faults = dict(list(findings))
    assert "response_schema_conformance" in faults["GET /v2"]
    assert "extensions" in faults["GET /v2"]
    assert faults["GET /v2/health/live"].startswith("status 500 is not described")
    assert faults["GET /v2/health/ready"].startswith("the answer with 415 has no error")
    assert answers["GET /v2", 200] > 0


def test_an_answer_as_described_does_not_differ(url: str) -> None:
    _, findings = compare(described("name", "version"), url)
    assert "GET /v2" not in {place for place, _ in findings}


def test_slips_and_extensions_of_the_published_descriptions_are_taken_out(tmp_path: Path) -> None:
    document = described("name")
    document["paths"] = {"/v2/models/${NAME}": {}, "/v2/models/{name}/generate": {}}
    document["x"] = {"oneOf": [{"type": "array"}, {"type": "bytes"}]}
    path = tmp_path / "description.yaml"
    path.write_text(yaml.safe_dump(document))
    loaded = load(path)
    assert list(loaded["paths"]) == ["/v2/models/{NAME}"]
    assert loaded["x"] == {"oneOf": [{"type": "array"}]}
