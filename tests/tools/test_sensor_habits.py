"""Simulated phones of different habits: what the gateway says of each in ten minutes, and that a wrong word fails."""

from itertools import islice

import numpy as np
import pytest

from edgeinfer.catalog.sensor import SENSOR_NOTES
from edgeinfer.gateway.input_quality import QualityWatch
from edgeinfer.gateway.instruments import GatewayInstruments
from edgeinfer.gateway.samples import Batch
from edgeinfer.gateway.sessions import Session
from edgeinfer.metrics.registry import new_registry
from edgeinfer.model.window import CHANNELS
from tests.gateway.rigs import Clock
from tools.sensor_habits import Phone, make_phones

WALL = 1_800_000_000.0
SECONDS = 600


def named(phone: Phone) -> dict[str, int]:
    """Problems that are named during ten simulated minutes, and how often."""
    clock, found = Clock(0.0), dict[str, int]()
    session = Session("7bf48c73-b65c-4f4b-bfaa-9ea5465c09d2", WALL, 0.0, 0.0)
    watch = QualityWatch(lambda: [session], GatewayInstruments(new_registry(), motifs=("a",), sidecars=()), clock=clock)
    sources = [sensor.uploads() for sensor in phone.sensors]
    for second in range(SECONDS):
        clock.now = float(second + 1)
        for sensor, source in zip(phone.sensors, sources, strict=True):
            rows = next(source)
            values = np.array([[row[channel] for channel in CHANNELS] for row in rows], np.float32)
            batch = Batch(np.array([row["t"] for row in rows]), values.reshape(-1, len(CHANNELS)))
            stream = session.stream_for(sensor.role)
            session.apply(stream, stream.place(batch), clock.now, WALL + clock.now)
        if second % 10 == 9:
            watch.step()
            for stream in session.streams.values():
                for problem in set(watch.judged(session, stream)) - set(SENSOR_NOTES):
                    found[problem] = found.get(problem, 0) + 1
    return found


@pytest.mark.parametrize("place", range(4))
def test_each_phone_is_said_to_have_its_fault_and_no_other(place: int) -> None:
    phone = make_phones(4, WALL)[place]
    found = named(phone)
    assert set(found) == phone.expected
    assert all(times > 0.6 * SECONDS / 10 for times in found.values())


def test_what_is_missing_or_too_much_is_a_fault() -> None:
    phone = Phone("any", (), frozenset({"jitter"}))
    phone.named = {"dropped_samples": 5.0}
    phone.alerts = {"dropped_samples": 320.0}
    phone.failures = ["timeout"]
    assert phone.faults() == [
        "jitter was not named",
        "dropped_samples was named wrongly",
        "no alert for jitter",
        "a false alert for dropped_samples",
        "an upload failed: timeout",
    ]


def test_the_jittering_phone_sends_fifty_rising_times_a_second() -> None:
    [sensor] = make_phones(1, WALL)[0].sensors
    times = [row["t"] for rows in islice(sensor.uploads(), 20) for row in rows]
    assert len(times) == 1000
    assert (np.diff(times) > 0).mean() > 0.99
