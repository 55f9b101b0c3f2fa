"""Random interleavings of eight frames in flight: no window gets another's answer, or that of a frame that failed."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fakes.hailo_platform.machine import Gate, Machine
from tests.hailort.flights import Caller, ended
from tests.hailort.rigs import VERSIONS, Rig, build_rig

# The ends of waits are the gate's. So long a timeout that a stall of the machine does not lower the depth.
_TIMEOUT_MS = 600_000
_MOST = 8
# Statuses after which the chip is kept, unless it fails twice in a row.
_CODES = st.sampled_from([4, 18, 87])
_ACTIONS = st.one_of(
    st.just(("submit", 0)),
    st.just(("submit", 0)),
    st.just(("finish", 0)),
    st.tuples(st.just("fail"), _CODES),
    st.tuples(st.just("expire"), st.integers(0, _MOST - 1)),
)


class Driver:
    """Plays actions on a rig and keeps the books: who is on the chip, in which order, and who gave up waiting."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.gate = rig.machine.chip.gate = Gate()
        self.on_chip: list[tuple[Caller, object]] = []
        self.gave_up: set[int] = set()
        self.has_failed = False
        self.waiting: Caller | None = None
        self.callers = 0
        self.taken = 0

    def _new(self) -> Caller:
        self.callers += 1
        return Caller(self.rig, self.callers)

    def _took(self, caller: Caller) -> None:
        self.taken += 1
        self.gate.until_taken(self.taken)
        self.on_chip.append((caller, self.gate.jobs[self.taken - 1]))

    def _listening(self) -> list[Caller]:
        return [caller for caller, _ in self.on_chip if caller.number not in self.gave_up]

    def submit(self, _: int) -> None:
        """One more window; after a caller gave up it has to wait until the others have completed."""
        if len(self.on_chip) >= _MOST or self.waiting is not None:
            return
        if self.rig.machine.vdevices_open == 0:
            self._reopen()
        caller = self._new()
        if self.has_failed:
            self.waiting = caller
        else:
            self._took(caller)

    def _reopen(self) -> None:
        """Two failures in a row gave the chip up; a window long after has it opened again."""
        self.rig.machine.chip.gate = None
        self.rig.clock.advance(60)
        assert ended([self._new()]) == ["right"]
        self.rig.machine.chip.gate = self.gate

    def finish(self, _: int) -> None:
        """The oldest frame completes successfully."""
        if not self.on_chip:
            return
        self.gate.finish()
        caller, _job = self.on_chip.pop(0)
        if caller.number not in self.gave_up:
            assert ended([caller]) == ["right"]
        self.gate.until_used()
        self._settle()

    def fail(self, code: int) -> None:
        """The oldest frame fails, and with it all frames behind it."""
        if not self.on_chip:
            return
        listening = self._listening()
        self.gate.finish(code)
        found = ended(listening)
        assert "right" not in found
        assert "wrong" not in found
        self.on_chip.clear()
        self._settle()

    def expire(self, place: int) -> None:
        """The time of one who waits runs out; its frame stays where it is."""
        if place >= len(self.on_chip):
            return
        caller, job = self.on_chip[place]
        if caller.number in self.gave_up:
            return
        self.gate.expire(job)
        assert ended([caller])[0].strip("()") == "timeout"
        self.gave_up.add(caller.number)
        self.has_failed = True
        self._settle()

    def _settle(self) -> None:
        """Once a failed network has no listener left, it is configured again and the waiting caller gets in."""
        if self._listening():
            return
        self.on_chip.clear()
        self.has_failed = False
        waiting, self.waiting = self.waiting, None
        if waiting is None:
            return
        if self.rig.machine.vdevices_open:
            self._took(waiting)
        else:
            assert ended([waiting]) not in (["right"], ["wrong"])

    def end(self) -> None:
        """Let everything complete, and check that the chip serves."""
        while self.on_chip:
            self.finish(0)
        if self.rig.machine.vdevices_open == 0:
            self._reopen()
        self.submit(0)
        self.finish(0)
        assert not self.on_chip
        assert all(given <= _TIMEOUT_MS for given in self.rig.machine.waited_ms)


def play(version: str, actions: Sequence[tuple[str, int]]) -> None:
    """Play a random sequence of events on one chip."""
    with tempfile.TemporaryDirectory() as folder:
        rig = build_rig(Machine(version), Path(folder), timeout_ms=_TIMEOUT_MS)
        rig.backend.open()
        driver = Driver(rig)
        for name, value in actions:
            getattr(driver, name)(value)
        driver.end()
        rig.backend.close()
        assert (rig.machine.aborted, rig.machine.races) == ([], [])
        assert rig.machine.vdevices_open == 0


@pytest.mark.parametrize("version", VERSIONS)
@settings(max_examples=30, deadline=None)
@given(actions=st.lists(_ACTIONS, max_size=40))
def test_any_interleaving_of_frames_failures_and_timeouts_gives_each_window_its_own(
    version: str, actions: list[tuple[str, int]]
) -> None:
    play(version, actions)


@pytest.mark.parametrize("version", VERSIONS)
def test_the_books_are_right_for_the_cases_that_are_hard_to_meet(version: str) -> None:
    submit, finish = ("submit", 0), ("finish", 0)
    play(version, [submit] * 8 + [finish] * 3 + [("fail", 18)] + [submit] * 8 + [("expire", 0), submit, finish, finish])
    play(version, [submit] * 4 + [("expire", at) for at in range(4)] + [submit, finish])
    play(version, [submit, ("fail", 18), submit, ("fail", 87), submit, finish])
    play(version, [submit] * 3 + [("expire", 2), submit, ("fail", 4), finish])
