"""Crowds of connections that take what they can get: each kind of half-sent request, and of answers not taken."""

import asyncio
import contextlib
import socket
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

_UPGRADE = b"Connection: Upgrade\r\nUpgrade: h2c\r\n"
_SMALL_WINDOW_BYTES = 4096
_ROUND_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Hostile:
    """One kind of hostile connection.

    Args:
        name: of the kind.
        data: what each connection sends, as much of it as the service takes.
    """

    name: str
    data: bytes


def hostile_kinds(post: str, get: str) -> list[Hostile]:
    """Every kind, at a route that takes a body and at one that has a large answer."""
    head = f"POST {post} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n".encode()
    asks = f"GET {get} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
    chunked = head + b"Transfer-Encoding: chunked\r\n\r\n"
    headers = b"".join(b"x%d: y\r\n" % number for number in range(120))
    return [
        Hostile("nothing", b""),
        Hostile("half a head", head + b"X: " + b"a" * 31_000),
        Hostile("many headers and no body", head + headers + b"Content-Length: 60000\r\n\r\n"),
        Hostile("half a body", head + b"Content-Length: 60000\r\n\r\n" + b"[" * 59_000),
        Hostile("an upgrade and half a body", head + _UPGRADE + b"Content-Length: 60000\r\n\r\n" + b"[" * 59_000),
        Hostile("half of the chunks", chunked + b"e000\r\n" + b"[" * 50_000),
        Hostile("tiny chunks", chunked + b"1\r\n[\r\n" * 1500),
        Hostile("trailers without end", chunked + b"2\r\n{}\r\n0\r\n" + b"X: y\r\n" * 20_000),
        Hostile("a refused body", head + b"Content-Length: 99999999\r\n\r\n" + b"[" * 500_000),
        Hostile("a blank line after an answer", asks + b"\r\n"),
        Hostile("answers that are not read", asks * 200),
        Hostile("requests that wait", asks + (head + b"Content-Length: 2\r\n\r\n{}") * 1500),
    ]


async def attack(port: int, kind: Hostile, count: int, seconds: float, watch: Callable[[], None]) -> int:
    """Hold so many connections of a kind for a while; returns how many could be opened.

    Args:
        port: on loopback.
        kind: what they send.
        count: of connections.
        seconds: from when all are open.
        watch: called all the time.
    """
    crowd = await _open(port, count, watch)
    rest = {connection: memoryview(kind.data) for connection in crowd}
    until = monotonic() + seconds
    while monotonic() < until:
        for connection, data in rest.items():
            rest[connection] = _send(connection, data)
        watch()
        await asyncio.sleep(_ROUND_SECONDS)
    for connection in crowd:
        connection.close()
    return len(crowd)


async def _open(port: int, count: int, watch: Callable[[], None]) -> list[socket.socket]:
    crowd: list[socket.socket] = []
    loop = asyncio.get_running_loop()
    for number in range(count):
        connection = socket.socket()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SMALL_WINDOW_BYTES)
        connection.setblocking(False)
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(5):
                await loop.sock_connect(connection, ("127.0.0.1", port))
            crowd.append(connection)
        if number % 64 == 0:
            watch()
    return crowd


def _send(connection: socket.socket, data: memoryview) -> memoryview:
    if not data:
        return data
    try:
        return data[connection.send(data[:65_536]) :]
    except BlockingIOError:
        return data
    except OSError:
        return data[:0]
