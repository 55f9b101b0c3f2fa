"""A phone in a session: streams what its sensor gives, requests motifs, and loses nothing while the gateway is away."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from edgeinfer.loadgen.client import GatewayClient, LoadAnswer
from edgeinfer.loadgen.sample_source import WINDOW_SAMPLES, Batch, SampleSource

BUFFERED_BATCHES = 240  # a minute of sensor data in batches of 25 samples
WINDOWS_PER_SYNCHRONY = 10
_FIRST_PAUSE_SECONDS = 0.2
_MAX_PAUSE_SECONDS = 5.0
_SESSION_GONE = ("unknown_session", "stopped_session")


@dataclass(slots=True)
class Tally:
    """What a phone sent and got so far."""

    sessions: int = 0
    samples: int = 0
    """Acknowledged by the gateway, each counted once."""
    batches: int = 0
    duplicates: int = 0
    """Retried batches that the gateway reported as duplicates: stored, and counted once."""
    retries: int = 0
    windows: Counter[str] = field(default_factory=Counter)
    """Analysed windows by source."""
    backends: Counter[str] = field(default_factory=Counter)
    motifs: Counter[str] = field(default_factory=Counter)
    """Windows by their most likely motif."""
    activities: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Windows by what was done, where that is known, and the name of their most likely motif."""
    synchrony: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    """Answers other than success, by class; a retried request may be counted here and still have succeeded."""
    refused_samples: int = 0
    """Samples that the gateway refused for good."""
    unsent_samples: int = 0
    """Samples still buffered when the phone was stopped."""
    stored_samples: int = 0
    """Samples that the gateway reports for the stopped sessions."""
    session: dict[str, Any] = field(default_factory=dict)
    """What the gateway knew about the newest session when it ended."""
    is_connected: bool = True

    def as_document(self) -> dict[str, Any]:
        """The tally as a JSON object."""
        return {
            "sessions": self.sessions,
            "samples": self.samples,
            "batches": self.batches,
            "duplicates": self.duplicates,
            "retries": self.retries,
            "windows": sum(self.windows.values()),
            "windows_by_source": dict(self.windows),
            "windows_by_backend": dict(self.backends),
            "windows_by_motif": dict(self.motifs),
            "windows_by_activity": _by_activity(self.activities),
            "synchrony": self.synchrony,
            "failures": dict(self.failures),
            "refused_samples": self.refused_samples,
            "unsent_samples": self.unsent_samples,
            "samples_according_to_gateway": self.stored_samples,
            "newest_session": self.session,
        }


