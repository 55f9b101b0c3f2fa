"""Bad input: one JSON shape, a counter moved, the service still serving, accepted samples still there."""

import gzip
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgeinfer.errors import InputError
from edgeinfer.gateway.samples import decode_process, decode_stream, make_batch, make_window
from tests.gateway.rigs import API, Rig, api, make_rig, samples

JSON = {"Content-Type": "application/json"}


@pytest.fixture
def rig() -> Rig:
    return make_rig()


@pytest.fixture
async def client(rig: Rig) -> AsyncIterator[httpx.AsyncClient]:
    async with api(rig, max_body_bytes=100_000) as client:
        yield client


@pytest.fixture
async def session_id(client: httpx.AsyncClient) -> str:
    """A session that has accepted 100 samples."""
    session_id: str = (await client.post(f"{API}/start")).json()["sessionId"]
    answer = await client.put(f"{API}/stream", json={"sessionId": session_id, "samples": samples(100)})
    assert answer.status_code == 202
    return session_id


def changed(index: int, **fields: Any) -> list[dict[str, Any]]:
    """Twenty samples after the accepted ones, one of them changed; None leaves a field out."""
    found = samples(20, 100)
    for name, value in fields.items():
        if value is ...:
            del found[index][name]
        else:
            found[index][name] = value
    return found


def timed(factor: float, start: float = 100.0) -> list[dict[str, Any]]:
    """Twenty samples at 100 Hz whose t is not in seconds."""
    return [{**one, "t": (start + index / 100) * factor} for index, one in enumerate(samples(20))]


def single(start: float) -> list[dict[str, Any]]:
    """Twenty samples at 100 Hz whose t went through a float of 32 bits."""
    return [{**one, "t": float(np.float32(start + index / 100))} for index, one in enumerate(samples(20))]


SAMPLES: list[tuple[str, Any, int, str, str]] = [
    ("missing channel", changed(3, gx=...), 422, "invalid_samples", "samples[3]"),
    ("missing time", changed(3, t=...), 422, "invalid_samples", "samples[3]"),
    ("number as string", changed(3, ax="9.81"), 422, "invalid_samples", "samples[3].ax"),
    ("null", changed(3, ax=None), 422, "invalid_samples", "samples[3].ax"),
    ("boolean", changed(3, ax=True), 422, "invalid_samples", "samples[3].ax"),
    ("list", changed(3, ax=[1]), 422, "invalid_samples", "samples[3].ax"),
    ("row in place of an object", [[1.0] * 10], 422, "invalid_samples", "samples[0]"),
    ("beyond any sensor", changed(3, ax=-1e21), 422, "invalid_samples", "ax is -1e+21, not a number up to 1e+06"),
    ("a time beyond any clock", changed(3, t=1e13), 422, "invalid_samples", "not a number up to 1e+12"),
    ("beyond 32 bits", changed(3, ax=1e300), 422, "invalid_samples", "sample 3"),
    (
        "t stands still",
        samples(20, 100, t=1.0),
        422,
        "invalid_samples",
        "20 of 20 samples have the t of the one before",
    ),
    (
        "times beyond any unit",
        [{**samples(1)[0], "t": t} for t in (1e308, -1e308, 1e308)],
        422,
        "invalid_samples",
        "t is 1e+308",
    ),
    ("one time beyond any unit", samples(20, 100, t=1e300), 422, "invalid_samples", "t is 1e+300"),
    ("milliseconds", timed(1000), 422, "invalid_samples", "looks like milliseconds"),
    ("microseconds", timed(1e6), 422, "invalid_samples", "looks like microseconds"),
    ("nanoseconds", timed(1e9), 422, "invalid_samples", "looks like nanoseconds"),
    ("milliseconds since 1970", timed(1000, 1.7e9), 422, "invalid_samples", "looks like milliseconds"),
    ("microseconds since 1970", timed(1e6, 1.7e9), 422, "invalid_samples", "looks like microseconds"),
    ("nanoseconds since 1970", timed(1e9, 1.7e9), 422, "invalid_samples", "looks like nanoseconds"),
    ("one sample, nanoseconds since 1970", timed(1e9, 1.7e9)[:1], 422, "invalid_samples", "looks like nanoseconds"),
    ("nanoseconds of a machine up for a month", timed(1e9, 2.6e6), 422, "invalid_samples", "looks like nanoseconds"),
    (
        "32-bit float since 1970",
        single(1.7e9),
        422,
        "invalid_samples",
        "32-bit float, which at 1700000000 has steps of 128",
    ),
    ("32-bit float of a machine up for a month", single(2.6e6), 422, "invalid_samples", "32-bit float"),
    ("samples is not a list", {"a": 1}, 400, "invalid_body", "samples"),
    ("samples is null", None, 400, "invalid_body", "samples"),
]


