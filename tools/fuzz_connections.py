"""Inputs about connections: several requests in one, offers, trailers, closed halves, odd names, slow senders."""

import json
import random

from tools.fuzz_inputs import Good, Input, request

_OFFERS = (
    b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAAAAIAAAAA\r\n",
    b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: x\r\n",
    b"Connection: upgrade\r\nUpgrade: TLS/1.2\r\n",
)
_HOSTS = (b"[::1", b"[]", b"[x]:80", b"a b", b"a/b", b"", b"a@b", b"\xff", b"h:99999", b"[::1]:8088", b"..", b"a" * 300)
_ORIGINS = (b"http://[x", b"null", b"", b"http://h", b"//", b"http://\xff", b"x" * 3000, b"http://h:port", b"[::1]")


def pipelined(chance: random.Random, goods: list[Good]) -> Input:
    """Several good requests at once, of which each must be answered, in one piece or cut anywhere."""
    chosen = [_plain(chance.choice(goods)) for _ in range(chance.choice((2, 3, 10, 40)))]
    data = b"".join(chosen)
    cuts = [chance.randrange(len(data))] if chance.random() < 0.5 else []  # noqa: PLR2004 - half of them
    return Input("pipelined", data, is_whole=True, answers=len(chosen), cuts=tuple(cuts))


def upgrading(chance: random.Random, goods: list[Good]) -> Input:
    """A good request that offers another protocol."""
    good = chance.choice(goods)
    return Input("upgrade", request(good.method, good.path, _body(good), extra=chance.choice(_OFFERS)), is_whole=True)


def with_trailers(chance: random.Random, goods: list[Good]) -> Input:
    """A good request in chunks, with trailers that are few, many, long or none."""
    good = chance.choice(goods)
    body = _body(good) or b"x"
    trailers = chance.choice(
        (
            b"",
            b"Authorization: Bearer x\r\n",
            b"Content-Length: 5\r\n",
            b"Transfer-Encoding: chunked\r\n",
            b"X: y\r\n" * chance.choice((10, 5000)),
            b"X: " + b"y" * chance.choice((10, 50_000)) + b"\r\n",
            b"no name\r\n",
            b": x\r\n",
            b"\x00: x\r\n",
        )
    )
    head = f"{good.method} {good.path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in _parts(chance, body))
    data = head.encode() + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n" + trailers + b"\r\n"
    return Input("trailers", data, is_whole=True)


def half_closed(chance: random.Random, goods: list[Good]) -> Input:
    """One or more requests from a caller that then closes its side, sometimes in the middle."""
    count = chance.choice((1, 1, 3))
    data = b"".join(_plain(chance.choice(goods)) for _ in range(count))
    if chance.random() < 0.3:  # noqa: PLR2004 - some of them
        return Input("half-closed, cut off", data[: chance.randrange(len(data))], is_whole=False, ends=True)
    return Input("half-closed", data, is_whole=True, answers=count, ends=True)


def slow(chance: random.Random, goods: list[Good]) -> Input:
    """A good request in small pieces."""
    data = _plain(chance.choice(goods))
    cuts = sorted(chance.randrange(len(data)) for _ in range(chance.choice((2, 5, 9))))
    return Input("slow", data, is_whole=True, cuts=tuple(cuts))


def odd_host(chance: random.Random, goods: list[Good]) -> Input:
    """A valid request with an invalid Host."""
    data = _plain(chance.choice(goods)).replace(b"Host: localhost", b"Host: " + chance.choice(_HOSTS), 1)
    return Input("odd host", data, is_whole=True)


def odd_origin(chance: random.Random, goods: list[Good]) -> Input:
    """A valid request with an invalid Origin."""
    good = chance.choice(goods)
    extra = b"Origin: " + chance.choice(_ORIGINS) + b"\r\n"
    extra += chance.choice((b"", b"Sec-Fetch-Site: \xff\r\n", b"Sec-Fetch-Site: same-origin\r\n"))
    return Input("odd origin", request(good.method, good.path, _body(good), extra=extra), is_whole=True)


def unread(chance: random.Random, goods: list[Good]) -> Input:
    """Many requests from a caller that never reads and then hangs up."""
    data = _plain(chance.choice(goods)) * chance.choice((5, 50, 300))
    return Input("never read", data, is_whole=False, reads=False)


MAKERS = (pipelined, upgrading, with_trailers, half_closed, slow, odd_host, odd_origin, unread)


def _body(good: Good) -> bytes:
    return b"" if good.document is None else json.dumps(good.document).encode()


def _plain(good: Good) -> bytes:
    return request(good.method, good.path, _body(good))


def _parts(chance: random.Random, body: bytes) -> list[bytes]:
    cut = chance.randrange(len(body) + 1)
    return [part for part in (body[:cut], body[cut:]) if part]
