"""POST /infer on bad input: a clear error, a counter moved, and the service continues."""

import gzip
import json
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeinfer.errors import InputError
from edgeinfer.sidecar.decoding import WindowDecoder
from edgeinfer.sidecar.fast_json import find_parser
from tests.sidecar.rig import Rig, ToyBackend, running, window

JSON = {"content-type": "application/json"}
BINARY = {"content-type": "application/octet-stream"}


@pytest.fixture(scope="module")
def rig() -> Iterator[Rig]:
    with running(ToyBackend()) as rig:
        yield rig


def with_value(value: Any, row: int = 3, column: int = 2) -> bytes:
    rows: list[Any] = window()
    rows[row][column] = value
    return json.dumps({"x": rows}).encode()


def with_row(row: Any) -> bytes:
    rows: list[Any] = window()
    rows[3] = row
    return json.dumps({"x": rows}).encode()


BAD_BODIES: list[tuple[str, bytes, dict[str, str], int, str, str]] = [
    ("99 rows", json.dumps({"x": window()[:99]}).encode(), JSON, 422, "invalid_window", "99 rows"),
    ("101 rows", json.dumps({"x": [*window(), [0] * 9]}).encode(), JSON, 422, "invalid_window", "101 rows"),
    ("no rows", b'{"x": []}', JSON, 422, "invalid_window", "0 rows"),
    ("a short row", with_row([1.0] * 8), JSON, 422, "invalid_window", "x[3]"),
    ("a long row", with_row([1.0] * 10), JSON, 422, "invalid_window", "x[3]"),
    ("a null row", with_row(None), JSON, 422, "invalid_window", "x[3]"),
    ("a string", with_value("1.5"), JSON, 422, "invalid_window", "x[3][2] (az)"),
    ("a null", with_value(None), JSON, 422, "invalid_window", "x[3][2] (az)"),
    ("a boolean", with_value(True), JSON, 422, "invalid_window", "x[3][2] (az)"),
    ("an object", with_value({}), JSON, 422, "invalid_window", "x[3][2] (az)"),
    ("beyond float32", with_value(1e300), JSON, 422, "invalid_window", "x[3][2] (az)"),
    ("beyond float64", with_value(10**400), JSON, 422, "invalid_window", "x[3][2] (az)"),
    ("NaN", with_value(float("nan")), JSON, 400, "invalid_body", "not JSON"),
    ("Infinity", with_value(float("inf")), JSON, 400, "invalid_body", "not JSON"),
    ("truncated", json.dumps({"x": window()}).encode()[:-40], JSON, 400, "invalid_body", "truncated"),
    ("empty", b"", JSON, 400, "invalid_body", "not JSON"),
    ("not UTF-8", b"\xff\xfd\x00", JSON, 400, "invalid_body", "not JSON"),
    ("UTF-16", '{"x": []}'.encode("utf-16"), JSON, 400, "invalid_body", "UTF-16"),
    ("a byte order mark", b'\xef\xbb\xbf{"x": []}', JSON, 400, "invalid_body", "byte order mark"),
    ("gzip unsaid", gzip.compress(b'{"x": []}'), JSON, 400, "invalid_body", "Content-Encoding: gzip"),
    ("brotli", b"{}", JSON | {"content-encoding": "br"}, 415, "unsupported_content_type", "br is not undone"),
    ("damaged gzip", b"{}", JSON | {"content-encoding": "gzip"}, 400, "invalid_body", "not gzip data"),
    (
        "a gzip bomb",
        gzip.compress(b" " * 10_000_000),
        JSON | {"content-encoding": "gzip"},
        413,
        "body_too_large",
        "65536",
    ),
    (
        "charset UTF-16",
        b"{}",
        {"content-type": "application/json; charset=UTF-16"},
        415,
        "unsupported_content_type",
        "utf-16",
    ),
    ("deeply nested", b"[" * 60_000, JSON, 400, "invalid_body", "body"),
    ("an array", b"[]", JSON, 400, "invalid_body", "object"),
    ("another key", b'{"y": []}', JSON, 400, "invalid_body", "'y'"),
    ("one key more", json.dumps({"x": window(), "z": 1}).encode(), JSON, 400, "invalid_body", "'z'"),
    ("no key", b"{}", JSON, 400, "invalid_body", "'x'"),
    ("10 MB", b" " * 10_000_000, JSON, 413, "body_too_large", "65536"),
    ("plain text", b"hello", {"content-type": "text/plain"}, 415, "unsupported_content_type", "text/plain"),
    ("no type", b"{}", {}, 400, "invalid_body", "documented object"),
    ("3599 bytes", b"\0" * 3599, BINARY, 422, "invalid_window", "3599 bytes"),
    ("no bytes", b"", BINARY, 422, "invalid_window", "0 bytes"),
    ("binary NaN", np.full(900, np.nan, "<f4").tobytes(), BINARY, 422, "invalid_window", "x[0][0] (ax)"),
]


