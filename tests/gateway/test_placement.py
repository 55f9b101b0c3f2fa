"""Whatever the order of its uploads, a stream keeps each sample once, in the order of its clock."""

import random
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edgeinfer.errors import InputError, InvalidSamples
from edgeinfer.gateway.placement import MERGE_SECONDS
from edgeinfer.gateway.samples import Batch
from edgeinfer.gateway.stream import NEWEST_SAMPLES, Stream

RATE = 100


def batch(times: "NDArray[np.float64] | list[float]", seed: float = 0.0) -> Batch:
    """Samples whose values say their time, and which clock it was measured on."""
    times = np.asarray(times, np.float64)
    values = np.repeat(times[:, None], 9, axis=1).astype(np.float32)
    values[:, 8] = seed
    return Batch(times, values)


def seconds(first: float, count: int) -> NDArray[np.float64]:
    return np.round(first + np.arange(count) / RATE, 6)


@dataclass
class Phone:
    """Uploads to a stream, and what the stream said of them."""

    stream: Stream = field(default_factory=lambda: Stream("default"))
    accepted: int = 0
    known: int = 0
    late: int = 0
    now: float = 0.0

    def send(self, upload: Batch) -> None:
        placement = self.stream.place(upload)
        self.accepted += placement.accepted
        self.known += placement.known
        self.late += placement.late
        self.now += 0.25
        self.stream.account.duplicates += placement.known
        self.stream.accept(placement.pieces, self.now, self.now)


def test_an_upload_that_was_overtaken_is_put_in_its_place() -> None:
    phone = Phone()
    for first in (0.0, 0.5, 0.25, 0.75):
        phone.send(batch(seconds(first, 25)))
    assert phone.stream.current.times.tolist() == seconds(0, 100).tolist()
    assert phone.stream.current.values[:, 0].tolist() == seconds(0, 100).astype(np.float32).tolist()
    assert (phone.accepted, phone.known, phone.late) == (100, 0, 25)
    assert phone.stream.account.dropped == 0, "what came late is not lost"
    assert len(phone.stream.window()[0]) == 100


def test_an_upload_that_overlaps_gives_what_is_new() -> None:
    phone = Phone()
    phone.send(batch(seconds(0, 25)))
    phone.send(batch(seconds(0, 50)))
    phone.send(batch(seconds(0.49, 10)))
    assert phone.stream.times.tolist() == seconds(0, 59).tolist()
    assert (phone.accepted, phone.known) == (59, 26)


@pytest.mark.parametrize("step", [-3600.0, -31.0, -5.0, -1.0, 11.0, 365 * 86_400.0])
def test_a_jump_of_the_clock_begins_a_segment_that_is_whole_a_second_later(step: float) -> None:
    phone = Phone()
    for first in np.arange(0, 30, 0.25):
        phone.send(batch(seconds(1.7e9 + first, 25)))
    for first in np.arange(30, 31, 0.25):
        phone.send(batch(np.round(seconds(1.7e9 + first + step, 25) + 0.003, 6), seed=1))
    assert phone.accepted == phone.stream.total == 3100
    assert phone.stream.account.clock_jumps == 1
    assert (phone.stream.account.clock_jumps_back == 1) is (step < 0)
    assert phone.stream.segment_length == 100
    window, source = phone.stream.window()
    assert (window[:, 8] == 1).all(), "no window spans the jump"
    assert source.interpolated == 0


def test_a_glitch_of_one_sample_costs_one_second() -> None:
    phone = Phone()
    for first in np.arange(0, 2, 0.25):
        phone.send(batch(seconds(first, 25)))
    phone.send(batch([*seconds(2, 24), 3e7]))
    assert phone.stream.segment_length == 1
    for first in np.arange(2.25, 3.25, 0.25):
        phone.send(batch(seconds(first, 25)))
    assert phone.accepted == 8 * 25 + 25 + 100
    assert (phone.stream.account.clock_jumps_forward, phone.stream.account.clock_jumps_back) == (1, 1)
    assert phone.stream.window()[1].samples == 100


def test_a_pause_is_no_jump_of_the_clock() -> None:
    phone = Phone()
    phone.send(batch(seconds(0, 100)))
    phone.now = 600.0
    phone.send(batch(seconds(600, 100)))
    account = phone.stream.account
    assert (account.pauses, account.clock_jumps, account.gaps, account.missing) == (1, 0, 0, 0)
    assert phone.stream.segment_length == 100


def test_a_step_back_within_one_upload_begins_a_segment() -> None:
    phone = Phone()
    phone.send(batch(seconds(0, 500)))
    phone.send(batch([*seconds(5, 13), *(seconds(3.004, 12))]))
    assert phone.accepted == 525
    assert phone.stream.account.clock_jumps_back == 1
    assert phone.stream.current.times.tolist() == seconds(3.004, 12).tolist()


def test_times_out_of_order_by_jitter_are_sorted() -> None:
    chance = np.random.default_rng(2)
    times = np.round(np.arange(1000) / 100 + chance.uniform(-0.01, 0.01, 1000), 6)
    phone = Phone()
    for first in range(0, 1000, 25):
        phone.send(batch(times[first : first + 25]))
    assert phone.stream.account.clock_jumps == 0
    assert phone.stream.current.times.tolist() == sorted(set(times.tolist()))
    assert phone.accepted + phone.known == 1000


def test_times_that_go_back_and_forth_are_refused_and_change_nothing() -> None:
    stream = Stream("default")
    stream.append(batch(seconds(0, 10)))
    with pytest.raises(InvalidSamples, match="go back"):
        stream.place(batch(np.array([0.0, 20.0] * 100) + np.arange(200)))
    assert stream.times.tolist() == seconds(0, 10).tolist()


