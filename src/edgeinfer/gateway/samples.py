"""IMU samples from a body to arrays: decoded by msgspec, checked exactly."""

from dataclasses import dataclass
from itertools import chain
from typing import Annotated, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgeinfer.errors import InvalidBody, InvalidSamples, InvalidWindow, NotEnoughSamples
from edgeinfer.gateway.clock_units import check_unit
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
_LARGEST = np.array([1e12, *[MAX_READING] * len(CHANNELS)])
_LARGEST_IN_ANY_UNIT = 1e19  # nanoseconds since 1970 are 1.8e18


class Sample(msgspec.Struct, frozen=True, gc=False):
    """One reading: t in seconds, a in m/s², g in rad/s, m in µT."""

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


@dataclass(frozen=True, slots=True)
class Batch:
    """Samples, in rising time unless said otherwise.

    Args:
        times: (n,) float64 seconds.
        values: (n, 9) float32, channels in the order of `CHANNELS`.
    """

    times: NDArray[np.float64]
    values: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.times)


_stream = msgspec.json.Decoder(StreamBody)
_process = msgspec.json.Decoder(ProcessBody)
_stop = msgspec.json.Decoder(StopBody)


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
    except msgspec.ValidationError as failure:
        message = str(failure)
        if "$.samples[" in message:
            raise InvalidSamples("samples", message, _ALL_FIELDS) from failure
        raise InvalidBody("body", message, _SEE) from failure
    except UNDECODABLE as failure:
        raise InvalidBody("body", why_not_json(body, failure), _SEE) from failure


def read_batch(samples: list[Sample]) -> Batch:
    """Samples as arrays in the order in which they came, proven to be finite, and their times to be seconds.

    Raises:
        InvalidSamples: naming the first sample that is not finite, or the unit that t is in.
    """
    rows = np.fromiter(
        chain.from_iterable(map(msgspec.structs.astuple, samples)), np.float64, count=len(samples) * COLUMNS
    ).reshape(-1, COLUMNS)
    times = rows[:, 0].copy()
    if len(times) and np.abs(times).max() <= _LARGEST_IN_ANY_UNIT:
        check_unit(times)
    _check_finite(rows)
    return Batch(times, rows[:, 1:].astype(np.float32))


def make_batch(samples: list[Sample]) -> Batch:
    """As `read_batch`, and proven to be in rising time.

    Raises:
        InvalidSamples: as `read_batch`, or naming the first sample that is out of order.
    """
    batch = read_batch(samples)
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
    start = -np.inf if body.window_start is None else body.window_start
    end = np.inf if body.window_end is None else body.window_end
    remedy = "Give windowStart and windowEnd in seconds around the samples' t, or leave them out."
    if start > end:
        raise InvalidSamples("windowStart", f"{start} is after windowEnd {end}", remedy)
    first, last = (batch.times.min(), batch.times.max()) if len(batch) else (start, end)
    if first < start - SAMPLE_SECONDS or last > end + SAMPLE_SECONDS:
        fault = f"samples from t={first} to t={last} lie outside {start} to {end}"
        raise InvalidSamples("windowStart and windowEnd", fault, remedy)
