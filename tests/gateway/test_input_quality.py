"""What streams say about their sensors: each habit of a phone, and each fault of a sensor, by its name."""

import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

import numpy as np
import pytest

from edgeinfer.catalog.labels import SENSOR_FAULTS, SENSOR_PROBLEMS
from edgeinfer.gateway.input_quality import QualityWatch, timing_problems
from edgeinfer.gateway.instruments import GatewayInstruments
from edgeinfer.gateway.placement import Piece
from edgeinfer.gateway.samples import Batch
from edgeinfer.gateway.sensor_values import value_problems
from edgeinfer.gateway.sessions import Session
from edgeinfer.gateway.stream import Stream
from edgeinfer.gateway.stream_account import StreamAccount, measure_timing
from edgeinfer.metrics.registry import new_registry
from edgeinfer.recordings.reader import list_recordings, load_recording
from tests.gateway import faulty_peer as peers
from tests.gateway.faulty_peer import peer
from tests.gateway.rigs import API, Clock, Rig, api, make_rig

WALK = load_recording("walking-upper-leg").samples[:1000]


def changed(change: Callable[[Any], None]) -> Any:
    values = WALK.copy()
    change(values)
    return values


def clip(values: Any) -> None:
    """A range of 2 g: what is beyond reads as its end."""
    values[:, 0] = np.clip(values[:, 0] * 2, -19.6133, 19.6133)


FAULTS: dict[str, Callable[[Any], None]] = {
    "accelerometer_missing": lambda values: values[:, :3].fill(0),
    "acceleration_in_g": lambda values: np.divide(values[:, :3], 9.80665, out=values[:, :3]),
    "gyroscope_missing": lambda values: values[:, 3:6].fill(0),
    "gyroscope_in_degrees": lambda values: np.multiply(values[:, 3:6], 57.29578, out=values[:, 3:6]),
    "axis_stuck": lambda values: values[:, 4].fill(0.01),
    "saturated": clip,
    "magnetometer_absent": lambda values: values[:, 6:].fill(0),
}


@pytest.mark.parametrize("problem", FAULTS)
def test_each_fault_of_values_has_its_name_and_no_other(problem: str) -> None:
    assert value_problems(changed(FAULTS[problem])) == (problem,)


@pytest.mark.parametrize("name", [info.name for info in list_recordings()])
def test_a_real_recording_shows_no_fault(name: str) -> None:
    samples = load_recording(name).samples
    for first in range(0, len(samples) - 1000, 500):
        assert set(value_problems(samples[first : first + 1000])) <= {"magnetometer_absent"}


def test_a_sensor_at_rest_is_not_stuck() -> None:
    noise = np.random.default_rng(1).normal(scale=0.01, size=(1000, 9)).astype(np.float32)
    assert value_problems(noise + np.array([0, 0, 9.81, 0, 0, 0, 20, 0, 40], np.float32)) == ()


def test_too_few_samples_say_nothing() -> None:
    assert value_problems(changed(FAULTS["axis_stuck"])[:99]) == ()


# --- streams ---


async def streamed(times: Any, *, again: int = 0, epoch: float = 0.0) -> tuple[Rig, dict[str, Any]]:
    """Send a walk with these times, some batches again, and judge; the answer about the session."""
    async with peer(peers.good) as sidecar:
        rig = make_rig(sidecar.url)
        async with api(rig) as client:
            session_id = (await client.post(f"{API}/start")).json()["sessionId"]
            rig.quality.step()
            for first in range(0, len(times), 25):
                body = {"sessionId": session_id, "samples": batch(times[first : first + 25] + epoch, first)}
                for _ in range(1 + (first < 25 * again)):
                    assert (await client.put(f"{API}/stream", json=body)).status_code == 202
            rig.quality.step()
            answer = await client.get(f"{API}/session", params={"sessionId": session_id})
            assert answer.status_code == 200
            document: dict[str, Any] = answer.json()
            return rig, document


def batch(times: Any, first: int) -> list[dict[str, float]]:
    names = ("ax", "ay", "az", "gx", "gy", "gz", "mx", "my", "mz")
    return [
        {"t": float(t), **dict(zip(names, map(float, WALK[(first + row) % 1000]), strict=True))}
        for row, t in enumerate(times)
    ]


def problems(document: dict[str, Any]) -> set[str]:
    return {one["problem"] for one in document["streams"][0]["quality"]["problems"]}