@pytest.mark.parametrize(
    ("bad", "status", "problem", "words"), [case[1:] for case in SAMPLES], ids=[c[0] for c in SAMPLES]
)
async def test_bad_samples_are_refused_whole(
    client: httpx.AsyncClient, rig: Rig, session_id: str, bad: Any, status: int, problem: str, words: str
) -> None:
    answer = await client.put(f"{API}/stream", json={"sessionId": session_id, "samples": bad})
    assert_problem(answer, status, problem, words)
    await assert_still_serving(client, rig, session_id, problem)


BODIES: list[tuple[str, bytes, dict[str, str], int, str]] = [
    ("empty", b"", JSON, 400, "invalid_body"),
    ("truncated", b'{"sessionId": "x", "samples": [{"t": 1.0', JSON, 400, "invalid_body"),
    ("no object", b"[]", JSON, 400, "invalid_body"),
    ("not utf-8", b'{"sessionId": "\xff\xfe", "samples": []}', JSON, 400, "invalid_body"),
    ("NaN", b'{"sessionId": "x", "samples": [{"t": NaN}]}', JSON, 400, "invalid_body"),
    ("infinity", b'{"sessionId": "x", "samples": [{"t": Infinity}]}', JSON, 400, "invalid_body"),
    ("deeply nested", b"[" * 50_000, JSON, 400, "invalid_body"),
    ("numeric session", b'{"sessionId": 7, "samples": []}', JSON, 400, "invalid_body"),
    ("form", b"a=b", {"Content-Type": "application/x-www-form-urlencoded"}, 415, "unsupported_content_type"),
    ("text", b"{}", {"Content-Type": "text/plain"}, 415, "unsupported_content_type"),
    ("brotli", b"{}", JSON | {"Content-Encoding": "br"}, 415, "unsupported_content_type"),
    ("damaged gzip", b"{}", JSON | {"Content-Encoding": "gzip"}, 400, "invalid_body"),
    ("charset UTF-16", b"{}", {"Content-Type": "application/json; charset=utf-16"}, 415, "unsupported_content_type"),
    ("UTF-16", "{}".encode("utf-16"), JSON, 400, "invalid_body"),
    ("a byte order mark", b"\xef\xbb\xbf{}", JSON, 400, "invalid_body"),
    ("too large", b" " * 100_001, JSON, 413, "body_too_large"),
]


@pytest.mark.parametrize("route", [("PUT", "/stream"), ("POST", "/process"), ("POST", "/stop")], ids=lambda r: r[1])
@pytest.mark.parametrize(
    ("body", "headers", "status", "problem"), [case[1:] for case in BODIES], ids=[c[0] for c in BODIES]
)
async def test_bad_bodies_are_refused_on_every_route(
    client: httpx.AsyncClient,
    rig: Rig,
    session_id: str,
    route: tuple[str, str],
    body: bytes,
    headers: dict[str, str],
    status: int,
    problem: str,
) -> None:
    if route[1] == "/process" and body.startswith((b'{"sessionId": 7', b'{"sessionId": "\xff')):
        return  # this route does not read the session
    answer = await client.request(route[0], API + route[1], content=body, headers=headers)
    assert_problem(answer, status, problem)
    await assert_still_serving(client, rig, session_id, problem)


