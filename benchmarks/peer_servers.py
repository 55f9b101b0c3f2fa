"""The servers of the comparison: ours and the peers, how each is started, and their process trees in /proc."""

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import DEVNULL, Popen, TimeoutExpired
from urllib.error import URLError
from urllib.request import Request, urlopen

from benchmarks.load import JSON, PROCESS, body_of, samples
from benchmarks.processes import cpu_seconds, resident_megabytes
from edgeinfer.model.card import load_card

ENVIRONMENTS = Path(".benchmarks/peers")
_FOLDER = Path(__file__).parent / "peers"
_START_SECONDS = 40.0
OURS = "EdgeInfer"
NO_NETWORK = ", no network"
# Name: environment, file, options.
_PEERS: dict[str, tuple[str, ...]] = {
    "tutorial FastAPI": ("tutorial", "tutorial.py"),
    "tutorial FastAPI and metrics": ("tutorial", "tutorial.py", "--metrics"),
    "Mosec": ("mosec", "mosec_server.py"),
    "Mosec, batching": ("mosec", "mosec_server.py", "--batch"),
    "LitServe": ("litserve", "litserve_server.py"),
    "BentoML": ("bentoml", "bentoml_server.py"),
    "MLServer": ("mlserver", "mlserver_server.py"),
}


@dataclass(frozen=True, slots=True)
class Server:
    """One row of the comparison."""

    name: str
    argv: tuple[str, ...]
    """"PORT" is replaced by the port."""
    environment: dict[str, str] = field(default_factory=dict)
    takes_binary: bool = False
    path: str = "/infer"
    body: bytes = field(default_factory=lambda: body_of(JSON), repr=False)

    @property
    def is_ours(self) -> bool:
        """Whether this project's sidecar serves it, and no peer."""
        return self.name.startswith(OURS)

    @property
    def has_network(self) -> bool:
        """Whether it computes the network, rather than constants."""
        return not self.name.endswith(NO_NETWORK)


def servers(folder: Path, *, is_shipped: bool) -> list[Server]:
    """Everything that can run here: ours, and the peers whose environment is made.

    Args:
        folder: of the model, with its card.
        is_shipped: whether it is the shipped model, which has an int8 twin; only with it serving alone is compared.
    """
    model = str(load_card(folder).file("cpu").path.resolve())
    found = _inline_job(str(folder.resolve()), is_shipped=is_shipped)
    for name, (environment, file, *options) in _PEERS.items():
        python = ENVIRONMENTS / environment / "bin" / "python"
        if not python.exists():
            print(f"left out: {name}. Its environment is made by benchmarks/peers/setup.sh", file=sys.stderr)
            continue
        start = (str(python.absolute()), str(_FOLDER / file))
        found.append(Server(name, (*start, model, "PORT", *options)))
        if is_shipped:
            found.append(Server(name + NO_NETWORK, (*start, "constant", "PORT", *options)))
    return found


def _inline_job(folder: str, *, is_shipped: bool) -> list[Server]:
    model = {"EDGEINFER_MODEL_FOLDER": folder}
    sidecar = (sys.executable, "-m", "edgeinfer", "sidecar", "--port", "PORT")
    pair = (sys.executable, "-m", "benchmarks.gateway_and_sidecar", "PORT")
    gateway = Server(f"{OURS}: gateway and sidecar", pair, model, path=PROCESS, body=samples())
    if not is_shipped:
        return [Server(OURS, sidecar, model, takes_binary=True), gateway]
    constant = (sys.executable, "-m", "benchmarks.constant_sidecar", "PORT")
    int8 = {**model, "EDGEINFER_MODEL_VARIANT": "cpu_int8"}
    return [
        Server(OURS, sidecar, model, takes_binary=True),
        Server(f"{OURS}, int8", sidecar, int8, takes_binary=True),
        Server(OURS + NO_NETWORK, constant, takes_binary=True),
        Server(f"{OURS}, as for a chip{NO_NETWORK}", (*constant, "--device"), takes_binary=True),
        gateway,
    ]


@contextmanager
def serving(server: Server, port: int) -> Iterator[int]:
    """The server, once it answers a window; gives its pid and ends it with all its children."""
    argv = [str(port) if part == "PORT" else part for part in server.argv]
    environment = {**os.environ, **server.environment}
    process = Popen(argv, stdout=DEVNULL, stderr=DEVNULL, env=environment, start_new_session=True)
    try:
        _wait(process, f"http://127.0.0.1:{port}{server.path}", server.body)
        yield process.pid
    finally:
        _end(process)


def tree(pid: int) -> list[int]:
    """A process and everything below it."""
    try:
        children = [task.read_text() for task in Path(f"/proc/{pid}/task").glob("*/children")]
    except OSError:
        return []
    return [pid, *(below for line in children for child in line.split() for below in tree(int(child)))]


def tree_cpu_seconds(pid: int) -> float:
    """CPU time of the tree so far; servers keep their processes during a round."""
    return sum(cpu_seconds(member) for member in tree(pid))


def tree_megabytes(pid: int) -> float:
    """Memory of the tree, shared pages counted once (PSS), or RSS where the kernel does not provide PSS."""
    return sum(_megabytes(member) for member in tree(pid))


def _megabytes(pid: int) -> float:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return resident_megabytes(pid)
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("Pss:"))


def _wait(process: "Popen[bytes]", url: str, body: bytes) -> None:
    deadline = time.monotonic() + _START_SECONDS
    request = Request(url, body, {"Content-Type": JSON})  # noqa: S310 - a server of this comparison
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"the server ended with code {process.returncode}")
        try:
            with urlopen(request, timeout=2):  # noqa: S310 - as above
                return
        except (URLError, OSError):
            time.sleep(0.1)
    raise RuntimeError(f"the server did not answer a window within {_START_SECONDS:.0f} s")


def _end(process: "Popen[bytes]") -> None:
    """Stop it, then end what is left of its session."""
    process.send_signal(signal.SIGTERM)
    with suppress(TimeoutExpired):
        process.wait(6)
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    process.wait(5)
