"""What each way of asking costs the sidecar: CPU time per window of /infer and the Open Inference Protocol, in one run.

Run as `python -m benchmarks.open_inference_cost`; three minutes. First every window of all recordings is asked in each
way, and each number compared bit for bit. Then the ways alternate, so that what else the machine does hits all alike;
the CPU time is the server's own, from /proc, and its median over the rounds is reported.
"""

import http.client
import json
import os
import statistics
import sys
from collections.abc import Callable
from functools import cache, partial
from typing import Any

import grpc
import numpy as np

from benchmarks.processes import cpu_seconds, free_port, running
from edgeinfer.model.card import default_folder, load_card
from edgeinfer.parity import recorded_windows
from edgeinfer.recordings.reader import list_recordings
from edgeinfer.sidecar.open_inference.rpc.messages import SERVICE, message_classes

_ROUNDS = 9
_REQUESTS = 320
_BATCH = 16
_JSON, _BINARY = "application/json", "application/octet-stream"
_BASE = "/infer, bytes"
_LENGTH = "Inference-Header-Content-Length"
_MESSAGES = message_classes()
Windows = np.ndarray
Ask = Callable[[Windows], np.ndarray]
Ways = dict[str, tuple[Ask, int]]
"""How to ask and for how many windows at once, by name."""


def infer_json(connection: http.client.HTTPConnection, windows: Windows) -> np.ndarray:
    """POST /infer in JSON, one window."""
    body = json.dumps({"x": windows[0].tolist()}).encode()
    answer = json.loads(_post(connection, "/infer", body, {"Content-Type": _JSON})[0])
    return np.array([answer["latent"] + answer["motif_scores"]], np.float32)


def infer_binary(connection: http.client.HTTPConnection, windows: Windows) -> np.ndarray:
    """POST /infer in bytes, one window."""
    headers = {"Content-Type": _BINARY, "Accept": _BINARY}
    return np.frombuffer(_post(connection, "/infer", windows[0].astype("<f4").tobytes(), headers)[0], "<f4")[None]


def open_inference_json(connection: http.client.HTTPConnection, windows: Windows) -> np.ndarray:
    """The protocol in JSON."""
    tensor = {"name": "window", "shape": windows.shape, "datatype": "FP32", "data": windows.reshape(-1).tolist()}
    body, _ = _post(connection, _path(), json.dumps({"inputs": [tensor]}).encode(), {"Content-Type": _JSON})
    parts = [np.array(one["data"], np.float32).reshape(one["shape"]) for one in json.loads(body)["outputs"]]
    return np.concatenate(parts, axis=1)


def open_inference_binary(connection: http.client.HTTPConnection, windows: Windows) -> np.ndarray:
    """The protocol with tensors as bytes, both ways."""
    data = windows.astype("<f4").tobytes()
    tensor: dict[str, Any] = {"name": "window", "shape": windows.shape, "datatype": "FP32"}
    tensor["parameters"] = {"binary_data_size": len(data)}
    head = json.dumps({"inputs": [tensor], "parameters": {"binary_data_output": True}}).encode()
    headers = {"Content-Type": _BINARY, _LENGTH: str(len(head))}
    body, answered = _post(connection, _path(), head + data, headers)
    size = int(answered[_LENGTH])
    shapes = [one["shape"] for one in json.loads(body[:size])["outputs"]]
    values, parts = np.frombuffer(body[size:], "<f4"), []
    for shape in shapes:
        parts.append(values[: shape[0] * shape[1]].reshape(shape))
        values = values[shape[0] * shape[1] :]
    return np.concatenate(parts, axis=1)


def by_grpc(call: Any, windows: Windows, *, raw: bool) -> np.ndarray:
    """The protocol over gRPC, with tensors as bytes or as numbers."""
    message = _MESSAGES["ModelInferRequest"](model_name=load_card(default_folder()).name)
    tensor = message.inputs.add(name="window", datatype="FP32", shape=windows.shape)
    if raw:
        message.raw_input_contents.append(windows.astype("<f4").tobytes())
    else:
        tensor.contents.fp32_contents.extend(windows.reshape(-1).tolist())
    answer = _MESSAGES["ModelInferResponse"].FromString(call(message.SerializeToString()))
    if raw:
        parts = [np.frombuffer(part, "<f4") for part in answer.raw_output_contents]
    else:
        parts = [np.array(output.contents.fp32_contents, np.float32) for output in answer.outputs]
    shaped = [part.reshape(output.shape) for part, output in zip(parts, answer.outputs, strict=True)]
    return np.concatenate(shaped, axis=1)


