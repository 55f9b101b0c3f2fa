"""A phone whose sensor is at fault, next to the phones that are not."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from time import monotonic

import aiohttp

from chaos.actions.action import Testbed, Users

_API = "/api/v1/analysis"
_BATCH_SECONDS = 0.5
_SAMPLES = 50


@dataclass(frozen=True, slots=True)
class SensorInG:
    """One more phone streams accelerations in g in place of m/s²."""

    @asynccontextmanager
    async def applied(self, testbed: Testbed, _: Users) -> AsyncIterator[None]:
        """Apply it, and undo it at the end."""
        async with aiohttp.ClientSession(testbed.gateway_url) as http:
            streaming = asyncio.create_task(_stream(http))
            try:
                yield
            finally:
                streaming.cancel()
                await asyncio.gather(streaming, return_exceptions=True)


async def _stream(http: aiohttp.ClientSession) -> None:
    """Stream until cancelled, and then end the session."""
    noise = random.Random(1)  # noqa: S311 - repeatable movement, guards nothing
    async with http.post(f"{_API}/start", json={}) as started:
        session_id = (await started.json())["sessionId"]
    began = monotonic()
    try:
        while True:
            await asyncio.sleep(_BATCH_SECONDS)
            newest = monotonic() - began
            samples = [_sample(newest - (_SAMPLES - 1 - index) * 0.01, noise) for index in range(_SAMPLES)]
            with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                async with http.put(f"{_API}/stream", json={"sessionId": session_id, "samples": samples}):
                    pass
    finally:
        with contextlib.suppress(aiohttp.ClientError, TimeoutError):
            async with http.post(f"{_API}/stop", json={"sessionId": session_id}):
                pass


def _sample(seconds: float, noise: random.Random) -> dict[str, float]:
    motion = {name: noise.gauss(0.0, 0.05) for name in ("ay", "az", "gx", "gy", "gz")}
    return {"t": round(seconds, 2), "ax": 1.0 + noise.gauss(0.0, 0.05), **motion, "mx": 0.0, "my": 0.0, "mz": 0.0}
