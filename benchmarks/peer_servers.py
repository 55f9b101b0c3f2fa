"""The servers of the comparison: ours and the peers, how each is started, and their process trees in /proc."""

import json
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

import numpy as np

from benchmarks.load import JSON, PROCESS, body_of, samples
from benchmarks.processes import cpu_seconds, resident_megabytes
from edgeinfer.model.card import load_card

ENVIRONMENTS = Path(".benchmarks/peers")
_FOLDER = Path(__file__).parent / "peers"
_START_SECONDS = 40.0
OURS = "EdgeInfer"
NO_NETWORK = ", no network"
INFER, OPEN_INFERENCE = "/infer", "/v2/models/inference/infer"


@dataclass(frozen=True, slots=True)
class Peer:
    """Another model server, and what it gets of what its guide recommends for speed.

    Args:
        name: of the row.
        environment: of its packages, below `ENVIRONMENTS`.
        file: in `benchmarks/peers`.
        options: of the file.
        given: what the report says that it got.
        path: where it is asked.
        form: of the body: "window", "batch" of one window, or "open inference".
        is_compared_without_model: whether it is also measured with constants.
    """

    name: str
    environment: str
    file: str
    options: tuple[str, ...] = ()
    given: str = ""
    path: str = INFER
    form: str = "window"
    is_compared_without_model: bool = False

    @property
    def version(self) -> str:
        """Of the package that the row is about."""
        pins = dict(line.split("==") for line in (_FOLDER / f"{self.environment}.txt").read_text().splitlines() if line)
        return pins[{"tutorial": "fastapi", "pytriton": "nvidia-pytriton"}.get(self.environment, self.environment)]


_ORJSON = "orjson and numpy in `deserialize` and `serialize`"
_ONE, _TWO = ("--workers", "1"), ("--workers", "2")
PEERS = (
    Peer("tutorial FastAPI", "tutorial", "tutorial.py", (), "pydantic models, a `def` route, uvicorn", INFER),
    Peer(
        "tutorial FastAPI and metrics",
        "tutorial",
        "tutorial.py",
        ("--metrics",),
        "the same with BaseHTTPMiddleware and prometheus_client",
    ),
    Peer("Mosec, one worker", "mosec", "mosec_server.py", _ONE, _ORJSON, is_compared_without_model=True),
    Peer("Mosec, two workers", "mosec", "mosec_server.py", _TWO, f"{_ORJSON}, a worker for each core"),
    Peer(
        "Mosec, batching",
        "mosec",
        "mosec_server.py",
        (*_ONE, "--batch"),
        f"{_ORJSON}, batches of 16 within 2 ms",
        is_compared_without_model=True,
    ),
    Peer("LitServe, two workers", "litserve", "litserve_server.py", _TWO, "`workers_per_device=2`"),
    Peer(
        "LitServe, batching",
        "litserve",
        "litserve_server.py",
        (*_ONE, "--batch"),
        "batches of 16 within 2 ms, `fast_queue=True` (ZeroMQ)",
        is_compared_without_model=True,
    ),
    Peer("BentoML", "bentoml", "bentoml_server.py", (), "one worker, numpy input, no access log"),
    Peer(
        "BentoML, batching",
        "bentoml",
        "bentoml_server.py",
        ("--batch",),
        "the same with `batchable=True`, batches of 16 as its dispatcher decides",
        form="batch",
        is_compared_without_model=True,
    ),
    Peer(
        "MLServer",
        "mlserver",
        "mlserver_server.py",
        ("--workers", "0"),
        "a `custom_handler` with the contract's body, `parallel_workers=0`",
        is_compared_without_model=True,
    ),
    Peer(
        "MLServer, Open Inference Protocol",
        "mlserver",
        "mlserver_server.py",
        ("--workers", "0"),
        "its own protocol in JSON (its REST server takes no binary tensors), numpy codec, `parallel_workers=0`",
        OPEN_INFERENCE,
        "open inference",
    ),
    Peer(
        "MLServer, batching",
        "mlserver",
        "mlserver_server.py",
        ("--workers", "0", "--batch"),
        "the same with adaptive batching of 16 within 2 ms",
        OPEN_INFERENCE,
        "open inference",
    ),
    Peer(
        "MLServer, batching, a process for the model",
        "mlserver",
        "mlserver_server.py",
        (*_ONE, "--batch"),
        "the same with `parallel_workers=1`; uvloop 0.21, because its workers end with a newer one",
        OPEN_INFERENCE,
        "open inference",
    ),
    Peer(
        "Triton by PyTriton",
        "pytriton",
        "pytriton_server.py",
        (),
        "the Open Inference Protocol in JSON, batches of what waits",
        OPEN_INFERENCE,
        "open inference",
    ),
    Peer(
        "Triton by PyTriton, batching",
        "pytriton",
        "pytriton_server.py",
        ("--batch",),
        "the same with its dynamic batcher, 16 within 2 ms",
        OPEN_INFERENCE,
        "open inference",
        is_compared_without_model=True,
    ),
)


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
    found = _our_servers(str(folder.resolve()), is_shipped=is_shipped)
    for peer in PEERS:
        python = ENVIRONMENTS / peer.environment / "bin" / "python"
        if not python.exists():
            print(f"left out: {peer.name}. Its environment is made by benchmarks/peers/setup.sh", file=sys.stderr)
            continue
        start, body = (str(python.absolute()), str(_FOLDER / peer.file)), _body(peer.form)
        found.append(Server(peer.name, (*start, model, "PORT", *peer.options), path=peer.path, body=body))
        if is_shipped and peer.is_compared_without_model:
            argv = (*start, "constant", "PORT", *peer.options)
            found.append(Server(peer.name + NO_NETWORK, argv, path=peer.path, body=body))
    return found


def _body(form: str) -> bytes:
    """The window as a peer wants it."""
    rows = json.loads(body_of(JSON))["x"]
    if form == "open inference":
        data = [value for row in rows for value in row]
        tensor = {"name": "window", "shape": [1, *np.shape(rows)], "datatype": "FP32", "data": data}
        return json.dumps({"inputs": [tensor]}).encode()
    return json.dumps({"x": [rows] if form == "batch" else rows}).encode()


def _our_servers(folder: str, *, is_shipped: bool) -> list[Server]:
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
