from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from edgeinfer.errors import DataFolderError
from edgeinfer.gateway.drift import (
    WINDOW_PARTS,
    AnswerBuffer,
    AnswerShares,
    Bins,
    RecentAnswers,
    learn,
    measure,
    stability_index,
)
from edgeinfer.gateway.drift_files import DriftFiles, drift_files_of
from edgeinfer.gateway.drift_watch import DriftSettings
from edgeinfer.model.card import Baseline, Distribution, LatentBaseline
from tests.gateway.rigs import Clock, Rig, make_rig

EDGES = (-1.2816, -0.8416, -0.5244, -0.2533, 0.0, 0.2533, 0.5244, 0.8416, 1.2816)
DECILES = Distribution(EDGES, (0.1,) * 10)
BASELINE = Baseline(
    windows=10_000,
    latent=tuple(LatentBaseline(0.0, 1.0, DECILES) for _ in range(4)),
    motif_shares=(0.5, 0.3, 0.2),
    confidence=DECILES,
    latent_norm=DECILES,
)
POPULATION = AnswerShares(np.full((4, 10), 0.1), np.array(BASELINE.motif_shares))
HOUR = 3600.0
START = 1_800_000_000.0 // HOUR * HOUR


def test_answers_like_the_baseline_show_no_drift() -> None:
    random = np.random.default_rng(1)
    latents = random.normal(size=(2000, 4)).astype(np.float32)
    tops = random.choice(3, size=2000, p=(0.5, 0.3, 0.2))
    drift = measure(Bins(BASELINE).count(latents, tops), POPULATION)
    assert drift.latent < 0.05
    assert drift.motifs < 0.05
    assert drift.answers == 2000


def test_the_dimension_that_moved_is_known() -> None:
    random = np.random.default_rng(1)
    latents = random.normal(size=(2000, 4)).astype(np.float32)
    latents[:, 2] += 1
    drift = measure(Bins(BASELINE).count(latents, np.zeros(2000, np.int64)), POPULATION)
    assert drift.dimensions.argmax() == 2
    assert drift.dimensions[2] > 0.25 > drift.dimensions[[0, 1, 3]].max()
    assert drift.motifs > 0.25


def test_a_value_on_an_edge_belongs_to_the_bin_above_it() -> None:
    counts = Bins(BASELINE).count(np.array([[0.0, -0.01, -9, 9]], np.float32), np.zeros(1, np.int64))
    assert counts.latent.argmax(axis=1).tolist() == [5, 4, 0, 9]


def test_the_index_of_a_known_example() -> None:
    expected, found = np.array([0.5, 0.5]), np.array([0.25, 0.75])
    by_hand = (0.25 - 0.5) * np.log(0.25 / 0.5) + (0.75 - 0.5) * np.log(0.75 / 0.5)
    assert stability_index(expected, found) == pytest.approx(by_hand)


@given(arrays(np.float64, 5, elements=st.floats(0, 1)), arrays(np.float64, 5, elements=st.floats(0, 1)))
def test_the_index_is_never_negative_and_always_finite(one: np.ndarray, other: np.ndarray) -> None:
    index = stability_index(one, other)
    assert np.isfinite(index)
    assert index >= 0
    assert stability_index(one, one) == 0


def test_the_buffer_keeps_the_newest_in_fixed_memory_and_gives_each_answer_once() -> None:
    buffer = AnswerBuffer(4, size=10, clock=Clock(), spacing_seconds=0)
    for index in range(25):
        buffer.add(np.full(4, index, np.float32), index % 3)
    latents, tops = buffer.drain()
    assert sorted(latents[:, 0]) == list(range(15, 25))
    assert len(tops) == 10
    assert len(buffer) == len(buffer.drain()[1]) == 0


def test_under_load_answers_are_taken_at_a_distance() -> None:
    clock = Clock()
    buffer = AnswerBuffer(4, size=100, clock=clock, spacing_seconds=0.5)
    for _ in range(100):
        buffer.add(np.zeros(4, np.float32), 0)
        clock.now += 0.1
    assert len(buffer) == 20


