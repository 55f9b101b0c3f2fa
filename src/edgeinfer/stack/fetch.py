"""Prometheus and Alertmanager from the distribution's packages, without root and without installing them."""

import re
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from edgeinfer.errors import BinaryNotFound
from edgeinfer.stack.binaries import NEEDED, THREE_WAYS, TOOLS, Binary, Program, find_all
from edgeinfer.stack.events import Event, EventHandler, EventKind

_PACKAGES = ("prometheus", "prometheus-alertmanager")
# From Debian 13 on it is a package of its own, before that a part of Prometheus'.
_TOOL_PACKAGE = "promtool"
# Debian's Alertmanager (0.25 and 0.28 alike) does not start without its templates in this very folder, which only
# root can make. In our copy the path is replaced by one of equal length, relative to `Binary.folder`.
_TEMPLATES = b"/usr/share/prometheus/alertmanager"
_TEMPLATES_HERE = b".////share/prometheus/alertmanager"
# As in: 'URI' prometheus_2.42.0+ds-5_amd64.deb 21042856 SHA256:...
_SIZE = re.compile(r"^'\S+' \S+ (\d+) ", re.MULTILINE)
_FETCH_FAILED = "Failed to fetch"
_NOT_THERE = " 404 "  # the lists are older than the mirror
_MAX_SECONDS = 900.0
_STEP_SECONDS = 0.2
_REPORT_SECONDS = 2.0
_MIN_REPORTED_BYTES = 1_000_000

_RunResult = tuple[int, str]
Run = Callable[[Sequence[str], Path], _RunResult]
"""Runs a command in a folder: exit code and what it said."""


@dataclass(slots=True)
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
    _said: str = field(default="", init=False)

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
        self._download(scratch, downloads)
        self._unpack(downloads, unpacked)
        free_of_fixed_templates(unpacked / "usr/bin/prometheus-alertmanager")
        self._replace(unpacked, scratch / "replaced")
        on_disk = sum(file.stat().st_size for file in self.cache.rglob("*") if file.is_file() and not file.is_symlink())
        self._say(f"fetched into {self.cache} ({on_disk / 1e6:.0f} MB on disk)")

    def _download(self, scratch: Path, downloads: Path) -> None:
        """Download with the machine's package lists, else with lists of our own."""
        if self._download_by([], downloads) == 0:
            return
        if _FETCH_FAILED in self._said and _NOT_THERE not in self._said:
            raise _not_fetched(self._said)  # a mirror that cannot be reached: other lists do not help
        self._say("the machine's package lists are missing or old: fetching lists of our own")
        options = _private_lists(scratch)
        code, said = self.run(["apt-get", *options, "update"], downloads)
        if code != 0:
            raise _not_fetched(said)
        if self._download_by(options, downloads) != 0:
            raise _not_fetched(self._said)

    def _download_by(self, options: Sequence[str], downloads: Path) -> int:
        """What the lists know of our packages, with its size on this system said before."""
        for packages in ((*_PACKAGES, _TOOL_PACKAGE), _PACKAGES):
            self.on_event(Event(EventKind.WAITING, "asking apt-get for Prometheus and Alertmanager"))
            code, self._said = self.run(["apt-get", *options, "--print-uris", "download", *packages], downloads)
            if code == 0:
                size = sum(int(found) for found in _SIZE.findall(self._said))
                self._say(f"fetching Prometheus and Alertmanager ({size / 1e6:.0f} MB, once; nothing is installed)")
                code, self._said = self.run(["apt-get", *options, "download", *packages], downloads)
                break
        return code

    def _unpack(self, downloads: Path, unpacked: Path) -> None:
        for package in sorted(downloads.glob("*.deb")):
            self.on_event(Event(EventKind.WAITING, f"unpacking {package.name.partition('_')[0]}"))
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
        self.on_event(Event(EventKind.FETCHING, message))


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
            arrived = _bytes_in(folder)
            if arrived >= _MIN_REPORTED_BYTES:  # apt-get reads its lists first, which takes a while on a slow card
                on_event(Event(EventKind.WAITING, f"fetching: {arrived / 1e6:.0f} MB so far"))


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
        "APT::Update::Error-Mode": "any",  # else a mirror that cannot be reached is a warning, and apt-get ends with 0
    }
    return [word for name, value in settings.items() for word in ("-o", f"{name}={value}")]


def _not_fetched(said: str) -> BinaryNotFound:
    fault = f"could not be fetched by apt-get: {_reason(said)}"
    return BinaryNotFound("prometheus and alertmanager", fault, THREE_WAYS)


def _reason(said: str) -> str:
    errors = [line.removeprefix("E: ") for line in said.splitlines() if line.startswith("E: ")]
    named = [line for line in errors if line.startswith(_FETCH_FAILED)]  # the first has the reason
    lines = named[:1] or errors or [line for line in said.splitlines() if line.strip()]
    return lines[-1].strip().rstrip(".") if lines else "it said nothing"