EVEN = np.arange(1000) / 100
RANDOM = np.random.default_rng(1)
HABITS: dict[str, Any] = {
    "low_rate": np.arange(150) / 12,
    "jitter": np.arange(500) / 50 + RANDOM.uniform(-0.0098, 0.0098, 500),
    "dropped_samples": EVEN[(np.arange(1000) % 200) > 30],
    "clock_jumps": np.concatenate((EVEN[:500], EVEN[500:] + 3e7)),
}


async def test_a_good_stream_shows_nothing() -> None:
    rig, document = await streamed(EVEN)
    assert problems(document) == set()
    assert rig.value("edgeinfer_streams_receiving") == 1
    assert rig.value("edgeinfer_stream_rate_hertz", of="median") == pytest.approx(100)
    assert rig.value("edgeinfer_stream_clock_offset_seconds", of="max") is None
    assert rig.counts("edgeinfer_input_events_total", "event") == {}
    assert rig.counts("edgeinfer_stream_problem", "problem") == {}


@pytest.mark.parametrize("problem", HABITS)
async def test_each_habit_of_a_phone_has_its_name(problem: str) -> None:
    rig, document = await streamed(HABITS[problem])
    assert problems(document) == {problem}
    short = document["sessionId"][:8]
    assert rig.value("edgeinfer_stream_problem", problem=problem, session=short, role="default") == 1
    assert rig.value("edgeinfer_streams_with_problem", problem=problem) == 1


def jittering(batch_samples: int) -> Stream:
    """Five thousand samples at 50 Hz, each stamped within half a period of its time; none is missing."""
    noise, stream = np.random.default_rng(2), Stream("default")
    for first in range(0, 5000, batch_samples):
        times = np.arange(first, first + batch_samples) / 50 + noise.uniform(-0.0098, 0.0098, batch_samples)
        stream.accept([Piece(Batch(np.sort(times), WALK[:batch_samples]))], first / 50, 1.8e9)
    return stream


def test_uneven_steps_are_not_counted_as_samples_that_are_missing() -> None:
    assert jittering(25).account.dropped < 0.01 * 5000


def test_uneven_steps_are_not_named_as_samples_that_are_missing() -> None:
    stream = jittering(1)  # a step alone does not show that the next one is short
    assert stream.account.dropped > 0.02 * 5000
    assert timing_problems(stream.account, stream.timing, StreamAccount(), StreamAccount(), StreamAccount()) == (
        "jitter",
    )


@pytest.mark.parametrize("lost", [[5], [5, 6], [5, 7], [1], [23], [3, 4, 5, 20]])
def test_each_sample_that_is_missing_is_counted(lost: list[int]) -> None:
    stream = Stream("default")
    for first in range(0, 100, 25):
        kept = [row for row in range(first, first + 25) if row - 50 not in lost]
        stream.accept([Piece(Batch(np.array(kept) / 100, WALK[: len(kept)]))], first / 100, 1.8e9)
    assert stream.account.dropped == len(lost)


def judged_each_interval(is_lost: Callable[[int], bool], seconds: int) -> list[bool]:
    """Whether dropped samples are named, every ten seconds of a stream at 100 Hz that loses whole seconds."""
    clock = Clock(0.0)
    stream, named = Stream("collar"), []
    session = Session("7bf48c73-b65c-4f4b-bfaa-9ea5465c09d2", 0.0, 0.0, 0.0, streams={"collar": stream})
    instruments = GatewayInstruments(new_registry(), motifs=("a",), sidecars=())
    watch = QualityWatch(lambda: [session], instruments, clock=clock)
    for second in range(seconds):
        clock.now = float(second)
        if not is_lost(second):
            stream.accept([Piece(Batch(second + np.arange(100) / 100, WALK[:100]))], clock.now, 1.8e9 + second)
        if second % 10 == 9:
            watch.step()
            named.append("dropped_samples" in watch.judged(session, stream))
    return named


def test_a_link_that_loses_bursts_is_named_all_the_time_until_the_alert() -> None:
    # Five seconds of each two minutes, four of them in the first one: 4 %, with a minute in which next to none is lost.
    bursts = {10, 20, 30, 40, 100}
    assert all(judged_each_interval(lambda second: second % 120 in bursts, 600)[2:])


def test_a_link_that_was_lost_once_is_named_for_less_time_than_an_alert_takes() -> None:
    named = judged_each_interval(lambda second: 300 <= second < 309, 900)
    assert 0 < sum(named) * 10 <= 200
    assert not named[-1]


async def test_duplicates_are_named_and_counted() -> None:
    rig, document = await streamed(EVEN[:250], again=10)
    assert problems(document) == {"duplicates"}
    assert rig.value("edgeinfer_input_events_total", event="duplicate") == 250


