"""Windows of several callers on their way through one chip, whose end a test decides frame by frame."""

import threading
from dataclasses import dataclass, field

import numpy as np

from edgeinfer.backends.base import Inference, Window
from edgeinfer.errors import BackendError
from edgeinfer.model.processing import make_scale
from tests.fakes.hailo_platform.machine import Gate
from tests.hailort.rigs import Rig, shipped_card

_SECONDS = 30.0
# The fake's network: a fixed random matrix for each output.
_LATENT_MATRIX = np.random.default_rng(8).normal(0, 0.05, (900, 64)).astype(np.float32)


def window_of(number: int) -> Window:
    """A window that its number makes unique."""
    return np.random.default_rng(number).normal(0, 2, (100, 9)).astype(np.float32)


def latent_of(window: Window) -> Window:
    """The only right answer to a window."""
    latent: Window = make_scale(shipped_card().normalization).apply(window).reshape(-1) @ _LATENT_MATRIX
    return latent


@dataclass
class Caller:
    """One thread with one window; exactly one of `answer` and `failure` is set in the end."""

    rig: Rig
    number: int
    answer: Inference | None = None
    failure: BackendError | None = None
    thread: threading.Thread = field(init=False)

    def __post_init__(self) -> None:
        self.thread = threading.Thread(target=self._call, name=f"caller-{self.number}", daemon=True)
        self.thread.start()

    def _call(self) -> None:
        try:
            self.answer = self.rig.backend.infer(window_of(self.number))
        except BackendError as failure:
            self.failure = failure

    def end(self) -> None:
        """Wait until it has its answer or its failure."""
        self.thread.join(_SECONDS)
        assert not self.thread.is_alive(), f"caller {self.number} waits forever"

    @property
    def is_right(self) -> bool:
        """Whether it got the answer to its own window."""
        expected = latent_of(window_of(self.number))
        return self.answer is not None and bool(np.allclose(self.answer.latent, expected, rtol=1e-4, atol=1e-4))


def in_flight(rig: Rig, count: int, *, first: int = 0) -> tuple[Gate, list[Caller]]:
    """So many callers whose frames are on the chip in their order, and the hand on their end."""
    rig.machine.chip.gate = gate = Gate()
    callers = []
    for at in range(count):
        callers.append(Caller(rig, first + at))
        gate.until_taken(at + 1)
    return gate, callers


def ended(callers: list[Caller]) -> list[str]:
    """The result of each: "right", "wrong", or the class of its failure, in brackets where it is not counted."""
    found = []
    for caller in callers:
        caller.end()
        if caller.failure is None:
            found.append("right" if caller.is_right else "wrong")
        else:
            name = caller.failure.error_class
            found.append(f"({name})" if caller.failure.is_repeated else name)
    return found


def serves_again(rig: Rig) -> bool:
    """Whether a window is answered right, once what has to be waited for has passed."""
    rig.machine.chip.gate = None
    rig.machine.heal()
    rig.clock.advance(60)
    caller = Caller(rig, 999)
    caller.end()
    return caller.is_right