def recent_day(hours: int = WINDOW_PARTS, of: int = 50) -> RecentAnswers:
    recent = RecentAnswers(Bins(BASELINE), 24 * HOUR)
    for hour in range(hours):
        recent.add(np.zeros((of, 4), np.float32), np.zeros(of, np.int64), START + hour * HOUR)
    return recent


def test_an_answer_counts_until_it_is_a_day_old() -> None:
    recent = recent_day()
    assert recent.total.answers == 24 * 50
    recent.drop_old(START + 24 * HOUR)
    assert recent.total.answers == 23 * 50
    recent.drop_old(START + 60 * HOUR)
    assert (recent.total.answers, recent.newest) == (0, None)


def test_answers_dated_after_now_by_a_clock_that_was_ahead_do_not_count() -> None:
    recent = recent_day()
    recent.drop_old(START)
    assert recent.total.answers == 50
    assert recent.newest is None


def test_a_window_is_whole_once_its_first_answers_are_as_old_as_it_is_long() -> None:
    assert not recent_day(23).is_whole(START + 22.9 * HOUR)
    assert recent_day(1).is_whole(START + 23.5 * HOUR)


# --- a gateway's drift over the hours ---


class Site:
    """A gateway whose answers and clock are given by the test."""

    def __init__(self, folder: Path | None, **settings: object) -> None:
        self.now = START
        how = DriftSettings(**{"minimum": 20, **settings})  # type: ignore[arg-type]
        self.rig: Rig = make_rig(durable_folder=folder, drift_settings=how, wall=lambda: self.now)
        self._random = np.random.default_rng(1)
        self.rig.drift.load()

    def live(self, hours: int, *, shift: float = 0.0, motif: int = 0, answers: int = 200) -> None:
        """Let hours pass in which answers come."""
        for _ in range(hours):
            self.now += HOUR
            latents = self._random.normal(loc=shift, scale=0.3, size=(answers, 64)).astype(np.float32)
            self.rig.drift.step(latents, np.full(answers, motif, np.int64))

    def be_silent(self, hours: float) -> None:
        """Let hours pass without answers."""
        self.now += hours * HOUR
        self.rig.drift.step(np.zeros((0, 64), np.float32), np.zeros(0, np.int64))

    def value(self, name: str, **labels: str) -> float | None:
        return self.rig.value(f"hailo_{name}", **labels)


