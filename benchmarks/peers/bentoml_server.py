"""BentoML with one worker, without its access log; `--batch` is its adaptive batching, at most 16 windows."""

import os
import sys
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import bentoml
import numpy as np
from network import Network

IS_BATCHING = "PEER_BATCH" in os.environ


@bentoml.service(metrics={"enabled": True}, workers=1, logging={"access": {"enabled": False}})
class Inference:
    """Answers windows."""

    def __init__(self) -> None:
        self._network = Network(os.environ["PEER_MODEL"])

    if IS_BATCHING:

        @bentoml.api(route="/infer", batchable=True, max_batch_size=16, max_latency_ms=1000)
        def infer(self, x: np.ndarray) -> list[dict[str, Any]]:  # type: ignore[type-arg]  # BentoML reads it
            """Answer windows; a request holds a batch of one."""
            return self._network.answers(x)

    else:

        @bentoml.api(route="/infer")
        def infer(self, x: np.ndarray) -> dict[str, Any]:  # type: ignore[type-arg]  # BentoML reads it
            """Answer one window."""
            return self._network.answer(x)


if __name__ == "__main__":
    os.environ |= {"PEER_MODEL": str(sys.argv[1]), "BENTOML_DO_NOT_TRACK": "true", "BENTOML_HOME": mkdtemp()}
    if "--batch" in sys.argv:
        os.environ["PEER_BATCH"] = "1"
    os.chdir(Path(__file__).parent)
    command = [
        str(Path(sys.executable).with_name("bentoml")),
        "serve",
        "bentoml_server:Inference",
        "--host",
        "127.0.0.1",
    ]
    os.execv(command[0], [*command, "--port", sys.argv[2]])  # noqa: S606 - the server replaces this process