async def test_a_body_without_a_length_is_cut_off_where_it_grows_too_long(client: httpx.AsyncClient) -> None:
    taken = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal taken
        while taken < 10_000_000:
            taken += 10_000
            yield b" " * 10_000

    answer = await client.put(f"{API}/stream", content=endless(), headers=JSON)
    assert_problem(answer, 413, "body_too_large")


async def test_an_id_in_capitals_is_the_same_id(client: httpx.AsyncClient, session_id: str) -> None:
    which = session_id.upper()
    assert which != session_id
    answers = [
        await client.put(f"{API}/stream", json={"sessionId": which, "samples": samples(5, 100)}),
        await client.get(f"{API}/motifs", params={"sessionId": which}),
        await client.post(f"{API}/stop", json={"sessionId": which}),
    ]
    assert [answer.status_code for answer in answers] == [202, 200, 200]
    assert {answer.json()["sessionId"] for answer in answers} == {session_id}
    assert_problem(await client.post(f"{API}/stop", json={"sessionId": which}), 410, "stopped_session")


async def test_a_compressed_body_is_read_within_the_bound_of_a_plain_one(
    client: httpx.AsyncClient, session_id: str
) -> None:
    headers = JSON | {"Content-Encoding": "gzip"}
    body = json.dumps({"sessionId": session_id, "samples": samples(50, 100)}).encode()
    answer = await client.put(f"{API}/stream", content=gzip.compress(body), headers=headers)
    assert (answer.status_code, answer.json()["accepted"]) == (202, 50)
    bomb = gzip.compress(b" " * 1_000_000)
    assert len(bomb) < 100_000
    assert_problem(await client.put(f"{API}/stream", content=bomb, headers=headers), 413, "body_too_large")


async def test_unknown_and_stopped_sessions_are_distinguished(
    client: httpx.AsyncClient, rig: Rig, session_id: str
) -> None:
    async def ask(which: str) -> list[httpx.Response]:
        return [
            await client.put(f"{API}/stream", json={"sessionId": which, "samples": samples(5, 100)}),
            await client.get(f"{API}/motifs", params={"sessionId": which}),
            await client.get(f"{API}/synchrony", params={"sessionId": which}),
            await client.post(f"{API}/stop", json={"sessionId": which}),
        ]

    for answer in await ask("nobody"):
        assert_problem(answer, 404, "unknown_session")
    await client.post(f"{API}/stop", json={"sessionId": session_id})
    for answer in await ask(session_id):
        assert_problem(answer, 410, "stopped_session", "stopped")
    assert rig.value("edgeinfer_http_errors_total", error_type="stopped_session") == 4


@pytest.mark.parametrize(
    ("bounds", "words"),
    [
        ({"windowStart": 2.0, "windowEnd": 1.0}, "after windowEnd"),
        ({"windowStart": 1.1, "windowEnd": 1.3}, "outside"),
        ({"windowEnd": 1.1}, "outside"),
    ],
)
async def test_window_bounds_are_held_against_the_samples(
    client: httpx.AsyncClient, session_id: str, bounds: dict[str, float], words: str
) -> None:
    body = {"sessionId": session_id, "samples": samples(20, 100), **bounds}
    assert_problem(await client.put(f"{API}/stream", json=body), 422, "invalid_samples", words)


@pytest.mark.parametrize("role", ["", "Dog", "a" * 33, "dog;drop", "ü"])
async def test_a_role_is_a_short_token(client: httpx.AsyncClient, session_id: str, role: str) -> None:
    body = {"sessionId": session_id, "samples": samples(20, 100), "role": role}
    assert_problem(await client.put(f"{API}/stream", json=body), 422, "invalid_samples", "role")


async def test_a_third_role_is_refused(client: httpx.AsyncClient, session_id: str) -> None:
    body = {"sessionId": session_id, "samples": samples(20, 100), "role": "handler"}
    assert (await client.put(f"{API}/stream", json=body)).status_code == 202
    assert_problem(await client.put(f"{API}/stream", json={**body, "role": "cat"}), 422, "invalid_samples", "2 streams")


async def test_too_few_samples_are_no_window(client: httpx.AsyncClient) -> None:
    answer = await client.post(f"{API}/process", json={"samples": samples(99)})
    assert_problem(answer, 422, "invalid_window", "got 99")


