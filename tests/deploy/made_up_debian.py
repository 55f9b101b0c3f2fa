"""The commands of a Debian that is made up, and a run of the set-up on it.

`make machine-proof` runs the real commands in a Debian that boots.
"""

import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tools.device_setup.__main__ import main
from tools.device_setup.machine import Completed, Machine

ALERTMANAGER = "route: {}  # for %s\n"


@dataclass
class Commands:
    """The commands of a Debian, as far as the set-up can see them.

    apt, dpkg, useradd, systemctl and pip do what their manual pages say of these calls: a package that is not installed
    has no line, a unit that is not there is "inactive" with exit code 3 (seen on Debian 12 and 13).
    """

    root: Path
    packages: dict[str, str] = field(default_factory=dict)
    fails: dict[str, str] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)
    active: set[str] = field(default_factory=set)
    enabled: set[str] = field(default_factory=set)
    edited: bool = False

    def __call__(self, command: Sequence[str], environment: Mapping[str, str] | None = None) -> Completed:
        words = [word.removeprefix(str(self.root)) for word in command]
        line = " ".join(words)
        self.said.append(line)
        for part, message in self.fails.items():
            if part in line:
                return Completed(100, "", message)
        program = Path(words[0]).name.replace("-", "_")
        answer = getattr(self, f"_{program}", None)
        return answer(words, environment or {}) if answer else Completed(0)

    def _dpkg_query(self, words: list[str], _: Mapping[str, str]) -> Completed:
        if "${Conffiles}\n" in words:
            return Completed(0, " /etc/prometheus/prometheus.yml 11\n" if "prometheus" in self.packages else "")
        return Completed(0, "".join(f"ii  {name} {version}\n" for name, version in self.packages.items()))

    def _md5sum(self, words: list[str], _: Mapping[str, str]) -> Completed:
        return Completed(0, f"{'22' if self.edited else '11'}  {words[1]}\n")

    def _apt_get(self, words: list[str], _: Mapping[str, str]) -> Completed:
        if "autoremove" in words:
            return Completed(0, "".join(f"Remv {name} [1]\n" for name in self.packages if name != "python3"))
        if "--download-only" in words:
            return Completed(0)
        names = words[words.index("--no-install-recommends") + 1 :] if "--no-install-recommends" in words else []
        if "--simulate" in words:
            return Completed(0, "".join(f"Inst {name} (1 Debian)\n" for name in [*names, "libjs-jquery"]))
        self.packages |= dict.fromkeys(names, "1")
        if "prometheus" in names:
            self._account("prometheus", 105)
            self.active |= {"prometheus", "prometheus-alertmanager"}
        if {"remove", "purge"} & set(words):
            for name in words[words.index("remove" if "remove" in words else "purge") + 1 :]:
                self.packages.pop(name, None)
        return Completed(0)

    def _useradd(self, words: list[str], _: Mapping[str, str]) -> Completed:
        self._account(words[-1], 999)
        return Completed(0)

    def _account(self, name: str, number: int) -> None:
        for database, line in (
            ("passwd", f"{name}:x:{number}:{number}::/:/usr/sbin/nologin\n"),
            ("group", f"{name}:x:{number}:\n"),
        ):
            with (self.root / "etc" / database).open("a") as file:
                file.write(line)

    def _userdel(self, words: list[str], _: Mapping[str, str]) -> Completed:
        for database in ("passwd", "group"):
            path = self.root / "etc" / database
            lines = path.read_text().splitlines(keepends=True)
            path.write_text("".join(line for line in lines if not line.startswith(f"{words[1]}:")))
        return Completed(0)

    def _python3(self, words: list[str], _: Mapping[str, str]) -> Completed:
        (self.root / words[-1].lstrip("/") / "bin").mkdir(parents=True)
        return Completed(0)

    def _edgeinfer(self, words: list[str], environment: Mapping[str, str]) -> Completed:
        if words[1:3] == ["config", "alertmanager"]:
            return Completed(0, ALERTMANAGER % sorted(environment.values()))
        if words[1:3] == ["key", "new"]:
            (self.root / words[-1].lstrip("/")).write_text(f"{words[3]} sha256:00\n")
            return Completed(0, "ei_secret\n")
        return Completed(0, "[]")

    def _systemctl(self, words: list[str], _: Mapping[str, str]) -> Completed:
        verb, unit = words[1], words[-1]
        if verb == "is-active":
            return Completed(0, "active\n") if unit in self.active else Completed(3, "inactive\n")
        if verb == "is-enabled":
            return Completed(0, "enabled\n") if unit in self.enabled else Completed(1, "disabled\n")
        if verb == "enable":
            self.enabled.add(unit)
        if verb == "disable":
            self.enabled.discard(unit)
        if verb == "restart":
            self.active.add(unit)
        if verb == "stop":
            self.active.discard(unit)
        return Completed(0)


@dataclass
class Run:
    """One machine, and what was printed on it."""

    machine: Machine
    commands: Commands
    printed: str = ""

    def __call__(self, *arguments: str, answers: Sequence[str] | None = None) -> int:
        lines: list[str] = []
        left = list(answers or [])
        ask = None if answers is None else lambda _: left.pop(0)
        code = main(arguments, self.machine, say=lines.append, ask=ask)
        self.printed = "\n".join(lines)
        return code

    def tree(self) -> dict[str, str]:
        """Every file, folder and link with what shows whether it changed."""
        found = {}
        for path in sorted(self.machine.root.rglob("*")):
            status = path.lstat()
            content = str(path.readlink()) if path.is_symlink() else path.read_text() if path.is_file() else ""
            found[str(path.relative_to(self.machine.root))] = (
                f"{stat.S_IMODE(status.st_mode):o} {status.st_uid} {content}"
            )
        return found
