"""Several windows of one request: all of them are answered, or the request is refused."""

from collections.abc import Callable, Sequence

from edgeinfer.backends.base import Window
from edgeinfer.sidecar.inference import Computed, InferencePool

DeliverAll = Callable[[Sequence[Computed] | Exception], None]
"""Takes the answers in the order of the windows, or the first failure."""


def submit_all(
    pool: InferencePool, windows: Sequence[Window] | Window, is_abandoned: Callable[[], bool], deliver: DeliverAll
) -> None:
    """Have windows answered.

    Args:
        pool: that computes them, each by itself.
        windows: at least one.
        is_abandoned: whether the caller has hung up.
        deliver: called once, on the loop, after this function has returned.

    Raises:
        NotReady: the model is not loaded or lost.
        Overloaded: the queue has no room for all of them; none is computed.
    """
    pool.check_room(len(windows))
    batch = _Batch(len(windows), is_abandoned, deliver)
    try:
        for place, window in enumerate(windows):
            pool.submit(window, batch.is_abandoned, batch.deliver_to(place))
    except Exception:
        # The device was lost between two of them: the caller learns it from this failure, and not a second time.
        batch.fail()
        raise


class _Batch:
    """Collects the answers; after a failure what waits is not computed any more."""

    def __init__(self, size: int, is_abandoned: Callable[[], bool], deliver: DeliverAll) -> None:
        self._answers: list[Computed | None] = [None] * size
        self._missing = size
        self._is_abandoned = is_abandoned
        self._deliver = deliver
        self._has_failed = False

    def is_abandoned(self) -> bool:
        return self._has_failed or self._is_abandoned()

    def fail(self) -> None:
        """Let what waits go; nothing is delivered any more."""
        self._has_failed = True

    def deliver_to(self, place: int) -> Callable[[Computed | Exception], None]:
        """Takes the answer of one window."""

        def deliver(outcome: Computed | Exception) -> None:
            self._missing -= 1
            if isinstance(outcome, Computed):
                self._answers[place] = outcome
                if not self._missing and not self._has_failed:
                    self._deliver([one for one in self._answers if one is not None])
            elif not self._has_failed:
                self._has_failed = True
                self._deliver(outcome)

        return deliver
