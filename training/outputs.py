"""Runs a trained network or an exported graph over many windows."""

# ruff: noqa: TID253  (torch is what this folder is for)

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
import torch

from training.dataset import FloatArray, IntArray
from training.train import TrainedRun, to_network

CHUNK = 512


@dataclass(frozen=True, slots=True)
class Outputs:
    """What a model says about N windows."""

    latent: FloatArray
    """[N, 64]."""
    logits: FloatArray
    """[N, motifs] before the softmax; for a graph with the softmax inside, the logarithm of its scores."""

    @property
    def motifs(self) -> IntArray:
        """[N] index of the highest score."""
        highest: IntArray = self.logits.argmax(axis=1)
        return highest


def run_network(run: TrainedRun, windows: FloatArray) -> Outputs:
    """Run the torch network on raw [N, 100, 9] windows."""
    latents, logits = [], []
    with torch.inference_mode():
        for start in range(0, len(windows), CHUNK):
            latent, scores = run.network(to_network(windows[start : start + CHUNK], run.scale))
            latents.append(latent.flatten(1).numpy())
            logits.append(scores.flatten(1).numpy())
    return Outputs(np.concatenate(latents), np.concatenate(logits))


def open_graph(path: Path) -> onnxruntime.InferenceSession:
    """Open a graph on one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def run_graph(path: Path, windows: FloatArray) -> Outputs:
    """Run an exported CPU graph on raw [N, 100, 9] windows."""
    session = open_graph(path)
    parts = [
        session.run(["latent", "motif_scores"], {"window": windows[start : start + CHUNK]})
        for start in range(0, len(windows), CHUNK)
    ]
    scores = np.concatenate([part[1] for part in parts])
    return Outputs(np.concatenate([part[0] for part in parts]), np.log(np.maximum(scores, 1e-30)))


def softmax(logits: FloatArray, temperature: float) -> FloatArray:
    """Return [N, motifs] scores that sum to 1."""
    shifted = logits / temperature
    exponent = np.exp(shifted - shifted.max(axis=1, keepdims=True))
    return np.asarray(exponent / exponent.sum(axis=1, keepdims=True), dtype=np.float32)
