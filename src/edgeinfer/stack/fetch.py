"""Prometheus and Alertmanager from the distribution's packages, without root and without installing them."""

import shutil
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from edgeinfer.errors import BinaryNotFound
from edgeinfer.stack.binaries import NEEDED, THREE_WAYS, TOOLS, Binary, Program, find_all
from edgeinfer.stack.events import Event, EventHandler, Kind

_PACKAGES = ("prometheus", "prometheus-alertmanager")
# In Debian 13 it left the package of Prometheus.
_TOOL_PACKAGE = "promtool"
# Debian's Alertmanager (0.25 and 0.28 alike) does not start without its templates in this very folder, which only
# root can make. In our copy the path is replaced by one of equal length, relative to `Binary.folder`.
_TEMPLATES = b"/usr/share/prometheus/alertmanager"
_TEMPLATES_HERE = b".////share/prometheus/alertmanager"
_MAX_SECONDS = 900.0
_STEP_SECONDS = 0.2
_REPORT_SECONDS = 2.0

_RunResult = tuple[int, str]
Run = Callable[[Sequence[str], Path], _RunResult]
"""Runs a command in a folder: exit code and what it said."""


@dataclass(frozen=True, slots=True)
class Fetcher:
    """Downloads with apt-get, which checks signatures and hashes, and unpacks with dpkg.

    Args:
        cache: becomes the root of the unpacked packages.
        on_event: called with the progress.
        run: runs one command.
        which: finds a command.
    """

    cache: Path
    on_event: EventHandler
    run: Run
    which: Callable[[str], str | None] = shutil.which

    def fetch(self) -> None:
        """Fill the cache, or leave it as it was.

        Raises:
            BinaryNotFound: there is no apt-get here, or it failed; the message names the other ways.
        """
        for command in ("apt-get", "dpkg"):
            if self.which(command) is None:
                raise BinaryNotFound(
                    "prometheus and alertmanager", f"are not here, and neither is {command}", THREE_WAYS
                )
        try:
            self.cache.parent.mkdir(parents=True, exist_ok=True)
            with TemporaryDirectory(prefix="monitoring-", dir=self.cache.parent) as scratch:
                self._fill(Path(scratch))
        except OSError as failure:
            fault = f"cannot be kept there ({failure.strerror or failure})"
            raise BinaryNotFound(f"cache {self.cache}", fault, "Make room, or set XDG_CACHE_HOME.") from failure

    def _fill(self, scratch: Path) -> None:
        downloads, unpacked = scratch / "downloads", scratch / "unpacked"
        downloads.mkdir()
        unpacked.mkdir()
        self._say("fetching Prometheus and Alertmanager (30 MB, once; nothing is installed)")
        options = self._download(scratch, downloads)
        self._unpack(downloads, unpacked)
        if not (unpacked / "usr/bin/promtool").exists():
            self.run(["apt-get", *options, "download", _TOOL_PACKAGE], downloads)  # a tool: doing without is fine
            self._unpack(downloads, unpacked)
        free_of_fixed_templates(unpacked / "usr/bin/prometheus-alertmanager")
        self._replace(unpacked, scratch / "replaced")
        self._say(f"fetched into {self.cache}")

    def _download(self, scratch: Path, downloads: Path) -> list[str]:
        """Download with the machine's package lists, else with lists of our own; returns the options that worked."""
        code, _ = self.run(["apt-get", "download", *_PACKAGES], downloads)
        if code == 0:
            return []
        self._say("the machine's package lists are missing or old: fetching lists of our own")
        options = _private_lists(scratch)
        for step in (["update"], ["download", *_PACKAGES]):
            code, said = self.run(["apt-get", *options, *step], downloads)
            if code != 0:
                raise BinaryNotFound(
                    "prometheus and alertmanager", f"could not be fetched by apt-get: {_reason(said)}", THREE_WAYS
                )
        return options

    def _unpack(self, downloads: Path, unpacked: Path) -> None:
        for package in sorted(downloads.glob("*.deb")):
            self.on_event(Event(Kind.WAITING, f"unpacking {package.name.partition('_')[0]}"))
            code, said = self.run(["dpkg", "-x", str(package), str(unpacked)], downloads)
            if code != 0:
                raise BinaryNotFound(package.name, f"could not be unpacked: {_reason(said)}", THREE_WAYS)
            package.unlink()

    def _replace(self, unpacked: Path, replaced: Path) -> None:
        if self.cache.exists():
            self.cache.rename(replaced)  # goes with the scratch folder
        try:
            unpacked.rename(self.cache)
        except OSError:
            if not self.cache.exists():  # else another run has just put the same there
                raise

    def _say(self, message: str) -> None:
        self.on_event(Event(Kind.FETCHING, message))


