"""Writes the windows with torch outputs that the tests compare the shipped graphs with."""

from pathlib import Path

import numpy as np

from training import watch, xsens
from training.dataset import GRAVITY, FloatArray
from training.elsewhere import cut
from training.outputs import run_network
from training.train import TrainedRun
from training.windows import LENGTH, RATE_HZ, resample

DEFAULT_PATH = Path("tests/model/data/torch_outputs.npz")
FIXTURE_SEED = 5
EACH = 8
"""Windows of each of four kinds: leg walking, watch exercises, synthetic stillness, synthetic gait."""


def windows(work: Path) -> FloatArray:
    """Return [32, 100, 9] windows: real ones from the BSD-licensed recordings, and synthetic ones."""
    random = np.random.default_rng(FIXTURE_SEED)
    walks = np.concatenate([cut(resample(walk.samples, xsens.RATE_HZ)) for walk in xsens.read(work)])
    exercises = np.concatenate([cut(resample(x, watch.RATE_HZ)) for x in watch.read(work).motion])
    exercises = np.pad(exercises, ((0, 0), (0, 0), (0, 3)))
    parts = (_some(walks, random), _some(exercises, random), _stillness(random), _gait(random))
    return np.concatenate(parts).astype(np.float32)


def write(run: TrainedRun, work: Path, path: Path = DEFAULT_PATH) -> None:
    """Write the windows with the latents and logits that torch computes for them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    chosen = windows(work)
    outputs = run_network(run, chosen)
    np.savez_compressed(path, windows=chosen, latent=outputs.latent, logits=outputs.logits)


def _some(source: FloatArray, random: np.random.Generator) -> FloatArray:
    return source[random.choice(len(source), EACH, replace=False)]


def _stillness(random: np.random.Generator) -> FloatArray:
    up = random.standard_normal((EACH, 1, 3))
    up /= np.linalg.norm(up, axis=2, keepdims=True)
    still = np.zeros((EACH, LENGTH, 9))
    still[..., :3] = GRAVITY * up
    still[..., :6] += random.normal(0.0, 0.02, (EACH, LENGTH, 6))
    return still.astype(np.float32)


def _gait(random: np.random.Generator) -> FloatArray:
    time = np.arange(LENGTH)[None, :, None] / RATE_HZ
    steps_hz = random.uniform(1.5, 2.2, (EACH, 1, 1))
    phase = random.uniform(0.0, 2.0 * np.pi, (EACH, 1, 9))
    size = np.array([3.0, 1.5, 2.0, 0.5, 0.3, 0.3, 2.0, 2.0, 2.0])
    gait = size * np.sin(2.0 * np.pi * steps_hz * time + phase)
    gait[..., 0] += GRAVITY
    gait[..., 6:] += random.normal(0.0, 30.0, (EACH, 1, 3))
    return gait.astype(np.float32)
