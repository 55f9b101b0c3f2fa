"""Throws spoilt input at a real gateway and a real sidecar, and counts what they survive.

`python -m tools.fuzz --minutes 5` starts both on free ports; it ends with 1 where one of them crashed, answered 500,
answered outside the one shape of errors, or left a whole request without an answer.
"""

import argparse
import asyncio
import contextlib
import json
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic

import psutil

from tests.end_to_end.service_process import ServiceProcess
from tools.fuzz_inputs import Good, Input, inputs, request

_LANES = 6
_ANSWER_SECONDS = 10.0
_MAYBE_SECONDS = 0.05  # what may be no request gets this long to be answered
_PROBLEM = {"error", "status", "message", "remedy"}
_CHANNELS = ("ax", "ay", "az", "gx", "gy", "gz", "mx", "my", "mz")


@dataclass(slots=True)
class Fuzzing:
    """What came of it."""

    tried: Counter[str] = field(default_factory=Counter)
    """Inputs by kind."""
    statuses: Counter[int] = field(default_factory=Counter)
    """Answers by status; 0 is none."""
    faults: list[str] = field(default_factory=list)
    """Everything that must not happen, with the beginning of its input."""
    grown_bytes: dict[str, int] = field(default_factory=dict)
    """By how much each process grew, from after the first tenth of the time."""

    def __str__(self) -> str:
        kinds = ", ".join(f"{kind} {count}" for kind, count in self.tried.most_common())
        statuses = ", ".join(f"{status or 'none'} {count}" for status, count in sorted(self.statuses.items()))
        grown = ", ".join(f"{name} {size / 1e6:+.1f} MB" for name, size in self.grown_bytes.items())
        lines = [f"inputs: {self.tried.total()} ({kinds})", f"answers: {statuses}", f"memory: {grown}"]
        return "\n".join([*lines, *self.faults[:20], f"crashes and wrong answers: {len(self.faults)}"])


async def fuzz(folder: Path, seconds: float, seed: int) -> Fuzzing:
    """Fuzz both services for a while; their logs and sessions lie in the folder."""
    result = Fuzzing()
    with (
        ServiceProcess("sidecar", log=folder / "sidecar.log") as sidecar,
        ServiceProcess(
            *("gateway", "--backend-url", f"{sidecar.url}/infer", "--data-folder", str(folder / "data")),
            log=folder / "gateway.log",
        ) as gateway,
    ):
        session = json.loads(await _answer(gateway.port, request("POST", "/api/v1/analysis/start", b"{}"), 5))[
            "sessionId"
        ]
        processes = {"gateway": psutil.Process(gateway.pid), "sidecar": psutil.Process(sidecar.pid)}
        lanes = [(sidecar.port, [_INFER]), (gateway.port, _of_gateway(session))]
        await _run(lanes, seconds / 10, seed, result)
        before = {name: process.memory_info().rss for name, process in processes.items()}
        await _run(lanes, seconds * 0.9, seed + _LANES, result)
        for name, process in processes.items():
            if not process.is_running() or process.status() == psutil.STATUS_ZOMBIE:
                result.faults.append(f"{name} is dead")
            else:
                result.grown_bytes[name] = process.memory_info().rss - before[name]
        await _check_serving(gateway.port, sidecar.port, result)
    return result


_INFER = Good("POST", "/infer", {"x": [[0.1] * 9] * 100})


def _samples(count: int) -> list[dict[str, float]]:
    return [{"t": index / 100, **dict.fromkeys(_CHANNELS, 0.5)} for index in range(count)]


def _of_gateway(session: str) -> list[Good]:
    prefix = "/api/v1/analysis"
    return [
        Good(
            "PUT", f"{prefix}/stream", {"sessionId": session, "samples": _samples(25), "windowStart": 0, "windowEnd": 1}
        ),
        Good("POST", f"{prefix}/process", {"samples": _samples(100)}),
        Good("POST", f"{prefix}/stop", {"sessionId": "00000000-0000-4000-8000-000000000000"}),
        Good("POST", f"{prefix}/start", {}),
    ]


