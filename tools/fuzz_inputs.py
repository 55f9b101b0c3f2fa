"""Inputs that a service must survive: random bytes, broken HTTP, and requests whose bodies are almost right."""

import copy
import json
import math
import random
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

_ODD: tuple[Any, ...] = (
    *(None, True, False, 0, -0.0, -1, 1e308, 1e-320, math.inf, -math.inf, math.nan, 2**63, 2**64, -(2**70), 10**400),
    *("", "x", "\ud800", "\x00", "9.81", "é" * 300, "a" * 70_000, [], {}, [[]], [[[[]]]], {"a": {"b": {"c": []}}}),
)
_TARGETS = (b"/", b"/healthz", b"/metrics", b"/infer", b"/api/v1/analysis/start", b"/api/v1/analysis/process")
_METHODS = (b"GET", b"POST", b"PUT", b"HEAD", b"DELETE", b"OPTIONS", b"PATCH", b"TRACE", b"CONNECT", b"BREW", b"")
_TYPES = ("application/json", "application/octet-stream", "text/plain", "application/json; charset=utf-16", "", "\t")
_DEEP = 3000
_JSON_HEAD = "HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


@dataclass(frozen=True, slots=True)
class Input:
    """Bytes for one connection.

    Args:
        kind: how it was made.
        data: what is sent.
        is_whole: whether it is whole requests, which must be answered.
        answers: how many, where they are whole.
        cuts: places between which a moment passes.
        ends: whether the sender then closes its side.
        reads: whether the sender reads the response.
    """

    kind: str
    data: bytes
    is_whole: bool
    answers: int = 1
    cuts: tuple[int, ...] = ()
    ends: bool = False
    reads: bool = True


@dataclass(frozen=True, slots=True)
class Good:
    """A valid request, the seed of malformed ones.

    Args:
        method: of HTTP.
        path: with its query.
        document: the JSON body, None where there is none.
    """

    method: str
    path: str
    document: Any = None


Maker = Callable[[random.Random, list[Good]], Input]


def inputs(goods: list[Good], seed: int, more: tuple[Maker, ...] = ()) -> Iterator[Input]:
    """Inputs without end, the same ones for the same seed; `more` kinds in addition to those of this module."""
    chance = random.Random(seed)  # noqa: S311 - repeatable, guards nothing
    makers: tuple[Maker, ...] = (
        *(_noise, _cut, _flipped, _odd_head, _lying_length, _chunks),
        *(_odd_leaf, _odd_leaf, _odd_leaf, _odd_size, _flipped_body, _deep, _binary, _odd_type, _odd_query),
        *more,
    )
    while True:
        yield chance.choice(makers)(chance, goods)


def request(method: str, path: str, body: bytes, content_type: str = "application/json", extra: bytes = b"") -> bytes:
    """A complete HTTP/1.1 request as bytes."""
    head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n".encode("utf-8", "replace")
    kind = f"Content-Type: {content_type}\r\n".encode() if content_type else b""
    return head + kind + extra + b"\r\n" + body


def _plain(good: Good) -> bytes:
    body = b"" if good.document is None else _encode(good.document)
    return request(good.method, good.path, body)


def _encode(document: Any) -> bytes:
    """JSON as several writers produce it: with NaN, Infinity and lone surrogates."""
    return json.dumps(document).encode("utf-8", "surrogatepass")


def _noise(chance: random.Random, _: list[Good]) -> Input:
    return Input("random bytes", chance.randbytes(chance.choice((1, 10, 100, 1000, 40_000))), is_whole=False)


def _cut(chance: random.Random, goods: list[Good]) -> Input:
    whole = _plain(chance.choice(goods))
    return Input("cut off", whole[: chance.randrange(len(whole))], is_whole=False)


def _flipped(chance: random.Random, goods: list[Good]) -> Input:
    return Input("flipped bytes", _flip(chance, _plain(chance.choice(goods))), is_whole=False)


def _flip(chance: random.Random, data: bytes) -> bytes:
    corrupted = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 5, 20))):
        if corrupted:
            corrupted[chance.randrange(len(corrupted))] = chance.randrange(256)
    return bytes(corrupted)


def _odd_head(chance: random.Random, goods: list[Good]) -> Input:
    del goods
    target = chance.choice(
        (
            *_TARGETS,
            b"*",
            b"//",
            b"/../../etc/passwd",
            b"/%00%ff%zz",
            b"/" + b"a" * 9000,
            b"http://x/",
            chance.randbytes(9),
        )
    )
    header = chance.choice(
        (
            b"X: " + b"y" * chance.choice((10, 9000, 40_000)),
            b"\r\n".join(b"H%d: v" % number for number in range(chance.choice((5, 200, 2000)))),
            b"Transfer-Encoding: chunked\r\nContent-Length: 5",
            b"Expect: 100-continue",
            b"Upgrade: websocket\r\nConnection: Upgrade",
            b"Connection: close, keep-alive",
            b"Range: bytes=0-0,-1",
            chance.randbytes(20),
            b"\x00: \x00",
            b": no name",
            b" folded",
        )
    )
    version = chance.choice((b"HTTP/1.1", b"HTTP/1.0", b"HTTP/2.0", b"HTTP/9.9", b"", b"http/1.1"))
    line = chance.choice(_METHODS) + b" " + target + b" " + version
    return Input("odd head", line + b"\r\nHost: localhost\r\n" + header + b"\r\n\r\n", is_whole=False)


