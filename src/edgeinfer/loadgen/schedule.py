"""When each request is due, before any is sent: slow answers cannot thin out what comes after them."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import count, takewhile

from edgeinfer.loadgen.profile import Profile
from edgeinfer.loadgen.sample_source import BATCH_SAMPLES, WINDOW_SAMPLES


class Operation(StrEnum):
    """A call that a phone makes to a gateway."""

    START = "start"
    STREAM = "stream"
    MOTIFS = "motifs"
    PROCESS = "process"
    SYNCHRONY = "synchrony"
    STOP = "stop"


ANALYSES = (Operation.MOTIFS, Operation.PROCESS)


@dataclass(frozen=True, slots=True)
class Due:
    """One request that is due.

    Args:
        at_seconds: since the run began.
        operation: the call to make.
        first_sample: of a stream or process request, where in the recording its samples begin.
    """

    at_seconds: float
    operation: Operation
    first_sample: int = 0


def session_schedule(profile: Profile, user: int, rate_hz: float = 100.0) -> Iterator[Due]:
    """The ordered requests of one user's session, by due time; a phone sends them one after the other.

    Users begin at random moments of the first second, as people do.
    A question for motifs is due with the batch that completes a window of new samples.
    """
    if not profile.streams:
        return
    begin = _random(profile, user, "begin").random()
    batch_seconds = BATCH_SAMPLES / rate_hz / profile.speed
    next_synchrony = profile.synchrony_seconds
    yield Due(begin, Operation.START)
    for batch in range(1, int((profile.seconds - begin) / batch_seconds) + 1):
        elapsed = batch * batch_seconds
        samples = batch * BATCH_SAMPLES
        yield Due(begin + elapsed, Operation.STREAM, samples - BATCH_SAMPLES)
        if samples % WINDOW_SAMPLES == 0:
            yield Due(begin + elapsed, Operation.MOTIFS)
        if elapsed >= next_synchrony and samples >= WINDOW_SAMPLES:
            yield Due(begin + elapsed, Operation.SYNCHRONY)
            next_synchrony += profile.synchrony_seconds
    yield Due(profile.seconds, Operation.STOP)


def process_schedule(profile: Profile, user: int) -> Iterator[Due]:
    """Analyses without a session: independent arrivals at random moments (Poisson)."""
    if profile.process_per_second <= 0:
        return
    source = _random(profile, user, "process")

    def arrivals() -> Iterator[float]:
        at = 0.0
        while True:
            at += source.expovariate(profile.process_per_second)
            yield at

    for number, at in zip(count(), takewhile(lambda at: at < profile.seconds, arrivals()), strict=False):
        yield Due(at, Operation.PROCESS, number * WINDOW_SAMPLES)


def _random(profile: Profile, user: int, purpose: str) -> random.Random:
    return random.Random(f"{profile.seed}/{user}/{purpose}")  # noqa: S311 - repeatable moments, guards nothing