def test_two_samples_of_one_time_are_one_sample() -> None:
    phone = Phone()
    phone.send(batch([1.0, 1.0, 1.01], seed=0))
    phone.send(batch([1.01, 1.02], seed=1))
    assert phone.stream.times.tolist() == [1.0, 1.01, 1.02]
    assert (phone.accepted, phone.known) == (3, 2)


def test_an_empty_upload_changes_nothing() -> None:
    phone = Phone()
    phone.send(batch(seconds(0, 30)))
    phone.send(batch([]))
    assert (phone.accepted, len(phone.stream), phone.stream.account.gaps) == (30, 30, 0)


def test_ten_thousand_uploads_of_one_sample_in_almost_any_order() -> None:
    chance = random.Random(3)  # noqa: S311 - an order
    order = sorted(range(10_000), key=lambda index: index + chance.uniform(0, 300))
    phone, times = Phone(), seconds(1.7e9, 10_000)
    for index in order:
        phone.send(batch(times[index : index + 1]))
    assert (phone.accepted, phone.known, phone.stream.account.clock_jumps) == (10_000, 0, 0)
    assert len(phone.stream) == NEWEST_SAMPLES
    assert phone.stream.times.tolist() == sorted(times[order[-NEWEST_SAMPLES:]].tolist())


def test_the_account_says_what_a_stream_lost() -> None:
    phone = Phone()
    kept = np.ones(1000, np.bool_)
    kept[[100, 300]] = False
    kept[500:520] = False
    times = seconds(0, 1000)[kept]
    for first in range(0, len(times), 25):
        phone.send(batch(times[first : first + 25]))
    phone.send(batch(times[-25:]))
    account = phone.stream.account
    assert (account.missing, account.dropped, account.gaps) == (22, 22, 1)
    assert account.longest_gap_seconds == pytest.approx(0.21)
    assert (account.duplicates, account.reordered) == (25, 0)
    assert account.rate_hz == pytest.approx(100)
    timing = phone.stream.timing
    assert timing is not None
    assert timing.rate_hz == pytest.approx(97.8, abs=0.2)
    assert timing.jitter_seconds == pytest.approx(0, abs=1e-6)


def test_the_offset_of_a_clock_is_known_only_where_it_counts_from_1970() -> None:
    uptime, epoch = Stream("uptime"), Stream("epoch")
    uptime.accept(uptime.place(batch(seconds(5000, 10))).pieces, 1.0, 1.8e9)
    epoch.accept(epoch.place(batch(seconds(1.8e9, 10))).pieces, 1.0, 1.8e9 + 2.09)
    assert uptime.account.clock_offset_seconds is None
    assert epoch.account.clock_offset_seconds == pytest.approx(2.0, abs=1e-6)


# --- Any sequence of uploads

_cuts = st.lists(st.integers(1, 60), min_size=1, max_size=20)


@st.composite
def uploads(draw: st.DrawFn) -> list[Batch]:
    """Splits of one or two clocks' samples anywhere, each sent once or more, in any order within some distance."""
    sent: list[tuple[float, Batch]] = []
    place = 0.0
    for clock in range(draw(st.integers(1, 3))):
        start = draw(st.sampled_from([0.0, 7.0, 1000.0, 1.7e9]))
        rate = draw(st.sampled_from([25, 50, 100, 200]))
        first = 0
        for count in draw(_cuts):
            times = np.round(start + clock * 1e-3 + np.arange(first, first + count) / rate, 6)
            first += count + draw(st.sampled_from([0, 0, 0, 1, 40]))
            upload = batch(times, seed=clock)
            delays = draw(st.lists(st.floats(0, draw(st.sampled_from([0.0, 4.0, 50.0]))), min_size=1, max_size=3))
            sent.extend((place + delay, upload) for delay in delays)
            place += 1
    return [upload for _, upload in sorted(sent, key=lambda pair: pair[0])]


@given(uploads())
@settings(deadline=None)
def test_any_sequence_of_uploads_is_kept_once_in_order_and_adds_up(sequence: list[Batch]) -> None:
    phone, everything = Phone(), set()
    for upload in sequence:
        everything |= {(t, seed) for t, seed in zip(upload.times.tolist(), upload.values[:, 8].tolist(), strict=True)}
        phone.send(upload)
        current = phone.stream.current.times
        assert (np.diff(current) > 0).all(), "a segment is in rising time"
        assert (np.diff(current) <= MERGE_SECONDS).all(), "a segment has no pause"
        check_window(phone.stream)
    stream = phone.stream
    assert phone.accepted == stream.total == stream.account.accepted
    assert phone.accepted + phone.known == sum(len(upload) for upload in sequence)
    held = list(zip(stream.times.tolist(), stream.values[:, 8].tolist(), strict=True))
    assert len(held) == min(stream.total, NEWEST_SAMPLES)
    assert set(held) <= everything
    if stream.total <= NEWEST_SAMPLES:
        assert len(set(held)) == len(held), "a sample is held twice"
        assert len(everything) - len(held) <= _same_times(everything), "a sample is lost"


def _same_times(everything: set[tuple[float, float]]) -> int:
    """Samples that another clock measured at the same t: of two within the newest moment one counts."""
    return len(everything) - len({t for t, _ in everything})


def check_window(stream: Stream) -> Any:
    try:
        window, source = stream.window()
    except InputError as refused:
        return refused.fields["reason"]
    used = stream.current.times[-source.samples :]
    assert used[-1] == stream.newest_seconds
    assert 0.985 - 1e-6 <= used[-1] - used[0] <= 1.12
    assert len(set(stream.current.values[-source.samples :, 8])) >= 1
    assert window.shape == (100, 9)
    return None