def free_of_fixed_templates(program: Path) -> bool:
    """Let an unpacked Alertmanager find its templates without root; returns whether it had to be changed."""
    if not program.exists():
        return False
    content = program.read_bytes()
    if _TEMPLATES not in content:
        return False
    program.write_bytes(content.replace(_TEMPLATES, _TEMPLATES_HERE))
    return True


def find_or_fetch(
    cache: Path, on_event: EventHandler, programs: Sequence[Program] = NEEDED, search_path: str | None = None
) -> Mapping[Program, Binary]:
    """Every program that is there; fetches when one of `programs` is not.

    Raises:
        BinaryNotFound: Prometheus or Alertmanager is not here and cannot be fetched.
    """
    found = find_all(cache, search_path)
    if all(program in found for program in programs):
        return found
    Fetcher(cache, on_event, run_with_progress(on_event)).fetch()
    found = find_all(cache, search_path)
    for program in programs:
        if program not in found and program not in TOOLS:
            fault = "was fetched, but does not run on this machine"
            raise BinaryNotFound(program.value, fault, THREE_WAYS)
    return found


def run_with_progress(on_event: EventHandler) -> Run:
    """Runs commands, and reports now and then how much has arrived in the folder."""

    def run(command: Sequence[str], folder: Path) -> _RunResult:
        said = folder / ".said"
        with said.open("wb") as output:
            process = subprocess.Popen(
                command, cwd=folder, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
            )
            try:
                _await(process, folder, on_event)
            finally:
                if process.poll() is None:
                    process.kill()
                    process.wait()
        text = said.read_text("utf-8", "replace")
        said.unlink()
        return process.returncode, text

    return run


def _await(process: subprocess.Popen[bytes], folder: Path, on_event: EventHandler) -> None:
    started = reported = time.monotonic()
    while process.poll() is None and time.monotonic() - started < _MAX_SECONDS:
        time.sleep(_STEP_SECONDS)
        if time.monotonic() - reported >= _REPORT_SECONDS:
            reported = time.monotonic()
            on_event(Event(Kind.WAITING, f"fetching: {_bytes_in(folder) / 1e6:.0f} MB so far"))


def _bytes_in(folder: Path) -> int:
    total = 0
    for file in folder.rglob("*"):
        try:
            total += file.stat().st_size
        except FileNotFoundError:  # apt-get gave it its final name
            continue
    return total


def _private_lists(scratch: Path) -> list[str]:
    """Options with which apt-get keeps its lists in our folder and needs no root."""
    lists, archives = scratch / "lists", scratch / "cache" / "archives"
    for folder in (lists, archives):
        (folder / "partial").mkdir(parents=True)
    settings = {
        "Dir::State::lists": lists,
        "Dir::Cache": archives.parent,
        "Debug::NoLocking": 1,
        "APT::Sandbox::User": "root",  # for root, whose _apt user cannot write here
    }
    return [word for name, value in settings.items() for word in ("-o", f"{name}={value}")]


def _reason(said: str) -> str:
    errors = [line.removeprefix("E: ") for line in said.splitlines() if line.startswith("E: ")]
    lines = errors or [line for line in said.splitlines() if line.strip()]
    return lines[-1].strip().rstrip(".") if lines else "it said nothing"
