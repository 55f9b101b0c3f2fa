"""Input quality: which streams have which problem of their sensor, published now and then with bounded labels."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from time import monotonic
from typing import NamedTuple

import numpy as np

from edgeinfer.catalog import input_streams, labels
from edgeinfer.gateway.instruments import GatewayInstruments
from edgeinfer.gateway.resampling import LIMITS
from edgeinfer.gateway.sensor_values import value_problems
from edgeinfer.gateway.sessions import SHORT_ID, Session
from edgeinfer.gateway.stream import Stream
from edgeinfer.gateway.stream_account import StreamAccount, Timing

INTERVAL_SECONDS = 10.0
_LOOK_BACK = 6  # intervals: a minute
_LOSS_LOOK_BACK = 18  # three minutes, because a radio link loses samples in bursts, and has minutes without
_JUMP_LOOK_BACK = 60  # intervals: ten minutes, because one jump is over at once
_ROWS = 1000
_ACTIVE_SECONDS = 60.0
_MAX_NAMED = 20
_STREAMS_AT_ONCE = 4

_DROPPED_SHARE = 0.02
_DUPLICATE_SHARE = 0.1
_REORDERED_SHARE = 0.01
_JITTER_PERIODS = 0.25
_OFFSET_SECONDS = 10.0
_SPARSE_SHARE = 0.8


@dataclass(slots=True)
class _History:
    """Snapshots of an account, one each interval, the newest last."""

    accounts: "deque[StreamAccount]" = field(default_factory=lambda: deque(maxlen=_JUMP_LOOK_BACK + 1))

    def before(self, intervals: int) -> StreamAccount:
        """The account so many intervals ago, or as the stream began."""
        return self.accounts[-1 - intervals] if len(self.accounts) > intervals else StreamAccount()


def timing_problems(
    account: StreamAccount,
    timing: Timing | None,
    minute_ago: StreamAccount,
    three_minutes_ago: StreamAccount,
    ten_minutes_ago: StreamAccount,
) -> tuple[str, ...]:
    """What is wrong with the times of a stream, judged on its newest ten seconds and its counts of the last minutes."""
    accepted = account.accepted - minute_ago.accepted
    dropped = account.dropped - three_minutes_ago.dropped
    due = account.accepted - three_minutes_ago.accepted + dropped
    duplicates = account.duplicates - minute_ago.duplicates
    offset = account.clock_offset_seconds
    period = account.period_seconds or 0.0
    has_jitter = timing is not None and 0 < _JITTER_PERIODS * period < timing.jitter_seconds
    # Uneven steps look like holes one by one; samples are missing only if there are fewer of them as well.
    is_sparse = not has_jitter or (timing is not None and timing.rate_hz * period < _SPARSE_SHARE)
    found = {
        "low_rate": timing is not None and timing.rate_hz < LIMITS.min_rate_hz,
        "jitter": has_jitter,
        "dropped_samples": is_sparse and dropped > _DROPPED_SHARE * due,
        "duplicates": duplicates > _DUPLICATE_SHARE * (accepted + duplicates),
        "reordered": account.reordered - minute_ago.reordered > _REORDERED_SHARE * accepted,
        "clock_jumps": account.clock_jumps > ten_minutes_ago.clock_jumps,
        "clock_offset": offset is not None and abs(offset) > _OFFSET_SECONDS,
    }
    return tuple(problem for problem, is_so in found.items() if is_so)


class Judgement(NamedTuple):
    """What was found about a stream.

    Args:
        problems: everything that is wrong with it.
        timing: of its newest samples; None before three of them.
    """

    problems: tuple[str, ...]
    timing: Timing | None


def judge(stream: Stream, history: "_History | None" = None) -> Judgement:
    """Look at a stream as it is now."""
    history, timing = history or _History(), stream.timing
    ago = map(history.before, (_LOOK_BACK, _LOSS_LOOK_BACK, _JUMP_LOOK_BACK))
    problems = timing_problems(stream.account, timing, *ago)
    return Judgement((*problems, *value_problems(stream.current.values[-_ROWS:])), timing)


class QualityWatch:
    """Judges every stream that gets samples, once each interval.

    Args:
        sessions: all sessions under way.
        instruments: where it is published.
        clock: monotonic seconds, as in the accounts of the streams.
    """

    def __init__(
        self,
        sessions: Callable[[], list[Session]],
        instruments: GatewayInstruments,
        *,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._sessions = sessions
        self._instruments = instruments
        self._clock = clock
        self._histories: dict[tuple[str, str], _History] = {}
        self._found: dict[tuple[str, str], tuple[str, ...]] = {}

    def problems_of(self, session: Session, stream: Stream) -> tuple[str, ...]:
        """Everything that is wrong with a stream of a session now."""
        return self._judge(session, stream).problems

    def _judge(self, session: Session, stream: Stream) -> Judgement:
        return judge(stream, self._histories.get((session.id, stream.role)))

    def judged(self, session: Session, stream: Stream) -> tuple[str, ...]:
        """What the newest judgement found: at most an interval old, and nothing of a stream that is silent."""
        return self._found.get((session.id, stream.role), ())

    def step(self) -> None:
        """Judge every stream that got samples lately, and publish counts, names and timing."""
        for _ in self.portions():
            pass

    def portions(self) -> Iterator[None]:
        """The same, a few streams at a time: requests need not wait until all are judged."""
        now = self._clock()
        active = [
            (session, stream)
            for session in self._sessions()
            for stream in session.streams.values()
            if stream.account.newest_arrived is not None and now - stream.account.newest_arrived < _ACTIVE_SECONDS
        ]
        judged: list[Judgement] = []
        for session, stream in active:
            judged.append(self._judge(session, stream))
            if len(judged) % _STREAMS_AT_ONCE == 0:
                yield
        keys = [(session.id, stream.role) for session, stream in active]
        self._found = {key: judgement.problems for key, judgement in zip(keys, judged, strict=True)}
        self._remember(active)
        self._publish_counts(self._found)
        self._publish_named(self._found)
        self._publish_timing([stream for _, stream in active], [one.timing for one in judged if one.timing is not None])

    def _remember(self, active: list[tuple[Session, Stream]]) -> None:
        kept = {(session.id, stream.role): stream for session, stream in active}
        self._histories = {key: history for key, history in self._histories.items() if key in kept}
        for key, stream in kept.items():
            self._histories.setdefault(key, _History()).accounts.append(replace(stream.account))

    def _publish_counts(self, found: dict[tuple[str, str], tuple[str, ...]]) -> None:
        self._instruments.streams_receiving.set(len(found))
        for problem in labels.SENSOR_PROBLEMS:
            count = sum(problem in problems for problems in found.values())
            self._instruments.streams_with_problem[problem].set(count)

    def _publish_named(self, found: dict[tuple[str, str], tuple[str, ...]]) -> None:
        readings = self._instruments.readings
        readings.withdraw(input_streams.STREAM_PROBLEM)
        named = [
            (problem, session_id[:SHORT_ID], role)
            for (session_id, role), problems in found.items()
            for problem in problems
            if problem in labels.SENSOR_FAULTS
        ]
        for problem, session, role in named[:_MAX_NAMED]:
            readings.publish(input_streams.STREAM_PROBLEM, 1, problem, session, role)

    def _publish_timing(self, streams: list[Stream], timings: list[Timing]) -> None:
        offsets = [
            abs(stream.account.clock_offset_seconds)
            for stream in streams
            if stream.account.clock_offset_seconds is not None
        ]
        for metric, values in (
            (input_streams.STREAM_RATE, [timing.rate_hz for timing in timings]),
            (input_streams.STREAM_JITTER, [timing.jitter_seconds for timing in timings]),
            (input_streams.STREAM_CLOCK_OFFSET, offsets),
        ):
            self._instruments.readings.withdraw(metric)
            for of, value in _spread(values).items():
                self._instruments.readings.publish(metric, value, of)


def _spread(values: list[float]) -> dict[str, float]:
    if not values:
        return {}
    return {"min": min(values), "median": float(np.median(values)), "max": max(values)}


async def watch_quality(watch: QualityWatch, *, interval_seconds: float = INTERVAL_SECONDS) -> None:
    """Judge the streams now and then, until cancelled."""
    while True:
        for _ in watch.portions():
            await asyncio.sleep(0)
        await asyncio.sleep(interval_seconds)
