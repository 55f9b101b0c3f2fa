"""Undoes what the journal holds, newest first; measurements and sessions stay unless they are to go."""

import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field

from tools.device_setup.journal import Entry, Journal, digest
from tools.device_setup.machine import Machine
from tools.device_setup.services import UNITS

# What the services keep; systemd makes these folders.
DATA = tuple(f"/var/lib/edgeinfer-{name}" for name in ("gateway", "sidecar", "exporter", "console"))
_MEASUREMENTS = "/var/lib/prometheus"
# Keys and settings that the owner put there by hand go with the data.
_SETTINGS = "/etc/edgeinfer"
_PACKAGES_OF_WATCHERS = ("prometheus", "prometheus-alertmanager")


@dataclass(slots=True)
class Undo:
    """One undoing.

    Args:
        machine: the one that was set up.
        journal: what was changed.
        removes_data: whether sessions and measurements go as well.
        notes: what stays, and why; filled as it goes.
    """

    machine: Machine
    journal: Journal
    removes_data: bool = False
    notes: list[str] = field(default_factory=list)

    def steps(self) -> list[str]:
        """What would be done, one line each, in its order; nothing on a machine that was not set up by this."""
        if not self.journal.entries:
            return []
        lines = [self._line(entry) for entry in reversed(self.journal.entries)]
        packages = [str(one["name"]) for one in self._of("package") if one["asked"]]
        lines = [line for line in lines if line]
        if packages:
            lines.insert(1, f"apt-get {'purge' if self.removes_data else 'remove'} {' '.join(sorted(packages))}")
        if self.removes_data:
            lines += [f"remove {path} with what is in it" for path in (*self._data(), _SETTINGS)]
        return lines

    def _of(self, kind: str) -> list[Entry]:
        return [entry for entry in self.journal.entries if entry["kind"] == kind]

    def _data(self) -> list[str]:
        brought = {entry["name"] for entry in self._of("package")}
        brought |= {name for entry in self._of("configuration") for name in entry["packages"]}
        measured = [_MEASUREMENTS] if "prometheus" in brought else []
        return [path for path in (*DATA, *measured) if self.machine.path(path).exists()]

    def _line(self, entry: Entry) -> str:
        name, before = entry["name"], entry.get("before")
        if entry["kind"] == "account" and not self.removes_data and self._data():
            return ""
        if entry["kind"] == "configuration":
            return f"apt-get purge {' '.join(entry['packages'])}" if self.removes_data else ""
        words = {
            "unit": f"systemctl disable --now {name} and its services",
            "file": f"restore {name}" if before else f"remove {name}",
            "folder": f"remove {name}/, if it is empty",
            "tree": f"remove {name}/ with what is in it",
            "link": f"restore the link {name}" if before else f"remove the link {name}",
            "account": f"userdel {name}",
        }
        return words.get(entry["kind"], "")

    def run(self, say: Callable[[str], None]) -> None:
        """Undo everything; what is done is struck from the journal at once, so that it can continue after a cut."""
        data = self._data()
        if not self._of("unit"):  # the run was cut before it enabled them
            self._stop()
        for entry in list(reversed(self.journal.entries)):
            if entry not in self.journal.entries:  # packages go all at once
                continue
            if line := self._line(entry):
                say(line)
            if getattr(self, f"_undo_{entry['kind']}")(entry) and entry in self.journal.entries:
                self.journal.entries.remove(entry)
            self.journal.save()
        self._restart_watchers()
        self._finish(data)

    def _finish(self, data: list[str]) -> None:
        self.journal.written, self.journal.options = {}, {}
        if self.removes_data:
            for path in (*data, _SETTINGS):
                shutil.rmtree(self.machine.path(path), ignore_errors=True)
        elif data:
            self.notes.append(
                f"Sessions and measurements stay in {', '.join(data)}: --undo --remove-data removes them."
            )
        if self.journal.entries:
            self.journal.save()
        else:
            self.journal.forget()

    def _stop(self) -> None:
        for unit in UNITS:
            if unit.startswith("edgeinfer-"):
                self.machine.ask("systemctl", "stop", unit)

    def _undo_unit(self, entry: Entry) -> bool:
        self.machine.ask("systemctl", "disable", "--quiet", entry["name"])
        if self.machine.systemd_runs:
            self.machine.ask("systemctl", "stop", entry["name"])
            self._stop()
        return True

    def _undo_file(self, entry: Entry) -> bool:
        name, place = entry["name"], self.machine.path(entry["name"])
        written = self.journal.written.get(name)
        if place.exists() and written and digest(place.read_bytes()) != written:
            shutil.copy2(place, place.with_name(f"{place.name}.edited"))
            self.notes.append(f"{name} was edited since: your text is in {name}.edited.")
        if entry["before"]:
            shutil.move(self.machine.path(entry["before"]), place)
        else:
            place.unlink(missing_ok=True)
        return True

    def _undo_folder(self, entry: Entry) -> bool:
        try:
            self.machine.path(entry["name"]).rmdir()
        except FileNotFoundError:
            return True
        except OSError:
            self.notes.append(f"{entry['name']}/ stays: it holds files that are not of the set-up.")
        return True

    def _undo_tree(self, entry: Entry) -> bool:
        shutil.rmtree(self.machine.path(entry["name"]), ignore_errors=True)
        return True

    def _undo_link(self, entry: Entry) -> bool:
        place = self.machine.path(entry["name"])
        if place.is_symlink():
            place.unlink()
            if entry["before"]:
                place.symlink_to(entry["before"])
        return True

    def _undo_account(self, entry: Entry) -> bool:
        if self._data() and not self.removes_data:
            self.notes.append(f"The account {entry['name']} stays, because it owns the sessions that stay.")
            return False
        self.machine.ask("userdel", entry["name"])
        return True

    def _undo_package(self, entry: Entry) -> bool:
        """All packages at once, with those that came along and that nothing else needs by now."""
        del entry
        recorded = self._of("package")
        asked = sorted(str(one["name"]) for one in recorded if one["asked"])
        self.machine.ask("apt-mark", "auto", *asked)
        # What is merely recommended, as a time service is by systemd, was not here before either.
        needed = ("-o", "APT::AutoRemove::RecommendsImportant=false")
        simulated = self.machine.ask("apt-get", *needed, "--simulate", "autoremove").output
        unneeded = set(re.findall(r"(?m)^Remv (\S+)", simulated)) & {str(one["name"]) for one in recorded}
        if stay := [name for name in asked if name not in unneeded]:
            self.notes.append(f"The packages {' '.join(stay)} stay, because others need them.")
        if unneeded:
            verb = "purge" if self.removes_data else "remove"
            remedy = "See what apt says, then run --undo again: it continues from here."
            self.machine.do("apt-get", "--quiet", "--yes", verb, *sorted(unneeded), remedy=remedy)
        if not self.removes_data and set(asked) & set(_PACKAGES_OF_WATCHERS):
            self.notes.append("/etc/prometheus stays, as apt remove leaves it; --remove-data removes it.")
        self.journal.entries[:] = [one for one in self.journal.entries if one["kind"] != "package"]
        if unneeded and not self.removes_data:
            self.journal.entries.insert(0, {"kind": "configuration", "name": "apt", "packages": sorted(unneeded)})
        return True

    def _undo_configuration(self, entry: Entry) -> bool:
        """What the packages left when an earlier undoing removed them and kept the measurements."""
        if self.removes_data:
            remedy = "See what apt says, then run --undo --remove-data again."
            self.machine.do("apt-get", "--quiet", "--yes", "purge", *entry["packages"], remedy=remedy)
        return self.removes_data

    def _restart_watchers(self) -> None:
        """A Prometheus that was here before gets its own configuration back."""
        if not self.machine.systemd_runs:
            return
        self.machine.ask("systemctl", "daemon-reload")
        for unit in _PACKAGES_OF_WATCHERS:
            if self.machine.path(f"/usr/bin/{unit}").exists():
                self.machine.ask("systemctl", "restart", unit)
