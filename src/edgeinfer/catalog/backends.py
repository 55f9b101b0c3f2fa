"""The backends there are, one for each file of the folder `backends`, found without importing any of them."""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "backends"
# What is in the folder and computes nothing.
_SHARED = ("__init__", "base")
_KIND = re.compile(r'^KIND = "(\w+)"$', re.MULTILINE)
_SUMMARY = re.compile(r'\A"""(.+?)\.?(?:"""|\n)')


@dataclass(frozen=True, slots=True)
class BackendFile:
    """One backend, as its file describes it.

    Args:
        name: of the file; the value of EDGEINFER_SIDECAR_BACKEND.
        kind: its constant `KIND`, which answers and metrics name; empty if it has none.
        summary: the first line of its docstring, for help; empty if it has none.
    """

    name: str
    kind: str
    summary: str


def backend_files(folder: Path = FOLDER) -> tuple[BackendFile, ...]:
    paths = sorted(path for path in folder.glob("*.py") if path.stem not in _SHARED and not path.stem.startswith("_"))
    return tuple(_read(path) for path in paths)


@cache
def backend_names() -> tuple[str, ...]:
    return tuple(backend.name for backend in backend_files())


@cache
def backend_kinds() -> tuple[str, ...]:
    """What answers and metrics may name as their backend."""
    return tuple(sorted({backend.kind for backend in backend_files()} - {""}))


def _read(path: Path) -> BackendFile:
    text = path.read_text(encoding="utf-8")
    kind, summary = _KIND.search(text), _SUMMARY.search(text)
    return BackendFile(path.stem, kind[1] if kind else "", summary[1] if summary else "")
