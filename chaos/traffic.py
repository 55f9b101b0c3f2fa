"""The users of a chaos run: phones that lose nothing, and open analyses that show what is lost at once."""

import asyncio
import random
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Self

import aiohttp

from edgeinfer.loadgen.client import GatewayClient, LoadAnswer
from edgeinfer.loadgen.phone import Phone, Tally
from edgeinfer.loadgen.profile import Profile
from edgeinfer.loadgen.records import RequestRecord
from edgeinfer.loadgen.runner import Runner
from edgeinfer.loadgen.sample_source import SampleSource

_PHONES = 2
# A request is lost when it gets no answer; one that is only slow, on a busy machine, is not.
_OPEN = Profile("chaos", users=3, seconds=1e9, process_per_second=4.0, timeout_seconds=15.0, streams=False)
# After this many good answers in a row the service has recovered.
_GOOD_IN_A_ROW = 10
_LOOK_SECONDS = 0.05
_PATIENCE = 3


_QUIET = LoadAnswer(0, "quiet")


class _PhoneClient(GatewayClient):
    """Sends nothing while the users are paused; a phone's requests wait."""

    def __init__(self, http: aiohttp.ClientSession, base_url: str, speaking: asyncio.Event) -> None:
        super().__init__(http, base_url)
        self._speaking = speaking

    async def _call(self, method: str, path: str, body: bytes | None = None) -> LoadAnswer:
        await self._speaking.wait()
        return await super()._call(method, path, body)


class _PatientClient(_PhoneClient):
    """Retries after Retry-After, as phones do: a request that is shed is not lost yet."""

    async def process(self, body: bytes) -> LoadAnswer:
        if not self._speaking.is_set():
            return _QUIET
        for _ in range(_PATIENCE):
            answer = await super().process(body)
            if answer.failure != "overloaded":
                return answer
            await asyncio.sleep(answer.retry_after_seconds)
        return answer


class Traffic:
    """The phones and the open analyses, which run while this context is open.

    Args:
        gateway_url: base URL of the API.
        feeds: recordings, looped.
        clock: monotonic seconds.
    """

    def __init__(self, gateway_url: str, feeds: Sequence[SampleSource], clock: Callable[[], float] = monotonic) -> None:
        self.tally = Tally()
        self.arrived: list[tuple[float, RequestRecord]] = []
        """Open analyses with the moment of their end."""
        self._speaking = asyncio.Event()
        self._speaking.set()
        self._url = gateway_url
        self._feeds = feeds
        self._clock = clock
        self._phones: list[Phone] = []
        self._runner: Runner | None = None
        self._http: aiohttp.ClientSession | None = None
        self._tasks: list[asyncio.Task[object]] = []

    async def __aenter__(self) -> Self:
        timeout = aiohttp.ClientTimeout(total=_OPEN.timeout_seconds)
        self._http = aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(limit=0))
        gateway = _PhoneClient(self._http, self._url, self._speaking)
        patient = _PatientClient(self._http, self._url, self._speaking)
        jitter = random.Random(1)  # noqa: S311 - repeatable pauses, guards nothing
        self._phones = [Phone(gateway, feed, self.tally, jitter=jitter) for feed in self._feeds[:_PHONES]]
        self._runner = Runner(patient, self._feeds, self._clock)
        self._tasks = [asyncio.create_task(phone.run()) for phone in self._phones]
        self._tasks.append(asyncio.create_task(self._runner.run(_OPEN, self._take)))
        return self

    async def __aexit__(self, *_: object) -> None:
        """End the sessions, so that the gateway reports how many samples it has."""
        self.resume()
        for phone in self._phones:
            phone.stop()
        if self._runner:
            self._runner.stop()
        await asyncio.gather(*self._tasks)
        if self._http:
            await self._http.close()

    def pause(self) -> None:
        """Pause all requests, until `resume`."""
        self._speaking.clear()

    def resume(self) -> None:
        """Resume the requests that `pause` paused."""
        self._speaking.set()

    def _take(self, record: RequestRecord) -> None:
        if record.failure != _QUIET.failure:
            self.arrived.append((self._clock(), record))

    async def wait_until_good(self, since: float, seconds: float) -> float | None:
        """The moment of the first of ten answers in a row that a sidecar gave; None when there is none in time."""
        give_up = self._clock() + seconds
        while (moment := self._good_since(since)) is None:
            if self._clock() > give_up:
                return None
            await asyncio.sleep(_LOOK_SECONDS)
        return moment

    def _good_since(self, since: float) -> float | None:
        streak: list[float] = []
        for at, record in self.arrived:
            if at < since:
                continue
            if record.is_success and record.source == "sidecar":
                streak.append(at)
                if len(streak) == _GOOD_IN_A_ROW:
                    return streak[0]
            else:
                streak.clear()
        return None

    def due_between(self, start: float, end: float) -> list[RequestRecord]:
        """Open analyses that were due in a span of time."""
        return [record for at, record in self.arrived if start <= at - record.latency <= end]
