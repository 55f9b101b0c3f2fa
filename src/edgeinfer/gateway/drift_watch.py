"""Keeps the drift window, learns the site's baseline, and publishes how far answers have moved from it."""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edgeinfer.catalog import model_output
from edgeinfer.catalog.metric import Metric
from edgeinfer.errors import DataFolderError
from edgeinfer.gateway.drift import (
    AnswerBuffer,
    AnswerCounts,
    AnswerShares,
    Bins,
    Drift,
    RecentAnswers,
    SiteBaseline,
    learn,
    measure,
    population_shares,
)
from edgeinfer.gateway.drift_files import DriftFiles
from edgeinfer.gateway.instruments import GatewayInstruments
from edgeinfer.model.card import ModelCard

_log = logging.getLogger(__name__)
_INTERVAL_SECONDS = 10.0
_SAVES_PER_PART = 6
# Without an answer for this share of the window there is no traffic, and what is old must not stand as now.
_FRESH_SHARE = 0.01
_MIN_FRESH_SECONDS = 60.0
# A window that knows half of the baseline's hours is not compared with a whole day: night is not drift.
_MIN_COVERED_SHARE = 0.8

BaselineChoice = Literal["site", "population"]


@dataclass(frozen=True, slots=True)
class DriftSettings:
    """How drift is judged.

    Args:
        window_seconds: age past which an answer no longer counts.
        minimum: answers below which nothing is published.
        judged: the baseline that the scores of the alerts are computed against.
        learns: whether the first baseline of a site is learned by itself once a window is whole.
    """

    window_seconds: float = 86_400.0
    minimum: int = 200
    judged: BaselineChoice = "site"
    learns: bool = True


