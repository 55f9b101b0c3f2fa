"""Which sidecar a window goes to: the least loaded one whose circuit lets it pass."""

from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

from edgeinfer.errors import SidecarError
from edgeinfer.gateway.circuit import CircuitBreaker, CircuitState
from edgeinfer.gateway.instruments import SidecarInstruments
from edgeinfer.gateway.sidecar_client import SidecarAnswer, SidecarClient, is_about_health


class SidecarMember:
    """One sidecar with its circuit and its load.

    Args:
        client: asks it.
        instruments: where its circuit and load are shown.
        failures: in a row that open its circuit.
        open_seconds: first pause before an open circuit is probed.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        client: SidecarClient,
        instruments: SidecarInstruments,
        *,
        failures: int,
        open_seconds: float,
        clock: Callable[[], float],
    ) -> None:
        self.client = client
        self.instruments = instruments
        self.in_flight = 0
        self.on_change: Callable[[], None] = _nobody
        """Called when its circuit enters another state."""
        self.circuit = CircuitBreaker(
            failures=failures, open_seconds=open_seconds, clock=clock, on_change=self._show_change
        )
        instruments.circuit_state[CircuitState.CLOSED].set(1)
        instruments.in_flight.set_function(lambda: self.in_flight)

    @property
    def name(self) -> str:
        """The sidecar's name."""
        return self.client.name

    async def infer(self, window: NDArray[np.float32], request_id: str, timeout_seconds: float) -> SidecarAnswer:
        """Ask it, and let its circuit learn from the outcome; raises SidecarError."""
        self.circuit.enter()
        self.in_flight += 1
        try:
            answer = await self.client.infer(window, request_id, timeout_seconds)
        except SidecarError as failure:
            (self.circuit.fail if is_about_health(failure) else self.circuit.succeed)()
            raise
        except BaseException:
            self.circuit.abandon()
            raise
        else:
            self.circuit.succeed()
            return answer
        finally:
            self.in_flight -= 1

    def _show_change(self, state: CircuitState) -> None:
        for value, gauge in self.instruments.circuit_state.items():
            gauge.set(value == state)
        self.instruments.circuit_transitions[state].inc()
        self.on_change()


def _nobody() -> None:
    pass


class Balancer:
    """Chooses among sidecars.

    Args:
        members: the sidecars of the settings.
    """

    def __init__(self, members: Iterable[SidecarMember]) -> None:
        self.members = tuple(members)
        self._turn = 0

    def choose(self, tried: Iterable[SidecarMember] = ()) -> SidecarMember | None:
        """The least loaded sidecar whose circuit lets a call pass, untried ones first; None where there is none.

        Equal ones take turns. A sidecar whose circuit waits for a probe gets this call as its probe.
        """
        if len(self.members) == 1:
            only = self.members[0]
            return only if only.circuit.would_allow else None
        passing = [member for member in self.members if member.circuit.would_allow]
        candidates = [member for member in passing if member not in tried] or passing
        if not candidates:
            return None
        if len(candidates) == 1:
            return candidates[0]
        probing = [member for member in candidates if member.circuit.state is not CircuitState.CLOSED]
        if probing:
            return probing[0]
        self._turn += 1
        start = self._turn % len(candidates)
        return min(candidates[start:] + candidates[:start], key=lambda member: member.in_flight)
