"""The world behind the fake: chips, driver, firmware, and what shall go wrong."""

import ctypes
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

ORANGE, ORANGE_HYSTERESIS, RED, RED_HYSTERESIS = 104.0, 99.0, 120.0, 116.0
CLOCK_HERTZ = 400_000_000
# HailoRT 4.23 and 5.2: only these let other threads run while they wait (and a configured model's destructor).
_LETS_OTHERS_RUN = frozenset({"wait_for_async_ready", "run_async", "job.wait", "completion"})
# Called through PyDLL, a C function keeps the interpreter: no other thread of Python runs until it returns.
_C_LIBRARY = ctypes.PyDLL(None)


@dataclass(eq=False)
class Chip:
    """One chip and its present state; a test sets what it likes."""

    device_id: str = "0001:01:00.0"
    architecture: str = "HAILO8L"
    present: bool = True
    owner: str | None = None
    """None, "other" (another process), or the group of a VDevice in this process."""
    owner_group: str = "UNIQUE"
    owners: int = 0
    firmware_version: tuple[int, int, int] | None = None
    """As the library if None."""
    ts0: float = 48.5
    ts1: float = 48.0
    sample_count: int = 0
    clock_hertz: int = CLOCK_HERTZ
    zone: int = 0
    throttling_level: int = 0
    overcurrent_zone: int = 0
    requested_temperature_clock: int = CLOCK_HERTZ
    requested_overcurrent_clock: int = CLOCK_HERTZ
    protection: bool = True
    current_monitoring: bool = False
    power_watts: float = 2.5
    board_name: str = "Hailo-8"
    serial_number: str = "HLDDLBB242501487\x00\x00"
    part_number: str = "HM21LB1C2LAE\x00"
    product_name: str = "HAILO-8L AI ACC M.2 B+M KEY MODULE EXT TMP\x00"
    stuck: bool = False
    """Frames go in and never come out."""
    streams_closed: bool = False
    """Red zone: every run is aborted with 63."""
    latency_seconds: float = 0.0
    """From the moment that the chip takes a frame up to its answer."""
    overlap: int = 1
    """Frames that the chip works on at once, as a pipeline does; one is the unkind case."""
    gate: "Gate | None" = None
    """If there is one, a test decides when and how each frame ends."""
    busy_share: float = 0.0
    """Percent of the time that its owner's monitor file shows; without it no file is written."""
    noise: Any = None
    """A function of an output array that disturbs it, or None."""
    control_calls: list[str] = field(default_factory=list)
    listeners: dict[tuple[int, str], tuple[Callable[..., None], Any, Any]] = field(default_factory=dict)
    open_devices: int = 0
    previous_states: tuple[int, int] = (0, 0)
    """Why each processor of the chip started last, application and core: 0 is the power-up."""


class Gate:
    """A test's hand on the frames in flight of a chip, in the order in which the device ends them: first in, first out.

    While it is on a chip, no frame ends and no wait times out unless the test says so.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._verdicts: deque[int | None] = deque()
        self._expired: set[int] = set()
        self.jobs: list[Any] = []
        """Every job that was taken, in order."""

    def took(self, job: Any) -> None:
        """A frame is in flight."""
        with self._changed:
            self.jobs.append(job)
            self._changed.notify_all()

    def until_taken(self, count: int, seconds: float = 30.0) -> None:
        """Wait until so many frames have been taken since the gate was made."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.jobs) >= count, seconds), f"{len(self.jobs)} of {count}"

    def finish(self, status: int | None = None) -> None:
        """Let the oldest frame that has no verdict end, with this status if one is given."""
        with self._changed:
            self._verdicts.append(status)

    def until_used(self, seconds: float = 30.0) -> None:
        """Wait until every verdict has been carried out."""
        with self._changed:
            assert self._changed.wait_for(lambda: not self._verdicts, seconds)

    def verdict(self) -> tuple[int | None] | None:
        """The verdict on the oldest frame, if the test has come to one."""
        with self._changed:
            if not self._verdicts:
                return None
            self._changed.notify_all()
            return (self._verdicts.popleft(),)

    def expire(self, job: Any) -> None:
        """Let the time of the one who waits for this job run out."""
        with self._changed:
            self._expired.add(id(job))

    def has_expired(self, job: Any) -> bool:
        """Whether the time of the one who waits for this job has run out."""
        with self._changed:
            return id(job) in self._expired


@dataclass
class _Knob:
    outcome: int | BaseException
    times: int | None
    after: int = 0


