"""What a call to a sidecar costs its caller: our client, aiohttp and httpx, against a sidecar with constants.

Run as `python -m benchmarks.gateway_clients`. CPU time of the calling process is the figure to compare;
rounds are interleaved and the median is reported.
"""

import statistics
import time
from collections.abc import Awaitable, Callable

import aiohttp
import httpx
import uvloop

from benchmarks.processes import free_port, running
from edgeinfer.gateway.http_client import HttpTransport
from edgeinfer.gateway.transport import parse_target

_ROUNDS = 5
_CALLS = 1000
_HEADERS = {
    "Content-Type": "application/octet-stream",
    "Accept": "application/octet-stream",
    "X-Request-Id": "0123456789abcdef",
}
_BODY = b"\0" * 3600
Call = Callable[[], Awaitable[object]]


async def _measure(call: Call) -> tuple[float, float]:
    """CPU microseconds per call of this process, and the median wall microseconds."""
    for _ in range(50):
        await call()
    walls = []
    cpu = time.process_time()
    for _ in range(_CALLS):
        started = time.perf_counter()
        await call()
        walls.append(time.perf_counter() - started)
    return (time.process_time() - cpu) / _CALLS * 1e6, statistics.median(walls) * 1e6


async def _compare(url: str) -> None:
    ours = HttpTransport(parse_target(url))
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session, httpx.AsyncClient() as client:

        async def by_aiohttp() -> bytes:
            async with session.post(url, data=_BODY, headers=_HEADERS, timeout=aiohttp.ClientTimeout(2)) as answer:
                return await answer.read()

        calls: dict[str, Call] = {
            "ours": lambda: ours.post(_BODY, _HEADERS, 2.0),
            "aiohttp": by_aiohttp,
            "httpx": lambda: client.post(url, content=_BODY, headers=_HEADERS, timeout=2.0),
        }
        rounds = [{name: await _measure(call) for name, call in calls.items()} for _ in range(_ROUNDS)]
    await ours.close()
    for name in calls:
        cpu = statistics.median(one[name][0] for one in rounds)
        wall = statistics.median(one[name][1] for one in rounds)
        print(f"{name:8} {cpu:7.0f} us of CPU per call   p50 {wall:7.0f} us")


def main() -> None:
    """Start a sidecar, compare, end it."""
    port = free_port()
    origin = f"http://127.0.0.1:{port}"
    with running(["-m", "benchmarks.constant_sidecar", str(port)], origin + "/healthz"):
        uvloop.run(_compare(origin + "/infer"))


if __name__ == "__main__":
    main()