@pytest.mark.parametrize(("body", "headers", "status", "error", "word"), [case[1:] for case in BAD_BODIES],
                         ids=[case[0] for case in BAD_BODIES])  # fmt: skip
def test_an_error_names_what_is_bad_where_and_how_to_fix_it(
    rig: Rig, body: bytes, headers: dict[str, str], status: int, error: str, word: str
) -> None:
    counted = rig.value("hailo_sidecar_http_errors_total", error_type=error) or 0
    refused = rig.value("hailo_sidecar_inferences_total", status="invalid_input") or 0
    answer = rig.client.post("/infer", content=body, headers=headers)
    document = answer.json()
    assert (answer.status_code, document["error"], document["status"]) == (status, error, status)
    assert word in document["message"]
    assert document["remedy"]
    assert "Traceback" not in answer.text
    assert rig.value("hailo_sidecar_http_errors_total", error_type=error) == counted + 1
    assert rig.value("hailo_sidecar_inferences_total", status="invalid_input") == refused + 1
    assert rig.client.post("/infer", json={"x": window()}).status_code == 200


def test_a_chunked_body_is_cut_off_while_it_comes(rig: Rig) -> None:
    sent = 0

    def chunks() -> Iterator[bytes]:
        nonlocal sent
        for _ in range(1000):
            sent += 10_000
            yield b" " * 10_000

    answer = rig.client.post("/infer", content=chunks(), headers=JSON)
    assert answer.status_code == 413
    assert rig.client.post("/infer", json={"x": window()}).status_code == 200


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
def test_another_method_is_refused(rig: Rig, method: str) -> None:
    answer = rig.client.request(method, "/infer")
    assert (answer.status_code, answer.json()["error"]) == (405, "method_not_allowed")


def test_an_unknown_path_is_refused_and_is_one_series(rig: Rig) -> None:
    assert rig.client.get("/nothing/here").json()["error"] == "not_found"
    rig.client.get("/nothing/there")
    value = rig.value("hailo_http_requests_total", method="GET", endpoint="unmatched", status_code="404")
    assert (value or 0) >= 2


NUMBERS = st.one_of(st.integers(-(10**6), 10**6), st.floats(allow_nan=False, allow_infinity=False))
VALUES = st.one_of(NUMBERS, st.none(), st.booleans(), st.text(max_size=3), st.just(1e39), st.just([1.0]))


@pytest.mark.parametrize("new_parser", [find_parser(), None])
@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_the_decoder_takes_exactly_what_a_plain_check_takes(
    data: st.DataObject, new_parser: Callable[[], Any] | None
) -> None:
    rows: list[Any] = [[0.5] * 9 for _ in range(100)]
    for _ in range(data.draw(st.integers(0, 3))):
        rows[data.draw(st.integers(0, 99))][data.draw(st.integers(0, 8))] = data.draw(VALUES)
    if data.draw(st.booleans()) and data.draw(st.booleans()):
        rows[data.draw(st.integers(0, 99))] = data.draw(st.lists(NUMBERS, min_size=7, max_size=10))
    body = json.dumps({"x": rows}).encode()
    try:
        decoded = WindowDecoder(100, new_parser).from_json(body)
    except InputError:
        decoded = None
    assert (decoded is not None) == plainly_valid(rows)
    if decoded is not None:
        assert np.array_equal(decoded, np.array(rows, np.float64).astype(np.float32))


def plainly_valid(rows: list[Any]) -> bool:
    values = [value for row in rows for value in row]
    if any(len(row) != 9 for row in rows) or any(type(value) not in {int, float} for value in values):
        return False
    with np.errstate(over="ignore"):
        return bool(np.isfinite(np.array(values, np.float64).astype(np.float32)).all())


@pytest.mark.filterwarnings("ignore:overflow encountered in dot")
@pytest.mark.parametrize("value", [1e21, -3e38])
def test_values_that_no_model_bears_are_the_callers_fault_and_no_hardware_error(rig: Rig, value: float) -> None:
    errors = rig.value("hailo_hardware_errors_total", error_class="invalid_output")
    answer = rig.client.post("/infer", content=with_value(value), headers=JSON)
    assert answer.status_code == 422
    assert answer.json()["error"] == "invalid_window"
    assert "no sensor measures" in answer.json()["message"]
    assert rig.client.post("/infer", content=with_value(1.0), headers=JSON).status_code == 200
    assert rig.value("hailo_hardware_errors_total", error_class="invalid_output") == errors
