"""A model card as frozen data: files, tensors, window, motifs, and how the outputs usually look."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from edgeinfer.errors import ModelFileError

Row = tuple[float, float, float]
Rotation = tuple[Row, Row, Row]
IDENTITY: Rotation = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """One input or output of a graph; a dimension that may vary is a word such as "batch"."""

    name: str
    shape: tuple[int | str, ...]


@dataclass(frozen=True, slots=True)
class ModelFile:
    """One variant of the model on disk."""

    path: Path
    sha256: str
    size_bytes: int
    input: Literal["raw", "normalized"]
    """`raw` takes the units of the contract; `normalized` expects the host to have applied the z-score."""
    scores: Literal["scores", "logits"]
    """`scores` are what the card says of them; `logits` still need the softmax with the card's temperature."""
    input_tensor: TensorSpec
    latent_tensor: TensorSpec
    scores_tensor: TensorSpec

    def read(self) -> bytes:
        """Return the content, proven to be the file that the card describes."""
        try:
            content = self.path.read_bytes()
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise self._fault(f"cannot be read: {reason}") from error
        if len(content) != self.size_bytes:
            fault = f"has {len(content)} bytes where the card says {self.size_bytes}"
            raise self._fault(fault)
        digest = hashlib.sha256(content).hexdigest()
        if digest != self.sha256:
            raise self._fault(f"has SHA-256 {digest} where the card says {self.sha256}")
        return content

    def _fault(self, fault: str) -> ModelFileError:
        remedy = "Restore the file that belongs to this card, or give the card of the file."
        return ModelFileError(thing=str(self.path), fault=fault, remedy=remedy)


@dataclass(frozen=True, slots=True)
class Window:
    """The shape of one input."""

    length: int
    rate_hz: float
    channels: tuple[str, ...]
    units: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Normalization:
    """The z-score per channel, in the unit of that channel."""

    mean: tuple[float, ...]
    std: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Motif:
    """One of the patterns that the model names; its index is its position in the scores."""

    name: str
    description: str = ""
    group: str = ""


@dataclass(frozen=True, slots=True)
class Distribution:
    """How often a value falls into each bin: `shares[i]` is below `edges[i]`, the last above all edges."""

    edges: tuple[float, ...]
    shares: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class LatentBaseline:
    """The usual values of one latent dimension."""

    mean: float
    std: float
    distribution: Distribution


@dataclass(frozen=True, slots=True)
class Baseline:
    """How outputs look on people who were not trained on: what drift is measured against."""

    windows: int
    latent: tuple[LatentBaseline, ...]
    motif_shares: tuple[float, ...]
    """The share of windows in which each motif scored highest."""
    confidence: Distribution
    """The distribution of the highest score."""
    latent_norm: Distribution
    """The distribution of the Euclidean length of the latent vector."""


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What the code needs to know about a model."""

    name: str
    version: str
    files: Mapping[str, ModelFile]
    """By variant: `cpu`, `cpu_int8`, `device`."""
    window: Window
    latent_size: int
    normalization: Normalization
    temperature: float
    motifs: tuple[Motif, ...]
    mount_rotation: Rotation
    """Turns the sensor's axes into those of the frame that the model was trained in."""
    baseline: Baseline | None
    scores_sum_to_one: bool
    """Whether the scores of a window sum to 1; each is in [0, 1] all the same."""
    documentation: Mapping[str, Any]
    """Everything else in the card."""

    @property
    def motif_names(self) -> tuple[str, ...]:
        """The names in the order of the scores."""
        return tuple(motif.name for motif in self.motifs)

    def file(self, variant: str) -> ModelFile:
        """Return a variant's file, or say which variants there are."""
        if variant not in self.files:
            offered = ", ".join(self.files)
            raise ModelFileError(
                thing=f"model {self.name} {self.version}",
                fault=f"has no variant {variant!r}",
                remedy=f"Choose one of: {offered}.",
            )
        return self.files[variant]
