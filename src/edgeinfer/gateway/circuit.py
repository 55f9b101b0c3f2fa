"""A circuit breaker: stops asking a sidecar that keeps failing, and probes it until it is back."""

from collections.abc import Callable
from enum import StrEnum


class CircuitState(StrEnum):
    """Whether calls pass."""

    CLOSED = "closed"
    HALF_OPEN = "half_open"
    OPEN = "open"


_MAX_OPEN_SECONDS = 30.0


class CircuitBreaker:
    """Opens after some failures in a row; after a pause one call at a time may probe.

    A probe that succeeds closes it; one that fails doubles the pause, up to 30 s.

    Args:
        failures: in a row that open it.
        open_seconds: first pause before a probe.
        clock: monotonic seconds.
        on_change: called with each new state.
    """

    def __init__(
        self,
        *,
        failures: int,
        open_seconds: float,
        clock: Callable[[], float],
        on_change: Callable[[CircuitState], None],
    ) -> None:
        self._failures = failures
        self._first_pause = open_seconds
        self._clock = clock
        self._on_change = on_change
        self._state = CircuitState.CLOSED
        self._failed_in_a_row = 0
        self._pause = open_seconds
        self._probe_from = 0.0
        self._is_probing = False

    @property
    def state(self) -> CircuitState:
        """The state as it was last entered."""
        return self._state

    @property
    def would_allow(self) -> bool:
        """Whether a call would pass now."""
        if self._state is CircuitState.CLOSED:
            return True
        return not self._is_probing and self._clock() >= self._probe_from

    def enter(self) -> None:
        """Begin a call that `would_allow` let pass; each is ended by exactly one of the three below."""
        if self._state is CircuitState.CLOSED:
            return
        self._is_probing = True
        if self._state is CircuitState.OPEN:
            self._change(CircuitState.HALF_OPEN)

    def succeed(self) -> None:
        """A call found the sidecar working."""
        self._failed_in_a_row = 0
        self._is_probing = False
        if self._state is CircuitState.HALF_OPEN:
            self._pause = self._first_pause
            self._change(CircuitState.CLOSED)

    def fail(self) -> None:
        """A call found the sidecar failing."""
        self._failed_in_a_row += 1
        if self._state is CircuitState.HALF_OPEN:
            self._pause = min(_MAX_OPEN_SECONDS, 2 * self._pause)
            self._open()
        elif self._state is CircuitState.CLOSED and self._failed_in_a_row >= self._failures:
            self._open()

    def abandon(self) -> None:
        """A call ended without evidence about the sidecar."""
        self._is_probing = False

    def _open(self) -> None:
        self._is_probing = False
        self._probe_from = self._clock() + self._pause
        self._change(CircuitState.OPEN)

    def _change(self, state: CircuitState) -> None:
        self._state = state
        self._on_change(state)
