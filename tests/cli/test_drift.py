"""The command that learns what is normal at a site, on the files that a gateway keeps."""

import time
from pathlib import Path

import numpy as np
import orjson
from click.testing import CliRunner, Result

from edgeinfer.cli.drift import create
from edgeinfer.errors import ConfigurationError
from edgeinfer.gateway.drift import RecentAnswers
from edgeinfer.gateway.drift_files import drift_files_of
from edgeinfer.model.card import default_folder, load_card

CARD = load_card(default_folder())


def drift(*arguments: str) -> Result:
    return CliRunner().invoke(create(), list(arguments))


def answered(folder: Path, answers: int) -> Path:
    """A data folder as a gateway leaves it after some answers, all of one motif."""
    files = drift_files_of(folder, CARD)
    assert files is not None
    recent = RecentAnswers(files.bins, 86_400)
    random = np.random.default_rng(1)
    recent.add(random.normal(size=(answers, 64)).astype(np.float32), np.full(answers, 4), time.time())
    files.write_window(recent)
    return folder


def test_what_is_learned_has_its_date_and_number_of_answers(tmp_path: Path) -> None:
    folder = str(answered(tmp_path, 600))
    learned = drift("learn", "--data-folder", folder)
    assert learned.exit_code == 0, learned.output
    assert "600 answers" in learned.output
    shown = orjson.loads(drift("show", "--data-folder", folder, "--json").output)
    assert shown["baselines"]["site"]["answers"] == 600
    assert shown["baselines"]["site"]["learned"].startswith("20")
    assert shown["baselines"]["population"]["answers"] == 11980
    assert shown["drift"]["site"]["latent"] == 0
    assert shown["drift"]["population"]["latent"] > 0.25
    assert shown["motifs"]["standing"]["window"] == shown["motifs"]["standing"]["site"] == 1


def test_it_reads_as_text_before_and_after_learning(tmp_path: Path) -> None:
    folder = str(answered(tmp_path, 600))
    assert "site: not learned yet" in drift("show", "--data-folder", folder).output
    drift("learn", "--data-folder", folder)
    assert "site: 600 answers, learned 20" in drift("show", "--data-folder", folder).output


def test_too_few_answers_are_no_baseline(tmp_path: Path) -> None:
    folder = str(answered(tmp_path, 30))
    refused = drift("learn", "--data-folder", folder)
    assert isinstance(refused.exception, ConfigurationError)
    assert "30 answers" in str(refused.exception)
    assert drift("learn", "--data-folder", folder, "--min-answers", "30").exit_code == 0


def test_what_was_learned_can_be_forgotten(tmp_path: Path) -> None:
    folder = str(answered(tmp_path, 600))
    drift("learn", "--data-folder", folder)
    assert "Forgot" in drift("forget", "--data-folder", folder).output
    assert "no baseline" in drift("forget", "--data-folder", folder).output


def test_a_folder_without_a_window_and_no_folder_at_all_are_named(tmp_path: Path) -> None:
    nothing = drift("show", "--data-folder", str(tmp_path))
    assert isinstance(nothing.exception, ConfigurationError)
    assert "no window" in str(nothing.exception)
    assert "EDGEINFER_GATEWAY_DATA_FOLDER" in str(drift("show").exception)