class Machine:
    """A host with a driver, a library and some chips.

    Args:
        version: of the library, "4.23.0" or "5.2.0".
        chips: what is plugged in; one Hailo-8L or Hailo-10H if not given.
        driver_version: of the kernel module; None without one.
    """

    def __init__(
        self, version: str = "4.23.0", chips: list[Chip] | None = None, driver_version: str | None = "same"
    ) -> None:
        self.version = version
        self.chips = [default_chip(version)] if chips is None else chips
        self.driver_version = version if driver_version == "same" else driver_version
        self.aborted: list[BaseException] = []
        """What callbacks raised; the real library ends the process there."""
        self.races: list[str] = []
        """Calls of one configured model at once from two threads: the real one mixes up which buffers it keeps."""
        self.taken = 0
        """Frames that were put in flight."""
        self.ended: Counter[int] = Counter()
        """Frames that were in flight and have ended, by status; 0 is success."""
        self.waited_ms: list[float] = []
        """The time that each wait for a job was given."""
        self.queue_limit = 8
        """Frames that the queue takes at most: 8 in packages with the multi-process service, 32 without."""
        self.hold = hold_the_interpreter
        """How a call that blocks waits; a test with a clock of its own turns that instead."""
        self.vdevices_open = 0
        self.knows_numpy_2 = True
        """Hailo's own packages before 5.1.1 do not; the tests run with numpy 2, so they see a package built again."""
        self.calls: list[str] = []
        self._knobs: dict[str, list[_Knob]] = {}
        self._delays: dict[str, float] = {}
        self._lock = threading.Lock()

    @property
    def chip(self) -> Chip:
        """The first chip."""
        return self.chips[0]

    @property
    def is_old_line(self) -> bool:
        """Whether this is 4.x."""
        return self.version.startswith("4.")

    def inject(self, call: str, outcome: int | BaseException, times: int | None = 1, after: int = 0) -> None:
        """Let calls of this name fail with a status code or an exception, after so many; None means until healed."""
        self._knobs.setdefault(call, []).append(_Knob(outcome, times, after))

    def delay(self, call: str, seconds: float) -> None:
        """Let calls of this name take long; most of them keep the interpreter meanwhile, as the real ones do.

        `Device(...)` on something that does not answer took 30.7 s, with silence in every other thread.
        """
        self._delays[call] = seconds

    def heal(self, call: str | None = None) -> None:
        """Forget what was injected, for one call or all."""
        if call is None:
            self._knobs.clear()
            self._delays.clear()
        else:
            self._knobs.pop(call, None)
            self._delays.pop(call, None)

    def outcome_of(self, call: str) -> int | BaseException | None:
        """What shall go wrong in this call now, if anything."""
        with self._lock:
            self.calls.append(call)
            seconds = self._delays.get(call, 0.0)
            outcome = self._take(call)
        if seconds and call in _LETS_OTHERS_RUN:
            time.sleep(seconds)
        elif seconds:
            self.hold(seconds)
        return outcome

    def _take(self, call: str) -> int | BaseException | None:
        for knob in self._knobs.get(call, []):
            if knob.after > 0:
                knob.after -= 1
                return None
            if knob.times is None:
                return knob.outcome
            if knob.times > 0:
                knob.times -= 1
                return knob.outcome
        return None

    def present(self) -> list[Chip]:
        """The chips that a scan finds."""
        return [] if self.driver_version is None else [chip for chip in self.chips if chip.present]

    def find(self, device_id: str) -> Chip | None:
        """The chip of this address."""
        return next((chip for chip in self.present() if chip.device_id == device_id), None)

    def notify(self, chip: Chip, notification: str, **body: Any) -> None:
        """Send a notification as the device does: from a thread that is not the main one."""

        def send() -> None:
            for (_, name), (callback, notification_id, opaque) in list(chip.listeners.items()):
                if name != notification:
                    continue
                try:
                    callback(0, Notification(notification_id, Body(**body)), opaque)
                except BaseException as failure:  # noqa: BLE001  # the real library ends the process here
                    self.aborted.append(failure)

        thread = threading.Thread(target=send, name="native-notifications")
        thread.start()
        thread.join()


def hold_the_interpreter(seconds: float) -> None:
    """Wait so that no other thread of this process runs Python code, as HailoRT's blocking calls do."""
    _C_LIBRARY.poll(None, 0, ctypes.c_int(round(seconds * 1000)))


class Body:
    """The union of a notification: only what belongs to it."""

    def __init__(self, **parts: Any) -> None:
        for name, value in parts.items():
            setattr(self, name, value)


@dataclass
class Notification:
    """What a callback gets."""

    notification_id: Any
    body: Body
    sequence: int = 0


def default_chip(version: str) -> Chip:
    """The chip that goes with a line of the library."""
    if version.startswith("4."):
        return Chip()
    return Chip(architecture="HAILO10H", board_name="Hailo-10H")
