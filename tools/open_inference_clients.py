"""Unchanged clients of others against the sidecar: every window of all recordings, compared bit for bit with /infer.

`python -m tools.open_inference_clients` needs the environment that benchmarks/peers/setup.sh clients makes; it ends
with 1 where a client got another number.
"""

import http.client
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.processes import free_port
from edgeinfer.model.card import default_folder, load_card
from edgeinfer.parity import recorded_windows
from edgeinfer.recordings.reader import list_recordings
from tests.end_to_end.service_process import ServiceProcess

_ROOT = Path(__file__).parents[1]
_BINARY = "application/octet-stream"


def run(folder: Path) -> dict[str, int]:
    """Windows whose answer differs in a bit, by client and form."""
    python = _ROOT / ".benchmarks/peers/clients/bin/python"
    if not python.exists():
        raise SystemExit("no clients here: run benchmarks/peers/setup.sh clients")
    names = [info.name for info in list_recordings()]
    windows = np.array(list(recorded_windows(names, length=100, hop=100)), np.float32)
    np.save(folder / "windows.npy", windows)
    (folder / "answers").mkdir()
    grpc_port = free_port()
    switched_on = {"EDGEINFER_SIDECAR_GRPC_PORT": str(grpc_port)}
    with ServiceProcess("sidecar", log=folder / "sidecar.log", environment=switched_on) as sidecar:
        expected = _by_infer(sidecar.port, windows)
        program = str(_ROOT / "benchmarks/peers/open_inference_clients.py")
        model, answers = load_card(default_folder()).name, folder / "answers"
        for url in (sidecar.url, f"127.0.0.1:{grpc_port}"):
            for client in ("triton", "kserve"):
                subprocess.run([python, program, client, url, model, folder / "windows.npy", answers], check=True)
    return {
        path.stem: int((np.load(path).view(np.uint32) != expected.view(np.uint32)).any(axis=1).sum())
        for path in sorted(answers.iterdir())
    }


def _by_infer(port: int, windows: np.ndarray) -> np.ndarray:
    connection, answers = http.client.HTTPConnection("127.0.0.1", port), []
    for window in windows:
        headers = {"Content-Type": _BINARY, "Accept": _BINARY}
        connection.request("POST", "/infer", window.astype("<f4").tobytes(), headers)
        answers.append(np.frombuffer(connection.getresponse().read(), "<f4"))
    return np.array(answers)


def main() -> None:
    """Print the comparison; the exit code says whether all numbers are the same."""
    with TemporaryDirectory() as folder:
        differing = run(Path(folder))
    for client, count in differing.items():
        print(f"{client}: {count} windows differ from /infer")
    sys.exit(len(differing) == 0 or any(differing.values()))


if __name__ == "__main__":
    main()
