"""IMU samples from a body to numbers: decoded by msgspec, checked exactly.

The usual upload comes in rising time and within bounds. It is read without numpy: between two requests a processor
does other work, and each function of numpy that is not in its caches any more costs more than 25 samples do.
"""

import struct
from functools import cache
from itertools import chain
from operator import sub
from typing import Annotated, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgeinfer.errors import InputError, InvalidBody, InvalidSamples, InvalidWindow, NotEnoughSamples
from edgeinfer.gateway.clock_units import check_unit, is_plain
from edgeinfer.gateway.resampling import LENGTH, RATE_HZ, WindowSource, cut_window
from edgeinfer.model.window import CHANNELS, MAX_READING
from edgeinfer.web.json_errors import UNDECODABLE, why_not_json

WINDOW_SAMPLES = LENGTH
COLUMNS = 1 + len(CHANNELS)
SAMPLE_SECONDS = 1 / RATE_HZ
DEFAULT_ROLE = "default"
ROLE_PATTERN = r"^[a-z0-9_-]{1,32}$"
_SEE = "See GET /docs for the body of this route."
_ALL_FIELDS = f"Send t (seconds) and {', '.join(CHANNELS)} as finite numbers in each sample."
T = TypeVar("T")
# A time is bounded by what 64 bits represent to the millisecond.
_MAX_TIME = 1e12
_LARGEST = np.array([_MAX_TIME, *[MAX_READING] * len(CHANNELS)])
_TIME_BYTES = 8
_LARGEST_IN_ANY_UNIT = 1e19  # nanoseconds since 1970 are 1.8e18


_Time = Annotated[float, msgspec.Meta(ge=-_MAX_TIME, le=_MAX_TIME)]
_Reading = Annotated[float, msgspec.Meta(ge=-MAX_READING, le=MAX_READING)]


class Sample(msgspec.Struct, frozen=True, gc=False):
    """One reading: t in seconds, a in m/s², g in rad/s, m in µT."""

    t: _Time
    ax: _Reading
    ay: _Reading
    az: _Reading
    gx: _Reading
    gy: _Reading
    gz: _Reading
    mx: _Reading
    my: _Reading
    mz: _Reading


class _UnboundedSample(msgspec.Struct, frozen=True, gc=False):
    """The same in any size, to say which sample is beyond its bounds."""

    t: float
    ax: float
    ay: float
    az: float
    gx: float
    gy: float
    gz: float
    mx: float
    my: float
    mz: float


class _UnboundedBody(msgspec.Struct):
    samples: list[_UnboundedSample]


class StreamBody(msgspec.Struct, frozen=True, rename="camel"):
    """Body of PUT /stream."""

    session_id: str
    samples: list[Sample]
    window_start: float | None = None
    window_end: float | None = None
    role: Annotated[str, msgspec.Meta(extra_json_schema={"pattern": ROLE_PATTERN})] = DEFAULT_ROLE
    activity: str = ""


class ProcessBody(msgspec.Struct, frozen=True):
    """Body of POST /process."""

    samples: list[Sample]


class StopBody(msgspec.Struct, frozen=True, rename="camel"):
    """Body of POST /stop."""

    session_id: str


class RisingTimes(msgspec.Struct, frozen=True):
    """The times of samples in strictly rising order.

    Args:
        first: in seconds.
        last: in seconds.
        min_step: between two samples; infinite for one sample.
        max_step: between two samples; 0 for one sample.
    """

    first: float
    last: float
    min_step: float
    max_step: float