async def test_a_missing_session_id_is_reported(client: httpx.AsyncClient) -> None:
    assert_problem(await client.get(f"{API}/motifs"), 422, "invalid_body", "sessionId")


async def test_unknown_paths_and_methods_have_the_same_shape(client: httpx.AsyncClient) -> None:
    assert_problem(await client.get("/nowhere"), 404, "not_found")
    answer = await client.delete(f"{API}/start")
    assert_problem(answer, 405, "method_not_allowed")
    assert "POST" in answer.headers["allow"]


async def test_an_unexpected_failure_shows_no_traceback(client: httpx.AsyncClient, rig: Rig) -> None:
    def broken() -> None:
        raise ZeroDivisionError("secret detail")

    rig.model.wait = broken
    answer = await client.post(f"{API}/process", json={"samples": samples(100)})
    assert_problem(answer, 500, "internal_error")
    assert "secret" not in answer.text
    rig.model.wait = lambda: None
    assert (await client.post(f"{API}/process", json={"samples": samples(100)})).status_code == 200


async def test_unknown_fields_are_let_pass(client: httpx.AsyncClient, session_id: str) -> None:
    body = {"sessionId": session_id, "samples": samples(5, 100, battery=0.5), "phone": "x"}
    assert (await client.put(f"{API}/stream", json=body)).status_code == 202


_numbers = st.one_of(st.floats(), st.integers(), st.text(max_size=3), st.none(), st.booleans())
_channels = ("t", "ax", "ay", "az", "gx", "gy", "gz", "mx", "my", "mz")
_near_samples = st.lists(
    st.one_of(
        st.fixed_dictionaries(dict.fromkeys(_channels, _numbers)), st.dictionaries(st.text(max_size=3), _numbers)
    ),
    max_size=4,
)


@given(st.one_of(st.binary(max_size=200), st.recursive(_numbers, st.lists).map(json.dumps).map(str.encode)))
@settings(max_examples=200)
def test_any_body_is_decoded_or_refused_by_name(body: bytes) -> None:
    for decode in (decode_stream, decode_process):
        with pytest.raises(InputError):
            decode(body)


@given(_near_samples)
@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow])
def test_anything_like_samples_becomes_rising_finite_arrays_or_is_refused(candidates: list[dict[str, Any]]) -> None:
    body = json.dumps({"samples": candidates}).encode()
    try:
        batch = make_batch(decode_process(body).samples)
    except InputError:
        return
    assert len(batch) == len(candidates)
    assert all(earlier < later for earlier, later in zip(batch.times, batch.times[1:], strict=False))
    assert abs(batch.values).max(initial=0) < float("inf")


@given(st.integers(100, 140))
def test_a_window_is_the_newest_hundred_in_order(count: int) -> None:
    body = json.dumps({"samples": [{**one, "ax": float(i)} for i, one in enumerate(samples(count))]}).encode()
    window, source = make_window(decode_process(body).samples)
    assert (source.samples, source.interpolated) == (100, 0.0)
    assert window.shape == (100, 9)
    assert window[:, 0].tolist() == list(range(count - 100, count))
    assert window.flags.c_contiguous


def assert_problem(answer: httpx.Response, status: int, problem: str, words: str = "") -> None:
    assert answer.headers["content-type"] == "application/json"
    document = answer.json()
    assert (answer.status_code, document["error"]) == (status, problem), document
    assert document.keys() >= {"error", "status", "message", "remedy", "retry"}
    assert document["retry"] is (status >= 500 or problem in {"rate_limited", "not_enough_samples", "unusable_window"})
    assert document["status"] == status
    assert words in document["message"]
    assert document["remedy"]
    assert "Traceback" not in answer.text


async def assert_still_serving(client: httpx.AsyncClient, rig: Rig, session_id: str, problem: str) -> None:
    assert rig.value("edgeinfer_http_errors_total", error_type=problem) == 1
    assert rig.store.get(session_id).total_samples == 100
    more = await client.put(f"{API}/stream", json={"sessionId": session_id, "samples": samples(25, 100)})
    assert more.status_code == 202
