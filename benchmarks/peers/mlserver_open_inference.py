"""MLServer as it is, with the shipped network behind the Open Inference Protocol; it describes no tensors."""

import asyncio
import sys
from typing import Any

from mlserver import MLModel, MLServer, ModelSettings, Settings
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse
from network import Network


class Model(MLModel):  # type: ignore[misc]  # MLServer is not in this project's environment
    """Answers windows."""

    async def load(self) -> bool:
        """Load the network."""
        self._network = Network(sys.argv[2])
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Answer one window."""
        window = NumpyCodec.decode_input(payload.inputs[0]).astype("float32")
        named: dict[str, Any] = dict(zip(("latent", "motif_scores"), self._network.infer(window[0]), strict=True))
        outputs = [NumpyCodec.encode_output(name, values[None]) for name, values in named.items()]
        return InferenceResponse(model_name=self.name, outputs=outputs)


async def _serve(port: int, name: str) -> None:
    settings = Settings(
        host="127.0.0.1", http_port=port, grpc_port=port + 1, metrics_port=port + 2, parallel_workers=0, debug=False
    )
    await MLServer(settings).start([ModelSettings(name=name, implementation=Model)])


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), sys.argv[3]))
