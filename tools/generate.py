"""Writes every generated file, or with --check fails showing what is stale and what to run."""

import argparse
import importlib
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import unified_diff
from pathlib import Path
from typing import TYPE_CHECKING

from tools.completeness.gap import Gap, gap_of

if TYPE_CHECKING:  # imported when it is needed: a mistake in an entry is said, and not raised
    from tools.artifacts import Artifact

ROOT = Path(__file__).resolve().parent.parent
COMMAND = "make generate"
Load = Callable[[], tuple[Sequence["Artifact"], Sequence[str]]]
_DIFF_LINES_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Stale:
    """A generated file that is not what its source gives.

    Args:
        path: from the root of the repository.
        fault: missing, edited or left over.
        diff: from the committed file to the rendered one; empty if equal.
    """

    path: str
    fault: str
    diff: str = ""


def stale_files(found: Sequence["Artifact"], folders: Sequence[str], *, root: Path = ROOT) -> list[Stale]:
    """Every file that differs from its render, is missing, or has no source any more.

    Args:
        found: what should lie there.
        folders: folders in which nothing but generated files may lie.
        root: where the paths begin.
    """
    wanted = {artifact.path: artifact.render() for artifact in found}
    stale = [fault for path, text in wanted.items() if (fault := _compare(root / path, path, text))]
    stale += [Stale(path, "nothing generates it any more") for path in orphans(wanted, folders, root=root)]
    return sorted(stale, key=lambda fault: fault.path)


def orphans(paths: Sequence[str] | dict[str, str], folders: Sequence[str], *, root: Path = ROOT) -> list[str]:
    """Files in the generated folders that no artifact writes."""
    lying = (path for folder in folders for path in (root / folder).rglob("*") if path.is_file())
    return sorted(name for path in lying if (name := path.relative_to(root).as_posix()) not in paths)


def write(found: Sequence["Artifact"], folders: Sequence[str], *, root: Path = ROOT) -> list[str]:
    """Write what differs and remove orphans; the paths that changed."""
    changed = _write_once(found, folders, root)
    # A page may be made from what was just written, as the guide of a device lists the files of rules.
    return [*changed, *_write_once(found, folders, root)] if changed else []


def _write_once(found: Sequence["Artifact"], folders: Sequence[str], root: Path) -> list[str]:
    changed = []
    for fault in stale_files(found, folders, root=root):
        path = root / fault.path
        render = _render_of(found, fault.path)
        if render is None:
            path.unlink()
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(render(), encoding="utf-8")
        changed.append(fault.path)
    return changed


def _render_of(found: Sequence["Artifact"], path: str) -> Callable[[], str] | None:
    return next((artifact.render for artifact in found if artifact.path == path), None)


def _compare(path: Path, name: str, wanted: str) -> Stale | None:
    if not path.exists():
        return Stale(name, "missing")
    lying = path.read_text(encoding="utf-8")
    if lying == wanted:
        return None
    lines = list(
        unified_diff(
            lying.splitlines(), wanted.splitlines(), f"{name} (as it lies)", f"{name} (generated)", lineterm=""
        )
    )
    more = [f"... {len(lines) - _DIFF_LINES_SHOWN} more lines"] if len(lines) > _DIFF_LINES_SHOWN else []
    return Stale(name, "differs from what its source gives", "\n".join(lines[:_DIFF_LINES_SHOWN] + more))


def _load_artifacts() -> tuple[Sequence["Artifact"], Sequence[str]]:
    artifacts = importlib.import_module("tools.artifacts")
    return artifacts.all_artifacts(), artifacts.GENERATED_FOLDERS


def main(arguments: Sequence[str] | None = None, *, root: Path = ROOT, load: Load = _load_artifacts) -> int:
    """The command line; 1 if --check found something stale, or an entry is refused."""
    parser = argparse.ArgumentParser(prog="python -m tools.generate", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if something is stale")
    check = parser.parse_args(arguments).check
    try:
        return _run(load, check=check, root=root)
    except Exception as failure:  # noqa: BLE001 - an entry may raise anything; what it raised is said
        for gap in _explained(failure):
            print(gap, file=sys.stderr)
        return 1


def _explained(failure: Exception) -> list[Gap]:
    """A missing part of a file is said better by the check that looks for it than by the code that needs it."""
    try:
        missing: list[Gap] = importlib.import_module("tools.completeness.parts").gaps_of_files()
    except Exception:  # noqa: BLE001 - the entry that failed may be one that the check needs, too
        missing = []
    return missing or [gap_of(failure, "tools/artifacts.py")]


def _run(load: Load, *, check: bool, root: Path) -> int:
    found, folders = load()
    if not check:
        for path in write(found, folders, root=root):
            print(f"wrote {path}" if (root / path).exists() else f"removed {path}")
        return 0
    stale = stale_files(found, folders, root=root)
    for fault in stale:
        print(f"error: {fault.path}: {fault.fault}.", fault.diff, sep="\n", file=sys.stderr)
    if stale:
        print(f"hint: edit the source, not the generated file, then run: {COMMAND}", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
