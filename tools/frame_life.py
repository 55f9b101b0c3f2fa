"""Two hours in the life of a Hailo-8L with four windows in flight all the time, and the sums of their results.

    python -m tools.frame_life --minutes 120

The chip follows the script of `tools.device_life`, again each hour: it heats to red, closes its streams, cools, is
unplugged and plugged in, while the exporter's collectors read it. At the same time frames fail with each status, at
submit and in flight, waits time out and frames stall.
The script's clock goes five seconds at a step, and it is the clock by which a lost chip is opened again; a frame
takes its real time. So the windows of each step represent all that would be sent in five seconds.
Nothing of it comes from a real chip. It ends with 1 unless everything adds up.
"""

import argparse
import json
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from edgeinfer.backends.base import Description, Inference, Window
from edgeinfer.backends.hailort import HailortBackend
from edgeinfer.errors import BackendError, NotReady
from edgeinfer.hailort.library import load_library
from edgeinfer.metrics.registry import new_registry
from edgeinfer.sidecar.instruments import SidecarInstruments
from edgeinfer.sidecar.model import ServedModel
from tests.fakes.hailo_platform.build import importer
from tests.fakes.hailo_platform.hef import write_hef
from tests.fakes.hailo_platform.machine import Gate, Machine
from tests.hailort.flights import latent_of, window_of
from tests.hailort.rigs import shipped_card
from tools.device_life import Life, begin

CALLERS = 4
_WINDOWS_OF_A_CALLER = 20
_DISTINCT = 64
_FRAME_SECONDS = 0.003
_TIMEOUT_MS = 500
_PATIENCE_SECONDS = 30.0
_EPOCH = 1_700_000_000.0
# Every so many steps the next of these goes wrong: a step is five seconds.
_PLAN = (
    (19, "completion", (18, 87, 4, 8, 63)),
    (31, "run_async", (82, 3, 6, 47)),
    (43, "job.wait", (4,)),
    (59, "wait_for_async_ready", (4,)),
)
_STUCK_EVERY = 67
_WINDOWS = [(window, latent_of(window)) for window in map(window_of, range(_DISTINCT))]


@dataclass
class Sums:
    """Results of the windows by class, and the chip's own count of frames."""

    sent: int = 0
    right: int = 0
    wrong: int = 0
    not_ready: int = 0
    counted: Counter[str] = field(default_factory=Counter)
    """Failures of windows and probes by class, each event once."""
    repeated: Counter[str] = field(default_factory=Counter)
    """Windows and probes that the same events cost as well."""
    probes: Counter[str] = field(default_factory=Counter)
    failed_windows: int = 0
    max_in_flight: int = 0


class Watched:
    """A backend whose answers and failures are counted on their way, whichever caller gets them."""

    is_cpu_bound = False

    def __init__(self, backend: HailortBackend, sums: Sums, lock: threading.Lock) -> None:
        self._backend = backend
        self._sums = sums
        self._lock = lock
        self.open_failures: Counter[str] = Counter()

    @property
    def parallelism(self) -> int:
        """Threads that the wrapped backend uses."""
        return self._backend.parallelism

    def open(self) -> Description:
        """Open the backend; failures are counted by class."""
        try:
            return self._backend.open()
        except BackendError as failure:
            self.open_failures[failure.error_class] += 1
            raise

    def infer(self, window: Window) -> Inference:
        """Answer one window, and count it."""
        try:
            answer = self._backend.infer(window)
        except BackendError as failure:
            with self._lock:
                (self._sums.repeated if failure.is_repeated else self._sums.counted)[failure.error_class] += 1
            raise
        with self._lock:
            self._sums.max_in_flight = max(self._sums.max_in_flight, answer.frames_in_flight or 0)
        return answer

    def close(self) -> None:
        """Close the wrapped backend."""
        self._backend.close()


class Clock:
    """The script's time, which wakes its waiting threads at each step."""

    def __init__(self) -> None:
        self._now = 0.0
        self._changed = threading.Condition()

    def __call__(self) -> float:
        """Seconds of the script, not of real time."""
        return self._now

    def set(self, now: float) -> None:
        """Advance to a time and wake every thread that waits."""
        with self._changed:
            self._now = now
            self._changed.notify_all()

    def wait(self, stop: threading.Event, seconds: float) -> bool:
        """In place of `Event.wait`: until so much of the script has passed, or until stopped."""
        with self._changed:
            until = self._now + seconds
            while self._now < until and not stop.is_set():
                self._changed.wait(0.05)
        return stop.is_set()


