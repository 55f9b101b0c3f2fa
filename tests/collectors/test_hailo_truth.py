"""For any life of a machine: what is published was really read, and lately."""

import math
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.collectors.chips import EPOCH, Station, station
from tests.fakes.hailo_platform.machine import Chip, Machine, default_chip

CALLS = ("get_chip_temperature", "_get_health_information", "get_extended_device_information", "get_throttling_state")
FRESH_SECONDS = {"temperature": 15.0, "extended_information": 30.0}
READ_FAULTS = st.sampled_from([4, 7, 13, 16, 18, 36, 47, 48, 61, 62, 63, 79, 87])
OPEN_FAULTS = st.sampled_from([2, 16, 36, 62, 73, 76, 79, 96])


class Witness(Chip):
    """A chip that gives each reading a value of its own, and remembers when it gave it."""

    def prepare(self, number: int) -> None:
        # Distinct numbers within the plausible range.
        self.ts0 = 20.0 + number * 1e-3
        self.ts1 = 10.0
        self.clock_hertz = 200_000_000 + number


class Life(RuleBasedStateMachine):
    """Reads, failures, unplugging, and time."""

    @initialize(version=st.sampled_from(["4.23.0", "5.2.0"]))
    def begin(self, version: str) -> None:
        self.folder = tempfile.TemporaryDirectory()
        chip = Witness(architecture=default_chip(version).architecture)
        self.machine = Machine(version, [chip])
        self.here: Station = station(self.machine, Path(self.folder.name))
        self.chip = chip
        self.number = 0
        self.temperature_read_at: dict[float, float] = {}
        self.clock_read_at: dict[float, float] = {}

    @rule(seconds=st.floats(0.1, 40.0))
    def collect(self, seconds: float) -> None:
        """Time passes and the collector has its turn; what the chip would answer now is recorded."""
        self.chip_turns(seconds)

    @rule(value=st.sampled_from([math.nan, math.inf, 1e9, -300.0]))
    def answer_nonsense(self, value: float) -> None:
        """A turn in which the temperature is not plausible."""
        self.chip_turns(5.0, nonsense=value)

    def chip_turns(self, seconds: float, nonsense: float | None = None) -> None:
        self.here.elapsed += seconds
        self.number += 1
        self.chip.prepare(self.number)
        temperature, clock = self.chip.ts0, float(self.chip.clock_hertz)
        if nonsense is not None:
            self.chip.ts0 = nonsense
        before = len(self.chip.control_calls)
        self.here.run()
        asked = self.chip.control_calls[before:]
        if "get_chip_temperature" in asked and nonsense is None:
            self.temperature_read_at[temperature] = self.here.elapsed
        if "get_extended_device_information" in asked:
            self.clock_read_at[clock] = self.here.elapsed

    @rule(seconds=st.floats(0.1, 60.0))
    def hang(self, seconds: float) -> None:
        """Time passes without a turn."""
        self.here.elapsed += seconds

    @rule(call=st.sampled_from(CALLS), code=READ_FAULTS, times=st.sampled_from([1, 2, None]))
    def break_reading(self, call: str, code: int, times: int | None) -> None:
        self.machine.inject(f"control.{call}", code, times)

    @rule(code=OPEN_FAULTS, call=st.sampled_from(["Device", "scan", "control.identify"]))
    def break_opening(self, code: int, call: str) -> None:
        self.machine.inject(call, code, 1)

    @rule()
    def heal(self) -> None:
        self.machine.heal()

    @rule()
    def unplug(self) -> None:
        self.chip.present = False

    @rule()
    def plug_in(self) -> None:
        self.chip.present = True

    @invariant()
    def what_is_published_was_read_within_its_freshness(self) -> None:
        if not hasattr(self, "here"):
            return
        for metric, read_at, sensor in (
            ("hailo_hardware_temperature_celsius", self.temperature_read_at, "temperature"),
            ("hailo_hardware_clock_hertz", self.clock_read_at, "extended_information"),
        ):
            value = self.here.of_chip(metric)
            if value is None:
                continue
            assert value in read_at, f"{metric} {value} was never read"
            age = self.here.elapsed - read_at[value]
            assert age < FRESH_SECONDS[sensor], f"{metric} is {age} s old"
            assert self.here.last_success(sensor) is not None
            assert math.isclose(self.here.last_success(sensor) or 0.0, read_at[value], abs_tol=1e-3)

    @invariant()
    def nothing_was_claimed_of_the_future(self) -> None:
        if not hasattr(self, "here"):
            return
        stamps = [sample.value for sample in self.here.samples() if sample.name.endswith("_timestamp_seconds")]
        assert all(stamp <= EPOCH + self.here.elapsed for stamp in stamps)

    def teardown(self) -> None:
        if hasattr(self, "here"):
            for collector in self.here.collectors.values():
                collector.close()
            assert self.chip.open_devices == 0
            self.folder.cleanup()


Life.TestCase.settings = settings(
    max_examples=25, stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TestLife = Life.TestCase
