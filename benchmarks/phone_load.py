"""Phones in open loop: each request is sent when it is due, whatever became of the one before.

A phone uploads 25 samples four times a second, asks for motifs and for one window a second, and for synchrony every
ten seconds, over two kept connections: one for uploads, one for questions. Bodies are made once and shared by all
phones, and answers are read as far as their status and length, so that the generator takes little of the processor
that it shares with the servers; what it takes is in its report.

Run as `python -m benchmarks.phone_load URL --phones N --seconds S`. It prints "begin" and "end" around the part that
counts, then one line of JSON.
"""

import argparse
import asyncio
import json
import math
import random
import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from heapq import merge
from itertools import count
from typing import cast
from urllib.parse import urlsplit

import uvloop

_PREFIX = "/api/v1/analysis"
_CHANNELS = ("ax", "ay", "az", "gx", "gy", "gz", "mx", "my", "mz")
_UPLOAD_SAMPLES = 25
_WINDOW_SAMPLES = 100
_SYNCHRONY_SECONDS = 10
_WARM_UP_SECONDS = 3.0
_GRACE_SECONDS = 2.0
_GIVE_UP_SECONDS = 10.0
_FIRST_T = 1000.0
_ACCEPTED = 202
OPERATIONS = ("stream", "motifs", "process", "synchrony")


@dataclass(slots=True)
class Operation:
    """What became of the requests of one kind."""

    waits: list[float] = field(default_factory=list)
    failures: int = 0


@dataclass(slots=True)
class _Sent:
    """A request under way or waiting."""

    operation: str
    due: float
    parts: tuple[bytes, ...]
    counts: bool
    phone: int = -1


class Bodies:
    """The bytes of requests, made once for all phones.

    Args:
        host: for the header.
    """

    def __init__(self, host: str) -> None:
        self._host = host
        chance = random.Random(1)  # noqa: S311 - repeatable, not secret
        self._rows = [self._row(index, chance) for index in range(_WINDOW_SAMPLES)]
        self._uploads: dict[int, tuple[bytes, bytes]] = {}
        window = ",".join(self._sample(index) for index in range(_WINDOW_SAMPLES))
        body = f'{{"samples": [{window}]}}'.encode()
        self.process = (self.head("POST", "/process", len(body)), body)

    def head(self, method: str, path: str, length: int | None = None) -> bytes:
        """The lines before a body of this length; without one where there is no body."""
        sized = "" if length is None else f"Content-Type: application/json\r\nContent-Length: {length}\r\n"
        return f"{method} {_PREFIX}{path} HTTP/1.1\r\nHost: {self._host}\r\n{sized}\r\n".encode()

    def upload(self, number: int, session: bytes) -> tuple[bytes, ...]:
        """The upload of this number, from 0, of a session."""
        found = self._uploads.get(number)
        if found is None:
            first = number * _UPLOAD_SAMPLES
            rows = ",".join(self._sample(index) for index in range(first, first + _UPLOAD_SAMPLES))
            rest = f'", "samples": [{rows}]}}'.encode()
            found = self._uploads[number] = (self.head("PUT", "/stream", len(rest) + len(session) + 15), rest)
            self._uploads.pop(number - 8, None)
        return found[0], b'{"sessionId": "', session, found[1]

    def _sample(self, index: int) -> str:
        return f'{{"t": {_FIRST_T + index / 100:.2f}, {self._rows[index % _WINDOW_SAMPLES]}}}'

    @staticmethod
    def _row(index: int, chance: random.Random) -> str:
        """A walker's second, of six digits as phones send them."""
        swing = math.sin(2 * math.pi * index / 50)
        size = (3.0, 2.0, 4.0, 1.0, 0.7, 0.5, 5.0, 4.0, 3.0)
        rest = (0.0, 0.0, 9.81, 0.0, 0.0, 0.0, 20.0, -5.0, 40.0)
        pairs = zip(_CHANNELS, size, rest, strict=True)
        return ", ".join(
            f'"{name}": {middle + wide * swing + chance.gauss(0, wide / 9):.6g}' for name, wide, middle in pairs
        )


