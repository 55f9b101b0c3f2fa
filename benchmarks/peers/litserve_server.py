"""LitServe; `--workers N` worker processes, `--batch` for its guide's settings for throughput.

These are batches (16 windows within 2 ms) and `fast_queue`, its queue over ZeroMQ.
"""

import sys
from typing import Any

import litserve
import numpy as np
from fastapi import Request
from network import Network, answers_of

MODEL, PORT, *OPTIONS = sys.argv[1:]
WORKERS = int(OPTIONS[OPTIONS.index("--workers") + 1])
IS_BATCHING = "--batch" in OPTIONS


class Inference(litserve.LitAPI):  # type: ignore[misc]  # LitServe is not in this project's environment
    """Answers windows."""

    def setup(self, device: Any) -> None:
        """Load the network."""
        del device
        self._network = Network(MODEL)

    def decode_request(self, request: Request) -> Any:
        """A window out of a body, which LitServe has parsed by now."""
        body: Any = request
        return np.array(body["x"], np.float32)

    def batch(self, inputs: Any) -> Any:
        """The windows of a run."""
        return np.stack(inputs)

    def predict(self, x: Any) -> Any:
        """Answer one window, or those of a run."""
        latents, scores = self._network.run(x if IS_BATCHING else x[None])
        answers = answers_of(latents.tolist(), scores.tolist())
        return answers if IS_BATCHING else answers[0]

    def unbatch(self, output: Any) -> Any:
        """The answers of a run."""
        return output

    def encode_response(self, output: Any) -> Any:
        """Nothing to change."""
        return output


if __name__ == "__main__":
    batches: dict[str, Any] = {"max_batch_size": 16, "batch_timeout": 0.002} if IS_BATCHING else {}
    server = litserve.LitServer(
        Inference(api_path="/infer", **batches),
        accelerator="cpu",
        workers_per_device=WORKERS,
        fast_queue=IS_BATCHING,
    )
    server.run(host="127.0.0.1", port=int(PORT), log_level="warning", generate_client_file=False)
