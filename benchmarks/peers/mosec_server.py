"""Mosec: a Rust front and one worker process per core; `--batch` lets it gather up to 16 windows for 5 ms."""

import os
import sys
from typing import Any

from network import Network

BATCH = os.environ.get("PEER_BATCH") or ("16" if "--batch" in sys.argv else "1")
MODEL, PORT = os.environ.get("PEER_MODEL") or sys.argv[1], os.environ.get("PEER_PORT") or sys.argv[2]
# Mosec reads the command line itself, and its workers are new processes that import this file again.
os.environ["PEER_MODEL"], os.environ["PEER_PORT"], os.environ["PEER_BATCH"] = MODEL, PORT, BATCH
sys.argv = [sys.argv[0], "--address", "127.0.0.1", "--port", PORT, "--log-level", "warning"]

from mosec import Server, Worker  # noqa: E402 - after its command line is made


class Inference(Worker):
    """Answers windows."""

    def __init__(self) -> None:
        super().__init__()
        self._network = Network(MODEL)

    def forward(self, data: Any) -> Any:
        """Answer one window, or a list of them where it batches; JSON is Mosec's default on both sides."""
        if isinstance(data, list):
            return self._network.answers([each["x"] for each in data])
        return self._network.answer(data["x"])


if __name__ == "__main__":
    server = Server()
    processes = 1 if MODEL == "constant" else 2
    server.append_worker(Inference, num=processes, max_batch_size=int(BATCH), max_wait_time=5, route="/infer")
    server.run()
