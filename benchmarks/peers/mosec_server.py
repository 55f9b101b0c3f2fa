"""Mosec: a Rust front and worker processes; orjson and numpy in place of its default JSON, as its guide recommends.

Options: `--workers N`; `--batch` has a worker gather up to 16 windows for 2 ms.
"""

import os
import sys
from typing import Any

import numpy as np
import orjson
from network import Network, answers_of

# Mosec reads the command line itself, and its workers are new processes that import this file again.
if "PEER_OPTIONS" not in os.environ:
    os.environ["PEER_OPTIONS"] = " ".join(sys.argv[1:])
MODEL, PORT, *OPTIONS = os.environ["PEER_OPTIONS"].split(" ")
WORKERS = int(OPTIONS[OPTIONS.index("--workers") + 1])
BATCH = 16 if "--batch" in OPTIONS else 1
sys.argv = [sys.argv[0], "--address", "127.0.0.1", "--port", PORT, "--log-level", "warning"]

from mosec import Server, Worker  # noqa: E402 - after its command line is made


class Inference(Worker):
    """Answers windows."""

    def __init__(self) -> None:
        super().__init__()
        self._network = Network(MODEL)

    def deserialize(self, data: bytes) -> Any:
        """A window out of a body."""
        return np.array(orjson.loads(data)["x"], np.float32)

    def serialize(self, data: Any) -> bytes:
        """The body of an answer."""
        return orjson.dumps(data, option=orjson.OPT_SERIALIZE_NUMPY)

    def forward(self, data: Any) -> Any:
        """Answer one window, or a list of them where it batches."""
        if isinstance(data, list):
            return answers_of(*self._network.run(np.stack(data)))
        return answers_of(*self._network.run(data[None]))[0]


if __name__ == "__main__":
    server = Server()
    server.append_worker(Inference, num=WORKERS, max_batch_size=BATCH, max_wait_time=2, route="/infer")
    server.run()
