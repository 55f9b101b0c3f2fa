"""Packages of a Debian release, unpacked into a cache without root; mirror and keys are those of this machine's apt.

Run as `python -m tools.debian_packages RELEASE PACKAGE...`; prints the folder that is their root.
"""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from edgeinfer.settings import StackSettings
from edgeinfer.stack.fetch import free_of_fixed_templates

_KEYS = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_FETCHED = "fetched"


class PackagesUnavailable(Exception):
    """This machine cannot have packages of that release; the message says why."""


class DebianPackages:
    """The packages of one release for one processor.

    Args:
        release: such as bookworm or testing.
        architecture: in Debian's words; this machine's if empty.
        cache: where they are kept; by default next to the monitoring servers that were fetched.
    """

    def __init__(self, release: str, architecture: str = "", cache: Path | None = None) -> None:
        cache = cache or StackSettings.from_environment().cache_home.expanduser() / "edgeinfer" / "debian"
        self._release = release
        self._architecture = architecture or _output("dpkg", "--print-architecture").strip()
        self._folder = cache / f"{release}-{self._architecture}"
        self.root = self._folder / "root"

    def fetch(self, names: Sequence[str]) -> Path:
        """The root of the unpacked packages; what an earlier call unpacked is kept.

        Raises:
            PackagesUnavailable: no Debian mirror, or it does not have one of them.
        """
        done = self._folder / _FETCHED
        have = set(done.read_text(encoding="utf-8").split()) if done.exists() else set()
        missing = [name for name in names if name not in have]
        if missing:
            self._download(missing)
            done.write_text(" ".join(sorted(have | set(missing))), encoding="utf-8")
        return self.root

    def version(self, name: str) -> str:
        """Debian's version of a package."""
        shown = _output("apt-cache", *self._options(), "show", "--no-all-versions", name)
        return shown.split("\nVersion: ")[1].split()[0]

    def knows(self, name: str) -> bool:
        """Whether the release has a package of this name."""
        self._update()
        return bool(_output("apt-cache", *self._options(), "pkgnames", name).split())

    def _download(self, names: Sequence[str]) -> None:
        self._update()
        downloads = self._folder / "downloads"
        downloads.mkdir(exist_ok=True)
        print(f"Fetching {', '.join(names)} of Debian {self._release} for {self._architecture}", file=sys.stderr)
        _output("apt-get", *self._options(), "-qq", "download", *names, folder=downloads)
        for deb in sorted(downloads.glob("*.deb")):
            _output("dpkg", "-x", str(deb), str(self.root))
            deb.unlink()
        library = self.root / "lib"
        # Since Debian 13, packages leave this link to the package base-files.
        if not (library.exists() or library.is_symlink()):
            library.symlink_to("usr/lib")
        free_of_fixed_templates(self.root / "usr/bin/prometheus-alertmanager")

    def _update(self) -> None:
        if (self._folder / "updated").exists():
            return
        for part in ("lists/partial", "cache/archives/partial", "root"):
            (self._folder / part).mkdir(parents=True, exist_ok=True)
        (self._folder / "sources.list").write_text(f"deb [signed-by={_KEYS}] {mirror()} {self._release} main\n")
        _output("apt-get", *self._options(), "-qq", "update")
        (self._folder / "updated").touch()

    def _options(self) -> list[str]:
        settings = {
            "Dir::Etc::SourceList": self._folder / "sources.list",
            "Dir::Etc::SourceParts": "/dev/null",
            "Dir::State::lists": self._folder / "lists",
            "Dir::State::status": "/dev/null",
            "Dir::Cache": self._folder / "cache",
            "APT::Architecture": self._architecture,
            "APT::Architectures": self._architecture,
            "APT::Sandbox::User": "root",
            "APT::Update::Error-Mode": "any",
            "Acquire::Languages": "none",
            "Debug::NoLocking": 1,
        }
        return [word for name, value in settings.items() for word in ("-o", f"{name}={value}")]


def mirror() -> str:
    """The Debian mirror of this machine.

    Raises:
        PackagesUnavailable: it has none.
    """
    targets = _output("apt-get", "indextargets", "--format", "$(ORIGIN) $(LABEL) $(REPO_URI)", "Created-By: Packages")
    found = [line.split()[2] for line in targets.splitlines() if line.startswith("Debian Debian ")]
    if not found or not _KEYS.exists():
        raise PackagesUnavailable("apt of this machine knows no Debian mirror; on Debian, 'apt-get update' helps.")
    return found[0]


def _output(*command: str, folder: Path | None = None) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    except FileNotFoundError as failure:
        raise PackagesUnavailable(f"{command[0]}: not on this machine") from failure
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.startswith("E: ")] or done.stderr.splitlines()
        raise PackagesUnavailable(f"{command[0]}: {said[0] if said else f'exit code {done.returncode}'}")
    return done.stdout


if __name__ == "__main__":
    try:
        print(DebianPackages(sys.argv[1]).fetch(sys.argv[2:]))
    except PackagesUnavailable as failure:
        sys.exit(f"error: {failure}")