class DriftWatch:
    """The drift of one gateway's answers; `step` is called now and then, in a thread, with what the buffer held.

    Args:
        card: its baseline gives bins and the population's shares; without one nothing is measured.
        buffer: where answers come in.
        files: None where nothing is kept on disk.
        instruments: where it is published.
        wall: seconds since 1970.
    """

    def __init__(  # noqa: PLR0913 - the seams
        self,
        card: ModelCard,
        buffer: AnswerBuffer,
        settings: DriftSettings,
        files: DriftFiles | None,
        instruments: GatewayInstruments,
        *,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.buffer = buffer
        self._settings = settings
        self._files = files
        self._instruments = instruments
        self._wall = wall
        self._population = population_shares(card) if card.baseline else None
        self._population_answers = card.baseline.windows if card.baseline else 0
        self.recent = RecentAnswers(Bins(card.baseline), settings.window_seconds) if card.baseline else None
        self.site: SiteBaseline | None = None
        self._saved_at = wall()
        self._failure = ""

    def load(self) -> None:
        """Continue with the window and the baseline of the previous run."""
        if self._files is None or self.recent is None:
            return
        try:
            self.recent = self._files.read_window(self._settings.window_seconds) or self.recent
        except DataFolderError as failure:
            self._report(failure)

    def step(self, latents: NDArray[np.float32], tops: NDArray[np.int64]) -> None:
        """Count the answers that came in, follow the baseline on disk, learn the first one, publish, save."""
        if self.recent is None or self._population is None:
            return
        now = self._wall()
        self.recent.add(latents, tops, now)
        self._follow_baseline(now)
        self._publish(self.recent, self._population, now)
        if now - self._saved_at >= self.recent.part_seconds / _SAVES_PER_PART or now < self._saved_at:
            self.save()

    def save(self) -> None:
        if self._files is None or self.recent is None:
            return
        self._saved_at = self._wall()
        try:
            self._files.write_window(self.recent)
        except DataFolderError as failure:
            self._report(failure)

    def _follow_baseline(self, now: float) -> None:
        if self._files is None or self.recent is None:
            return
        try:
            self.site = self._files.read_baseline()
            if self.site is None and self._is_time_to_learn(self.recent, now):
                self.site = learn(self.recent, now)
                self._files.write_baseline(self.site)
                _log.info("learned what is normal at this site", extra={"answers": self.site.answers})
        except DataFolderError as failure:
            self._report(failure)

    def _is_time_to_learn(self, recent: RecentAnswers, now: float) -> bool:
        return self._settings.learns and recent.is_whole(now) and recent.total.answers >= self._settings.minimum

    def _report(self, failure: DataFolderError) -> None:
        if str(failure) != self._failure:
            _log.warning("cannot write the drift file; drift is kept in memory", extra={"fault": str(failure)})
        self._failure = str(failure)

    def _publish(self, recent: RecentAnswers, population: AnswerShares, now: float) -> None:
        total = recent.total
        self._instruments.drift_window.set(total.answers)
        self._publish_baselines()
        is_fresh = recent.newest is not None and now - recent.newest <= max(
            _MIN_FRESH_SECONDS, _FRESH_SHARE * recent.seconds
        )
        if not is_fresh or total.answers < self._settings.minimum:
            self._withdraw()
            return
        against_population = measure(total, population)
        against_site = self._against_site(recent, total)
        judged = against_population if self._settings.judged == "population" else against_site
        self._show(model_output.LATENT_DRIFT, judged.latent if judged else None)
        self._show(model_output.MOTIF_DRIFT, judged.motifs if judged else None)
        self._show(model_output.POPULATION_LATENT_DRIFT, against_population.latent)
        self._show(model_output.POPULATION_MOTIF_DRIFT, against_population.motifs)
        self._show_what_moved(total, population, against_site, against_population)

    def _against_site(self, recent: RecentAnswers, total: AnswerCounts) -> Drift | None:
        if self.site is None or len(recent.parts) < _MIN_COVERED_SHARE * self.site.parts:
            return None
        return measure(total, self.site.shares)

    def _show_what_moved(
        self, total: AnswerCounts, population: AnswerShares, against_site: Drift | None, against_population: Drift
    ) -> None:
        readings = self._instruments.readings
        baseline, other = ("site", "population") if against_site else ("population", "site")
        readings.withdraw(model_output.DIMENSION_DRIFT, other)
        for dimension, index in enumerate((against_site or against_population).dimensions):
            readings.publish(model_output.DIMENSION_DRIFT, float(index), baseline, str(dimension))
        shares = {"window": total.shares.motifs, "population": population.motifs}
        if self.site is not None:
            shares["site"] = self.site.shares.motifs
        for of, each in shares.items():
            for motif, share in enumerate(each):
                readings.publish(model_output.MOTIF_SHARES, float(share), of, str(motif))

    def _publish_baselines(self) -> None:
        readings = self._instruments.readings
        readings.publish(model_output.DRIFT_BASELINE, self._population_answers, "population")
        if self.site is None:
            readings.withdraw(model_output.DRIFT_BASELINE, "site")
            readings.withdraw(model_output.DRIFT_BASELINE_LEARNED)
            readings.withdraw(model_output.MOTIF_SHARES, "site")
            return
        readings.publish(model_output.DRIFT_BASELINE, self.site.answers, "site")
        readings.publish(model_output.DRIFT_BASELINE_LEARNED, self.site.learned_at)

    def _withdraw(self) -> None:
        for metric in (
            model_output.LATENT_DRIFT,
            model_output.MOTIF_DRIFT,
            model_output.POPULATION_LATENT_DRIFT,
            model_output.POPULATION_MOTIF_DRIFT,
            model_output.DIMENSION_DRIFT,
            model_output.MOTIF_SHARES,
        ):
            self._instruments.readings.withdraw(metric)

    def _show(self, metric: Metric, value: float | None) -> None:
        if value is None:
            self._instruments.readings.withdraw(metric)
        else:
            self._instruments.readings.publish(metric, value)


async def watch_drift(watch: DriftWatch, *, interval_seconds: float = _INTERVAL_SECONDS) -> None:
    """Publish the drift now and then, until cancelled; the sums are done in a thread."""
    await asyncio.to_thread(watch.load)
    try:
        while True:
            await asyncio.to_thread(watch.step, *watch.buffer.drain())
            await asyncio.sleep(interval_seconds)
    finally:
        watch.save()
