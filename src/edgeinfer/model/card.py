"""The model card: what a model's files are, what goes in, what comes out, and how the outputs usually look.

The card is data next to the model, so another model drops in by giving its files and a card.
The code reads the fields of `ModelCard`; everything else in `card.json` is documentation for people.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

import msgspec

from edgeinfer.errors import ModelFileError
from edgeinfer.installation import shipped_file
from edgeinfer.model.checks import violations
from edgeinfer.model.description import (
    IDENTITY,
    Baseline,
    Distribution,
    LatentBaseline,
    ModelCard,
    ModelFile,
    Motif,
    Normalization,
    Rotation,
    TensorSpec,
    Window,
)
from edgeinfer.model.window import CHANNELS

__all__ = [
    "CARD_NAME",
    "CHANNELS",
    "IDENTITY",
    "Baseline",
    "Distribution",
    "LatentBaseline",
    "ModelCard",
    "ModelFile",
    "Motif",
    "Normalization",
    "Rotation",
    "TensorSpec",
    "Window",
    "default_folder",
    "load_card",
]

CARD_NAME = "card.json"


def default_folder() -> Path:
    """Return the folder of the model that is shipped with the package."""
    return Path(__file__).parent / "default"


def load_card(folder: Path) -> ModelCard:
    """Read and check `card.json` in `folder`; the model files themselves are read by `ModelFile.read`."""
    path = folder / CARD_NAME
    document = _read_document(path)
    try:
        required = msgspec.convert(document, _Required)
    except msgspec.ValidationError as error:
        raise _fault(path, f"does not describe a model: {error}", _SEE_GUIDE) from error
    card = _build(required, document, folder)
    for violation in [*_name_violations(required.files), *violations(card)]:
        raise _fault(path, violation, _SEE_GUIDE)
    return card


_GUIDE = shipped_file("docs/guides/bring-your-own-model.md")
_SEE_GUIDE = f"Compare it with the card of the shipped model; {_GUIDE} explains it."


@dataclass(frozen=True, slots=True)
class _FileEntry:
    """A variant as it is written in the card, where a file is named relative to the card."""

    file: str
    sha256: str
    size_bytes: int
    input: Literal["raw", "normalized"]
    scores: Literal["scores", "logits"]
    input_tensor: TensorSpec
    latent_tensor: TensorSpec
    scores_tensor: TensorSpec

    def locate(self, folder: Path) -> ModelFile:
        return ModelFile(
            path=folder / self.file,
            sha256=self.sha256,
            size_bytes=self.size_bytes,
            input=self.input,
            scores=self.scores,
            input_tensor=self.input_tensor,
            latent_tensor=self.latent_tensor,
            scores_tensor=self.scores_tensor,
        )


@dataclass(frozen=True, slots=True)
class _Required:
    """The part of the card that the code reads, by the names used in JSON."""

    name: str
    version: str
    files: dict[str, _FileEntry]
    window: Window
    latent_size: int
    normalization: Normalization
    temperature: float
    motifs: tuple[Motif, ...]
    mount_rotation: Rotation = IDENTITY
    baseline: Baseline | None = None
    scores_sum_to_one: bool = True


def _read_document(path: Path) -> dict[str, Any]:
    try:
        document = msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
    except OSError as error:
        reason = error.strerror or type(error).__name__
        remedy = "Name a folder that holds card.json and the files it describes."
        raise _fault(path, f"cannot be read: {reason}", remedy) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _fault(path, f"is not a JSON object: {error}", _SEE_GUIDE) from error
    return document


def _build(required: _Required, document: dict[str, Any], folder: Path) -> ModelCard:
    known = {entry.name for entry in fields(_Required)}
    return ModelCard(
        name=required.name,
        version=required.version,
        files={variant: entry.locate(folder) for variant, entry in required.files.items()},
        window=required.window,
        latent_size=required.latent_size,
        normalization=required.normalization,
        temperature=required.temperature,
        motifs=required.motifs,
        mount_rotation=required.mount_rotation,
        baseline=required.baseline,
        scores_sum_to_one=required.scores_sum_to_one,
        documentation={key: value for key, value in document.items() if key not in known},
    )


def _name_violations(files: Mapping[str, _FileEntry]) -> list[str]:
    # A card comes with its files in one folder; a path out of it would read any file.
    return [
        f"files.{variant}.file must be a plain file name, got {entry.file!r}"
        for variant, entry in files.items()
        if not entry.file or Path(entry.file).name != entry.file
    ]


def _fault(path: Path, fault: str, remedy: str) -> ModelFileError:
    return ModelFileError(thing=str(path), fault=fault, remedy=remedy)
