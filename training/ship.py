"""Writes the shipped files: three graphs, and the fields of the card that the code reads."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from training.dataset import Dataset
from training.graph import LENGTH, cpu_graph, device_graph
from training.network import CHANNELS, LATENT
from training.outputs import run_graph
from training.prepare import PEOPLE, load_windows
from training.quantize import calibration_windows, quantize
from training.recordings import CHANNELS as CHANNEL_NAMES
from training.statistics import describe, usual_windows
from training.train import TrainedRun

UNITS = ("m/s²",) * 3 + ("rad/s",) * 3 + ("µT",) * 3
CPU, CPU_INT8, DEVICE = "tcn_vae.onnx", "tcn_vae_int8.onnx", "tcn_vae_device.onnx"


@dataclass(frozen=True, slots=True)
class Shipment:
    """A trained run on its way into the package."""

    run: TrainedRun
    temperature: float
    dataset: Dataset
    work: Path
    folder: Path


def write_graphs(shipment: Shipment) -> None:
    """Write the three graphs into the folder."""
    shipment.folder.mkdir(parents=True, exist_ok=True)
    cpu = shipment.folder / CPU
    onnx.save(cpu_graph(shipment.run, shipment.temperature), cpu)
    onnx.save(device_graph(shipment.run), shipment.folder / DEVICE)
    people = PEOPLE["fit"](shipment.dataset, shipment.work)
    source = load_windows(shipment.dataset, shipment.work).of(people)
    quantize(cpu, calibration_windows(source), shipment.folder / CPU_INT8)


def required_fields(shipment: Shipment, version: str) -> dict[str, Any]:
    """Return the part of the card that `edgeinfer.model.card` reads."""
    scale = shipment.run.scale
    return {
        "name": "tcn-vae-har",
        "version": version,
        "files": _files(shipment),
        "window": {
            "length": LENGTH,
            "rate_hz": 100.0,
            "channels": list(CHANNEL_NAMES),
            "units": list(UNITS),
        },
        "latent_size": LATENT,
        "normalization": {"mean": _exact(scale.mean), "std": _exact(scale.std)},
        "temperature": shipment.temperature,
        "motifs": [
            {"name": name, "description": description, "group": group}
            for name, group, description in shipment.dataset.motifs
        ],
        "mount_rotation": np.eye(3).tolist(),
        "baseline": _baseline(shipment),
    }


def _files(shipment: Shipment) -> dict[str, Any]:
    motifs = len(shipment.dataset.motifs)
    raw = {
        "input": "raw",
        "scores": "scores",
        "input_tensor": {"name": "window", "shape": ["batch", LENGTH, CHANNELS]},
        "latent_tensor": {"name": "latent", "shape": ["batch", LATENT]},
        "scores_tensor": {"name": "motif_scores", "shape": ["batch", motifs]},
    }
    normalized = {
        "input": "normalized",
        "scores": "logits",
        "input_tensor": {"name": "window", "shape": [1, CHANNELS, 1, LENGTH]},
        "latent_tensor": {"name": "latent", "shape": [1, LATENT, 1, 1]},
        "scores_tensor": {"name": "motif_logits", "shape": [1, motifs, 1, 1]},
    }
    variants = {"cpu": (CPU, raw), "cpu_int8": (CPU_INT8, raw), "device": (DEVICE, normalized)}
    return {
        variant: {**_identity(shipment.folder / file), **interface} for variant, (file, interface) in variants.items()
    }


def _identity(path: Path) -> dict[str, Any]:
    content = path.read_bytes()
    return {"file": path.name, "sha256": hashlib.sha256(content).hexdigest(), "size_bytes": len(content)}


def _exact(values: np.ndarray) -> list[float]:
    # The shortest decimal that reads back as the same float32.
    return [float(str(value)) for value in values.astype(np.float32)]


def _baseline(shipment: Shipment) -> dict[str, Any]:
    source = load_windows(shipment.dataset, shipment.work).of(shipment.dataset.validation_people)
    outputs = run_graph(shipment.folder / CPU, usual_windows(source))
    return describe(outputs.latent, np.exp(outputs.logits))