class Batch:
    """Samples, in rising time unless said otherwise.

    Args:
        times: (n,) float64 seconds.
        values: (n, 9) float32, channels in the order of `CHANNELS`.
    """

    __slots__ = ("_times", "_values", "count", "packed", "rising")

    def __init__(
        self,
        times: NDArray[np.float64] | None,
        values: NDArray[np.float32] | None,
        rising: RisingTimes | None = None,
        packed: tuple[bytes, bytes] | None = None,
    ) -> None:
        self._times = times
        self._values = values
        self.rising = rising
        """What is known of their times; None where nobody looked, or they do not rise."""
        self.packed = packed
        """The bytes of times and values; None where there are only arrays."""
        self.count = len(packed[0]) // _TIME_BYTES if packed is not None else len(self.times)
        """How many samples."""

    @classmethod
    def of_rising(cls, rising: RisingTimes, times: bytes, values: bytes) -> "Batch":
        """Samples whose times are known to rise, as bytes."""
        return cls(None, None, rising, (times, values))

    @property
    def times(self) -> NDArray[np.float64]:
        """(n,) seconds."""
        if self._times is None:
            self._times = np.frombuffer(self._bytes[0], np.float64)
        return self._times

    @property
    def values(self) -> NDArray[np.float32]:
        """(n, 9)."""
        if self._values is None:
            self._values = np.frombuffer(self._bytes[1], np.float32).reshape(-1, len(CHANNELS))
        return self._values

    @property
    def _bytes(self) -> tuple[bytes, bytes]:
        assert self.packed is not None  # noqa: S101 - made of arrays or of bytes
        return self.packed

    def __len__(self) -> int:
        return self.count


_stream = msgspec.json.Decoder(StreamBody)
_process = msgspec.json.Decoder(ProcessBody)
_stop = msgspec.json.Decoder(StopBody)
_unbounded = msgspec.json.Decoder(_UnboundedBody)


def decode_stream(body: bytes) -> StreamBody:
    """The body of PUT /stream.

    Raises:
        InvalidBody: not the documented JSON object.
        InvalidSamples: a sample that is incomplete or not made of numbers.
    """
    return _decode(_stream, body)


def decode_process(body: bytes) -> ProcessBody:
    """The body of POST /process; raises as `decode_stream` does."""
    return _decode(_process, body)


def decode_stop(body: bytes) -> StopBody:
    """The body of POST /stop; raises InvalidBody."""
    return _decode(_stop, body)


def _decode(decoder: "msgspec.json.Decoder[T]", body: bytes) -> T:
    try:
        return decoder.decode(body)
    except UNDECODABLE as failure:
        refusal = _refusal(body, failure)
        if isinstance(refusal, InvalidSamples):
            _check_bounds_of(body)
        raise refusal from failure


def _refusal(body: bytes, failure: Exception) -> InputError:
    if not isinstance(failure, msgspec.ValidationError):
        return InvalidBody("body", why_not_json(body, failure), _SEE)
    message = str(failure)
    return (
        InvalidSamples("samples", message, _ALL_FIELDS)
        if "$.samples[" in message
        else InvalidBody("body", message, _SEE)
    )


def _check_bounds_of(body: bytes) -> None:
    """Name the first sample beyond its bounds, or what is worse: text where a number belongs, or no JSON at all."""
    try:
        samples = _unbounded.decode(body).samples
    except UNDECODABLE as failure:
        raise _refusal(body, failure) from failure
    rows = np.array([msgspec.structs.astuple(sample) for sample in samples], np.float64).reshape(-1, COLUMNS)
    _check_times(rows[:, 0].copy())
    _check_finite(rows)


def read_batch(samples: list[Sample]) -> Batch:
    """Samples in the order in which they came, and their times proven to be seconds.

    Raises:
        InvalidSamples: naming the unit that t is in.
    """
    numbers = list(chain.from_iterable(map(msgspec.structs.astuple, samples)))
    times = numbers[::COLUMNS]
    del numbers[::COLUMNS]
    rising = _rising(times)
    if rising is not None and is_plain(rising.first, rising.last, len(times)):
        packed = _packer("d", len(times)).pack(*times), _packer("f", len(numbers)).pack(*numbers)
        return Batch.of_rising(rising, *packed)
    batch = Batch(np.array(times, np.float64), np.array(numbers, np.float32).reshape(-1, len(CHANNELS)))
    _check_times(batch.times)
    return batch


