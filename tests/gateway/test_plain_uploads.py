"""Uploads that are read without numpy: the same numbers, bit for bit, and the same placement, as through arrays."""

import json
import re
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeinfer.errors import InvalidBody, InvalidSamples
from edgeinfer.gateway.placement import Piece
from edgeinfer.gateway.samples import Batch, decode_stream, read_batch
from edgeinfer.gateway.stream import Stream
from edgeinfer.gateway.stream_account import StreamAccount
from edgeinfer.model.window import CHANNELS

READING = st.floats(-1e6, 1e6, allow_nan=False)
STEP = st.floats(0.001, 0.4)


def upload_of(times: list[float], values: list[list[float]]) -> bytes:
    samples = [{"t": t, **dict(zip(CHANNELS, row, strict=True))} for t, row in zip(times, values, strict=True)]
    return json.dumps({"sessionId": "s", "samples": samples}).encode()


def decoded(times: list[float], values: list[list[float]]) -> Batch:
    return read_batch(decode_stream(upload_of(times, values)).samples)


def plain(batch: Batch) -> Batch:
    """The same as arrays alone, of which nothing is known."""
    return Batch(batch.times.copy(), batch.values.copy())


@given(st.lists(st.lists(READING, min_size=9, max_size=9), min_size=2, max_size=6))
def test_every_number_is_the_one_that_numpy_makes_of_it(values: list[list[float]]) -> None:
    times = [1e9 + index / 100 for index in range(len(values))]
    batch = decoded(times, values)
    assert batch.packed is not None
    assert batch.times.tobytes() == np.array(times).tobytes()
    assert batch.values.tobytes() == np.array(values, np.float64).astype(np.float32).tobytes()


@given(st.lists(st.lists(STEP, min_size=1, max_size=40), min_size=1, max_size=12), st.floats(-100, 100))
def test_a_stream_of_plain_uploads_is_the_one_of_arrays(steps: list[list[float]], start: float) -> None:
    quick, slow = Stream("a"), Stream("a")
    now = start
    for upload in steps:
        times = []
        for step in upload:
            now += step
            times.append(now)
        batch = decoded(times, [[now] * 9 for now in times])
        for stream, given_ in ((quick, batch), (slow, plain(batch))):
            stream.accept(stream.place(given_).pieces, now, now)
    assert quick.times.tolist() == slow.times.tolist()
    assert quick.values.tobytes() == slow.values.tobytes()
    assert (quick.segment_length, quick.newest_seconds, quick.total) == (
        slow.segment_length,
        slow.newest_seconds,
        slow.total,
    )
    assert quick.account.accepted == slow.account.accepted
    assert quick.account.clock_jumps == slow.account.clock_jumps == 0


def test_a_steady_stream_keeps_counting_and_learns_its_rate_again() -> None:
    stream, t = Stream("a"), 0.0
    for _ in range(40):
        times = [t + (index + 1) / 100 for index in range(25)]
        t = times[-1]
        stream.accept(stream.place(decoded(times, [[0.0] * 9] * 25)).pieces, t, t)
    assert stream.account.accepted == 1000
    assert stream.account.rate_hz == pytest.approx(100)
    for _ in range(20):
        times = [t + (index + 1) / 70 for index in range(25)]
        t = times[-1]
        stream.accept(stream.place(decoded(times, [[0.0] * 9] * 25)).pieces, t, t)
    assert stream.account.rate_hz == pytest.approx(70)
    assert stream.account.counts == (0,) * 6


def sent(stream: Stream, start: float, steps: list[float]) -> float:
    times = (start + np.cumsum(steps)).tolist()
    stream.accept(stream.place(decoded(times, [[0.0] * 9] * len(times))).pieces, times[-1], times[-1])
    return float(times[-1])


def test_a_rate_is_learned_from_even_steps_without_an_array_and_from_uneven_ones_as_their_median(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stream, t = Stream("a"), sent(Stream("a"), 0.0, [0.01])
    for _ in range(2):
        t = sent(stream, t, [0.01] * 25)
    learned: list[int] = []
    original = StreamAccount._learn_period

    def counting(account: StreamAccount, recent: Any) -> None:
        learned.append(len(recent))
        original(account, recent)

    monkeypatch.setattr(StreamAccount, "_learn_period", counting)
    for _ in range(40):
        t = sent(stream, t, [0.0125] * 25)
    assert learned == []
    assert stream.account.rate_hz == pytest.approx(80)
    for _ in range(16):
        t = sent(stream, t, [0.011, 0.011, 0.015] * 8)
    assert len(learned) == 2, "every eighth upload"
    assert stream.account.rate_hz == pytest.approx(1 / 0.011)


def test_a_gap_behind_steady_uploads_is_counted() -> None:
    stream, t = Stream("a"), 0.0
    for number in range(12):
        t += 0.1 if number == 10 else 0.0
        times = [t + (index + 1) / 100 for index in range(25)]
        t = times[-1]
        stream.accept(stream.place(decoded(times, [[0.0] * 9] * 25)).pieces, t, t)
    assert (stream.account.gaps, stream.account.missing) == (1, 10)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"ax": 1_000_001}, "ax is 1000001.0"),
        ({"mz": -1e9}, "mz is -1000000000.0"),
        ({"t": 2e12}, "t is 2000000000000.0"),
    ],
)
def test_what_is_beyond_a_bound_is_named_with_its_sample(change: dict[str, Any], fault: str) -> None:
    samples = [{"t": index / 100, **dict.fromkeys(CHANNELS, 0.0)} for index in range(3)]
    samples[2] |= change
    with pytest.raises(InvalidSamples, match="sample 2") as refused:
        decode_stream(json.dumps({"sessionId": "s", "samples": samples}).encode())
    assert fault in refused.value.fault


@pytest.mark.parametrize(
    ("later", "error", "fault"),
    [
        ('{"t": 0.01, "ax": "1"}]}', InvalidSamples, "got `str` - at `$.samples[1].ax`"),
        ('{"t": 0.01, "ax": NaN}]}', InvalidBody, "not JSON"),
        ("", InvalidBody, "not JSON"),
    ],
)
def test_what_is_worse_than_a_bound_is_named_in_its_place(later: str, error: type[Exception], fault: str) -> None:
    first = json.dumps({"t": 0.0, **dict.fromkeys(CHANNELS, 2e6)})
    with pytest.raises(error, match=re.escape(fault)):
        decode_stream(f'{{"sessionId": "s", "samples": [{first}, {later}'.encode())


def test_a_piece_of_bytes_longer_than_a_stream_keeps_its_newest() -> None:
    times = [index / 100 for index in range(2100)]
    batch = decoded(times, [[float(index)] * 9 for index in range(2100)])
    stream = Stream("a")
    stream.insert(Piece(batch))
    assert stream.times.tolist() == times[100:]
    assert stream.values[0].tobytes() == struct.pack("=9f", *[100.0] * 9)
