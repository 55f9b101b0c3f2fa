"""A proxy between gateway and sidecar that breaks what passes through it, on demand."""

import asyncio
import random
import socket
import struct
from collections import Counter
from dataclasses import replace
from time import time
from typing import Self

from chaos.faults import NO_FAULT, Fault, FaultKind, Message, corrupt, refusal

_HEAD_LIMIT_BYTES = 64 * 1024
_INFER_PATH = b"/infer"
_REQUEST_ID = "x-request-id"
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER with no time: close sends RST instead of FIN


class FaultyProxy:
    """Relays HTTP/1.1 to one upstream; `fault` decides what happens to the next request.

    Args:
        host: of the upstream.
        port: of the upstream.
        chance: random numbers for faults that hit a share of the requests, and for jitter.
    """

    def __init__(self, host: str, port: int, chance: random.Random | None = None) -> None:
        self.fault = NO_FAULT
        self.newest: Message | None = None
        """The newest whole answer of the sidecar's inference."""
        self.injected: Counter[str] = Counter()
        """Requests that a fault happened to, by its kind."""
        self._upstream = (host, port)
        self._chance = chance or random.Random(1)  # noqa: S311 - repeatable faults, guards nothing
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    @property
    def port(self) -> int:
        """Port that the proxy listens on."""
        if self._server is None:
            raise RuntimeError("the proxy is not open")
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, limit=_HEAD_LIMIT_BYTES)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server:
            self._server.close()
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None:
            return
        self._connections.add(task)
        connection = _Connection(self, reader, writer)
        try:
            await connection.serve()
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            writer.transport.abort()
        except asyncio.CancelledError:  # asyncio.streams would log a cancelled handler as a failure
            writer.transport.abort()
        finally:
            self._connections.discard(task)
            connection.close()

    def drop_connections(self) -> None:
        """Cut every connection, so that both sides need new ones."""
        for connection in list(self._connections):
            connection.cancel()

    def pick(self, path: bytes) -> Fault:
        """The fault that happens to this request; counted."""
        fault = self.fault
        passes = fault.only_infer and not path.startswith(_INFER_PATH)
        if fault.kind is FaultKind.NONE or passes or self._chance.random() >= fault.share:
            return NO_FAULT
        self.injected[fault.kind.value] += 1
        return fault

    def delay_of(self, fault: Fault) -> float:
        """Seconds by which an answer is held back."""
        if fault.kind is FaultKind.JITTER:
            return fault.seconds * self._chance.random()
        return fault.seconds if fault.kind is FaultKind.LATENCY else 0.0

    @property
    def upstream(self) -> tuple[str, int]:
        """Host and port of the sidecar."""
        return self._upstream


class _Connection:
    """One kept-alive connection of the gateway and its own connection to the sidecar."""

    def __init__(self, proxy: FaultyProxy, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._proxy = proxy
        self._reader = reader
        self._writer = writer
        self._upstream: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    def close(self) -> None:
        self._writer.close()
        if self._upstream:
            self._upstream[1].close()

    async def serve(self) -> None:
        """Relay requests until either side ends or a fault does."""
        while True:
            try:
                head = await self._reader.readuntil(b"\r\n\r\n")
            except asyncio.IncompleteReadError:
                return
            body = await self._reader.readexactly(_length(_headers(head)))
            fault = self._proxy.pick(head.split(b" ", 2)[1])
            if not await self._handle(fault, head, body):
                return

    async def _handle(self, fault: Fault, head: bytes, body: bytes) -> bool:
        """Answer one request; returns whether the connection stays open."""
        match fault.kind:
            case FaultKind.RESET:
                self._reset()
                return False
            case FaultKind.HALF_OPEN:
                await self._reader.read()  # until the gateway times out
                return False
            case FaultKind.STATUS:
                await self._answer(refusal(fault.status))
                return True
            case FaultKind.ELSEWHERE if self._proxy.newest:
                await self._answer(_as_answer_to(head, self._proxy.newest))
                return True
        await asyncio.sleep(self._proxy.delay_of(fault))
        whole = await self._ask(head, body)
        if fault.kind is FaultKind.NONE and head.startswith(b"POST " + _INFER_PATH) and whole.is_ok:
            self._proxy.newest = whole
        answer = corrupt(fault, whole, turn=self._proxy.injected[fault.kind.value], now=time())
        match fault.kind:
            case FaultKind.BROKEN_OFF:
                await self._write(_wire(answer)[: -len(answer.body) // 2])
                return False
            case FaultKind.SLOW_BYTES:
                for byte in _wire(answer):
                    await self._write(bytes((byte,)))
                    await asyncio.sleep(fault.seconds)
            case _:
                await self._answer(answer, has_body=not head.startswith(b"HEAD "))
        return True

    async def _ask(self, head: bytes, body: bytes) -> Message:
        """The sidecar's answer; a connection that the sidecar closed in the meantime is reopened once."""
        if self._upstream:
            try:
                return await self._exchange(*self._upstream, head, body)
            except (OSError, asyncio.IncompleteReadError):
                self._upstream[1].close()
                self._upstream = None
        self._upstream = await asyncio.open_connection(*self._proxy.upstream, limit=_HEAD_LIMIT_BYTES)
        return await self._exchange(*self._upstream, head, body)

    async def _exchange(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes, body: bytes
    ) -> Message:
        writer.write(head + body)
        await writer.drain()
        answer_head = await reader.readuntil(b"\r\n\r\n")
        headers = _headers(answer_head)
        length = 0 if head.startswith(b"HEAD ") else _length(headers)
        content = await reader.readexactly(length)
        headers.pop("content-length", None)
        return Message(answer_head.split(b"\r\n", 1)[0].decode("latin-1"), headers, content)

    async def _answer(self, answer: Message, *, has_body: bool = True) -> None:
        await self._write(_wire(answer) if has_body else _wire(answer.with_body(b"")))

    async def _write(self, content: bytes) -> None:
        self._writer.write(content)
        await self._writer.drain()

    def _reset(self) -> None:
        held: socket.socket = self._writer.get_extra_info("socket")
        held.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self._writer.transport.abort()


def _as_answer_to(head: bytes, answer: Message) -> Message:
    """The answer with the request's own id: the gateway refuses the answer to another request."""
    request_id = _headers(head).get(_REQUEST_ID)
    if request_id is None:
        return answer
    return replace(answer, headers={**answer.headers, _REQUEST_ID: request_id})


def _headers(head: bytes) -> dict[str, str]:
    lines = head.decode("latin-1").split("\r\n")[1:]
    pairs = (line.partition(":") for line in lines if line)
    return {name.strip().lower(): value.strip() for name, _, value in pairs}


def _length(headers: dict[str, str]) -> int:
    return int(headers.get("content-length", "0"))


def _wire(answer: Message) -> bytes:
    headers = {**answer.headers, "content-length": str(len(answer.body))}
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"{answer.status_line}\r\n{head}\r\n".encode("latin-1") + answer.body
