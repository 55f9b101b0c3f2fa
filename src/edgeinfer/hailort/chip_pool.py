"""Chips that answer together: whose turn it is, how many frames each takes, and the recovery of one that failed."""

import logging
import threading
from collections.abc import Callable, Sequence
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from edgeinfer.errors import BackendError
from edgeinfer.hailort.chip_state import ChipState
from edgeinfer.hailort.session import SessionOver, again

Array = NDArray[np.float32]
_log = logging.getLogger(__name__)
_FIRST_WAIT_SECONDS, _MAX_WAIT_SECONDS = 1.0, 30.0
# HailoRT's own timeouts end far below this; waiting longer for a busy chip gains nothing.
_MAX_TURN_SECONDS = 5.0
# A frame waits in the library's queue for those before it, and its timeout already runs.
_QUEUE_SHARE_OF_TIMEOUT = 0.5


def start_thread(action: Callable[[], None]) -> None:
    """Run an action in a thread of its own and return at once."""
    threading.Thread(target=action, name="hailo-reopen", daemon=True).start()


class ChipPool:
    """Gives each frame to a chip that takes one more, and recovers chips that fail in the background.

    Args:
        open_chip: opens a chip again and runs a frame on it; false where it failed, after `note` and `postpone`.
        timeout_ms: for a frame to be taken, and again for it to come back.
        max_in_flight: frames at once on each chip, if its queue takes as many.
        clock: monotonic seconds.
        start: how the reopening of a chip is started in the background.
    """

    def __init__(
        self,
        open_chip: Callable[[ChipState], bool],
        *,
        timeout_ms: int,
        max_in_flight: int,
        clock: Callable[[], float],
        start: Callable[[Callable[[], None]], None],
    ) -> None:
        self._open_chip = open_chip
        self._timeout_ms = timeout_ms
        self._max_in_flight = max_in_flight
        self._clock = clock
        self._start = start
        self._turn = threading.Condition()
        self.chips: list[ChipState] = []

    @property
    def depth(self) -> int:
        """Frames that the chips take at once; 0 before there are any."""
        return sum(self._max_on(chip) for chip in self.chips)

    def serve(self, chips: Sequence[ChipState]) -> None:
        """Give frames to these chips from now on."""
        with self._turn:
            self.chips = list(chips)

    def close(self) -> None:
        """Release every chip; frames in flight are awaited, and fail if they do not come back."""
        with self._turn:
            chips, self.chips = self.chips, []
            self._turn.notify_all()
        for chip in chips:
            self._wait_until_idle(chip)
            chip.network.close()

    def run(self, buffer: Array) -> tuple[list[Array], int]:
        """The outputs of one frame, and how many were in flight with it.

        Raises:
            BackendError: with the class of the failure.
        """
        deadline = self._clock() + _MAX_TURN_SECONDS
        while True:
            chip, in_flight = self._take(deadline)
            try:
                return self._run_on(chip, buffer), in_flight
            except SessionOver:
                continue  # another's failure came between; this window has not been tried yet

    def _run_on(self, chip: ChipState, buffer: Array) -> list[Array]:
        answered = None
        try:
            started = perf_counter()
            outputs, seconds = chip.network.run(buffer)
            answered = started, started + seconds
        except BackendError as failure:
            self.note(chip, failure, was_reported=True)
            raise
        finally:
            self._give_back(chip, answered)
        return outputs

    def _take(self, deadline: float) -> tuple[ChipState, int]:
        """A chip that takes one more frame, and how many are on it then."""
        with self._turn:
            while True:
                self._reopen_what_is_due()
                free = [chip for chip in self.chips if chip.is_ready and chip.in_flight < self._max_on(chip)]
                if free:
                    chip = min(free, key=lambda chip: chip.in_flight)
                    chip.in_flight += 1
                    return chip, chip.in_flight
                is_late = self._clock() >= deadline
                # A chip that is being configured or opened again at this moment is worth waiting for.
                hopeful = [chip for chip in self.chips if chip.network.is_open or (chip.is_recovering and not is_late)]
                if not hopeful:
                    raise self.failure()
                if is_late:
                    remedy = "Send fewer windows at once."
                    raise BackendError("the chips", "are all busy", remedy, error_class="backpressure")
                # Not without a timeout: `due_at` and the deadline pass without a notification.
                self._turn.wait(0.1)

    def _max_on(self, chip: ChipState) -> int:
        """Frames at once: as many as the settings and the queue allow, and as complete well within their timeout."""
        seconds = chip.seconds_per_frame
        in_time = int(_QUEUE_SHARE_OF_TIMEOUT * self._timeout_ms / 1000 / seconds) if seconds else 1
        return max(1, min(self._max_in_flight, chip.network.queue_size, in_time))

    def failure(self) -> BackendError:
        """Why no chip takes a frame: the failure of one, preferably one that was not reported yet."""
        for chip in sorted(self.chips, key=lambda chip: chip.was_reported):
            last = chip.last_failure
            if last is not None:
                repeated, chip.was_reported = chip.was_reported, True
                return again(last) if repeated else last
        return BackendError("the backend", "is not open", "Open it first.", error_class="misuse")

    def _reopen_what_is_due(self) -> None:
        for chip in self.chips:
            if not chip.network.is_open and not chip.is_recovering and self._clock() >= chip.due_at:
                chip.is_recovering = True
                try:
                    self._start(lambda chip=chip: self._reopen(chip))  # type: ignore[misc]  # binds the loop's chip
                except RuntimeError:  # the machine has no thread left: later
                    chip.is_recovering = False
                    failure = _lack_of_threads(chip)
                    self.note(chip, failure)
                    self.postpone(chip, failure)

    def _reopen(self, chip: ChipState) -> None:
        try:
            if self._open_chip(chip):
                _log.info("a chip has recovered", extra={"device_id": chip.network.device_id})
                if chip not in self.chips:
                    chip.network.close()  # the pool was closed in the meantime, and waited no longer
        finally:
            self._end_recovery(chip)

    def _recover(self, chip: ChipState) -> None:
        """Configure the network again after a failure, when all frames in flight have completed."""
        failure = chip.last_failure
        try:
            chip.network.recover()
            if not chip.network.is_open and failure is not None:
                self.postpone(chip, failure)
        finally:
            self._end_recovery(chip)

    def _end_recovery(self, chip: ChipState) -> None:
        with self._turn:
            chip.is_recovering = False
            self._turn.notify_all()

    def note(self, chip: ChipState, failure: BackendError, *, was_reported: bool = False) -> None:
        """Remember a chip's failure, and whether a caller got it."""
        with self._turn:
            chip.last_failure, chip.was_reported = failure, was_reported

    def postpone(self, chip: ChipState, failure: BackendError) -> None:
        """Set when to open the chip again, later after each failure in a row."""
        with self._turn:
            wait = min(_FIRST_WAIT_SECONDS * 2**chip.failures, _MAX_WAIT_SECONDS)
            chip.failures += 1
            chip.due_at = self._clock() + wait
        _log.warning(
            "a chip is lost and will be opened again",
            extra={"device_id": chip.network.device_id, "error_class": failure.error_class, "wait_seconds": wait},
        )

    def _give_back(self, chip: ChipState, answered: tuple[float, float] | None) -> None:
        """End a thread's turn; the last to leave a network that has failed has it recovered."""
        with self._turn:
            chip.in_flight -= 1
            if answered is not None:
                chip.answered(*answered)
                if not chip.network.has_failed:
                    chip.failures, chip.last_failure = 0, None
            must_recover = chip.network.has_failed and chip.in_flight == 0 and not chip.is_recovering
            chip.is_recovering = chip.is_recovering or must_recover
            self._turn.notify_all()
        # Outside of the lock: configuring is slow, and callers must be able to use the other chips.
        if must_recover:
            try:
                self._start(lambda: self._recover(chip))
            except RuntimeError:  # the machine has no thread left, and nobody else would do it
                self._recover(chip)

    def _wait_until_idle(self, chip: ChipState) -> None:
        with self._turn:
            is_idle = self._turn.wait_for(
                lambda: chip.in_flight == 0 and not chip.is_recovering, timeout=_MAX_TURN_SECONDS
            )
        if not is_idle:
            # HailoRT ends what is in flight with a failure when the network is left: no window waits forever.
            _log.warning("a chip is closed with frames in flight", extra={"device_id": chip.network.device_id})


def _lack_of_threads(chip: ChipState) -> BackendError:
    fault, remedy = "cannot be opened again: the machine starts no more threads", "Raise the limit of tasks (TasksMax)."
    return BackendError(f"device {chip.network.device_id}", fault, remedy, error_class="hailort_init_failure")
