"""Sends the requests of a schedule when they are due, and records the results."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from time import perf_counter, process_time

from edgeinfer.loadgen.client import GatewayClient, LoadAnswer
from edgeinfer.loadgen.profile import Profile
from edgeinfer.loadgen.records import NO_SESSION, NOT_SENT, RequestRecord
from edgeinfer.loadgen.sample_source import BATCH_SAMPLES, WINDOW_SAMPLES, SampleSource
from edgeinfer.loadgen.schedule import Due, Operation, process_schedule, session_schedule

_SESSION_GONE = ("unknown_session", "stopped_session")
_LOOK_UP_SECONDS = 0.5  # a plain sleep is cheaper than one that an event can end
_LEAD_SECONDS = 0.2  # time to build the lanes before the first request is due


@dataclass(slots=True)
class SessionAccount:
    """Samples sent to one session, and the number that the gateway reports."""

    session_id: str
    acknowledged: int = 0
    unanswered: int = 0
    """Samples of requests that got no answer: whether they were stored is unknown."""
    according_to_gateway: int | None = None
    """None where the session could not be stopped."""

    @property
    def lost(self) -> int:
        """Acknowledged samples that the gateway does not know of."""
        return 0 if self.according_to_gateway is None else max(0, self.acknowledged - self.according_to_gateway)


@dataclass(slots=True)
class Run:
    """The result of a run.

    Args:
        profile: what was requested.
        records: where each finished request goes.
    """

    profile: Profile
    records: Callable[[RequestRecord], None]
    sessions: list[SessionAccount] = field(default_factory=list)
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    """CPU time of the generator itself."""


class Runner:
    """Plays users against one gateway.

    Args:
        gateway: the client.
        feeds: recordings, looped; users take them in turn.
        clock: monotonic seconds.
    """

    def __init__(
        self, gateway: GatewayClient, feeds: Sequence[SampleSource], clock: Callable[[], float] = perf_counter
    ) -> None:
        self._gateway = gateway
        self._feeds = feeds
        self._clock = clock
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Let requests under way finish and end the sessions; what is due later is not sent."""
        self._stopping.set()

    async def run(self, profile: Profile, records: Callable[[RequestRecord], None]) -> Run:
        """Play a profile to its end; each record is passed on when its request has finished."""
        run = Run(profile, records)
        began = self._clock()
        cpu_before = process_time()
        origin = began + _LEAD_SECONDS
        async with asyncio.TaskGroup() as users:
            for user in range(profile.users):
                feed = self._feeds[user % len(self._feeds)]
                lane = _Lane(self._gateway, feed, run, _Pace(origin, self._clock, self._stopping))
                users.create_task(lane.play_session(session_schedule(profile, user, feed.rate_hz)))
                users.create_task(lane.play_process(process_schedule(profile, user)))
        run.seconds = self._clock() - origin
        run.cpu_seconds = process_time() - cpu_before
        return run


@dataclass(frozen=True, slots=True)
class _Pace:
    """The time of a run, from its first moment on."""

    origin: float
    clock: Callable[[], float]
    stopping: asyncio.Event

    def now(self) -> float:
        return self.clock() - self.origin

    async def wait_until(self, at_seconds: float) -> bool:
        """Sleep until then; returns whether the run still continues."""
        while (wait := at_seconds - self.now()) > 0 and not self.stopping.is_set():  # noqa: ASYNC110 - see above
            await asyncio.sleep(min(wait, _LOOK_UP_SECONDS))
        return not self.stopping.is_set()


class _Lane:
    """One user: a session whose requests follow one another, and analyses that do not wait for one another."""

    def __init__(self, gateway: GatewayClient, feed: SampleSource, run: Run, pace: _Pace) -> None:
        self._gateway = gateway
        self._feed = feed
        self._run = run
        self._pace = pace
        self._account: SessionAccount | None = None

    async def play_session(self, schedule: Iterator[Due]) -> None:
        free_at = 0.0
        for due in schedule:
            if not await self._pace.wait_until(due.at_seconds):
                if self._account:
                    await self._perform(Due(self._pace.now(), Operation.STOP), self._pace.now())
                return
            if self._account is None and due.operation not in {Operation.START, Operation.STOP}:
                free_at = await self._perform(Due(due.at_seconds, Operation.START), max(due.at_seconds, free_at))
            free_at = await self._perform(due, max(due.at_seconds, free_at))

    async def play_process(self, schedule: Iterator[Due]) -> None:
        async with asyncio.TaskGroup() as requests:
            for due in schedule:
                if not await self._pace.wait_until(due.at_seconds):
                    return
                requests.create_task(self._perform(due, due.at_seconds))

    async def _perform(self, due: Due, ready_at: float) -> float:
        """Send one request; gives the time at which it was done."""
        sent = self._pace.now()
        if sent - due.at_seconds > self._run.profile.timeout_seconds and due.operation is not Operation.STOP:
            answer = LoadAnswer(0, NOT_SENT)
        else:
            answer = await self._send(due)
        done = self._pace.now()
        source = str(answer.document.get("source", "")) if answer.is_success else ""
        lag = max(0.0, sent - ready_at)
        self._run.records(
            RequestRecord(due.operation, due.at_seconds, sent, done, lag, answer.status, answer.failure, source)
        )
        return done

    async def _send(self, due: Due) -> LoadAnswer:
        if due.operation is Operation.PROCESS:
            return await self._gateway.process(self._feed.cut(due.first_sample, WINDOW_SAMPLES).as_process_body())
        if due.operation is Operation.START:
            return await self._start()
        if self._account is None:
            return LoadAnswer(0, NO_SESSION)
        answer = await self._send_in_session(due, self._account)
        if answer.failure in _SESSION_GONE:
            self._account = None
        return answer

    async def _start(self) -> LoadAnswer:
        answer = await self._gateway.start()
        if answer.is_success:
            self._account = SessionAccount(str(answer.document.get("sessionId", "")))
            self._run.sessions.append(self._account)
        return answer

    async def _send_in_session(self, due: Due, account: SessionAccount) -> LoadAnswer:
        match due.operation:
            case Operation.STREAM:
                body = self._feed.cut(due.first_sample, BATCH_SAMPLES).as_stream_body(account.session_id)
                answer = await self._gateway.stream(body)
                account.acknowledged += BATCH_SAMPLES * answer.is_success
                account.unanswered += BATCH_SAMPLES * (answer.status == 0)
            case Operation.MOTIFS:
                answer = await self._gateway.motifs(account.session_id)
            case Operation.SYNCHRONY:
                answer = await self._gateway.synchrony(account.session_id)
            case _:
                answer = await self._gateway.stop(account.session_id)
                if answer.is_success:
                    account.according_to_gateway = int(answer.document.get("totalSamples", 0))
        return answer
