import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from edgeinfer.errors import ModelFileError, UnknownRecording
from edgeinfer.recordings.reader import INDEX_NAME, data_folder, list_labelled, list_recordings, load_recording

NAMES = [info.name for info in list_recordings()]


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """A folder with the index and one recording, free to be damaged."""
    shutil.copy(data_folder() / INDEX_NAME, tmp_path)
    shutil.copy(data_folder() / "walking-upper-leg.npz", tmp_path)
    return tmp_path


def test_every_file_is_listed_and_the_whole_is_small() -> None:
    listed = {info.file for info in list_recordings()}
    assert listed == {path.name for path in data_folder().glob("*.npz")}
    assert sum(path.stat().st_size for path in data_folder().iterdir()) < 3_000_000


def test_licence_notices_are_shipped_next_to_the_recordings() -> None:
    notice = (data_folder() / "NOTICE").read_text(encoding="utf-8")
    assert "Copyright (C) 2016 Thomas Haslwanter" in notice
    assert "Copyright (c) 2018, David M. Burns" in notice
    assert notice.count("Redistribution and use in source and binary forms") == 2
    assert "Creative Commons Attribution 4.0" in notice
    assert "M. Matey-Sanz, S. Casteleyn and C. Granell" in notice


@pytest.mark.parametrize("name", NAMES)
def test_each_recording_is_real_motion_in_the_units_of_the_contract(name: str) -> None:
    recording = load_recording(name)
    samples = recording.samples
    assert samples.dtype == np.float32
    assert samples.shape == (recording.info.sample_count, 9)
    assert recording.rate_hz == 100.0
    assert recording.info.duration_seconds == pytest.approx(len(samples) / 100.0)
    assert np.isfinite(samples).all()
    # Gravity is in there: the median length is near 9.8 m/s², not near 1 g.
    assert 7.0 < np.median(np.linalg.norm(samples[:, :3], axis=1)) < 14.0
    assert 0.01 < samples[:, 3:6].std() < 10.0


@pytest.mark.parametrize("name", NAMES)
def test_a_magnetometer_is_measured_or_zero(name: str) -> None:
    recording = load_recording(name)
    field = np.linalg.norm(recording.samples[:, 6:], axis=1)
    if "mx" in recording.info.channels:
        assert 20.0 < np.median(field) < 80.0
    else:
        assert not field.any()


def test_some_recordings_have_a_real_magnetometer() -> None:
    assert [info.name for info in list_recordings() if "mx" in info.channels] == [
        "walking-upper-leg",
        "walking-lower-leg",
    ]


def test_loading_twice_gives_arrays_of_their_own() -> None:
    first = load_recording("walking-upper-leg").samples
    first[:] = 0
    assert load_recording("walking-upper-leg").samples.any()


def test_an_unknown_name_is_answered_with_the_names_there_are() -> None:
    with pytest.raises(UnknownRecording) as caught:
        load_recording("../etc/passwd")
    assert "walking-upper-leg" in caught.value.remedy
    assert "'../etc/passwd'" in caught.value.thing


def test_a_changed_recording_is_refused(copied: Path) -> None:
    path = copied / "walking-upper-leg.npz"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ModelFileError, match="SHA-256"):
        load_recording("walking-upper-leg", copied)


def test_a_missing_recording_is_named(copied: Path) -> None:
    with pytest.raises(ModelFileError, match=r"walking-lower-leg\.npz: cannot be read"):
        load_recording("walking-lower-leg", copied)


def test_a_missing_index_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=r"index\.json: cannot be read"):
        list_recordings(tmp_path)


@pytest.mark.parametrize("content", ["", "{}", "[{}]", '[{"name": 1}]'])
def test_a_damaged_index_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / INDEX_NAME).write_text(content, encoding="utf-8")
    with pytest.raises(ModelFileError, match="is not an index of recordings"):
        list_recordings(tmp_path)


def test_a_recording_that_contradicts_its_index_is_refused(copied: Path) -> None:
    index = json.loads((copied / INDEX_NAME).read_text(encoding="utf-8"))
    index[0]["sample_count"] += 1
    (copied / INDEX_NAME).write_text(json.dumps(index), encoding="utf-8")
    with pytest.raises(ModelFileError, match="where the index says"):
        load_recording("walking-upper-leg", copied)


# --- recordings of which it is known what was done ---


def test_six_people_in_turn_do_five_things() -> None:
    labelled = list_labelled()
    assert len({info.person for info in labelled}) == len(labelled) == 6
    for info in labelled:
        names = set(load_recording(info.name).activity_names)
        assert names == {"sitting", "sit_to_stand", "walking", "turning", "stand_to_sit"}


@pytest.mark.parametrize("name", [info.name for info in list_labelled()])
def test_gravity_points_along_x_while_walking_as_the_model_expects_it(name: str) -> None:
    recording = load_recording(name)
    walking = [recording.activity_of(index, 1) == "walking" for index in range(len(recording.samples))]
    gravity = recording.samples[walking, :3].mean(axis=0)
    assert gravity[0] == pytest.approx(9.8, abs=0.5)
    assert np.abs(gravity[1:]).max() < 0.5


def test_an_activity_is_that_of_most_samples_of_a_batch() -> None:
    recording = load_recording("pocket-person-3")
    second = recording.activity_starts[1]
    assert recording.activity_of(second - 20, 25) == recording.activity_names[0]
    assert recording.activity_of(second - 5, 25) == recording.activity_names[1]
    assert load_recording("walking-upper-leg").activity_of(0, 25) == ""
