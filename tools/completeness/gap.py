"""What is missing, and how an exception of an entry is said without a traceback."""

import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# Whoever writes an entry made the mistake, not the modules whose constructors refuse it.
_SHAPES = ("alert.py", "rule_test.py", "metric.py", "promql.py", "panels.py", "dashboard.py", "layout.py", "sources.py")
_PARTS_OF_REPOSITORY = ("src/", "chaos/", "tools/")


@dataclass(frozen=True, slots=True)
class Gap:
    """Something that is missing or does not fit.

    Args:
        path: the file or folder to edit, from the root of the repository; with a line where one is known.
        fault: what is wrong, with the name of the thing.
        remedy: what to do.
    """

    path: str
    fault: str
    remedy: str

    def __str__(self) -> str:
        return f"error: {self.path}: {self.fault}.\nhint: {self.remedy}"


def gap_of(failure: Exception, default_path: str, root: Path = ROOT) -> Gap:
    """An exception at an entry as a gap: where the entry is, and what the exception says.

    Args:
        failure: with its traceback.
        default_path: the file to name if the traceback has none of the repository.
        root: of the repository.
    """
    if isinstance(failure, SyntaxError) and failure.filename:
        return Gap(f"{_relative(failure.filename, root)}:{failure.lineno}", failure.msg, "Fix the line.")
    frames = [(_relative(frame.filename, root), frame.lineno) for frame in traceback.extract_tb(failure.__traceback__)]
    ours = [
        (path, line)
        for path, line in frames
        if path.startswith(_PARTS_OF_REPOSITORY) and not path.startswith("tools/completeness/")
    ]
    entries = [(path, line) for path, line in ours if Path(path).name not in _SHAPES] or ours
    where = f"{entries[-1][0]}:{entries[-1][1]}" if entries else default_path
    message = str(failure).strip().rstrip(".") or type(failure).__name__
    kind = "" if isinstance(failure, ValueError) else f"{type(failure).__name__}: "
    return Gap(where, f"{kind}{message}", "Complete or correct the entry at this line.")


def collected(default_path: str, check: Callable[[], Iterable[Gap]]) -> list[Gap]:
    """The gaps of a check; an exception in it is one gap more."""
    found: list[Gap] = []
    try:
        found.extend(check())
    except Exception as failure:  # noqa: BLE001 - an entry may raise anything, and the others are still checked
        found.append(gap_of(failure, default_path))
    return found


def _relative(path: str, root: Path) -> str:
    try:
        return Path(path).resolve().relative_to(root).as_posix()
    except ValueError:
        return path
