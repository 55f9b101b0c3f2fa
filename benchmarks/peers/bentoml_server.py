"""BentoML, not batching, one worker."""

import os
import sys
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import bentoml
from network import Network


@bentoml.service(metrics={"enabled": True})
class Inference:
    """Answers windows."""

    def __init__(self) -> None:
        self._network = Network(os.environ["PEER_MODEL"])

    @bentoml.api(route="/infer")
    def infer(self, x: list[list[float]]) -> dict[str, Any]:
        """Answer one window."""
        return self._network.answer(x)


if __name__ == "__main__":
    os.environ |= {"PEER_MODEL": str(sys.argv[1]), "BENTOML_DO_NOT_TRACK": "true", "BENTOML_HOME": mkdtemp()}
    os.chdir(Path(__file__).parent)
    command = [
        str(Path(sys.executable).with_name("bentoml")),
        "serve",
        "bentoml_server:Inference",
        "--host",
        "127.0.0.1",
    ]
    os.execv(command[0], [*command, "--port", sys.argv[2]])  # noqa: S606 - the server replaces this process
