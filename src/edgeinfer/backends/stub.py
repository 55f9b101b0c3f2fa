"""Synthetic outputs that say so, without a model.

Latency and failures are scripted.
"""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock
from time import perf_counter

import numpy as np

from edgeinfer.backends.base import Description, Inference, Window
from edgeinfer.errors import BackendError
from edgeinfer.model.card import ModelCard
from edgeinfer.settings import SidecarSettings

KIND = "stub"


@dataclass(frozen=True, slots=True)
class Script:
    """What the stub does, by chance but repeatably.

    Args:
        median_seconds: of the lognormal time that a window takes.
        spread: sigma of that distribution; 0 makes every window take the median.
        failure_shares: share of windows that fail, by error class.
        not_a_number_share: share of windows answered with NaN, which the sidecar must refuse to pass on.
        seed: of the chance.
    """

    median_seconds: float = 0.0015
    spread: float = 0.3
    failure_shares: dict[str, float] = field(default_factory=dict)
    not_a_number_share: float = 0.0
    seed: int = 0


def create(card: ModelCard, settings: SidecarSettings) -> "StubBackend":
    """The backend that the settings describe."""
    script = Script(
        median_seconds=settings.stub_latency_ms / 1000,
        failure_shares={"execution_failed": settings.stub_failure_share} if settings.stub_failure_share else {},
    )
    return StubBackend(card, script)


class StubBackend:
    """Answers windows with numbers that look like outputs and mean nothing.

    The same window gets the same answer, so that a replay repeats.

    Args:
        card: whose dimensions the outputs take.
        script: latency and faults.
        sleep: waits that many seconds.
    """

    def __init__(
        self, card: ModelCard, script: Script | None = None, *, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._card = card
        self._script = script or Script()
        self._sleep = sleep
        self._chance = random.Random(self._script.seed)  # noqa: S311 - scripts a simulation, guards nothing
        self._lock = Lock()
        self._is_open = False

    @property
    def parallelism(self) -> int:
        """As a device that computes one window at a time."""
        return 1

    @property
    def is_cpu_bound(self) -> bool:
        """It sleeps as its script says."""
        return False

    def open(self) -> Description:
        """Become ready at once; there is nothing to load."""
        self._is_open = True
        return Description(
            kind=KIND,
            device="none: synthetic outputs",
            runtime="stub",
            model_name=self._card.name,
            model_version=self._card.version,
            model_sha256="",
            latent_dimensions=self._card.latent_size,
            motif_count=len(self._card.motifs),
        )

    def infer(self, window: Window) -> Inference:
        """Wait as scripted, then answer or fail as scripted.

        Raises:
            BackendError: when the script says so, or before `open`.
        """
        if not self._is_open:
            raise BackendError("the stub", "is not open", "Wait until it is ready.", error_class="misuse")
        seconds, fate, is_broken = self._draw()
        started = perf_counter()
        self._sleep(seconds)
        if fate is not None:
            raise BackendError("the stub", "failed, as its script says", "Change the script.", error_class=fate)
        executed = perf_counter()
        latent, scores = self._outputs(window)
        if is_broken:
            latent[0] = np.nan
        return Inference(latent, scores, 0.0, executed - started, perf_counter() - executed)

    def close(self) -> None:
        """Stop being ready; there is nothing to release."""
        self._is_open = False

    def _draw(self) -> tuple[float, str | None, bool]:
        """Seconds, the class of the failure if any, and whether the answer is broken."""
        with self._lock:
            seconds = self._script.median_seconds * self._chance.lognormvariate(0.0, self._script.spread)
            point, broken_point = self._chance.random(), self._chance.random()
        for error_class, share in self._script.failure_shares.items():
            if point < share:
                return seconds, error_class, False
            point -= share
        return seconds, None, broken_point < self._script.not_a_number_share

    def _outputs(self, window: Window) -> tuple[Window, Window]:
        noise = np.random.default_rng(int.from_bytes(window.tobytes()[:8], "little"))
        latent = noise.standard_normal(self._card.latent_size, dtype=np.float32)
        weights = noise.random(len(self._card.motifs), dtype=np.float32)
        return latent, weights / weights.sum()
