"""What can be wrong with a card whose types are right: lengths, ranges, and values that contradict each other."""

import math
from collections.abc import Mapping
from itertools import pairwise

from edgeinfer.model.description import (
    Baseline,
    Distribution,
    ModelCard,
    ModelFile,
    Rotation,
    Window,
)
from edgeinfer.model.window import CHANNELS, WINDOW_LENGTH, WINDOW_RATE_HZ

SHA256_DIGITS = 64


def violations(card: ModelCard) -> list[str]:
    """Return what is wrong with a card whose types are right, the first thing first."""
    found = [
        *_file_violations(card.files),
        *_window_violations(card.window),
        *_normalization_violations(card),
        *_output_violations(card),
        *_rotation_violations(card.mount_rotation),
    ]
    if card.baseline is not None:
        found += _baseline_violations(card.baseline, card.latent_size, len(card.motifs))
    return found


def _file_violations(files: Mapping[str, ModelFile]) -> list[str]:
    found = [] if files else ["files names no variant"]
    for variant, entry in files.items():
        if len(entry.sha256) != SHA256_DIGITS or set(entry.sha256) - set("0123456789abcdef"):
            found.append(f"files.{variant}.sha256 must be 64 lower-case hexadecimal digits")
        if entry.size_bytes <= 0:
            found.append(f"files.{variant}.size_bytes must be above 0, got {entry.size_bytes}")
    return found


def _window_violations(window: Window) -> list[str]:
    found = []
    if window.channels != CHANNELS:
        found.append(f"window.channels must be {list(CHANNELS)}, got {list(window.channels)}")
    if len(window.units) != len(CHANNELS):
        found.append(f"window.units must have {len(CHANNELS)} entries, got {len(window.units)}")
    if window.length != WINDOW_LENGTH:
        found.append(f"window.length must be {WINDOW_LENGTH}, got {window.length}: no service cuts another window")
    if window.rate_hz != WINDOW_RATE_HZ:
        found.append(f"window.rate_hz must be {WINDOW_RATE_HZ:g}, got {window.rate_hz}: resample inside the graph")
    return found


def _normalization_violations(card: ModelCard) -> list[str]:
    mean, std = card.normalization.mean, card.normalization.std
    found = [
        f"normalization.{name} must have {len(CHANNELS)} entries, got {len(values)}"
        for name, values in (("mean", mean), ("std", std))
        if len(values) != len(CHANNELS)
    ]
    if not all(math.isfinite(value) for value in (*mean, *std)):
        found.append("normalization must hold finite numbers only")
    if any(value <= 0 for value in std):
        found.append("normalization.std must be above 0 in each entry")
    return found


def _output_violations(card: ModelCard) -> list[str]:
    found = []
    if not card.scores_sum_to_one and any(entry.scores == "logits" for entry in card.files.values()):
        found.append('scores_sum_to_one is false, and files with "scores": "logits" get a softmax, which sums to 1')
    if card.latent_size <= 0:
        found.append(f"latent_size must be above 0, got {card.latent_size}")
    if not (math.isfinite(card.temperature) and card.temperature > 0):
        found.append(f"temperature must be above 0, got {card.temperature}")
    names = [motif.name for motif in card.motifs]
    if not names or not all(names):
        found.append("motifs must each have a name")
    if len(set(names)) != len(names):
        found.append("motifs must have different names")
    return found


def _rotation_violations(rotation: Rotation) -> list[str]:
    for i, row in enumerate(rotation):
        for j, other in enumerate(rotation):
            product = sum(a * b for a, b in zip(row, other, strict=True))
            if not math.isclose(product, float(i == j), abs_tol=1e-4):
                return ["mount_rotation must be a rotation: three rows of length 1 at right angles"]
    if _determinant(rotation) < 0:
        return ["mount_rotation mirrors the axes; a rotation has determinant 1"]
    return []


def _determinant(m: Rotation) -> float:
    return (
        m[0][0] * (m[1][1] * m[2][2] - m[1][2] * m[2][1])
        - m[0][1] * (m[1][0] * m[2][2] - m[1][2] * m[2][0])
        + m[0][2] * (m[1][0] * m[2][1] - m[1][1] * m[2][0])
    )


def _baseline_violations(baseline: Baseline, latent_size: int, motifs: int) -> list[str]:
    found = []
    if baseline.windows <= 0:
        found.append(f"baseline.windows must be above 0, got {baseline.windows}")
    if len(baseline.latent) != latent_size:
        count = len(baseline.latent)
        found.append(f"baseline.latent must have {latent_size} entries, got {count}")
    if len(baseline.motif_shares) != motifs:
        count = len(baseline.motif_shares)
        found.append(f"baseline.motif_shares must have {motifs} entries, got {count}")
    named = {"confidence": baseline.confidence, "latent_norm": baseline.latent_norm}
    named |= {f"latent[{i}].distribution": entry.distribution for i, entry in enumerate(baseline.latent)}
    for name, distribution in named.items():
        found += _distribution_violations(f"baseline.{name}", distribution)
    return found


def _distribution_violations(name: str, distribution: Distribution) -> list[str]:
    edges, shares = distribution.edges, distribution.shares
    if len(shares) != len(edges) + 1:
        return [f"{name} must have one share more than edges, got {len(shares)} and {len(edges)}"]
    if any(low >= high for low, high in pairwise(edges)):
        return [f"{name}.edges must rise"]
    if any(share < 0 for share in shares) or not math.isclose(sum(shares), 1.0, abs_tol=1e-3):
        return [f"{name}.shares must be at least 0 and sum to 1"]
    return []
