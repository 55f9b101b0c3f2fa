"""What the server answers in place of the application is counted, and callers that hang up are no bad clients."""

import asyncio
import socket
import struct
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
from fastapi import FastAPI, Request
from prometheus_client import CollectorRegistry
from starlette.types import ASGIApp

from edgeinfer.catalog import gateway, labels, system
from edgeinfer.gateway.bodies import read_json_body
from edgeinfer.metrics import instruments
from edgeinfer.metrics.registry import new_registry
from edgeinfer.web import error_answers
from edgeinfer.web.problems import install_problems
from edgeinfer.web.refusals import count_refusals
from edgeinfer.web.request_metrics import RequestMetrics
from tests.web.server_rig import Rig, running, until

HEAD = b"POST /read HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n"
# Closing sends a reset: what a killed app or a lost network looks like.
RESET = struct.pack("ii", 1, 0)
CUT_OFF = HEAD + b"Content-Length: 10\r\n\r\nabc"


def counted_app(registry: CollectorRegistry) -> ASGIApp:
    """A route that reads its body as the gateway does, one that takes its time, counted like those of the gateway."""
    app = FastAPI()
    install_problems(app, instruments.counter(gateway.PROBLEMS, registry))

    @app.post("/read")
    async def read(request: Request) -> int:
        return len(await read_json_body(request, 5000))

    @app.get("/slow")
    async def slow(request: Request) -> str:
        while not await request.is_disconnected():  # noqa: ASYNC110 - ASGI has no event for it
            await asyncio.sleep(0.005)
        return "too late"

    requests = instruments.counter(gateway.HTTP_REQUESTS, registry)
    return RequestMetrics(app, requests, instruments.histogram(gateway.HTTP_DURATION, registry))


@contextmanager
def counting(**limits: Any) -> Iterator[tuple[Rig, CollectorRegistry]]:
    registry = new_registry()
    with running(counted_app(registry), max_body_bytes=1000, **limits) as rig:
        yield rig, registry


def answered(registry: CollectorRegistry) -> dict[str, float]:
    """Requests by status."""
    found: dict[str, float] = {}
    for family in registry.collect():
        for sample in family.samples:
            if sample.name == gateway.HTTP_REQUESTS.name:
                status = sample.labels["status_code"]
                found[status] = found.get(status, 0) + sample.value
    return found


def problems(registry: CollectorRegistry) -> float:
    values = (registry.get_sample_value(gateway.PROBLEMS.name, {"error_type": each}) for each in labels.PROBLEMS)
    return sum(value for value in values if value is not None)


@pytest.mark.parametrize("way", ["reset", "close", "half-close"])
def test_a_caller_that_hangs_up_in_the_middle_of_a_body_is_no_bad_client(way: str) -> None:
    with counting() as (rig, registry):
        with rig.connect() as connection:
            connection.sendall(CUT_OFF)
            if way == "reset":
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            elif way == "half-close":
                connection.shutdown(socket.SHUT_WR)
                assert connection.recv(20).startswith(b"HTTP/1.1 400 ")
        until(lambda: answered(registry) == {"499": 1})
        assert (problems(registry), rig.refused) == (0, [])


def test_a_caller_that_hangs_up_before_its_answer_is_counted_as_such() -> None:
    with counting() as (rig, registry):
        with rig.connect() as connection:
            connection.sendall(b"GET /slow HTTP/1.1\r\nHost: h\r\n\r\n")
            until(lambda: len(rig.server.server_state.tasks) == 1)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        until(lambda: answered(registry) == {"499": 1})
        assert (problems(registry), rig.refused) == (0, [])


def test_a_request_that_the_server_answers_has_the_same_status_in_the_metrics() -> None:
    too_large = HEAD + b"Transfer-Encoding: chunked\r\n\r\n7d0\r\n" + b" " * 2000 + b"\r\n0\r\n\r\n"
    with counting(answer_seconds=0.1) as (rig, registry):
        assert [one.status for one in rig.talk(too_large)] == [413]
        assert [one.status for one in rig.talk(b"GET /slow HTTP/1.1\r\nHost: h\r\n\r\n")] == [503]
        until(lambda: answered(registry) == {"413": 1, "503": 1})
        assert rig.refused == ["body_too_large", "overloaded"]


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        (b"GET / HTTP/9.9\r\nHost: h\r\n\r\n", "invalid_head"),
        (b"\x16\x03\x01\x02", "invalid_head"),
        (b"GET / HTTP/1.1\r\nHost: h\r\n" + b"a: b\r\n" * 200 + b"\r\n", "invalid_head"),
        (HEAD + b"Transfer-Encoding: zip\r\n\r\n", "invalid_head"),
    ],
)
def test_what_reaches_no_route_is_counted_once(asked: bytes, error: str) -> None:
    with counting() as (rig, registry):
        assert [one.error for one in rig.talk(asked)] == [error]
        assert rig.refused == [error]
        assert answered(registry) == {}


@pytest.mark.parametrize("asked", [b"", b"GET / HT"])
def test_a_caller_that_says_half_a_head_was_not_refused(asked: bytes) -> None:
    with counting() as (rig, registry):
        rig.talk(asked, ends=True)
        assert (rig.refused, answered(registry)) == ([], {})


def test_slow_callers_and_too_many_are_counted() -> None:
    with counting(head_seconds=0.05, max_connections=2, max_refused_connections=1) as (rig, _), ExitStack() as open_:
        connections = [open_.enter_context(rig.connect()) for _ in range(4)]
        until(lambda: rig.refused.count("overloaded") == 2)
        connections[0].sendall(b"GET / HT")
        until(lambda: "slow_request" in rig.refused)


def test_every_kind_of_refusal_stands_at_zero_from_the_start() -> None:
    registry = new_registry()
    on_refusal = count_refusals(registry)
    name = system.HTTP_REFUSALS.name
    assert {kind: registry.get_sample_value(name, {"error_type": kind}) for kind in labels.REFUSALS} == dict.fromkeys(
        labels.REFUSALS, 0
    )
    on_refusal(error_answers.malformed("x").refusal)
    assert registry.get_sample_value(name, {"error_type": "invalid_head"}) == 1