class _Connection(asyncio.Protocol):
    """One connection of a phone: a request at a time, others wait for their turn."""

    def __init__(self, on_answer: Callable[[_Sent, int, bytes, float], None]) -> None:
        self._on_answer = on_answer
        self._transport: asyncio.Transport | None = None
        self._waiting: list[_Sent] = []
        self._sent: _Sent | None = None
        self._data = b""
        self._size = -1

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._transport = None
        lost, self._sent = self._sent, None
        for request in ([lost] if lost else []) + self._waiting:
            self._on_answer(request, 0, b"", time.perf_counter())
        self._waiting = []

    def ask(self, request: _Sent) -> None:
        self._waiting.append(request)
        if self._sent is None:
            self._next()

    def _next(self) -> None:
        if self._transport is None or not self._waiting:
            return
        self._sent = self._waiting.pop(0)
        self._data, self._size = b"", -1
        self._transport.writelines(self._sent.parts)

    def data_received(self, data: bytes) -> None:
        self._data = self._data + data if self._data else data
        if self._size < 0:
            end = self._data.find(b"\r\n\r\n")
            if end < 0:
                return
            at = self._data.lower().find(b"content-length:", 0, end)
            length = int(self._data[at + 15 : self._data.find(b"\r\n", at)]) if at >= 0 else 0
            self._size = end + 4 + length
        if len(self._data) < self._size or self._sent is None:
            return
        sent, self._sent = self._sent, None
        self._on_answer(sent, int(self._data[9:12]), self._data, time.perf_counter())
        self._next()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


class Phones:
    """A crowd of phones on one gateway.

    Args:
        url: of the gateway.
        phones: how many.
        seconds: that count, after the warm-up.
    """

    def __init__(self, url: str, phones: int, seconds: float) -> None:
        parts = urlsplit(url)
        self._address = (parts.hostname or "127.0.0.1", parts.port or 80)
        self._phones = phones
        self._seconds = seconds
        self._bodies = Bodies(parts.netloc)
        self._operations = {name: Operation() for name in OPERATIONS}
        self._lateness: list[float] = []
        self._answers: dict[int, asyncio.Future[bytes]] = {}
        self._under_way = 0
        self._all_answered = asyncio.Event()
        self._sessions: list[bytes] = []
        self._acknowledged = [0] * phones

    async def run(self) -> dict[str, object]:
        """Open sessions, send for the whole time, end the sessions; the report."""
        loop = asyncio.get_running_loop()

        async def connect() -> _Connection:
            _, made = await loop.create_connection(lambda: _Connection(self._answered), *self._address)
            return made

        uploads = [await connect() for _ in range(self._phones)]
        questions = [await connect() for _ in range(self._phones)]
        self._sessions = [await self._start(connection) for connection in questions]
        await self._send_all(uploads, questions)
        with suppress(TimeoutError):
            await asyncio.wait_for(self._all_answered.wait(), _GIVE_UP_SECONDS)
        unanswered = self._under_way
        stops = [
            self._ask_once(connection, "POST", "/stop", b'{"sessionId": "%b"}' % session)
            for connection, session in zip(questions, self._sessions, strict=True)
        ]
        # A server that is far behind does not answer in time.
        ends = await asyncio.gather(*stops, return_exceptions=True)
        for connection in [*uploads, *questions]:
            connection.close()
        return self._report(unanswered) | {"lost_samples": self._lost_samples(ends)}

    def _lost_samples(self, ends: list[bytes | BaseException]) -> int:
        """Samples that were acknowledged, and that the end of their session does not count."""
        lost = 0
        for acknowledged, end in zip(self._acknowledged, ends, strict=True):
            if isinstance(end, bytes):
                total = json.loads(end.partition(b"\r\n\r\n")[2]).get("totalSamples", 0)
                lost += max(0, _UPLOAD_SAMPLES * acknowledged - total)
        return lost

    async def _start(self, connection: _Connection) -> bytes:
        answer = await self._ask_once(connection, "POST", "/start", b"")
        session: str = json.loads(answer.partition(b"\r\n\r\n")[2])["sessionId"]
        return session.encode()

    async def _ask_once(self, connection: _Connection, method: str, path: str, body: bytes) -> bytes:
        answered: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        request = _Sent("", 0.0, (self._bodies.head(method, path, len(body)), body), counts=False)
        self._answers[id(request)] = answered
        connection.ask(request)
        async with asyncio.timeout(_GIVE_UP_SECONDS):
            return await answered

    async def _send_all(self, uploads: list[_Connection], questions: list[_Connection]) -> None:
        begins = time.perf_counter() + 0.1
        counts_from, ends = begins + _WARM_UP_SECONDS, begins + _WARM_UP_SECONDS + self._seconds
        begun = False
        for moment, phone, operation, number in self._schedule():
            due = begins + moment
            pause = due - time.perf_counter()
            if pause > 0:
                await asyncio.sleep(pause)
            if not begun and due >= counts_from:
                begun = True
                self._usage = _own_cpu_seconds()
                print("begin", flush=True)
            if due >= ends:
                break
            connection = uploads[phone] if operation == "stream" else questions[phone]
            self._under_way += 1
            self._all_answered.clear()
            if begun:
                self._lateness.append(time.perf_counter() - due)
            connection.ask(_Sent(operation, due, self._parts(operation, number, phone), counts=begun, phone=phone))
        self._usage = _own_cpu_seconds() - self._usage
        print("end", flush=True)

    def _schedule(self) -> Iterator[tuple[float, int, str, int]]:
        """Moment, phone, operation and number of each request, in order; phones begin spread over a second."""
        chance = random.Random(2)  # noqa: S311 - repeatable, not secret
        return merge(*(_phone(phone, chance.random()) for phone in range(self._phones)))

    def _parts(self, operation: str, number: int, phone: int) -> tuple[bytes, ...]:
        session = self._sessions[phone]
        if operation == "stream":
            return self._bodies.upload(number, session)
        if operation == "process":
            return self._bodies.process
        return (self._bodies.head("GET", f"/{operation}?sessionId={session.decode()}"),)

    def _answered(self, request: _Sent, status: int, answer: bytes, now: float) -> None:
        waiting = self._answers.pop(id(request), None)
        if waiting is not None:
            if not waiting.done():
                waiting.set_result(answer)
            return
        self._under_way -= 1
        if not self._under_way:
            self._all_answered.set()
        if status == _ACCEPTED:
            self._acknowledged[request.phone] += 1
        if not request.counts:
            return
        operation = self._operations[request.operation]
        if status in {200, 202}:
            operation.waits.append(now - request.due)
        else:
            operation.failures += 1

    def _report(self, unanswered: int) -> dict[str, object]:
        every = [wait for operation in self._operations.values() for wait in operation.waits]
        return {
            "phones": self._phones,
            "seconds": self._seconds,
            "requests": len(every),
            "failures": sum(operation.failures for operation in self._operations.values()) + unanswered,
            "all": percentiles(every),
            "operations": {name: percentiles(operation.waits) for name, operation in self._operations.items()},
            "late_p99_ms": percentiles(self._lateness)["p99"],
            "generator_cpu_seconds": self._usage,
        }


