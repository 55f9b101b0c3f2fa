"""The Python environment: each release in a folder of its own, and one link that says which of them runs.

A release that could not be installed whole is never linked, so what serves keeps serving; the one before stays for
going back, which then needs no network.
"""

import functools
import hashlib
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from tools.device_setup.facts import Facts
from tools.device_setup.journal import Journal
from tools.device_setup.machine import Machine, SetupError

HOME = "/opt/edgeinfer"
VENV = f"{HOME}/venv"
PROGRAM = f"{VENV}/bin/edgeinfer"
_RELEASES = f"{HOME}/releases"
_CACHE = f"{HOME}/cache"
_MARK = "complete"
# The one that runs, and the one before it.
_KEPT_RELEASES = 2
_LOCKS = ("requirements-build.lock", "requirements-runtime.lock")
_NUMPY_1 = "requirements-hailo4.lock"
_INDEX = "Most often the package index cannot be reached: run this again, it continues from here."


@dataclass(frozen=True, slots=True)
class Environment:
    """The release of one checkout for one Python.

    Args:
        checkout: what is installed.
        facts: which Python and which numpy it must be.
        units: see `Change`.
    """

    checkout: Path
    facts: Facts
    units: tuple[str, ...]

    @property
    def release(self) -> str:
        """Where it lies: the same checkout, Python and numpy give the same name."""
        return f"{_RELEASES}/{_fingerprint(self.checkout, self.facts.python, self.facts.needs_numpy_1)}"

    def pending(self, machine: Machine, journal: Journal) -> str:
        """Make it, or go back to it."""
        del journal
        if self._is_whole(machine):
            linked = machine.path(VENV).is_symlink() and str(machine.path(VENV).readlink()) == self.release
            return "" if linked else f"link   {VENV} -> {self.release}, which is installed already"
        numpy = "; numpy 1.26 is compiled: some minutes" if self.facts.compiles_numpy else ""
        return f"install {self.release} with python3 -m venv and pip, every package by its hash{numpy}"

    def _is_whole(self, machine: Machine) -> bool:
        return machine.path(f"{self.release}/{_MARK}").exists()

    def apply(self, machine: Machine, journal: Journal) -> None:
        """Install the release next to the one that runs, and link it."""
        place = machine.path(VENV)
        if place.is_dir() and not place.is_symlink():
            raise SetupError(VENV, "is a folder of an older set-up", f"Move it away: sudo mv {VENV} {VENV}.before")
        journal.record("tree", _RELEASES)
        journal.record("tree", _CACHE)
        if not self._is_whole(machine):
            self._install(machine)
        journal.record("link", VENV, before=None)
        unfinished = place.with_name(".venv.new")
        unfinished.unlink(missing_ok=True)
        unfinished.symlink_to(self.release)
        unfinished.replace(place)
        os.utime(machine.path(self.release))
        self._drop_old(machine)

    def _install(self, machine: Machine) -> None:
        python = f"{self.release}/bin/python"
        shutil.rmtree(machine.path(self.release), ignore_errors=True)
        machine.path(_RELEASES).mkdir(parents=True, exist_ok=True)
        venv = ("/usr/bin/python3", "-m", "venv", "--system-site-packages", self.release)
        machine.do(*venv, remedy="sudo apt install python3-venv, then run this again.")
        self._pip(machine, python, "--require-hashes", *self._locks(_LOCKS))
        self._pip(machine, python, "--no-deps", "--no-index", "--no-build-isolation", str(self.checkout))
        if self.facts.needs_numpy_1 or _is_numpy_too_new(machine, f"{self.release}/bin/edgeinfer"):
            self._pip(machine, python, "--require-hashes", *self._locks((_NUMPY_1,)))
        machine.path(f"{self.release}/{_MARK}").touch()

    def _locks(self, names: tuple[str, ...]) -> list[str]:
        return [word for name in names for word in ("-r", str(self.checkout / name))]

    def _pip(self, machine: Machine, python: str, *words: str) -> None:
        pip = (python, "-m", "pip", "--disable-pip-version-check", "--quiet", "--cache-dir", _CACHE, "install")
        try:
            machine.do(*pip, *words, remedy=_INDEX)
        except SetupError:
            shutil.rmtree(machine.path(self.release), ignore_errors=True)
            raise

    def _drop_old(self, machine: Machine) -> None:
        found = sorted(machine.path(_RELEASES).iterdir(), key=lambda path: path.stat().st_mtime, reverse=True)
        for path in found[_KEPT_RELEASES:]:
            shutil.rmtree(path, ignore_errors=True)


@functools.cache
def _fingerprint(checkout: Path, python: tuple[int, int], needs_numpy_1: bool) -> str:  # noqa: FBT001 - a cached key
    found = hashlib.sha256(json.dumps([python, needs_numpy_1]).encode())
    files = [checkout / name for name in (*_LOCKS, _NUMPY_1, "pyproject.toml")]
    files += [path for name in ("src", "docs/runbooks") for path in (checkout / name).rglob("*")]
    for path in sorted(path for path in files if path.is_file() and path.suffix != ".pyc"):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        found.update(f"{path.relative_to(checkout)} {content}\n".encode())
    return found.hexdigest()[:12]


def _is_numpy_too_new(machine: Machine, program: str) -> bool:
    """As the doctor finds it, who holds HailoRT's native part against numpy."""
    said = machine.ask(program, "doctor", "--only", "hailo", "--json").output
    try:
        return any(one["subject"] == "numpy" and one["verdict"] == "broken" for one in json.loads(said))
    except ValueError:
        return False
