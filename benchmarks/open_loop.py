"""Open-loop load: each request is sent when it is due, and its latency counts from that moment.

A closed loop waits for a slow server and so hides how long all other clients would have waited; this one does not.
"""

import asyncio
import random
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass

import uvloop

from edgeinfer.errors import SidecarError
from edgeinfer.gateway.http_client import HttpTransport
from edgeinfer.gateway.transport import parse_target

_GIVE_UP_SECONDS = 5.0
_CONNECTIONS = 128


@dataclass(frozen=True, slots=True)
class Arrivals:
    """The results of the requests of one rate."""

    offered: int
    answered: int
    seconds: float
    p50_ms: float
    p99_ms: float
    late_ms: float
    """99th percentile of how much later than due the generator itself sent."""

    @property
    def goodput(self) -> float:
        """Answers with status 200 a second."""
        return self.answered / self.seconds


@dataclass(frozen=True, slots=True)
class Question:
    """The request that is sent each time."""

    url: str
    content_type: str
    body: bytes

    @property
    def headers(self) -> dict[str, str]:
        """The answer is wanted in the same form."""
        return {"Content-Type": self.content_type, "Accept": self.content_type}


def run_open_loop(question: Question, *, rate: float, seconds: float, seed: int = 1) -> Arrivals:
    """Offer requests at random moments (Poisson) of this mean rate, the same ones for each server."""
    return uvloop.run(_offer(question, list(_moments(rate, seconds, seed)), seconds))


def _moments(rate: float, seconds: float, seed: int) -> Iterator[float]:
    chance, moment = random.Random(seed), 0.0  # noqa: S311 - repeatable, not secret
    while (moment := moment + chance.expovariate(rate)) < seconds:
        yield moment


async def _offer(question: Question, moments: list[float], seconds: float) -> Arrivals:
    transport = HttpTransport(parse_target(question.url), connections=_CONNECTIONS)
    waits: list[float] = []
    lateness: list[float] = []
    started = time.perf_counter() + 0.05

    async def ask(due: float) -> None:
        lateness.append(time.perf_counter() - due)
        try:
            answer = await transport.post(question.body, question.headers, _GIVE_UP_SECONDS)
        except SidecarError:
            return
        if answer.status == 200:
            waits.append(time.perf_counter() - due)

    async with asyncio.TaskGroup() as group:
        for moment in moments:
            due = started + moment
            if (pause := due - time.perf_counter()) > 0:
                await asyncio.sleep(pause)
            group.create_task(ask(due))
    elapsed = max(seconds, time.perf_counter() - started)
    await transport.close()
    answered, sent_late = percentiles_ms(waits), percentiles_ms(lateness)
    return Arrivals(len(moments), len(waits), elapsed, *answered, late_ms=sent_late[1])


def percentiles_ms(seconds: list[float]) -> tuple[float, float]:
    """Median and 99th percentile in milliseconds, or NaN where hardly anything was measured."""
    if len(seconds) < 2:
        return float("nan"), float("nan")
    cuts = statistics.quantiles(seconds, n=100, method="inclusive")
    return 1e3 * cuts[49], 1e3 * cuts[98]
