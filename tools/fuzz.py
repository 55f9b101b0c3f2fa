"""Sends malformed input and hostile connections to real services, and counts what they survive.

`python -m tools.fuzz --minutes 10` starts gateway, sidecar, console and exporter on free ports; it ends with 1 where
one of them crashed, answered 500, answered outside the one shape of errors, left a whole request without an answer,
or took more than 64 MB beyond what it had at its start, at any moment.
"""

import argparse
import asyncio
import contextlib
import json
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import cycle, pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic

from edgeinfer.web.open_files import raise_open_files_limit
from tools.fuzz_connections import MAKERS
from tools.fuzz_inputs import Input, inputs, request
from tools.fuzz_services import INFER, Service, gateway_goods, process_request, running_services
from tools.hostile_connections import Hostile, attack, hostile_kinds

MAX_GROWTH_BYTES = 64_000_000
_LANES = 8
_ANSWER_SECONDS = 30.0
_MAYBE_SECONDS = 0.05  # what may be no request gets this long to be answered
_PAUSE_SECONDS = 0.01
_SOON_SECONDS = 60.0
_PROBLEM = {"error", "status", "message", "remedy", "retry"}


@dataclass(slots=True)
class Fuzzing:
    """Counts of one run, and what did not survive."""

    tried: Counter[str] = field(default_factory=Counter)
    """Inputs by kind."""
    statuses: Counter[int] = field(default_factory=Counter)
    """Answers by status; 0 is none."""
    faults: list[str] = field(default_factory=list)
    """Everything that must not happen, with the beginning of its input."""
    hostile: Counter[str] = field(default_factory=Counter)
    """Hostile connections by kind."""
    grown_bytes: dict[str, int] = field(default_factory=dict)
    """Peak memory of each process minus its memory at start."""

    def __str__(self) -> str:
        kinds = ", ".join(f"{kind} {count}" for kind, count in self.tried.most_common())
        statuses = ", ".join(f"{status or 'none'} {count}" for status, count in sorted(self.statuses.items()))
        hostile = ", ".join(f"{kind} {count}" for kind, count in self.hostile.most_common())
        grown = ", ".join(f"{name} {size / 1e6:+.1f} MB" for name, size in self.grown_bytes.items())
        lines = [
            f"inputs: {self.tried.total()} ({kinds})",
            f"answers: {statuses}",
            f"hostile connections: {self.hostile.total()} ({hostile})",
            f"peak of memory above the start: {grown}",
        ]
        return "\n".join([*lines, *self.faults[:20], f"crashes and wrong answers: {len(self.faults)}"])


async def fuzz(folder: Path, seconds: float, seed: int, *, crowd: int, hold_seconds: float) -> Fuzzing:
    """Fuzz all four services for a while; their logs and sessions are in the folder.

    Args:
        folder: for logs and sessions.
        seconds: half of them for single inputs, half for connection floods; each kind of flood runs at least once.
        seed: the same inputs for the same seed.
        crowd: connections of one kind at a time.
        hold_seconds: for which the connections of a flood stay open.
    """
    result = Fuzzing()
    raise_open_files_limit(crowd + 1000)
    with running_services(folder) as services:
        started = await _answer(services["gateway"].port, request("POST", "/api/v1/analysis/start", b"{}"), 5)
        services["gateway"].goods = gateway_goods(json.loads(started)["sessionId"])
        await _throw_inputs(list(services.values()), seconds / 2, seed, result)
        await _send_crowds(list(services.values()), seconds / 2, crowd, hold_seconds, result)
        await _check_serving(services, result)
        for service in services.values():
            service.watch()
            result.grown_bytes[service.name] = service.grown_bytes
            if not service.is_alive:
                result.faults.append(f"{service.name} is dead")
            if service.grown_bytes > MAX_GROWTH_BYTES:
                result.faults.append(f"{service.name} grew by {service.grown_bytes / 1e6:.0f} MB")
    result.faults += list(_tracebacks(folder))
    return result


async def _throw_inputs(services: list[Service], seconds: float, seed: int, result: Fuzzing) -> None:
    until = monotonic() + seconds
    async with asyncio.TaskGroup() as lanes:
        for lane in range(_LANES):
            lanes.create_task(_lane(services[lane % len(services)], until, seed + lane, result))


async def _lane(service: Service, until: float, seed: int, result: Fuzzing) -> None:
    for one in inputs(service.goods, seed, MAKERS):
        if monotonic() > until:
            return
        await _try(service, one, result)


async def _try(service: Service, one: Input, result: Fuzzing) -> None:
    result.tried[one.kind] += 1
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
    except OSError as failure:
        result.faults.append(f"{service.name}: nobody listens after {one.kind} {one.data[:200]!r}: {failure}")
        await asyncio.sleep(0.2)
        return
    try:
        answers = await _exchange(reader, writer, one)
    finally:
        writer.transport.abort()
    for fault in _judge_all(one, answers, result):
        result.faults.append(f"{service.name}: {fault} to {one.kind} {one.data[:300]!r}")


