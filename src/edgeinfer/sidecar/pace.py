"""How long a model's windows take here, and what follows from it: who computes them, and how many in one run."""

import math
import timeit
from collections.abc import Callable
from dataclasses import dataclass

from edgeinfer.backends.base import Backend, BatchBackend, Window
from edgeinfer.errors import BackendError

# While the loop computes it looks at no connection. This much is lost in what a busy core does to it anyway.
MAX_BRIEF_SECONDS = 0.002
# Waking a thread and being woken by it costs 0.1 ms, and its core's caches are cold: for less work it does not pay.
_HANDOVER_SECONDS = 0.001
# Beyond it a window becomes no cheaper: what a run costs is shared by then.
_MAX_BATCH = 16
# Of a run with several windows, compared with as many single runs: a busy machine measures that badly.
_MAX_COST = 1.1
_PROBES = 5


@dataclass(frozen=True, slots=True)
class Pace:
    """How windows are computed.

    Args:
        runs_inline: whether the event loop may stand still for a run.
        max_batch: windows that one run may take, of those that wait when it begins.
        min_handover: waiting windows that are worth waking a thread.
    """

    runs_inline: bool = False
    max_batch: int = 1
    min_handover: int = 1


ON_THREADS = Pace()
"""One window a run, each on a thread that may wait: for a device, and for a large model."""


def measure_pace(backend: Backend, probe: Window) -> Pace:
    """The pace of an open backend on this machine, now.

    Args:
        backend: that computes.
        probe: a window of its model.

    Raises:
        BackendError: it does not answer.
    """
    if not backend.is_cpu_bound:
        return ON_THREADS
    single = _shortest(lambda: backend.infer(probe))
    if single > MAX_BRIEF_SECONDS:
        return ON_THREADS
    max_batch = _max_batch(backend, probe, single)
    return Pace(True, max_batch, min(max_batch, math.ceil(_HANDOVER_SECONDS / single)))


def _max_batch(backend: Backend, probe: Window, single: float) -> int:
    """As many windows as take no longer together than one may, if that does not cost more than one by one."""
    if not isinstance(backend, BatchBackend):
        return 1
    windows = [probe] * min(_MAX_BATCH, backend.max_batch, int(MAX_BRIEF_SECONDS / single))
    if len(windows) < 2:  # noqa: PLR2004 - it takes two
        return 1
    try:
        together = _shortest(lambda: backend.infer_batch(windows))
    except BackendError:
        return 1  # it says nothing of single windows, which were answered a moment ago
    return len(windows) if together <= _MAX_COST * len(windows) * single else 1


def _shortest(run: Callable[[], object]) -> float:
    # A busy machine stretches the shortest of a few runs least.
    return min(timeit.repeat(run, number=1, repeat=_PROBES))