def test_an_ordinary_household_differs_from_the_population_and_is_not_judged_by_it(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.live(2)
    assert (site.value("latent_population_drift_score") or 0) > 0.25
    assert (site.value("motif_population_drift_score") or 0) > 0.25
    assert site.value("latent_drift_score") is None
    assert site.value("motif_drift_score") is None
    assert site.value("drift_baseline_answers", baseline="population") == 11980
    assert site.value("drift_baseline_answers", baseline="site") is None


def test_a_site_learns_what_is_normal_after_a_whole_day_and_is_then_judged_by_it(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.live(22)
    assert site.value("latent_drift_score") is None
    site.live(2)
    assert site.value("drift_baseline_answers", baseline="site") == 24 * 200
    assert site.value("drift_baseline_learned_timestamp_seconds") == site.now
    site.live(5)
    assert site.value("latent_drift_score") == pytest.approx(0, abs=0.05)
    site.live(20, shift=1.0, motif=3)
    assert (site.value("latent_drift_score") or 0) > 0.25
    assert (site.value("motif_drift_score") or 0) > 0.25


def test_which_motifs_and_dimensions_moved_is_shown(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.live(25)
    site.live(24, shift=1.0, motif=3)
    assert site.value("motif_share_ratio", of="site", motif="0") == 1
    assert site.value("motif_share_ratio", of="window", motif="3") == 1
    assert (site.value("motif_share_ratio", of="population", motif="0") or 0) > 0
    assert (site.value("latent_dimension_drift_score", baseline="site", dimension="5") or 0) > 0.25
    assert site.value("latent_dimension_drift_score", baseline="population", dimension="5") is None


def test_without_traffic_drift_is_silent_while_the_window_still_holds_answers(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.live(25)
    assert site.value("latent_drift_score") is not None
    site.be_silent(1)
    assert site.value("drift_window_answers") == 23 * 200
    for name in ("latent_drift_score", "motif_drift_score", "latent_population_drift_score"):
        assert site.value(name) is None
    assert site.value("motif_share_ratio", of="window", motif="0") is None
    assert site.value("drift_baseline_answers", baseline="site") == 24 * 200


def test_a_few_hours_are_not_held_against_a_whole_day(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.live(25)
    site.be_silent(30)
    site.live(10, shift=1.0, motif=3)
    assert site.value("latent_drift_score") is None
    assert site.value("latent_population_drift_score") is not None
    site.live(10, shift=1.0, motif=3)
    assert (site.value("latent_drift_score") or 0) > 0.25


def test_a_gateway_for_many_is_judged_by_the_population_if_it_is_set_so(tmp_path: Path) -> None:
    site = Site(tmp_path, judged="population")
    site.live(1)
    assert site.value("latent_drift_score") == site.value("latent_population_drift_score")


def test_a_site_that_may_not_learn_by_itself_does_not(tmp_path: Path) -> None:
    site = Site(tmp_path, learns=False)
    site.live(40)
    assert site.value("drift_baseline_answers", baseline="site") is None


def test_a_baseline_learned_by_command_is_followed_and_forgotten_at_once(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.live(2)
    files = drift_files_of(tmp_path, site.rig.card)
    assert files is not None
    assert site.rig.drift.recent is not None
    files.write_baseline(learn(site.rig.drift.recent, site.now))
    site.live(2)
    assert site.value("latent_drift_score") == pytest.approx(0, abs=0.05)
    assert files.remove_baseline()
    assert not files.remove_baseline()
    site.live(1)
    assert site.value("latent_drift_score") is None
    assert site.value("motif_share_ratio", of="site", motif="0") is None


def test_a_restart_continues_with_window_and_baseline(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.live(26)
    site.rig.drift.save()
    again = Site(tmp_path)
    again.now = site.now
    again.live(1)
    assert again.value("drift_window_answers") == 24 * 200
    assert again.value("latent_drift_score") is not None


def test_too_few_answers_show_nothing() -> None:
    site = Site(None, minimum=201)
    site.live(1)
    assert site.value("latent_population_drift_score") is None
    assert site.value("drift_window_answers") == 200


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"model":"x"}', b"\xff\xfe"])
def test_damaged_files_are_named_and_the_gateway_continues(
    tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    site = Site(tmp_path)
    files = drift_files_of(tmp_path, site.rig.card)
    assert files is not None
    files.folder.mkdir()
    for path in (files.window, files.baseline):
        path.write_bytes(content)
    with pytest.raises(DataFolderError, match="damaged"):
        files.read_window()
    site.rig.drift.load()
    site.live(2)
    assert site.value("latent_population_drift_score") is not None
    assert [record.message for record in caplog.records].count(
        "cannot write the drift file; drift is kept in memory"
    ) >= 1


def test_counts_of_another_shape_are_refused_and_those_of_another_model_not_read(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.live(1)
    site.rig.drift.save()
    files = drift_files_of(tmp_path, site.rig.card)
    assert files is not None
    other = DriftFiles(files.folder, files.model, Bins(BASELINE))
    with pytest.raises(DataFolderError, match="shape"):
        other.read_window()
    assert DriftFiles(files.folder, "another model", files.bins).read_window() is None
    assert files.read_window(12 * HOUR) is None
    assert files.read_window(24 * HOUR) is not None
