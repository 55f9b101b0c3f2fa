"""Triton by PyTriton, asked by the Open Inference Protocol; `--batch` is its dynamic batcher, up to 16 for 2 ms."""

import os
import sys
import sysconfig
from typing import Any

# Triton runs the function in a process of its own, which must find this interpreter's library and no other's.
LIBRARIES = sysconfig.get_config_var("LIBDIR")
if LIBRARIES not in os.environ.get("LD_LIBRARY_PATH", "").split(":"):
    os.environ["LD_LIBRARY_PATH"] = LIBRARIES
    os.execv(sys.executable, [sys.executable, *sys.argv])  # noqa: S606 - itself

import numpy as np  # noqa: E402 - as above
from network import Network  # noqa: E402
from pytriton.decorators import batch  # noqa: E402
from pytriton.model_config import DynamicBatcher, ModelConfig, Tensor  # noqa: E402
from pytriton.triton import Triton, TritonConfig  # noqa: E402

MODEL, PORT, *OPTIONS = sys.argv[1:]
network = Network(MODEL)


@batch
def infer(window: Any) -> list[Any]:
    """Answer the windows of a run."""
    return list(network.run(window))


if __name__ == "__main__":
    port = int(PORT)
    config = TritonConfig(http_address="127.0.0.1", http_port=port, grpc_port=port + 1, metrics_port=port + 2)
    batcher = DynamicBatcher(max_queue_delay_microseconds=2000) if "--batch" in OPTIONS else None
    settings = ModelConfig(max_batch_size=16, **({"batcher": batcher} if batcher else {"batching": True}))
    with Triton(config=config) as triton:
        triton.bind(
            model_name="inference",
            infer_func=infer,
            inputs=[Tensor(name="window", dtype=np.float32, shape=(100, 9))],
            outputs=[
                Tensor(name="latent", dtype=np.float32, shape=(64,)),
                Tensor(name="motif_scores", dtype=np.float32, shape=(12,)),
            ],
            config=settings,
        )
        triton.serve()