def _phone(phone: int, start: float) -> Iterator[tuple[float, int, str, int]]:
    """What one phone sends, in order, without an end."""
    for second in count():
        at = start + second
        yield at, phone, "stream", 4 * second
        if second > 1:  # a window is there by then
            yield at + 0.15, phone, "motifs", 0
        yield at + 0.25, phone, "stream", 4 * second + 1
        if (second + phone) % _SYNCHRONY_SECONDS == 0 and second:
            yield at + 0.4, phone, "synchrony", 0
        yield at + 0.5, phone, "stream", 4 * second + 2
        yield at + 0.65, phone, "process", 0
        yield at + 0.75, phone, "stream", 4 * second + 3


def percentiles(seconds: list[float]) -> dict[str, float]:
    """p50, p95 and p99 in milliseconds; NaN where hardly anything was measured."""
    if len(seconds) < 2:
        return dict.fromkeys(("p50", "p95", "p99"), float("nan"))
    cuts = statistics.quantiles(seconds, n=100, method="inclusive")
    return {f"p{share}": 1e3 * cuts[share - 1] for share in (50, 95, 99)}


def _own_cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Send, and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url", help="of the gateway")
    parser.add_argument("--phones", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=15.0, help="that count (%(default)s)")
    given = parser.parse_args()
    report = uvloop.run(Phones(given.url, given.phones, given.seconds).run())
    json.dump(report, sys.stdout)
    print()


if __name__ == "__main__":
    main()
