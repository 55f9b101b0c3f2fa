"""What every peer computes: the ONNX file in a session without spinning threads, or constants in its place."""

from typing import Any

import numpy as np

Answer = tuple[Any, Any]


class Network:
    """Latent and motif scores of a window.

    Args:
        path: an ONNX file, or "constant".
    """

    def __init__(self, path: str) -> None:
        self._session = None if path == "constant" else _session(path)

    def infer(self, window: Any) -> Answer:
        """Latent (64) and scores (12) of a window (100, 9)."""
        if self._session is None:
            return np.full(64, 0.2, np.float32), np.full(12, 1 / 12, np.float32)
        latent, scores = self._session.run(["latent", "motif_scores"], {"window": window[None]})
        return latent[0], scores[0]

    def answer(self, rows: Any) -> dict[str, Any]:
        """The answer to rows of numbers, ready for JSON."""
        latent, scores = self.infer(np.array(rows, np.float32))
        return {"latent": latent.tolist(), "motif_scores": scores.tolist(), "backend": "cpu"}

    def answers(self, windows: list[Any]) -> list[dict[str, Any]]:
        """The answers to several windows at once."""
        if self._session is None:
            return [self.answer(rows) for rows in windows]
        batch = np.array(windows, np.float32)
        latents, scores = self._session.run(["latent", "motif_scores"], {"window": batch})
        pairs = zip(latents.tolist(), scores.tolist(), strict=True)
        return [{"latent": latent, "motif_scores": score, "backend": "cpu"} for latent, score in pairs]


def _session(path: str) -> Any:
    import onnxruntime  # noqa: PLC0415 - not needed with constants

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
