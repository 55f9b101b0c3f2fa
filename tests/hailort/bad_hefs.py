"""Files that are not a HEF for this chip, HailoRT and card, each with the words its message must contain."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.fakes.hailo_platform.hef import Edge, Network, write_hef
from tests.fakes.hailo_platform.hef_file import SIZES, Header, damaged, header_for
from tests.fakes.hailo_platform.machine import default_chip

_WINDOW, _LATENT, _SCORES = Edge("in", (1, 100, 9)), Edge("conv19", (1, 1, 64)), Edge("conv20", (1, 1, 12))


@dataclass(frozen=True)
class BadHef:
    """One bad file.

    Args:
        name: for people.
        content: its bytes, for a version of the library.
        words: what the message must contain.
    """

    name: str
    content: Callable[[Path, str], bytes]
    words: str


def _good(folder: Path, version: str, **given: object) -> bytes:
    path = folder / "made.hef"
    return write_hef(path, **{"architecture": default_chip(version).architecture, **given}).read_bytes()  # type: ignore[arg-type]  # keywords


def _header_size(version: str) -> int:
    return SIZES[header_for(default_chip(version).architecture).format]


def _cut(length: int) -> BadHef:
    words = "is empty" if length == 0 else "ends within its header"
    return BadHef(f"{length} bytes", lambda folder, version: _good(folder, version)[:length], words)


def _networks(*networks: Network) -> Callable[[Path, str], bytes]:
    return lambda folder, version: _good(folder, version, networks=networks)


def _half(folder: Path, version: str) -> bytes:
    whole = _good(folder, version)
    return whole[: len(whole) // 2]


def _behind_header(folder: Path, version: str) -> bytes:
    return _good(folder, version)[: _header_size(version)]


def _flip(where: Callable[[bytes, str], int]) -> Callable[[Path, str], bytes]:
    def made(folder: Path, version: str) -> bytes:
        whole = _good(folder, version)
        return damaged(whole, where(whole, version))

    return made


def _other_chip(folder: Path, version: str) -> bytes:
    return _good(folder, version, architecture="HAILO10H" if version.startswith("4.") else "HAILO8L")


def _newer_format(folder: Path, version: str) -> bytes:
    whole = _good(folder, version)
    return whole[:4] + b"\0\0\0\4" + whole[8:]


def _outdated(folder: Path, version: str) -> bytes:
    form = header_for(default_chip(version).architecture)
    return _good(folder, version, header=Header(form.target, form.format, is_outdated=True))


BAD_HEFS = [
    *[_cut(length) for length in (0, 4, 8, 11, 31)],
    BadHef("its header alone", _behind_header, "bytes"),
    BadHef("half of it", _half, "and its header says"),
    BadHef("a flipped byte in the magic", _flip(lambda *_: 2), "is not a HEF"),
    BadHef("a flipped byte in the header", _flip(lambda *_: 9), "and its header says"),
    BadHef("a flipped byte in the proto", _flip(lambda _, version: _header_size(version) + 7), "does not have the"),
    BadHef("a flipped byte in the data", _flip(lambda whole, _: len(whole) - 9), "does not have the"),
    BadHef("100 bytes appended", lambda folder, version: _good(folder, version) + bytes(100), "and its header says"),
    BadHef("a web page", lambda *_: b"<!DOCTYPE html><html><body>Sign in</body></html>", "is a web page"),
    BadHef("a Git LFS pointer", lambda *_: b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "Git LFS"),
    BadHef("for the other family", _other_chip, "was compiled for HAILO"),
    BadHef("of a newer format", _newer_format, "format 4, newer than any that is known"),
    BadHef("outdated", _outdated, "92 HAILO_HEF_NOT_SUPPORTED"),
    BadHef("another network", _networks(Network("yolo", (Edge("in", (640, 640, 3)),), (_LATENT,))), "not 900 numbers"),
    BadHef("other outputs", _networks(Network("one", (_WINDOW,), (_LATENT,))), "12 scores are due"),
    BadHef("two inputs", _networks(Network("two", (_WINDOW, Edge("in2", (1, 100, 9))), (_LATENT, _SCORES))), "['in', "),
    BadHef("two networks", _networks(*(Network(one, (_WINDOW,), (_LATENT,)) for one in "ab")), "holds the networks"),
    BadHef("ambiguous axes", _networks(Network("x", (Edge("in", (30, 30)),), (_LATENT, _SCORES))), "distinguished"),
]
