"""A sidecar that misbehaves on a real socket: each behaviour is a small coroutine over the raw connection."""

import asyncio
import json
import struct
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

Behaviour = Callable[["Exchange"], Awaitable[None]]
LATENT = [0.25] * 64
SCORES = [0.45, 0.05, *[0.05] * 10]


class Exchange:
    """One request, and the connection to answer on."""

    def __init__(self, head: bytes, body: bytes, writer: asyncio.StreamWriter) -> None:
        self.head = head
        self.body = body
        self.writer = writer

    @property
    def path(self) -> str:
        return self.head.split(b" ", 2)[1].decode()

    async def send(self, content: bytes) -> None:
        self.writer.write(content)
        await self.writer.drain()

    async def answer(
        self, body: bytes, status: str = "200 OK", content_type: str = "application/json", extra: str = ""
    ) -> None:
        await self.send(
            f"HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n{extra}\r\n".encode()
            + body
        )

    async def answer_binary(self, numbers: list[float], latent: int = 64) -> None:
        extra = (
            f"X-Latent-Dimensions: {latent}\r\nX-Backend: stub\r\nServer-Timing: total;dur=0.5000, queue;dur=0.1\r\n"
        )
        body = struct.pack(f"<{len(numbers)}f", *numbers)
        await self.answer(body, content_type="application/octet-stream", extra=extra)

    async def answer_json(self, document: Any) -> None:
        await self.answer(json.dumps(document).encode())


async def good(exchange: Exchange) -> None:
    if exchange.path == "/healthz":
        await exchange.answer_json({"ok": True, "model": "m", "version": "1", "device": "stub"})
    else:
        await exchange.answer_binary([*LATENT, *SCORES])


async def good_json(exchange: Exchange) -> None:
    await exchange.answer_json({"latent": LATENT, "motif_scores": SCORES, "backend": "hailo"})


async def silent(exchange: Exchange) -> None:
    await asyncio.sleep(60)


async def slow_bytes(exchange: Exchange) -> None:
    await exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 304\r\n\r\n")
    for _ in range(304):
        await exchange.send(b"x")
        await asyncio.sleep(0.05)


async def reset(exchange: Exchange) -> None:
    exchange.writer.transport.abort()


async def hang_up(exchange: Exchange) -> None:
    exchange.writer.close()


async def not_found(exchange: Exchange) -> None:
    await exchange.answer(b"{}", "404 Not Found")


async def internal_error(exchange: Exchange) -> None:
    await exchange.answer(b"boom", "500 Internal Server Error", "text/plain")


async def busy(exchange: Exchange) -> None:
    await exchange.answer(b"{}", "503 Service Unavailable", extra="Retry-After: 1\r\n")


async def redirect(exchange: Exchange) -> None:
    await exchange.answer(b"", "302 Found", extra="Location: /elsewhere\r\n")


async def truncated_json(exchange: Exchange) -> None:
    await exchange.answer(b'{"latent": [0.1, 0.2')


async def cut_off(exchange: Exchange) -> None:
    await exchange.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: 304\r\n\r\nabcd")
    exchange.writer.close()


async def not_http(exchange: Exchange) -> None:
    await exchange.send(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")
    exchange.writer.close()


async def odd_bytes(exchange: Exchange) -> None:
    await exchange.answer(b"x" * 303, content_type="application/octet-stream")


async def too_long(exchange: Exchange) -> None:
    await exchange.answer(b"x" * 2_000_000, content_type="application/octet-stream")


async def missing_field(exchange: Exchange) -> None:
    await exchange.answer_json({"latent": LATENT})


async def nested_json(exchange: Exchange) -> None:
    await exchange.answer(b'{"a":' * 3000 + b"1" + b"}" * 3000)


async def not_text(exchange: Exchange) -> None:
    await exchange.answer(b'{"latent": "\xff"}')


async def not_an_object(exchange: Exchange) -> None:
    await exchange.answer_json([1, 2])


async def short_latent(exchange: Exchange) -> None:
    await exchange.answer_binary([*LATENT[:63], *SCORES], latent=63)


async def short_scores(exchange: Exchange) -> None:
    await exchange.answer_binary([*LATENT, *SCORES[:11]])


async def nan_binary(exchange: Exchange) -> None:
    await exchange.answer_binary([float("nan"), *LATENT[1:], *SCORES])


async def nan_json(exchange: Exchange) -> None:
    await exchange.answer_json({"latent": [float("nan"), *LATENT[1:]], "motif_scores": SCORES})


async def null_json(exchange: Exchange) -> None:
    await exchange.answer_json({"latent": [None, *LATENT[1:]], "motif_scores": SCORES})


async def huge_json(exchange: Exchange) -> None:
    await exchange.answer_json({"latent": [1e300, *LATENT[1:]], "motif_scores": SCORES})


async def negative_score(exchange: Exchange) -> None:
    await exchange.answer_binary([*LATENT, 1.2, -0.2, *[0.0] * 10])


async def scores_of_two(exchange: Exchange) -> None:
    await exchange.answer_binary([*LATENT, *[2 / 12] * 12])


class FaultyPeer:
    """Listens on loopback and answers each request by its current behaviour."""

    def __init__(self, behaviour: Behaviour) -> None:
        self.behaviour = behaviour
        self.requests: Counter[str] = Counter()
        self.bodies: list[bytes] = []
        self.heads: list[bytes] = []
        self.port = 0
        self._open: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/infer"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            while not writer.is_closing():
                exchange = await self._read(reader, writer)
                await self.behaviour(exchange)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self._open.discard(task)
            writer.close()

    async def _read(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Exchange:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next((line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), b":0")
        body = await reader.readexactly(int(length.split(b":")[1]))
        exchange = Exchange(head, body, writer)
        self.requests[exchange.path] += 1
        if exchange.path != "/healthz":
            self.bodies.append(body)
            self.heads.append(head)
        return exchange

    def hang_up_all(self) -> None:
        for task in list(self._open):
            task.cancel()


@asynccontextmanager
async def peer(behaviour: Behaviour, port: int = 0) -> AsyncIterator[FaultyPeer]:
    """Serve it."""
    faulty = FaultyPeer(behaviour)
    server = await asyncio.start_server(faulty.serve, "127.0.0.1", port)
    faulty.port = server.sockets[0].getsockname()[1]
    try:
        yield faulty
    finally:
        server.close()
        faulty.hang_up_all()
        await asyncio.sleep(0)
        await server.wait_closed()