async def _run(services: list[tuple[int, list[Good]]], seconds: float, seed: int, result: Fuzzing) -> None:
    until = monotonic() + seconds
    async with asyncio.TaskGroup() as lanes:
        for lane in range(_LANES):
            port, goods = services[lane % len(services)]
            lanes.create_task(_lane(port, goods, until, seed + lane, result))


async def _lane(port: int, goods: list[Good], until: float, seed: int, result: Fuzzing) -> None:
    for one in inputs(goods, seed):
        if monotonic() > until:
            return
        await _try(port, one, result)


async def _try(port: int, one: Input, result: Fuzzing) -> None:
    result.tried[one.kind] += 1
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError as failure:
        result.faults.append(f"nobody listens after {one.kind} {one.data[:200]!r}: {failure}")
        await asyncio.sleep(0.2)
        return
    try:
        head, body = await _exchange(reader, writer, one)
    finally:
        writer.close()
    fault = _judge(one, head, body, result)
    if fault:
        result.faults.append(f"{fault} to {one.kind} {one.data[:300]!r}")


async def _exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, one: Input) -> tuple[bytes, bytes]:
    seconds = _ANSWER_SECONDS if one.is_whole else _MAYBE_SECONDS
    head = body = b""
    with contextlib.suppress(TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        writer.write(one.data)
        async with asyncio.timeout(seconds):
            head = await reader.readuntil(b"\r\n\r\n")
            body = await reader.readexactly(_length(head))
    return head, body


def _judge(one: Input, head: bytes, body: bytes, result: Fuzzing) -> str:
    """What is wrong with an answer, empty where nothing is."""
    if not head:
        result.statuses[0] += 1
        return "no answer" if one.is_whole else ""
    if not head.startswith(b"HTTP/1.1 "):
        return f"no HTTP: {head[:80]!r}"
    status = int(head.split(b" ", 2)[1])
    result.statuses[status] += 1
    if status == 500:  # noqa: PLR2004 - what nobody foresaw
        return f"500 {body[:300]!r}"
    is_error = status >= 400  # noqa: PLR2004 - the first error status
    if is_error and body and not _is_problem(body):
        return f"{status} in another shape {body[:300]!r}"
    return ""


def _is_problem(body: bytes) -> bool:
    try:
        return set(json.loads(body)) == _PROBLEM
    except ValueError:
        return False


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length":
            return int(value)
    return 0


async def _answer(port: int, data: bytes, seconds: float) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        async with asyncio.timeout(seconds):
            writer.write(data)
            head = await reader.readuntil(b"\r\n\r\n")
            body = await reader.readexactly(_length(head))
    finally:
        writer.close()
    if not head.startswith(b"HTTP/1.1 200 "):
        raise ConnectionError(f"{head!r} {body!r}")
    return body


async def _check_serving(gateway: int, sidecar: int, result: Fuzzing) -> None:
    """Both answer a good request afterwards, the gateway with its sidecar's answer."""
    process = request("POST", "/api/v1/analysis/process", json.dumps({"samples": _samples(100)}).encode())
    try:
        await _answer(sidecar, request("POST", "/infer", json.dumps(_INFER.document).encode()), 5)
        # The circuit may be open for a moment: the fuzzing was heavy.
        for _ in range(40):
            if json.loads(await _answer(gateway, process, 5))["source"] == "sidecar":
                return
            await asyncio.sleep(0.5)
        result.faults.append("the sidecar no longer answers through the gateway")
    except (OSError, TimeoutError, asyncio.IncompleteReadError) as failure:
        result.faults.append(f"a good request is not answered any more: {failure!r}")


def main() -> None:
    """Fuzz for as long as was asked for."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--minutes", type=float, default=1.0)
    words.add_argument("--seed", type=int, default=1)
    given = words.parse_args()
    with TemporaryDirectory(prefix="edgeinfer-fuzz-") as folder:
        result = asyncio.run(fuzz(Path(folder), given.minutes * 60, given.seed))
    sys.stdout.write(f"{result}\n")
    sys.exit(1 if result.faults else 0)


if __name__ == "__main__":
    main()