class FrameLife:
    """The chip's hours with callers on it.

    Args:
        life: the script that moves chip and exporter.
        folder: for the network.
        windows: that each caller sends at each step; one more of each goes first.
    """

    def __init__(self, life: Life, folder: Path, windows: int) -> None:
        self._life = life
        self._windows = windows
        self.machine: Machine = life.here.machine
        self.machine.chip.latency_seconds, self.machine.chip.overlap = _FRAME_SECONDS, CALLERS
        self.sums, self._lock, self._clock = Sums(), threading.Lock(), Clock()
        hef = write_hef(folder / "life.hef", architecture=self.machine.chip.architecture)
        load = importer(self.machine)
        backend = HailortBackend(
            shipped_card(), hef, timeout_ms=_TIMEOUT_MS, clock=self._clock, load=lambda: load_library(load)
        )
        self.watched = Watched(backend, self.sums, self._lock)
        self.registry = new_registry()
        self.model = ServedModel(self.watched, shipped_card(), SidecarInstruments(self.registry), wait=self._clock.wait)

    def play(self, moments: range) -> None:
        """Run the script second by second."""
        self.model.start()
        with ThreadPoolExecutor(CALLERS) as callers:
            self._fill(callers)
            for at in moments:
                self._clock.set(float(at))
                self._life.step(at)
                self._damage(at // moments.step)
                list(callers.map(self._call, range(CALLERS), [self._windows] * CALLERS))
                self.machine.chip.stuck = False
        self.machine.heal()
        self._clock.set(self._clock() + 3600.0)
        self.model.close()

    def _fill(self, callers: ThreadPoolExecutor) -> None:
        """One window of each caller, none of which ends before all are in flight: later ones meet by chance alone."""
        self._until_ready()
        gate = self.machine.chip.gate = Gate()
        ends = callers.map(self._call, range(CALLERS), [1] * CALLERS)
        gate.until_taken(CALLERS)
        for _ in range(CALLERS):
            gate.finish()
        list(ends)
        self.machine.chip.gate = None

    def _until_ready(self) -> None:
        """The model opens on a thread of its own, in real time."""
        ends = time.monotonic() + _PATIENCE_SECONDS
        while True:
            try:
                return self.model.check_ready()
            except NotReady:
                if time.monotonic() > ends:
                    raise
                time.sleep(0.005)

    def _damage(self, step: int) -> None:
        for every, call, codes in _PLAN:
            if step % every == every - 1:
                self.machine.inject(call, codes[step // every % len(codes)])
        self.machine.chip.stuck = step % _STUCK_EVERY == _STUCK_EVERY - 1

    def _call(self, caller: int, windows: int) -> None:
        for turn in range(windows):
            with self._lock:
                number = (self.sums.sent + caller + turn) % _DISTINCT
                self.sums.sent += 1
            self._one(*_WINDOWS[number])

    def _one(self, window: Window, latent: Window) -> None:
        try:
            self.model.check_ready()
            answer = self.model.infer(window)
        except NotReady:
            self._add("not_ready")
        except BackendError:
            self._add("failed_windows")
        else:
            is_right = np.allclose(answer.latent, latent, rtol=1e-4, atol=1e-4)
            self._add("right" if is_right else "wrong")

    def _add(self, name: str) -> None:
        with self._lock:
            setattr(self.sums, name, getattr(self.sums, name) + 1)

    def counted_by_sidecar(self) -> dict[str, float]:
        """`hailo_hardware_errors_total` by class, without the zeros."""
        found: dict[str, float] = {}
        for family in self.registry.collect():
            for sample in family.samples:
                if sample.name == "hailo_hardware_errors_total" and sample.value:
                    found[sample.labels["error_class"]] = sample.value
        return found

    def violations(self) -> list[str]:
        """What does not add up; empty when everything does."""
        sums, machine = self.sums, self.machine
        expected = {name: float(count) for name, count in (sums.counted + self.watched.open_failures).items()}
        checks: list[tuple[str, bool]] = [
            ("no window got a wrong answer", sums.wrong == 0),
            (
                "every window has one end",
                sums.sent == sums.right + sums.failed_windows + sums.not_ready,
            ),
            ("each failure is counted once, by its class", expected == self.counted_by_sidecar()),
            ("no answer without a frame that succeeded", machine.ended[0] >= sums.right),
            ("every frame that was taken has ended", machine.taken == sum(machine.ended.values())),
            ("four were in flight", sums.max_in_flight == CALLERS),
            ("no callback raised, and no two threads were in one call", not machine.aborted and not machine.races),
            ("the chip was let go", machine.vdevices_open == 0),
        ]
        return [name for name, holds in checks if not holds]

    def report(self) -> dict[str, Any]:
        """The sums as a JSON object, titles as keys."""
        sums = self.sums
        return {
            "windows": sums.sent,
            "answered right by the chip": sums.right,
            "answered wrong": sums.wrong,
            "left to the fallback after a failure": sums.failed_windows,
            "left to the fallback while not ready": sums.not_ready,
            "failures counted": dict(sorted(sums.counted.items())),
            "windows and probes that the same failures cost": dict(sorted(sums.repeated.items())),
            "failures while opening": dict(sorted(self.watched.open_failures.items())),
            "hailo_hardware_errors_total": self.counted_by_sidecar(),
            "frames taken": self.machine.taken,
            "frames that ended, by status": dict(sorted(self.machine.ended.items())),
            "networks configured": self.machine.calls.count("configure"),
            "chips opened": self.machine.calls.count("VDevice"),
            "most in flight": sums.max_in_flight,
            "recoveries": self.registry.get_sample_value("hailo_sidecar_backend_recoveries_total"),
        }


def live(moments: range, windows: int = _WINDOWS_OF_A_CALLER) -> FrameLife:
    """A life over these seconds of the script."""
    with tempfile.TemporaryDirectory() as folder:
        life = FrameLife(begin(Path(folder), epoch=_EPOCH), Path(folder), windows)
        life.play(moments)
    return life


def main(say: Callable[[str], object] = print) -> None:
    """Run the script of the chip and print the sums."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=int, default=120, help="of the script; 120")
    given = parser.parse_args()
    life = live(range(0, given.minutes * 60, 5))
    say(json.dumps(life.report(), indent=1))
    violations = life.violations()
    say("everything adds up" if not violations else "does not hold: " + "; ".join(violations))
    sys.exit(1 if violations else 0)


if __name__ == "__main__":
    main()