class Phone:
    """Replays a feed to a gateway in real time.

    Samples are due by the clock, whether or not the gateway answers; up to `buffered_batches` wait, then the
    recording waits too.
    A batch is sent until the gateway has it, so motifs are requested exactly when all 100 samples of a window are new.

    Args:
        gateway: where to send.
        feed: what to send.
        tally: where to count.
        speed: 2 sends two seconds of the recording each second.
        buffered_batches: how many batches may wait for a gateway that is away.
        clock: monotonic seconds.
        jitter: random numbers that keep many phones from coming back at the same instant.
    """

    def __init__(  # noqa: PLR0913 - the seams have defaults
        self,
        gateway: GatewayClient,
        feed: SampleSource,
        tally: Tally,
        *,
        speed: float = 1.0,
        buffered_batches: int = BUFFERED_BATCHES,
        clock: Callable[[], float] = monotonic,
        jitter: random.Random | None = None,
    ) -> None:
        self._gateway = gateway
        self._feed = feed
        self._tally = tally
        self._speed = speed
        self._buffered_batches = buffered_batches
        self._clock = clock
        self._jitter = jitter or random.Random()  # noqa: S311 - spreads retries, guards nothing
        self._session_id = ""
        self._samples_in_session = 0
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Let the request under way finish, then end the session."""
        self._stopping.set()

    async def run(self) -> None:
        """Send the whole feed, or until `stop`, and end the session."""
        queue: asyncio.Queue[Batch | None] = asyncio.Queue(self._buffered_batches)
        sensor = asyncio.create_task(self._measure(queue))
        try:
            async for batch in _taken_from(queue, self._stopping):
                await self._deliver(batch)
        finally:
            sensor.cancel()
            self._tally.unsent_samples += _drain(queue)
            await self._end_session()

    async def _measure(self, queue: "asyncio.Queue[Batch | None]") -> None:
        started = self._clock()
        for batch in self._feed.batches():
            due = started + (batch.first_index + batch.count) / self._feed.rate_hz / self._speed
            await asyncio.sleep(max(0.0, due - self._clock()))
            if queue.full():
                await queue.put(batch)
                # The recording waited: what follows is due from here on, not all at once.
                started += self._clock() - due
            else:
                queue.put_nowait(batch)
        await queue.put(None)

    async def _deliver(self, batch: Batch) -> None:
        """Send a batch until the gateway has it; nothing is sent twice that it acknowledged."""

        async def send() -> LoadAnswer:
            if not self._session_id and not (started := await self._start_session()).is_success:
                return started
            return await self._gateway.stream(batch.as_stream_body(self._session_id))

        answer = await self._persist(send)
        if answer.is_success:
            self._tally.duplicates += bool(answer.document.get("skipped")) and not answer.document.get("accepted")
            self._tally.samples += batch.count
            self._tally.batches += 1
            self._samples_in_session += batch.count
            if self._samples_in_session % WINDOW_SAMPLES == 0:
                await self._ask()
        elif answer.failure in _SESSION_GONE:
            self._session_id = ""
            await self._deliver(batch)
        elif self._stopping.is_set():
            self._tally.unsent_samples += batch.count
        else:
            self._tally.refused_samples += batch.count

    async def _ask(self) -> None:
        answer = await self._persist(lambda: self._gateway.motifs(self._session_id))
        if answer.is_success:
            self._tally.windows[str(answer.document.get("source", "unknown"))] += 1
            self._tally.backends[str(answer.document.get("backend", "unknown"))] += 1
            self._tally.motifs[_top_motif(answer.document)] += 1
            if activity := str(answer.document.get("activity", "")):
                self._tally.activities[activity, str(answer.document["motifs"][0]["name"])] += 1
        if self._samples_in_session % (WINDOW_SAMPLES * WINDOWS_PER_SYNCHRONY) == 0:
            answer = await self._gateway.synchrony(self._session_id)
            self._tally.synchrony += answer.is_success
            self._note(answer)

    async def _persist(self, send: "Callable[[], Any]") -> LoadAnswer:
        """Repeat a request while it may pass, with growing pauses, until stopped."""
        pause = _FIRST_PAUSE_SECONDS
        while True:
            answer: LoadAnswer = await send()
            self._note(answer)
            if not answer.may_pass or self._stopping.is_set():
                return answer
            self._tally.retries += 1
            wait = max(answer.retry_after_seconds, pause * (0.5 + self._jitter.random()))
            await _wait_for(self._stopping, wait)
            pause = min(_MAX_PAUSE_SECONDS, pause * 2)

    def _note(self, answer: LoadAnswer) -> None:
        self._tally.is_connected = answer.status != 0
        if not answer.is_success:
            self._tally.failures[answer.failure] += 1

    async def _start_session(self) -> LoadAnswer:
        answer = await self._gateway.start()
        if answer.is_success:
            self._session_id = str(answer.document.get("sessionId", ""))
            self._samples_in_session = 0
            self._tally.sessions += 1
        return answer

    async def _end_session(self) -> None:
        if not self._session_id:
            return
        about = await self._gateway.session(self._session_id)
        if about.is_success:
            self._tally.session = about.document
        answer = await self._persist(lambda: self._gateway.stop(self._session_id))
        self._tally.stored_samples += int(answer.document.get("totalSamples", 0))
        self._session_id = ""


def _by_activity(activities: "Counter[tuple[str, str]]") -> dict[str, dict[str, int]]:
    """What was done, and how often the model said what."""
    found: dict[str, dict[str, int]] = {}
    for (done, said), count in activities.most_common():
        found.setdefault(done, {})[said] = count
    return found


def _top_motif(document: dict[str, Any]) -> str:
    motifs = document.get("motifs") or [{}]
    return str(motifs[0].get("description") or motifs[0].get("id", "unknown"))


async def _wait_for(event: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return


async def _taken_from(queue: "asyncio.Queue[Batch | None]", stopping: asyncio.Event) -> AsyncIterator[Batch]:
    """Batches of a queue until its end or until stopped."""
    stop = asyncio.create_task(stopping.wait())
    try:
        while not stopping.is_set():
            take = asyncio.create_task(queue.get())
            await asyncio.wait((take, stop), return_when=asyncio.FIRST_COMPLETED)
            if not take.done():
                take.cancel()
                return
            batch = take.result()
            if batch is None:
                return
            yield batch
    finally:
        stop.cancel()


def _drain(queue: "asyncio.Queue[Batch | None]") -> int:
    samples = 0
    while not queue.empty():
        batch = queue.get_nowait()
        samples += batch.count if batch else 0
    return samples
