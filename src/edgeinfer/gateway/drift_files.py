"""The drift window and the site's baseline on disk: two JSON files, each replaced in one step."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec
import numpy as np

from edgeinfer.errors import DataFolderError
from edgeinfer.gateway.drift import AnswerCounts, AnswerShares, Bins, Counts, RecentAnswers, Shares, SiteBaseline
from edgeinfer.model.card import ModelCard

_Struct = TypeVar("_Struct", bound=msgspec.Struct)


class _Part(msgspec.Struct, frozen=True):
    number: int
    latent: list[list[int]]
    motifs: list[int]


class _Window(msgspec.Struct, frozen=True):
    model: str
    seconds: float
    newest: float | None
    parts: list[_Part]


class _Site(msgspec.Struct, frozen=True):
    model: str
    learned_at: float
    answers: int
    parts: int
    latent: list[list[float]]
    motifs: list[float]


def model_key(card: ModelCard) -> str:
    """Which model counts and shares belong to: its name, version and bins."""
    edges = [] if card.baseline is None else [entry.distribution.edges for entry in card.baseline.latent]
    content = msgspec.json.encode([edges, card.motif_names, [file.sha256 for file in card.files.values()]])
    return f"{card.name} {card.version} {hashlib.sha256(content).hexdigest()[:16]}"


def drift_files_of(data_folder: Path | None, card: ModelCard) -> "DriftFiles | None":
    """Where a gateway with this data folder keeps what it knows of drift, None where it keeps nothing."""
    if data_folder is None or card.baseline is None:
        return None
    return DriftFiles(data_folder / "drift", model_key(card), Bins(card.baseline))


@dataclass(frozen=True, slots=True)
class DriftFiles:
    """Both files of one model.

    Args:
        folder: made when something is written.
        model: from `model_key`; what another model left is not read.
        bins: of the model card.
    """

    folder: Path
    model: str
    bins: Bins

    @property
    def window(self) -> Path:
        """The answers of the last hours, so that a restart continues with them."""
        return self.folder / "drift-window.json"

    @property
    def baseline(self) -> Path:
        """What was learned."""
        return self.folder / "drift-baseline.json"

    def read_window(self, seconds: float | None = None) -> RecentAnswers | None:
        """The stored window, None where there is none of this model and length.

        Raises:
            DataFolderError: it is there and cannot be read.
        """
        stored = _read(self.window, _Window)
        if stored is None or stored.model != self.model or (seconds is not None and stored.seconds != seconds):
            return None
        recent = RecentAnswers(self.bins, stored.seconds)
        recent.newest = stored.newest
        for part in stored.parts:
            recent.parts[part.number] = AnswerCounts(
                _counts(part.latent, self.window, self.bins.shape),
                _counts(part.motifs, self.window, (self.bins.motifs,)),
            )
        return recent

    def write_window(self, recent: RecentAnswers) -> None:
        """Replace the stored window; raises DataFolderError."""
        parts = [
            _Part(number, part.latent.tolist(), part.motifs.tolist()) for number, part in sorted(recent.parts.items())
        ]
        _write(self.window, _Window(self.model, recent.seconds, recent.newest, parts))

    def read_baseline(self) -> SiteBaseline | None:
        """The site's baseline, None where none was learned for this model; raises as `read_window`."""
        stored = _read(self.baseline, _Site)
        if stored is None or stored.model != self.model:
            return None
        shares = AnswerShares(
            _shares(stored.latent, self.baseline, self.bins.shape),
            _shares(stored.motifs, self.baseline, (self.bins.motifs,)),
        )
        return SiteBaseline(stored.learned_at, stored.answers, stored.parts, shares)

    def write_baseline(self, baseline: SiteBaseline) -> None:
        """Replace the site's baseline; raises DataFolderError."""
        shares = baseline.shares
        site = _Site(
            self.model,
            baseline.learned_at,
            baseline.answers,
            baseline.parts,
            shares.latent.tolist(),
            shares.motifs.tolist(),
        )
        _write(self.baseline, site)

    def remove_baseline(self) -> bool:
        """Forget what was learned; returns whether there was anything."""
        try:
            self.baseline.unlink()
        except FileNotFoundError:
            return False
        except OSError as failure:
            raise _unusable(self.baseline, f"it cannot be removed: {failure.strerror}") from failure
        return True


def _counts(values: object, path: Path, shape: tuple[int, ...]) -> Counts:
    try:
        array: Counts = np.asarray(values, np.int64)
    except (ValueError, OverflowError) as failure:
        raise _unusable(path, "its lists differ in length") from failure
    if array.shape != shape or (array < 0).any():
        raise _unusable(path, f"it holds counts of shape {array.shape} where the model has {shape}")
    return array


def _shares(values: object, path: Path, shape: tuple[int, ...]) -> Shares:
    try:
        array: Shares = np.asarray(values, np.float64)
    except ValueError as failure:
        raise _unusable(path, "its lists differ in length") from failure
    if array.shape != shape or not ((array >= 0) & (array <= 1)).all():
        raise _unusable(path, f"it holds shares of shape {array.shape} where the model has {shape}")
    return array


def _read(path: Path, kind: type[_Struct]) -> _Struct | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except FileNotFoundError:
        return None
    except OSError as failure:
        raise _unusable(path, f"it cannot be read: {failure.strerror}") from failure
    except (msgspec.DecodeError, UnicodeDecodeError) as failure:
        raise _unusable(path, f"it is damaged: {failure}") from failure


def _write(path: Path, content: msgspec.Struct) -> None:
    # A power cut leaves the previous file or the new one, never half of it.
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_name(f".{path.name}.new")
        with new.open("wb") as stream:
            stream.write(msgspec.json.encode(content))
            stream.flush()
            os.fsync(stream.fileno())
        new.replace(path)
    except OSError as failure:
        raise _unusable(path, f"it cannot be written: {failure.strerror}") from failure


def _unusable(path: Path, fault: str) -> DataFolderError:
    return DataFolderError(str(path), fault, "Remove it to start again; the gateway continues without it.")
