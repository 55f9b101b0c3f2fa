"""What each way of asking costs the sidecar: CPU time per window of /infer and the Open Inference Protocol, in one run.

Run as `python -m benchmarks.open_inference_cost`; two minutes. First every window of all recordings is asked in each
way, and each number compared bit for bit. Then the ways alternate, so that what else the machine does hits all alike;
the CPU time is the server's own, from /proc, and its median over the rounds is reported.
"""

import http.client
import json
import statistics
import sys
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from benchmarks.processes import cpu_seconds, free_port, running
from edgeinfer.model.card import default_folder, load_card
from edgeinfer.parity import recorded_windows
from edgeinfer.recordings.reader import list_recordings

_ROUNDS = 9
_REQUESTS = 320
_BATCH = 16
_JSON, _BINARY = "application/json", "application/octet-stream"
_LENGTH = "Inference-Header-Content-Length"
Windows = np.ndarray
Ask = Callable[[http.client.HTTPConnection, Windows], np.ndarray]


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


_ONE: dict[str, Ask] = {
    "/infer, JSON": infer_json,
    "/infer, bytes": infer_binary,
    "Open Inference Protocol, JSON": open_inference_json,
    "Open Inference Protocol, bytes": open_inference_binary,
}
_MANY: dict[str, Ask] = {
    f"{_BATCH} windows, JSON": open_inference_json,
    f"{_BATCH} windows, bytes": open_inference_binary,
}


def main() -> None:
    """Print equality and cost; ends with 1 where a bit differs."""
    names = [info.name for info in list_recordings()]
    windows = np.array(list(recorded_windows(names, length=100, hop=100)))
    port = free_port()
    with running(["-m", "edgeinfer", "sidecar", "--port", str(port)], f"http://127.0.0.1:{port}/healthz") as pid:
        connection = http.client.HTTPConnection("127.0.0.1", port)
        differing = compare(connection, windows)
        print(f"{len(windows)} windows of {len(names)} recordings; differing from /infer in bytes: {differing}")
        costs = measure(connection, windows, pid)
    base = costs["/infer, bytes"]
    print("\n| way | CPU µs per window | of /infer in bytes |\n|---|---:|---:|")
    for name, cost in costs.items():
        print(f"| {name} | {cost:.0f} | {cost / base:.2f} |")
    sys.exit(any(differing.values()))


def compare(connection: http.client.HTTPConnection, windows: Windows) -> dict[str, int]:
    """Windows whose answer differs in a bit, by way."""
    expected = np.concatenate([infer_binary(connection, windows[at : at + 1]) for at in range(len(windows))])
    found = {}
    for name, ask in {**_ONE, **_MANY}.items():
        step = _BATCH if name in _MANY else 1
        got = np.concatenate([ask(connection, windows[at : at + step]) for at in range(0, len(windows), step)])
        found[name] = int((got.view(np.uint32) != expected.view(np.uint32)).any(axis=1).sum())
    return found


def measure(connection: http.client.HTTPConnection, windows: Windows, pid: int) -> dict[str, float]:
    """Microseconds of the server's CPU time per window, the median of all rounds."""
    ways = {**_ONE, **_MANY}
    rounds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(_ROUNDS):
        for name, ask in ways.items():
            step = _BATCH if name in _MANY else 1
            before = cpu_seconds(pid)
            for at in range(0, _REQUESTS, step):
                ask(connection, windows[at : at + step])
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
