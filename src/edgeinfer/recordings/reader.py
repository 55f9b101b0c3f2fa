"""The recorded IMU sessions that are shipped for replay, in the units of the contract."""

import hashlib
import io
import zipfile
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt

from edgeinfer.errors import ModelFileError, UnknownRecording

__all__ = [
    "Recording",
    "RecordingInfo",
    "data_folder",
    "list_labelled",
    "list_recordings",
    "load_recording",
]

INDEX_NAME = "index.json"
CHANNEL_COUNT = 9
IN_TURN = "people-in-turn"
"""The choice of all labelled recordings, one after another."""

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class RecordingInfo:
    """The index entry of one recorded session."""

    name: str
    title: str
    activity: str
    """What the person did, in the words of the source."""
    placement: str
    """Where the sensor sat, and which way it was turned if that is known."""
    source: str
    licence: str
    note: str
    """What was assumed or changed on the way from the source."""
    person: str
    file: str
    sha256: str
    rate_hz: float
    source_rate_hz: float
    duration_seconds: float
    sample_count: int
    channels: tuple[str, ...]
    """The channels that were measured; the others read zero."""
    labelled: bool = False
    """Whether it is known what was done."""


@dataclass(frozen=True, slots=True)
class Recording:
    """One recorded session with its samples."""

    info: RecordingInfo
    samples: FloatArray
    """[N, 9]: ax, ay, az in m/s², gx, gy, gz in rad/s, mx, my, mz in µT; an absent magnetometer is zeros."""
    activity_starts: tuple[int, ...] = ()
    """The sample from which on something was done; empty where nobody knows what was."""
    activity_names: tuple[str, ...] = ()
    """What was done from there on, by the names of the shipped model's motifs where it has one; empty if unknown."""

    def activity_of(self, first: int, count: int) -> str:
        """What was done during more than half of some samples, empty where nothing or nobody knows."""
        ends = (*self.activity_starts, len(self.samples))[1:]
        for start, end, name in zip(self.activity_starts, ends, self.activity_names, strict=True):
            if 2 * (min(first + count, end) - max(first, start)) > count:
                return name
        return ""

    @property
    def rate_hz(self) -> float:
        """Samples per second, from the index and not measured."""
        return self.info.rate_hz


def data_folder() -> Path:
    """Return the folder of the recordings that are shipped with the package."""
    return Path(__file__).parent / "data"


def list_recordings(folder: Path | None = None) -> tuple[RecordingInfo, ...]:
    """Return what there is to replay, in the order of the index."""
    path = (folder or data_folder()) / INDEX_NAME
    try:
        return msgspec.json.decode(path.read_bytes(), type=tuple[RecordingInfo, ...])
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ModelFileError(str(path), f"cannot be read: {reason}", _REINSTALL) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ModelFileError(str(path), f"is not an index of recordings: {error}", _REINSTALL) from error


def load_recording(name: str, folder: Path | None = None) -> Recording:
    """Return the recording of that name."""
    listed = list_recordings(folder)
    for info in listed:
        if info.name == name:
            return _read((folder or data_folder()) / info.file, info)
    names = ", ".join(info.name for info in listed)
    raise UnknownRecording(f"recording {name!r}", "does not exist", f"Choose one of: {names}.")


_REINSTALL = "Install the package again, or name a folder of recordings with its index."


def list_labelled(folder: Path | None = None) -> tuple[RecordingInfo, ...]:
    """Return the recordings of which it is known what was done."""
    return tuple(info for info in list_recordings(folder) if info.labelled)


def _read(path: Path, info: RecordingInfo) -> Recording:
    content = _read_verified(path, info.sha256)
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as stored:
            steps, scale = stored["samples"], stored["scale"]
            starts, names = (
                stored[name].tolist() if name in stored else [] for name in ("activity_starts", "activity_names")
            )
    except (KeyError, ValueError, zipfile.BadZipFile) as error:
        raise ModelFileError(str(path), f"is not a recording: {error}", _REINSTALL) from error
    if steps.shape != (info.sample_count, scale.size):
        fault = f"has shape {steps.shape} where the index says {info.sample_count} samples"
        raise ModelFileError(str(path), fault, _REINSTALL)
    samples = np.zeros((info.sample_count, CHANNEL_COUNT), dtype=np.float32)
    np.multiply(steps, scale, out=samples[:, : scale.size], casting="same_kind")
    return Recording(info, samples, tuple(starts), tuple(names))


def _read_verified(path: Path, sha256: str) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ModelFileError(str(path), f"cannot be read: {reason}", _REINSTALL) from error
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        fault = f"has SHA-256 {found} where the index says {sha256}"
        raise ModelFileError(str(path), fault, _REINSTALL)
    return content
