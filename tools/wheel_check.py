"""Checks that lock files install from wheels alone on every Python and processor that the package is for.

Run as `python -m tools.wheel_check LOCK...`, as `make lock` does; ends with 1 and names each package that has none.
"""

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

PYTHONS = ("3.11", "3.12", "3.13", "3.14")
# The C library of Debian 12 and Raspberry Pi OS on it, the oldest that the guides name.
PLATFORMS = ("x86_64-manylinux_2_36", "aarch64-manylinux_2_36")
_PIN = re.compile(r"^([A-Za-z0-9._-]+)==.*(?:\n[ \t]+.*)*\n?", re.MULTILINE)
_NO_WHEEL = re.compile(r"[Bb]ecause ([A-Za-z0-9._-]+)==\S+ has no (?:usable wheels|wheels with)")


@dataclass(frozen=True, slots=True)
class Machine:
    """Where a lock file is to install.

    Args:
        python: such as 3.14.
        platform: in uv's words, such as aarch64-manylinux_2_36.
    """

    python: str
    platform: str


class IndexUnreadableError(Exception):
    """uv ended with something else than a package without wheels."""


def without_wheels(lock: str, machine: Machine, options: Sequence[str] = ()) -> Iterator[str]:
    """Names of the packages of a lock file that have no wheel for this machine.

    Args:
        lock: text of the lock file.
        machine: Python and processor.
        options: more for uv, such as another index.

    Raises:
        IndexUnreadableError: uv did not come to an answer.
    """
    while (said := _install_dry(lock, machine, options)) is not None:
        found = _NO_WHEEL.search(said)
        if found is None:
            raise IndexUnreadableError(said.strip())
        yield found[1]
        # uv names one package at a time.
        lock = _without(lock, found[1])


def _without(lock: str, package: str) -> str:
    return _PIN.sub(lambda pin: "" if pin[1] == package else pin[0], lock)


def _install_dry(lock: str, machine: Machine, options: Sequence[str]) -> str | None:
    """What uv says where it fails; None if all of the lock would be installed."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "requirements.lock")
        path.write_text(lock, encoding="utf-8")
        where = ["--target", f"{folder}/target", "--python-version", machine.python]
        where += ["--python-platform", machine.platform]
        what = ["--dry-run", "--no-deps", "--only-binary", ":all:", "--require-hashes", "-r", str(path)]
        uv = [sys.executable, "-m", "uv", "pip", "install", *where, *what, *options]
        ended = subprocess.run(uv, capture_output=True, text=True, check=False)
    return None if ended.returncode == 0 else ended.stderr


def main(arguments: Sequence[str], options: Sequence[str] = ()) -> int:
    """Check the named lock files for every machine; the exit code."""
    locks = {name: Path(name).read_text(encoding="utf-8") for name in arguments}
    missing = 0
    for machine in (Machine(python, platform) for platform in PLATFORMS for python in PYTHONS):
        for name, lock in locks.items():
            try:
                for package in without_wheels(lock, machine, options):
                    missing += 1
                    print(f"error: {name}: {package} has no wheel for Python {machine.python} on {machine.platform}")
            except IndexUnreadableError as failure:
                print(f"error: {name}: not checked for Python {machine.python} on {machine.platform}: {failure}")
                return 1
    if missing:
        print("hint: Give the package a marker in pyproject.toml and do without it there, or replace it.")
        return 1
    print(f"{' and '.join(locks)}: wheels for Python {', '.join(PYTHONS)} on {' and '.join(PLATFORMS)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
