"""The work that no gateway and no sidecar can leave out, and nothing else: the lower bound of `benchmarks.phones`.

It receives the same requests and answers each with constants of the usual size, without reading heads, checking
samples, counting or keeping anything in memory. What it does beyond that is chosen by `--parts`: "decode" parses the
JSON of samples, "commit" appends them to a file and syncs it twice a second, "hop" sends a window to a second process
and waits for its answer, "infer" has that process compute it. A part's cost is the difference between two runs.

Run as `python -m benchmarks.phone_floor gateway PORT SIDECAR_PORT FILE [--parts ...]`, and with `sidecar PORT`.
"""

import argparse
import asyncio
import os
import struct
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import cast

import msgspec
import numpy as np
import uvloop

from edgeinfer.backends.onnx import OnnxBackend
from edgeinfer.gateway.samples import Sample
from edgeinfer.model.card import default_folder, load_card

PARTS = ("decode", "commit", "hop", "infer")
_WINDOW_BYTES, _ANSWER_BYTES = 3600, 4 * 76
_SYNC_SECONDS = 0.5
_SESSION = b'{"sessionId":"00000000-0000-0000-0000-000000000000"}'


class _Samples(msgspec.Struct):
    samples: list[Sample]


def _answer(status: bytes, size: int) -> bytes:
    body = _SESSION.ljust(size)
    return b"HTTP/1.1 %b\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (status, len(body), body)


_ANSWERS = {
    b"PUT ": _answer(b"202 Accepted", 270),
    b"GET ": _answer(b"200 OK", 2200),
    b"POST": _answer(b"200 OK", 1250),
}


class _Gateway(asyncio.Protocol):
    """Answers requests; each is one read, or a few."""

    def __init__(self, decode: Callable[[bytes], object], commit: Callable[[], None], ask: "_Asker | None") -> None:
        self._decode, self._commit, self._ask = decode, commit, ask
        self._data = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        data = self._data = self._data + data
        end = data.find(b"\r\n\r\n") + 4
        at = data.find(b"Content-Length: ", 0, end)
        length = int(data[at + 16 : data.find(b"\r\n", at)]) if at >= 0 else 0
        if end < 4 or len(data) < end + length:
            return
        self._data = b""
        method = data[:4]
        if length > len(_SESSION) + 4:
            self._decode(data[end:])
        if method == b"PUT ":
            self._commit()
        answer = _ANSWERS[method]
        is_window = (method == b"POST" and length > 1000) or data.startswith(b"GET /api/v1/analysis/motifs")
        if is_window and self._ask is not None:
            self._ask.send(lambda: self._transport.write(answer))
        else:
            self._transport.write(answer)


class _Asker(asyncio.Protocol):
    """One connection to the other process; answers come in the order of the windows."""

    def __init__(self) -> None:
        self._window = bytes(_WINDOW_BYTES)
        self._waiting: deque[Callable[[], None]] = deque()
        self._received = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def send(self, on_answer: Callable[[], None]) -> None:
        self._waiting.append(on_answer)
        self._transport.write(self._window)

    def data_received(self, data: bytes) -> None:
        self._received += len(data)
        while self._received >= _ANSWER_BYTES:
            self._received -= _ANSWER_BYTES
            self._waiting.popleft()()


class _Sidecar(asyncio.Protocol):
    def __init__(self, infer: Callable[[bytes], bytes]) -> None:
        self._infer = infer
        self._data = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._data += data
        while len(self._data) >= _WINDOW_BYTES:
            window, self._data = self._data[:_WINDOW_BYTES], self._data[_WINDOW_BYTES:]
            self._transport.write(self._infer(window))


def _committer(path: Path) -> Callable[[], None]:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    record = struct.pack("<1132x")

    def sync() -> None:
        while True:
            time.sleep(_SYNC_SECONDS)
            os.fdatasync(descriptor)

    threading.Thread(target=sync, daemon=True).start()

    def commit() -> None:
        os.write(descriptor, record)

    return commit


def _inference() -> Callable[[bytes], bytes]:
    backend = OnnxBackend(load_card(default_folder()))
    backend.open()
    inside = backend.infer

    def infer(window: bytes) -> bytes:
        found = inside(np.frombuffer(window, np.float32).reshape(100, 9))
        return found.latent.tobytes() + found.motif_scores.tobytes()

    return infer


async def _serve_gateway(port: int, sidecar_port: int, path: Path, parts: list[str]) -> None:
    loop = asyncio.get_running_loop()
    decode: Callable[[bytes], object] = msgspec.json.Decoder(_Samples).decode if "decode" in parts else lambda _: None
    commit = _committer(path) if "commit" in parts else lambda: None
    asker = None
    if "hop" in parts:
        _, asker = await loop.create_connection(_Asker, "127.0.0.1", sidecar_port)
    server = await loop.create_server(lambda: _Gateway(decode, commit, asker), "127.0.0.1", port, backlog=2048)
    await server.serve_forever()


async def _serve_sidecar(port: int, parts: list[str]) -> None:
    infer = _inference() if "infer" in parts else lambda _: bytes(_ANSWER_BYTES)
    server = await asyncio.get_running_loop().create_server(lambda: _Sidecar(infer), "127.0.0.1", port)
    await server.serve_forever()


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("role", choices=("gateway", "sidecar"))
    parser.add_argument("port", type=int)
    parser.add_argument("sidecar_port", type=int, nargs="?", default=0)
    parser.add_argument("file", type=Path, nargs="?", default=Path(os.devnull))
    parser.add_argument("--parts", nargs="*", choices=PARTS, default=PARTS)
    given = parser.parse_args()
    if given.role == "gateway":
        uvloop.run(_serve_gateway(given.port, given.sidecar_port, given.file, given.parts))
    else:
        uvloop.run(_serve_sidecar(given.port, given.parts))


if __name__ == "__main__":
    main()