def ways(connection: http.client.HTTPConnection, call: Any) -> Ways:
    """All of them."""
    json_ask, binary_ask = partial(open_inference_json, connection), partial(open_inference_binary, connection)
    raw, typed = partial(by_grpc, call, raw=True), partial(by_grpc, call, raw=False)
    return {
        "/infer, JSON": (partial(infer_json, connection), 1),
        _BASE: (partial(infer_binary, connection), 1),
        "Open Inference Protocol, JSON": (json_ask, 1),
        "Open Inference Protocol, bytes": (binary_ask, 1),
        "gRPC, typed": (typed, 1),
        "gRPC, raw": (raw, 1),
        f"{_BATCH} windows in a request, JSON": (json_ask, _BATCH),
        f"{_BATCH} windows in a request, bytes": (binary_ask, _BATCH),
        f"{_BATCH} windows in a request, gRPC, typed": (typed, _BATCH),
        f"{_BATCH} windows in a request, gRPC, raw": (raw, _BATCH),
    }


def main() -> None:
    """Print equality and cost; ends with 1 where a bit differs."""
    names = [info.name for info in list_recordings()]
    windows = np.array(list(recorded_windows(names, length=100, hop=100)))
    port, grpc_port = free_port(), free_port()
    argv = ["-m", "edgeinfer", "sidecar", "--port", str(port), "--grpc-port", str(grpc_port)]
    with (
        running(argv, f"http://127.0.0.1:{port}/healthz") as pid,
        grpc.insecure_channel(f"127.0.0.1:{grpc_port}") as channel,
    ):
        found = ways(http.client.HTTPConnection("127.0.0.1", port), channel.unary_unary(f"/{SERVICE}/ModelInfer"))
        differing = compare(found, windows)
        print(f"{len(windows)} windows of {len(names)} recordings; differing from {_BASE}: {differing}")
        costs = measure(found, windows, pid)
    print(f"\nload average {os.getloadavg()[0]:.0f}\n")
    print(f"| way | CPU µs per window | of {_BASE} |\n|---|---:|---:|")
    for name, cost in costs.items():
        print(f"| {name} | {cost:.0f} | {cost / costs[_BASE]:.2f} |")
    sys.exit(any(differing.values()))


def compare(found: Ways, windows: Windows) -> dict[str, int]:
    """Windows whose answer differs in a bit, by way."""
    base, _ = found[_BASE]
    expected = np.concatenate([base(windows[at : at + 1]) for at in range(len(windows))])
    differing = {}
    for name, (ask, step) in found.items():
        got = np.concatenate([ask(windows[at : at + step]) for at in range(0, len(windows), step)])
        differing[name] = int((got.view(np.uint32) != expected.view(np.uint32)).any(axis=1).sum())
    return differing


def measure(found: Ways, windows: Windows, pid: int) -> dict[str, float]:
    """Microseconds of the server's CPU time per window, the median of all rounds."""
    rounds: dict[str, list[float]] = {name: [] for name in found}
    for _ in range(_ROUNDS):
        for name, (ask, step) in found.items():
            before = cpu_seconds(pid)
            for at in range(0, _REQUESTS, step):
                ask(windows[at : at + step])
            rounds[name].append((cpu_seconds(pid) - before) / _REQUESTS * 1e6)
    return {name: statistics.median(values) for name, values in rounds.items()}


@cache
def _path() -> str:
    return f"/v2/models/{load_card(default_folder()).name}/infer"


def _post(
    connection: http.client.HTTPConnection, path: str, body: bytes, headers: dict[str, str]
) -> tuple[bytes, http.client.HTTPMessage]:
    connection.request("POST", path, body, headers)
    answer = connection.getresponse()
    content = answer.read()
    if answer.status != 200:
        raise RuntimeError(f"{path}: {answer.status} {content[:300]!r}")
    return content, answer.headers


if __name__ == "__main__":
    main()