@cache
def _packer(kind: str, count: int) -> struct.Struct:
    return struct.Struct(f"={count}{kind}")


def _rising(times: list[float]) -> RisingTimes | None:
    """What is known of times; None where they do not rise, or there are none."""
    if not times:
        return None
    steps = list(map(sub, times[1:], times))
    shortest, longest = min(steps, default=np.inf), max(steps, default=0.0)
    return RisingTimes(times[0], times[-1], shortest, longest) if shortest > 0 else None


def _check_times(times: NDArray[np.float64]) -> None:
    if len(times) and np.abs(times).max() <= _LARGEST_IN_ANY_UNIT:
        check_unit(times)


def make_batch(samples: list[Sample]) -> Batch:
    """As `read_batch`, and proven to be in rising time.

    Raises:
        InvalidSamples: as `read_batch`, or naming the first sample that is out of order.
    """
    batch = read_batch(samples)
    if batch.rising is None:
        _check_order(batch.times)
    return batch


def make_window(samples: list[Sample]) -> tuple[NDArray[np.float32], WindowSource]:
    """The newest second of samples as one window, (100, 9) float32, and what it was made from.

    Raises:
        InvalidWindow: they are fewer than 100, and do not span a second.
        InvalidSamples: as `make_batch`.
        NotEnoughSamples, UnusableWindow: as `cut_window`.
    """
    batch = make_batch(samples)
    try:
        return cut_window(batch.times, batch.values)
    except NotEnoughSamples as failure:
        if len(samples) >= WINDOW_SAMPLES:
            raise
        fault = f"a window is one second, {WINDOW_SAMPLES} samples at 100 Hz; got {len(samples)}: {failure.fault}"
        remedy = f"Send at least {WINDOW_SAMPLES} samples; the newest are used."
        raise InvalidWindow("samples", fault, remedy, fields=failure.fields) from failure


def _check_finite(rows: NDArray[np.float64]) -> None:
    usable = np.abs(rows) <= _LARGEST  # false for NaN, too
    if not usable.all():
        index, column = (int(place) for place in np.argwhere(~usable)[0])
        name = ("t", *CHANNELS)[column]
        fault = f"{name} is {rows[index, column]!s}, not a number up to {_LARGEST[column]:g} either way"
        raise InvalidSamples(f"sample {index}", fault, _ALL_FIELDS)


def _check_order(times: NDArray[np.float64]) -> None:
    steps = np.diff(times)
    if len(steps) and steps.min() <= 0:
        index = int(np.argmax(steps <= 0)) + 1
        fault = f"its t={times[index]} is not after the t={times[index - 1]} of the sample before"
        raise InvalidSamples(f"sample {index}", fault, "Send samples in rising time, each once.")


def check_bounds(body: StreamBody, batch: Batch) -> None:
    """Hold the optional windowStart and windowEnd against the samples, to one sample period.

    Raises:
        InvalidSamples: they are not finite, reversed, or samples lie outside.
    """
    if body.window_start is None and body.window_end is None:
        return
    start = -np.inf if body.window_start is None else body.window_start
    end = np.inf if body.window_end is None else body.window_end
    remedy = "Give windowStart and windowEnd in seconds around the samples' t, or leave them out."
    if start > end:
        raise InvalidSamples("windowStart", f"{start} is after windowEnd {end}", remedy)
    if batch.rising is not None:
        first, last = batch.rising.first, batch.rising.last
    else:
        first, last = (batch.times.min(), batch.times.max()) if len(batch) else (start, end)
    if first < start - SAMPLE_SECONDS or last > end + SAMPLE_SECONDS:
        fault = f"samples from t={first} to t={last} lie outside {start} to {end}"
        raise InvalidSamples("windowStart and windowEnd", fault, remedy)
