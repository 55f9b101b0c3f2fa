"""Unchanged clients of Triton and KServe ask a sidecar for windows in a file; their numbers go to another file.

Run as `python open_inference_clients.py URL MODEL WINDOWS.npy FOLDER` in the environment of clients.txt.
"""

import asyncio
import sys
from pathlib import Path
from typing import Any

import numpy as np
import tritonclient.http as triton
from kserve import InferenceRESTClient, InferInput, InferRequest, RESTConfig

_BATCH = 16
_OUTPUTS = ("latent", "motif_scores")


def by_triton(url: str, model: str, windows: Any, *, binary: bool) -> Any:
    """What tritonclient.http gets."""
    client = triton.InferenceServerClient(url.removeprefix("http://"))
    wanted = [triton.InferRequestedOutput(name, binary_data=binary) for name in _OUTPUTS]
    tensor = triton.InferInput("window", list(windows.shape), "FP32")
    tensor.set_data_from_numpy(windows, binary_data=binary)
    result = client.infer(model, [tensor], outputs=wanted)
    return np.concatenate([result.as_numpy(name) for name in _OUTPUTS], axis=1)


def by_kserve(url: str, model: str, windows: Any, *, binary: bool) -> Any:
    """What KServe's client gets."""

    async def ask() -> dict[str, Any]:
        tensor = InferInput("window", list(windows.shape), "FP32")
        tensor.set_data_from_numpy(windows, binary_data=binary)
        client = InferenceRESTClient(RESTConfig(protocol="v2"))
        answer = await client.infer(url, InferRequest(model, [tensor]), model_name=model)
        return {output.name: output.as_numpy() for output in answer.outputs}

    found = asyncio.run(ask())
    return np.concatenate([found[name] for name in _OUTPUTS], axis=1)


def main() -> None:
    """Ask in each way, and write what came."""
    url, model, windows, folder = sys.argv[1], sys.argv[2], np.load(sys.argv[3]), Path(sys.argv[4])
    for client, ask in (("tritonclient.http", by_triton), ("KServe", by_kserve)):
        for form, binary in (("bytes", True), ("JSON", False)):
            starts = range(0, len(windows), _BATCH)
            got = [ask(url, model, windows[at : at + _BATCH], binary=binary) for at in starts]
            np.save(folder / f"{client}, {form}.npy", np.concatenate(got).astype(np.float32))


if __name__ == "__main__":
    main()
