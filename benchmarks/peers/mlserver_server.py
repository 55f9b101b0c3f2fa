"""MLServer with one model, asked by the Open Inference Protocol, its way for numbers, or at a route of the contract.

`--batch` is its adaptive batching, up to 16 windows for 2 ms, which the protocol's route alone has; `--workers N` its
processes for models, where 0 computes in the server's own. The contract's route is `/infer`.
"""

import asyncio
import os
import sys
from typing import Any

from mlserver import MLModel, MLServer, ModelSettings, Settings
from mlserver.codecs import NumpyCodec
from mlserver.handlers import custom_handler
from mlserver.types import InferenceRequest, InferenceResponse
from network import Network

NAME = "inference"


class Inference(MLModel):  # type: ignore[misc]  # MLServer is not in this project's environment
    """Answers windows."""

    async def load(self) -> bool:
        """Load the network."""
        self._network = Network(os.environ["PEER_MODEL"])
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Answer the windows of a request, or of several that MLServer has put together."""
        windows = NumpyCodec.decode_input(payload.inputs[0]).astype("float32")
        named: dict[str, Any] = dict(zip(("latent", "motif_scores"), self._network.run(windows), strict=True))
        outputs = [NumpyCodec.encode_output(name, values) for name, values in named.items()]
        return InferenceResponse(model_name=self.name, outputs=outputs)

    @custom_handler(rest_path="/infer")  # type: ignore[misc]  # as above
    async def infer(self, body: dict[str, list[list[float]]]) -> dict[str, Any]:
        """Answer one window."""
        return self._network.answer(body["x"])


async def _serve(port: int, options: list[str]) -> None:
    # By its own name: worker processes import it, and this module is another one there.
    from mlserver_server import Inference as Model  # noqa: PLC0415 - itself

    batching = {"max_batch_size": 16, "max_batch_time": 0.002} if "--batch" in options else {}
    workers = int(options[options.index("--workers") + 1])
    settings = Settings(
        host="127.0.0.1",
        http_port=port,
        grpc_port=port + 1,
        metrics_port=port + 2,
        parallel_workers=workers,
        debug=False,
    )
    await MLServer(settings).start([ModelSettings(name=NAME, implementation=Model, **batching)])


if __name__ == "__main__":
    os.environ["PEER_MODEL"] = sys.argv[1]
    asyncio.run(_serve(int(sys.argv[2]), sys.argv[3:]))