async def test_a_clock_that_is_an_hour_off_is_named() -> None:
    rig, document = await streamed(EVEN, epoch=time.time() - 3600)
    assert problems(document) == {"clock_offset"}
    assert rig.value("edgeinfer_stream_clock_offset_seconds", of="max") == pytest.approx(3590, abs=20)


async def test_events_are_counted_to_the_sample() -> None:
    rig, document = await streamed(HABITS["dropped_samples"])
    quality = document["streams"][0]["quality"]
    assert rig.value("edgeinfer_input_events_total", event="gap") == quality["gaps"] == 4
    assert rig.value("edgeinfer_input_events_total", event="missing") == quality["dropped"] == 4 * 31


async def test_every_problem_has_a_remedy_for_the_sensor() -> None:
    _, document = await streamed(HABITS["jitter"])
    [problem] = document["streams"][0]["quality"]["problems"]
    assert "sensor's own times" in problem["remedy"]
    assert set(FAULTS) | set(HABITS) | {"duplicates", "clock_offset", "reordered"} == set(SENSOR_PROBLEMS)
    assert set(SENSOR_FAULTS) == set(SENSOR_PROBLEMS) - {"magnetometer_absent"}


async def test_the_answer_about_a_session_holds_its_timeline_and_is_found_by_the_alerts_short_id() -> None:
    async with peer(peers.good) as sidecar:
        rig = make_rig(sidecar.url)
        async with api(rig) as client:
            session_id = (await client.post(f"{API}/start")).json()["sessionId"]
            for role in ("dog", "handler"):
                body = {"sessionId": session_id, "role": role, "samples": batch(EVEN[:600], 0), "activity": "walking"}
                await client.put(f"{API}/stream", json=body)
            await client.get(f"{API}/motifs", params={"sessionId": session_id, "role": "dog"})
            found = (await client.get(f"{API}/session", params={"sessionId": session_id[:8]})).json()
            unknown = await client.get(f"{API}/session", params={"sessionId": "00000000"})
    assert unknown.status_code == 404
    assert found["sessionId"] == session_id[:8]
    assert found["totalSamples"] == 1200
    assert found["synchrony"]["r"] == pytest.approx(1, abs=0.01)
    dog, handler = found["streams"]
    assert dog["windows"] == {"sidecar": 1}
    [window] = dog["timeline"]
    assert datetime.fromisoformat(window.pop("answeredAt")).timestamp() == pytest.approx(time.time(), abs=60)
    assert window == {
        "windowEnd": pytest.approx(5.99),
        "motif": "walking",
        "source": "sidecar",
        "activity": "walking",
    }
    assert handler["timeline"] == []


def test_others_have_their_turn_while_many_streams_are_judged() -> None:
    sessions = [Session(f"{number:08d}", 0.0, 0.0, 0.0) for number in range(20)]
    for session in sessions:
        stream = session.streams["collar"] = Stream("collar")
        stream.accept([Piece(Batch(EVEN[:200], changed(FAULTS["axis_stuck"])[:200]))], 0.0, 1.8e9)
    instruments = GatewayInstruments(new_registry(), motifs=("a",), sidecars=())
    watch = QualityWatch(lambda: sessions, instruments, clock=Clock(0.0))
    turns = 0
    for _ in watch.portions():
        turns += 1
        sessions[-1:] = []  # sessions end meanwhile
    assert turns == 5
    assert instruments.streams_with_problem["axis_stuck"]._value.get() == 20


@pytest.mark.parametrize("count", [3, 4, 101, 1000])
def test_the_spread_of_steps_is_that_between_their_percentiles(count: int) -> None:
    times = np.cumsum(np.random.default_rng(count).uniform(0.001, 0.03, count))
    timing = measure_timing(times, seconds=1e9)
    assert timing is not None
    low, high = np.percentile(np.diff(times), (16, 84))
    assert timing.jitter_seconds == pytest.approx((high - low) / 2, rel=1e-12)
    assert timing.longest_step_seconds == np.diff(times).max()


async def test_a_stream_that_ended_is_named_no_more() -> None:
    rig, document = await streamed(HABITS["jitter"])
    rig.table.end(rig.table.get(document["sessionId"]), "stopped")
    rig.quality.step()
    assert rig.counts("edgeinfer_stream_problem", "problem") == {}
    assert rig.value("edgeinfer_streams_receiving") == 0
    assert rig.value("edgeinfer_stream_rate_hertz", of="min") is None
