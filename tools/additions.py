"""Makes the seven additions that the guides describe in a scratch clone, and forgets each of their steps once.

For each addition: the files that a person touches, and that `make check` then passes.
For each forgotten step: what `make check` says, which must name the thing and the file to edit, and be no traceback.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from tools.addition import Addition, Omission, Step
from tools.addition_examples import ADDITIONS

ROOT = Path(__file__).resolve().parent.parent
# What `make check` runs, without formatting and import layers, which say nothing about what is forgotten.
_LINTERS = (("ruff", "check", "--quiet", "--output-format=concise", "."), ("mypy", "--no-error-summary"))
_OUR_CHECKS = (("python", "-m", "tools.completeness"), ("python", "-m", "tools.generate", "--check"))


@dataclass(frozen=True, slots=True)
class Result:
    """What came of an addition, whole or with a step forgotten.

    Args:
        title: the addition, and the forgotten step if there is one.
        files: what a person touched.
        says: the first lines of what `make check` said; empty if it passed.
        violation: why the result is not as it should be; empty if it is.
    """

    title: str
    files: tuple[str, ...]
    says: str
    violation: str


class Clone:
    """A scratch clone of what is committed here.

    Args:
        folder: an empty folder.
        commands: what is run as a check, in this order, until one fails.
    """

    def __init__(self, folder: Path, commands: Sequence[Sequence[str]]) -> None:
        self._folder = folder
        self._commands = commands
        self._git("clone", "--quiet", "--shared", str(ROOT), ".")
        (folder / ".venv").symlink_to(ROOT / ".venv")

    def try_out(self, addition: Addition, forgotten: Step | Omission | None = None) -> Result:
        """Make an addition, without a step or a part of one, and check; the clone is as before afterwards."""
        steps = [step for step in addition.steps if step is not forgotten]
        for step in steps:
            step.apply(
                self._folder, forgotten if isinstance(forgotten, Omission) and forgotten in step.omissions else None
            )
        self._run("ruff", "format", "--quiet", "src", "chaos")  # as `make fix` does
        files = tuple(sorted({step.path for step in steps} - {""}))
        says = ""
        if any(step.is_generating for step in steps):
            made = self._run("python", "-m", "tools.generate")
            says = made.stderr.strip() if made.returncode else ""
        says = says or self._said()
        self._git("checkout", "--quiet", ".")
        self._git("clean", "--quiet", "--force", "-d", "src", "chaos", "docs")
        title = f"{addition.name}, without {forgotten.what}" if forgotten else addition.name
        return Result(title, files, says, outcome_of(says, forgotten))

    def _said(self) -> str:
        for command in self._commands:
            ended = self._run(*command)
            if ended.returncode:
                return (ended.stderr or ended.stdout).strip()
        return ""

    def _run(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "PYTHONPATH": f"{self._folder / 'src'}:{self._folder}"}
        command = [str(ROOT / ".venv" / "bin" / program), *arguments]
        return subprocess.run(
            command, cwd=self._folder, env=environment, capture_output=True, text=True, check=False, timeout=600
        )

    def _git(self, *arguments: str) -> None:
        subprocess.run(["git", *arguments], cwd=self._folder, check=True)


def outcome_of(says: str, forgotten: Step | Omission | None) -> str:
    """Why a result is not as it should be; empty if it is.

    Args:
        says: what `make check` said.
        forgotten: the step or part; None if the addition was whole.
    """
    if forgotten is None:
        return "the whole addition is refused" if says else ""
    if not says:
        return "nothing is said"
    if "Traceback" in says:
        return "a traceback"
    missing = [word for word in forgotten.named if word not in says]
    return f"it does not name {', '.join(missing)}" if missing else ""


def results(additions: Sequence[Addition], folder: Path, *, with_linters: bool) -> Iterator[Result]:
    """Every addition, whole and with each step forgotten.

    Args:
        additions: what to try.
        folder: an empty folder for the clone.
        with_linters: whether ruff and mypy run as well, which say what is wrong in the code itself.
    """
    clone = Clone(folder, (*_LINTERS, *_OUR_CHECKS) if with_linters else _OUR_CHECKS)
    for addition in additions:
        yield clone.try_out(addition)
        for forgotten in _forgettable(addition):
            if with_linters or not forgotten.is_found_by_linters:
                yield clone.try_out(addition, forgotten)


def _forgettable(addition: Addition) -> Iterator[Step | Omission]:
    for step in addition.steps:
        if step.what:
            yield step
        yield from step.omissions


def main() -> int:
    """Try the additions that are named, or all; 1 if one is not as it should be."""
    names = [addition.name for addition in ADDITIONS]
    parser = argparse.ArgumentParser(prog="python -m tools.additions", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*names, []], help="what to add; all if not given")
    parser.add_argument("--quick", action="store_true", help="leave out ruff and mypy")
    given = parser.parse_args()
    chosen = [addition for addition in ADDITIONS if not given.names or addition.name in given.names]
    is_right = True
    with TemporaryDirectory(prefix="additions-") as folder:
        for result in results(chosen, Path(folder), with_linters=not given.quick):
            is_right = is_right and not result.violation
            first = "; ".join(result.says.splitlines()[:2]) or "make check passes"
            print(f"{result.title}\n  touches {', '.join(result.files)}\n  says    {first}")
            if result.violation:
                print(f"  WRONG   {result.violation}")
    return 0 if is_right else 1


if __name__ == "__main__":
    sys.exit(main())
