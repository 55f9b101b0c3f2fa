"""LitServe, not batching, with its defaults."""

import sys
from typing import Any

import litserve
from fastapi import Request
from network import Network


class Inference(litserve.LitAPI):  # type: ignore[misc]  # LitServe is not in this project's environment
    """Answers windows."""

    def setup(self, device: Any) -> None:
        """Load the network."""
        del device
        self._network = Network(sys.argv[1])

    def decode_request(self, request: Request) -> Any:
        """The rows of a body, which LitServe has parsed by now."""
        body: Any = request
        return body["x"]

    def predict(self, x: Any) -> Any:
        """Answer one window."""
        return self._network.answer(x)

    def encode_response(self, output: Any) -> Any:
        """Nothing to change."""
        return output


if __name__ == "__main__":
    server = litserve.LitServer(Inference(api_path="/infer"), accelerator="cpu")
    server.run(host="127.0.0.1", port=int(sys.argv[2]), log_level="warning", generate_client_file=False)
