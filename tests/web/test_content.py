"""What a body is declared as, and its compression undone within bounds."""

import gzip
import tracemalloc
import zlib
from collections.abc import Callable

import pytest

from edgeinfer.errors import BodyTooLarge, InputError, InvalidBody, UnsupportedContentEncoding, UnsupportedContentType
from edgeinfer.web.content import check_json_type, decompress

BODY = b'{"samples": []}' * 20
PACKED = gzip.compress(BODY, mtime=0)


def raw_deflate(body: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return compressor.compress(body) + compressor.flush()


@pytest.mark.parametrize(
    ("coding", "compress"),
    [
        ("", bytes),
        ("identity", bytes),
        ("Identity", bytes),
        ("gzip", gzip.compress),
        (" GZip ", gzip.compress),
        ("x-gzip", gzip.compress),
        ("deflate", zlib.compress),
        ("deflate", raw_deflate),
    ],
)
def test_a_body_comes_out_as_it_went_in(coding: str, compress: Callable[[bytes], bytes]) -> None:
    assert decompress(compress(BODY), coding, len(BODY)) == BODY
    assert decompress(compress(b""), coding, 10) == b""


@pytest.mark.parametrize("coding", ["br", "zstd", "compress", "gzip, gzip", "gzip;q=1", "*"])
def test_other_codings_are_refused_by_name(coding: str) -> None:
    with pytest.raises(UnsupportedContentEncoding, match=r"Content-Encoding: .* is not undone here"):
        decompress(gzip.compress(BODY), coding, 1000)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (BODY, "not gzip data"),
        (b"", "cut off"),
        (PACKED[:-3], "cut off"),
        (PACKED[:-8] + b"\0" * 8, "not gzip data"),
        (PACKED + b"x", "something follows"),
        (PACKED * 2, "something follows"),
    ],
    ids=["plain", "empty", "short", "wrong checksum", "a byte more", "two pieces"],
)
def test_damaged_data_is_named(body: bytes, words: str) -> None:
    with pytest.raises(InvalidBody, match=words):
        decompress(body, "gzip", 10_000)


def test_one_byte_too_many_is_too_large() -> None:
    assert len(decompress(gzip.compress(BODY), "gzip", len(BODY))) == len(BODY)
    with pytest.raises(BodyTooLarge):
        decompress(gzip.compress(BODY), "gzip", len(BODY) - 1)


def test_a_bomb_is_not_unpacked() -> None:
    bomb = gzip.compress(bytes(100_000_000))
    tracemalloc.start()
    with pytest.raises(BodyTooLarge):
        decompress(bomb, "gzip", 100_000)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000


@pytest.mark.parametrize(
    "declared",
    ["", "application/json", "Application/JSON", "application/json;charset=UTF-8", "application/json; charset=latin-1"],
)
def test_json_is_declared_as_such_or_as_nothing(declared: str) -> None:
    check_json_type(declared)


@pytest.mark.parametrize(
    ("declared", "words"),
    [
        ("text/plain", "text/plain, not JSON"),
        ("application/x-www-form-urlencoded", "not JSON"),
        ("application/jsonp", "not JSON"),
        ("application/json; charset=utf-16", "charset is utf-16"),
        ('application/json; charset="UTF-16LE"', "charset is"),
        ("; charset=utf-32", "charset is utf-32"),
    ],
)
def test_what_is_no_json_is_refused_by_name(declared: str, words: str) -> None:
    with pytest.raises(UnsupportedContentType, match=words) as refused:
        check_json_type(declared)
    assert isinstance(refused.value, InputError)
