"""MLServer with a route of its own for the contract, in one process."""

import asyncio
import os
import sys
from typing import Any

from mlserver import MLModel, MLServer, ModelSettings, Settings
from mlserver.handlers import custom_handler
from network import Network


class Inference(MLModel):  # type: ignore[misc]  # MLServer is not in this project's environment
    """Answers windows."""

    async def load(self) -> bool:
        """Load the network."""
        self._network = Network(os.environ["PEER_MODEL"])
        return True

    @custom_handler(rest_path="/infer")  # type: ignore[misc]  # as above
    async def infer(self, body: dict[str, list[list[float]]]) -> dict[str, Any]:
        """Answer one window."""
        return self._network.answer(body["x"])


async def _serve(port: int) -> None:
    settings = Settings(
        host="127.0.0.1", http_port=port, grpc_port=port + 1, metrics_port=port + 2, parallel_workers=0, debug=False
    )
    await MLServer(settings).start([ModelSettings(name="inference", implementation=Inference)])


if __name__ == "__main__":
    os.environ["PEER_MODEL"] = sys.argv[1]
    asyncio.run(_serve(int(sys.argv[2])))
