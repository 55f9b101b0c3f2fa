"""Unchanged clients of Triton and KServe ask a sidecar for windows in a file; their numbers go to another file.

Run as `python open_inference_clients.py CLIENT URL MODEL WINDOWS.npy FOLDER` in the environment of clients.txt, where
CLIENT is "triton" or "kserve" and URL that of HTTP, or host:port for gRPC. A process runs one of them: their gRPC stubs
register the same names, so that neither can be imported after the other.
"""
# ruff: noqa: PLC0415 - a process imports one of the two clients, see above

import asyncio
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

_BATCH = 16
_OUTPUTS = ("latent", "motif_scores")
Ask = Callable[[Any], Any]
"""Windows (n, 100, 9) to outputs (n, 76)."""


def triton_http(url: str, model: str, windows: Any, *, binary: bool) -> Any:
    """What tritonclient.http gets."""
    import tritonclient.http as triton

    client = triton.InferenceServerClient(url.removeprefix("http://"))
    wanted = [triton.InferRequestedOutput(name, binary_data=binary) for name in _OUTPUTS]
    tensor = triton.InferInput("window", list(windows.shape), "FP32")
    tensor.set_data_from_numpy(windows, binary_data=binary)
    result = client.infer(model, [tensor], outputs=wanted)
    return np.concatenate([result.as_numpy(name) for name in _OUTPUTS], axis=1)


def triton_grpc(address: str, model: str, windows: Any) -> Any:
    """What tritonclient.grpc gets."""
    import tritonclient.grpc as triton

    client = triton.InferenceServerClient(address)
    if not (client.is_server_live() and client.is_server_ready() and client.is_model_ready(model)):
        raise SystemExit("tritonclient.grpc: the server is not ready")
    tensor = triton.InferInput("window", list(windows.shape), client.get_model_metadata(model).inputs[0].datatype)
    tensor.set_data_from_numpy(windows)
    result = client.infer(model, [tensor], outputs=[triton.InferRequestedOutput(name) for name in _OUTPUTS])
    return np.concatenate([result.as_numpy(name) for name in _OUTPUTS], axis=1)


def kserve_http(url: str, model: str, windows: Any, *, binary: bool) -> Any:
    """What KServe's REST client gets."""
    from kserve import InferenceRESTClient, InferInput, InferRequest, RESTConfig

    async def ask() -> dict[str, Any]:
        tensor = InferInput("window", list(windows.shape), "FP32")
        tensor.set_data_from_numpy(windows, binary_data=binary)
        client = InferenceRESTClient(RESTConfig(protocol="v2"))
        answer = await client.infer(url, InferRequest(model, [tensor]), model_name=model)
        return {output.name: output.as_numpy() for output in answer.outputs}

    found = asyncio.run(ask())
    return np.concatenate([found[name] for name in _OUTPUTS], axis=1)


def kserve_grpc(address: str, model: str, windows: Any, *, binary: bool) -> Any:
    """What KServe's gRPC client gets."""
    from kserve import InferenceGRPCClient, InferInput, InferRequest

    async def ask() -> dict[str, Any]:
        tensor = InferInput("window", list(windows.shape), "FP32")
        tensor.set_data_from_numpy(windows, binary_data=binary)
        client = InferenceGRPCClient(address)
        if not (
            await client.is_server_live() and await client.is_server_ready() and await client.is_model_ready(model)
        ):
            raise SystemExit("KServe over gRPC: the server is not ready")
        answer = await client.infer(InferRequest(model, [tensor]))
        await client.close()
        return {output.name: output.as_numpy() for output in answer.outputs}

    found = asyncio.run(ask())
    return np.concatenate([found[name] for name in _OUTPUTS], axis=1)


def ways(client: str, url: str, model: str) -> dict[str, Ask]:
    """Each way in which a client can ask, by what to call it."""
    if url.startswith("http"):
        name, ask = ("tritonclient.http", triton_http) if client == "triton" else ("KServe REST", kserve_http)
        return {
            f"{name}, {form}": partial(ask, url, model, binary=binary)
            for form, binary in (("bytes", True), ("JSON", False))
        }
    if client == "triton":
        return {"tritonclient.grpc": partial(triton_grpc, url, model)}
    forms = (("raw", True), ("typed", False))
    return {f"KServe gRPC, {form}": partial(kserve_grpc, url, model, binary=binary) for form, binary in forms}


def main() -> None:
    """Ask in each way, and write what came."""
    client, url, model, windows, folder = *sys.argv[1:4], np.load(sys.argv[4]), Path(sys.argv[5])
    for name, ask in ways(client, url, model).items():
        got = [ask(windows=windows[at : at + _BATCH]) for at in range(0, len(windows), _BATCH)]
        np.save(folder / f"{name}.npy", np.concatenate(got).astype(np.float32))


if __name__ == "__main__":
    main()