def _lying_length(chance: random.Random, goods: list[Good]) -> Input:
    good = chance.choice(goods)
    body = _encode(good.document)
    reported = chance.choice(
        ("-1", "0", str(len(body) - 1), str(len(body) + 1), "1e9", "99999999999999999999", "", "1, 2", "+5")
    )
    head = f"{good.method} {good.path} {_JSON_HEAD}Content-Length: {reported}\r\n\r\n"
    return Input("lying length", head.encode() + body, is_whole=False)


def _chunks(chance: random.Random, goods: list[Good]) -> Input:
    good = chance.choice(goods)
    body = _encode(good.document)
    size = chance.choice((f"{len(body):x}", "0", "-1", "ffffffffffffffffff", "x", f"{len(body):x};ext={'a' * 5000}"))
    head = f"{good.method} {good.path} {_JSON_HEAD}Transfer-Encoding: chunked\r\n\r\n"
    return Input("chunks", head.encode() + size.encode() + b"\r\n" + body + b"\r\n0\r\n\r\n", is_whole=False)


def _leaves(node: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Places of a document, the document's own first."""
    yield place
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for name, child in children:
        yield from _leaves(child, (*place, name))


def _odd_leaf(chance: random.Random, goods: list[Good]) -> Input:
    good = chance.choice([good for good in goods if good.document is not None])
    document = copy.deepcopy(good.document)
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        document = _replace(document, chance.choice(list(_leaves(document))), chance)
    return Input("odd values", request(good.method, good.path, _encode(document)), is_whole=True)


def _replace(document: Any, place: tuple[Any, ...], chance: random.Random) -> Any:
    odd = copy.deepcopy(chance.choice(_ODD))
    if not place:
        return odd
    node = document
    for name in place[:-1]:
        node = node[name]
    if isinstance(node, dict) and chance.random() < 0.3:  # noqa: PLR2004 - now and then a name is removed, or an unknown one added
        del node[place[-1]]
        node[str(chance.choice(_ODD))] = odd
    else:
        node[place[-1]] = odd
    return document


def _odd_size(chance: random.Random, goods: list[Good]) -> Input:
    good = chance.choice([good for good in goods if good.document is not None])
    document = copy.deepcopy(good.document)
    for name, child in document.items():
        if isinstance(child, list):
            times = chance.choice((0, 1, 2, 7, 60))
            document[name] = [copy.deepcopy(one) for one in child * times][: chance.choice((0, 1, 99, 101, 100_000))]
    return Input("odd sizes", request(good.method, good.path, _encode(document)), is_whole=True)


def _flipped_body(chance: random.Random, goods: list[Good]) -> Input:
    good = chance.choice([good for good in goods if good.document is not None])
    return Input("flipped body", request(good.method, good.path, _flip(chance, _encode(good.document))), is_whole=True)


def _deep(chance: random.Random, goods: list[Good]) -> Input:
    good = chance.choice([good for good in goods if good.document is not None])
    opening, closing = chance.choice(((b"[", b"]"), (b'{"a":', b"}")))
    body = opening * _DEEP + b"1" + closing * chance.choice((_DEEP, 0))
    return Input("deep nesting", request(good.method, good.path, body), is_whole=True)


def _binary(chance: random.Random, goods: list[Good]) -> Input:
    del goods
    count = chance.choice((0, 1, 899, 900, 901, 5000))
    values = [chance.choice((0.0, 1.0, math.nan, math.inf, 3e38, 1e-45, chance.gauss(0, 9))) for _ in range(count)]
    body = struct.pack(f"<{count}f", *values) + chance.randbytes(chance.choice((0, 0, 1, 3)))
    return Input("binary", request("POST", "/infer", body, "application/octet-stream"), is_whole=True)


def _odd_type(chance: random.Random, goods: list[Good]) -> Input:
    good = chance.choice([good for good in goods if good.document is not None])
    return Input(
        "odd type", request(good.method, good.path, _encode(good.document), chance.choice(_TYPES)), is_whole=True
    )


def _odd_query(chance: random.Random, goods: list[Good]) -> Input:
    del goods
    value = chance.choice(
        ("", "%00", "%ff%fe", "a" * 5000, "'; DROP TABLE sessions; --", "x&sessionId=y", "%F0%9F%98%80")
    )
    route = chance.choice(("motifs", "synchrony"))
    role = chance.choice(("", "&role=", "&role=%00", "&role=" + "r" * 500))
    return Input(
        "odd query",
        request("GET", f"/api/v1/analysis/{route}?sessionId={value.replace(' ', '+')}{role}", b""),
        is_whole=True,
    )
