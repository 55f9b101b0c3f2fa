"""The files that the browser loads: read once, compressed once, cached by the browser for good."""

import gzip
import hashlib
import mimetypes
import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

STATIC = Path(__file__).parent / "static"
_SHELL = "index.html"
_MAIN = "main.js"
_STATIC_IMPORT = re.compile(r"""^import\s[^;]*?\sfrom\s"(\.[^"]+)";""", re.MULTILINE)
_TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
_NOT_SERVED = (".md", ".txt")


@dataclass(frozen=True, slots=True)
class Asset:
    """One file."""

    media_type: str
    body: bytes
    compressed: bytes


@dataclass(frozen=True, slots=True)
class Assets:
    """Every file of the pages.

    Args:
        version: changes with any byte of them; a part of their addresses.
        files: by path below the folder.
        shell: the page that every address answers with.
    """

    version: str
    files: Mapping[str, Asset]
    shell: Asset


def load_assets(folder: Path = STATIC) -> Assets:
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix not in _NOT_SERVED)
    bodies = {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}
    digest = hashlib.sha256(b"\0".join(name.encode() + b"\0" + body for name, body in bodies.items()))
    version = digest.hexdigest()[:12]
    shell = _shell(bodies.pop(_SHELL).decode(), version, bodies)
    files = {name: _asset(_media_type(name), body) for name, body in bodies.items()}
    return Assets(version, files, _asset("text/html; charset=utf-8", shell))


def _shell(page: str, version: str, bodies: Mapping[str, bytes]) -> bytes:
    """The page with versioned addresses, and the modules that it starts with announced, so that they load at once."""
    modules = sorted(_needed(_MAIN, bodies))
    links = "\n".join(f'    <link rel="modulepreload" href="/static/{version}/{name}">' for name in modules)
    return page.replace("<!-- modules -->", links.strip()).replace("{version}", version).encode()


def _needed(name: str, bodies: Mapping[str, bytes]) -> set[str]:
    """A module and those that it cannot start without; what it fetches later, with `import()`, is not among them."""
    found, waiting = set[str](), [name]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += [
                posixpath.normpath(posixpath.join(posixpath.dirname(name), path)) for path in _imports(bodies[name])
            ]
    return found


def _imports(module: bytes) -> list[str]:
    return _STATIC_IMPORT.findall(module.decode())


def _asset(media_type: str, body: bytes) -> Asset:
    return Asset(media_type, body, gzip.compress(body, 9, mtime=0))


def _media_type(name: str) -> str:
    suffix = Path(name).suffix
    return _TYPES.get(suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream"
