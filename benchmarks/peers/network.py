"""What every peer computes: the ONNX file in a session without spinning threads, or constants in its place."""

from collections.abc import Sequence
from typing import Any

import numpy as np


class Network:
    """Latent and motif scores of windows.

    Args:
        path: an ONNX file, or "constant".
    """

    def __init__(self, path: str) -> None:
        self._session = None if path == "constant" else _session(path)

    def run(self, windows: Any) -> tuple[Any, Any]:
        """Latents (batch, 64) and scores (batch, 12) of windows (batch, 100, 9), float32."""
        if self._session is None:
            batch = len(windows)
            return np.full((batch, 64), 0.2, np.float32), np.full((batch, 12), 1 / 12, np.float32)
        latents, scores = self._session.run(["latent", "motif_scores"], {"window": windows})
        return latents, scores

    def infer(self, window: Any) -> tuple[Any, Any]:
        """Latent (64) and scores (12) of a window (100, 9)."""
        latents, scores = self.run(window[None])
        return latents[0], scores[0]

    def answer(self, rows: Any) -> dict[str, Any]:
        """The answer to rows of numbers, ready for any JSON encoder."""
        latent, scores = self.infer(np.array(rows, np.float32))
        return {"latent": latent.tolist(), "motif_scores": scores.tolist(), "backend": "cpu"}

    def answers(self, windows: Any) -> list[dict[str, Any]]:
        """The answers to windows (batch, 100, 9) of numbers in one run, ready for any JSON encoder."""
        latents, scores = self.run(np.asarray(windows, np.float32))
        return answers_of(latents.tolist(), scores.tolist())


def answers_of(latents: Sequence[Any], scores: Sequence[Any]) -> list[dict[str, Any]]:
    """One answer for each window of a run."""
    pairs = zip(latents, scores, strict=True)
    return [{"latent": latent, "motif_scores": score, "backend": "cpu"} for latent, score in pairs]


def _session(path: str) -> Any:
    import onnxruntime  # noqa: PLC0415 - not needed with constants

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