async def _exchange(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, one: Input
) -> list[tuple[bytes, bytes]]:
    answers: list[tuple[bytes, bytes]] = []
    seconds = _ANSWER_SECONDS if one.is_whole else _MAYBE_SECONDS
    with contextlib.suppress(TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        async with asyncio.timeout(seconds):
            await _write(writer, one)
            while one.reads and len(answers) < one.answers:
                head = await reader.readuntil(b"\r\n\r\n")
                answers.append((head, await reader.readexactly(_length(head))))
    return answers


async def _write(writer: asyncio.StreamWriter, one: Input) -> None:
    places = [0, *sorted(one.cuts), len(one.data)]
    for begin, end in pairwise(places):
        writer.write(one.data[begin:end])
        if one.cuts:
            await asyncio.sleep(_PAUSE_SECONDS)
    if one.ends:
        writer.write_eof()


def _judge_all(one: Input, answers: list[tuple[bytes, bytes]], result: Fuzzing) -> Iterator[str]:
    for head, body in answers or [(b"", b"")]:
        fault = _judge(one, head, body, result)
        if fault:
            yield fault
    # After an answer that closes the connection, as a refusal does, no other comes.
    closes = any(b"connection: close" in head.lower() for head, _ in answers)
    if one.is_whole and answers and len(answers) < one.answers and not closes:
        yield f"{len(answers)} of {one.answers} answers"


def _judge(one: Input, head: bytes, body: bytes, result: Fuzzing) -> str:
    """What is wrong with an answer, empty where nothing is."""
    if not head:
        result.statuses[0] += 1
        return "no answer" if one.is_whole else ""
    if not head.startswith(b"HTTP/1.1 "):
        return f"no HTTP: {head[:80]!r}"
    status = int(head.split(b" ", 2)[1])
    result.statuses[status] += 1
    if status == 500:  # noqa: PLR2004 - any other failure
        return f"500 {body[:300]!r}"
    is_error = status >= 400  # noqa: PLR2004 - the first error status
    if is_error and body and not _is_problem(body):
        return f"{status} in another shape {body[:300]!r}"
    return ""


def _is_problem(body: bytes) -> bool:
    """Whether it is the one shape; a failure may have more fields of its own."""
    try:
        return set(json.loads(body)) >= _PROBLEM
    except (ValueError, TypeError):
        return False


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length":
            return int(value)
    return 0


async def _send_crowds(
    services: list[Service], seconds: float, crowd: int, hold_seconds: float, result: Fuzzing
) -> None:
    """Every kind at every service at least once, then again until the time is over."""
    until = monotonic() + seconds
    every = [
        (service, kind)
        for kinds in zip(*(hostile_kinds(one.posts, one.gets) for one in services), strict=True)
        for service, kind in zip(services, kinds, strict=True)
    ]
    for number, (service, kind) in enumerate(cycle(every)):
        if number >= len(every) and monotonic() > until:
            return
        await _send_crowd(service, kind, crowd, hold_seconds, result)


async def _send_crowd(service: Service, kind: Hostile, crowd: int, seconds: float, result: Fuzzing) -> None:
    result.hostile[kind.name] += await attack(service.port, kind, crowd, seconds, service.watch)
    if not await _answers_soon(service.port):
        result.faults.append(
            f"{service.name}: no answer within {_SOON_SECONDS:.0f} s after {crowd} connections of {kind.name}"
        )


async def _answers_soon(port: int) -> bool:
    until = monotonic() + _SOON_SECONDS
    while monotonic() < until:
        with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            await _answer(port, request("GET", "/healthz", b""), 5)
            return True
        await asyncio.sleep(0.2)
    return False


async def _answer(port: int, data: bytes, seconds: float) -> bytes:
    async with asyncio.timeout(seconds):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(data)
            head = await reader.readuntil(b"\r\n\r\n")
            body = await reader.readexactly(_length(head))
        finally:
            writer.close()
    if not head.startswith(b"HTTP/1.1 200 "):
        raise ConnectionError(f"{head!r} {body!r}")
    return body


async def _check_serving(services: dict[str, Service], result: Fuzzing) -> None:
    """All answer a good request afterwards, the gateway with its sidecar's answer."""
    process = request("POST", "/api/v1/analysis/process", process_request())
    try:
        await _answer(services["sidecar"].port, request("POST", "/infer", json.dumps(INFER.document).encode()), 5)
        for name in ("console", "exporter"):
            await _answer(services[name].port, request("GET", "/healthz", b""), 5)
        # The circuit may be open for a moment: the fuzzing was heavy.
        for _ in range(40):
            if json.loads(await _answer(services["gateway"].port, process, 5))["source"] == "sidecar":
                return
            await asyncio.sleep(0.5)
        result.faults.append("the sidecar no longer answers through the gateway")
    except (OSError, TimeoutError, asyncio.IncompleteReadError) as failure:
        result.faults.append(f"a good request is not answered any more: {failure!r}")


def _tracebacks(folder: Path) -> Iterator[str]:
    for path in sorted(folder.glob("*.log")):
        for line in path.read_text(errors="replace").splitlines():
            if "Traceback" in line:
                yield f"{path.name}: {line[:2000]}"
                break


def main() -> None:
    """Fuzz for --minutes; exit code 1 if a service did not survive."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--minutes", type=float, default=1.0)
    words.add_argument("--seed", type=int, default=1)
    words.add_argument("--crowd", type=int, default=4096, help="hostile connections of one kind (%(default)s)")
    given = words.parse_args()
    with TemporaryDirectory(prefix="edgeinfer-fuzz-") as folder:
        seconds = given.minutes * 60
        result = asyncio.run(fuzz(Path(folder), seconds, given.seed, crowd=given.crowd, hold_seconds=2.0))
    sys.stdout.write(f"{result}\n")
    sys.exit(1 if result.faults else 0)


if __name__ == "__main__":
    main()
