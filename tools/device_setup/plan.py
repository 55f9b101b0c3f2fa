"""What a device consists of: every change, in the order in which it is made.

Prometheus and Alertmanager are configured before their packages are installed: Debian starts both at once, and they
would listen on every address until then.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tools.device_setup.changes import Absent, Account, Change, File, Folder, Link, Packages
from tools.device_setup.environment import PROGRAM, VENV, Environment
from tools.device_setup.facts import Facts, look
from tools.device_setup.journal import Journal
from tools.device_setup.key import Key
from tools.device_setup.machine import Machine, SetupError
from tools.device_setup.options import LOOPBACK, Options
from tools.device_setup.services import Services

ETC = "/etc/edgeinfer"
UNITS_FOLDER = "/etc/systemd/system"
ACCOUNT = "edgeinfer"
LINK = "/usr/local/bin/edgeinfer"
PACKAGES = ("python3-venv", "prometheus", "prometheus-alertmanager")
_COMPILER = ("build-essential", "python3-dev")
_SERVICES = ("edgeinfer-sidecar", "edgeinfer-gateway", "edgeinfer-exporter", "edgeinfer-console")
_WATCHERS = ("prometheus", "prometheus-alertmanager")


@dataclass(frozen=True, slots=True)
class Section:
    """Changes that belong together.

    Args:
        title: what they are for.
        changes: in their order.
    """

    title: str
    changes: list[Change]


@dataclass(slots=True)
class Plan:
    """Everything that makes a machine a device.

    Args:
        checkout: what is installed from.
        facts: what is there.
        options: what is wanted.
        journal: what was done before.
        secrets: filled with the API keys that are made, each shown once.
    """

    checkout: Path
    facts: Facts
    options: Options
    journal: Journal
    secrets: dict[str, str] = field(default_factory=dict)
    services: Services = field(default_factory=Services)

    def sections(self) -> list[Section]:
        """All changes, made or not."""
        return [
            Section("Prometheus and Alertmanager on loopback, before their packages start them", self._watchers()),
            Section("Packages, without what they recommend", [Packages(self.packages(), _installed)]),
            Section("EdgeInfer", self._edgeinfer()),
            Section("Configuration of the services", self._configuration()),
            Section("Where alerts go", [self._alerts_env(), self._alertmanager()]),
            Section("A key for the gateway", [Key(self.options.key_name, self.secrets)]),
            Section("Services", [self.services]),
        ]

    def show(self, machine: Machine, say: Callable[[str], None]) -> int:
        """Say every line of what will be done; how many there are."""
        count = 0
        for section in self.sections():
            lines = []
            for change in section.changes:
                if line := change.pending(machine, self.journal):
                    self.services.touched.update(change.units)
                    lines.append(line)
            if lines:
                say("\n".join((f"\n{section.title}:", *(f"  {line}" for line in lines))))
            count += len(lines)
        say("" if count else "Nothing to do: everything is as it should be.")
        return count

    def fetch(self, machine: Machine, say: Callable[[str], None]) -> None:
        """Fetch the distribution's packages, before anything is changed.

        Raises:
            SetupError: one cannot be had.
        """
        Packages(self.packages(), _installed).fetch(machine, say)

    def packages(self) -> list[str]:
        """What the distribution has to bring."""
        compiler = _COMPILER if self.facts.compiles_numpy else ()
        clock = () if self.facts.keeps_time else ("systemd-timesyncd",)
        return [*PACKAGES, *compiler, *clock]

    def _watchers(self) -> list[Change]:
        rules = sorted((self.checkout / "src/edgeinfer/monitoring/generated/rules").glob("*.yml"))
        changes: list[Change] = [Folder(ETC), Folder(f"{ETC}/rules")]
        changes.append(self._copy("deploy/systemd/prometheus.yml", f"{ETC}/prometheus.yml", units=("prometheus",)))
        for rule in rules:
            name = str(rule.relative_to(self.checkout))
            changes.append(self._copy(name, f"{ETC}/rules/{rule.name}", units=("prometheus",)))
        wanted = {f"{ETC}/rules/{rule.name}" for rule in rules}
        old = sorted(path for path in self.journal.written if path.startswith(f"{ETC}/rules/") and path not in wanted)
        changes += [Absent(path, units=("prometheus",)) for path in old]
        for unit in _WATCHERS:
            folder = f"{unit}.service.d"
            changes.append(Folder(f"{UNITS_FOLDER}/{folder}"))
            source = f"deploy/systemd/{folder}/edgeinfer.conf"
            changes.append(self._copy(source, f"{UNITS_FOLDER}/{folder}/edgeinfer.conf", units=(unit,)))
        return changes

    def _edgeinfer(self) -> list[Change]:
        guide = "docs/guides/raspberry-pi.md"
        return [
            Account(ACCOUNT),
            Folder("/opt/edgeinfer/models"),
            Environment(self.checkout, self.facts, units=(*_SERVICES, *_WATCHERS)),
            Link(LINK, PROGRAM),
            Folder("/opt/edgeinfer/docs/guides"),
            self._copy(guide, f"/opt/edgeinfer/{guide}"),
        ]

    def _configuration(self) -> list[Change]:
        changes: list[Change] = [
            self._owners("gateway.env", self._gateway_env, ("edgeinfer-gateway",)),
            self._owners("sidecar.env", self._sidecar_env, ("edgeinfer-sidecar",)),
        ]
        for unit in _SERVICES:
            name = f"{unit}.service"
            changes.append(self._copy(f"deploy/systemd/{name}", f"{UNITS_FOLDER}/{name}", units=(unit,)))
        changes += [
            self._copy(
                "deploy/systemd/edgeinfer.target", f"{UNITS_FOLDER}/edgeinfer.target", units=("edgeinfer.target",)
            ),
            Folder("/etc/tmpfiles.d"),
            self._copy("deploy/systemd/edgeinfer.tmpfiles", "/etc/tmpfiles.d/edgeinfer.conf"),
            Folder("/etc/udev/rules.d"),
            self._copy("deploy/udev/51-edgeinfer.rules", "/etc/udev/rules.d/51-edgeinfer.rules"),
        ]
        return changes

    def _copy(self, source: str, path: str, units: tuple[str, ...] = ()) -> File:
        return File(path, lambda _: (self.checkout / source).read_bytes(), units=units)

    def _owners(self, name: str, render: Callable[[str], str], units: tuple[str, ...], mode: int = 0o644) -> File:
        text = (self.checkout / "deploy/systemd" / name).read_text(encoding="utf-8")
        return File(f"{ETC}/{name}", lambda _: render(text).encode(), mode=mode, units=units, is_owners=True)

    def _gateway_env(self, text: str) -> str:
        if self.options.listen == LOOPBACK:
            return text
        return _set(text, "EDGEINFER_GATEWAY_HOST", self.options.listen)

    def _sidecar_env(self, text: str) -> str:
        backend = self.facts.backend if self.options.backend == "auto" else self.options.backend
        if backend == "hailort":
            return text
        return _set(text, "EDGEINFER_SIDECAR_BACKEND", backend).replace("\nHEF_PATH=", "\n#HEF_PATH=")

    def _alerts_env(self) -> File:
        return self._owners("alerts.env", self._render_alerts, (), mode=0o600)

    def _render_alerts(self, text: str) -> str:
        for name, value in (("NTFY_URL", self.options.ntfy), ("WEBHOOK_URL", self.options.webhook)):
            text = _set(text, f"EDGEINFER_ALERT_{name}", value) if value else text
        return text

    def _alertmanager(self) -> File:
        return File(
            f"{ETC}/alertmanager.yml",
            self._render_alertmanager,
            mode=0o640,
            group="prometheus",
            units=("prometheus-alertmanager",),
            source=f"{ETC}/alerts.env",
        )

    def _render_alertmanager(self, machine: Machine) -> bytes | None:
        """By the program itself, from the file that the owner edits; None until its release is installed."""
        release = next(one for one in self._edgeinfer() if isinstance(one, Environment))
        if not machine.path(VENV).is_symlink() or release.pending(machine, self.journal):
            return None
        alerts = self._alerts_env()
        kept = alerts.is_kept(machine, self.journal)
        content = machine.text(alerts.path) if kept else (alerts.content(machine) or b"").decode()
        settings = dict(re.findall(r"(?m)^(EDGEINFER_ALERT_\w+)=(.*)$", content))
        remedy = f"Set it right in {alerts.path}, then run this again; Alertmanager keeps what it has until then."
        return machine.do(PROGRAM, "config", "alertmanager", environment=settings, remedy=remedy).encode()

    def notes(self, machine: Machine) -> list[str]:
        """What is left as it is, and what the owner should know."""
        files = [one for section in self.sections() for one in section.changes if isinstance(one, File)]
        kept = [
            f"{one.path} is yours and stays as you edited it." for one in files if one.is_kept(machine, self.journal)
        ]
        if self.options.is_open:
            kept.append(
                f"The gateway listens on {self.options.listen}: keys and samples travel readable. Where the network is"
                " not yours alone, put the TLS proxy of the guide before it, and leave --listen away."
            )
        return [*kept, *_about_chip(self.facts, self.options), _about_time(machine)]


def _installed(machine: Machine) -> set[str]:
    return set(look(machine).packages)


def _set(text: str, name: str, value: str) -> str:
    """A settings file with this setting in force, in the place where it stands or is shown."""
    if "\n" in value or not value:
        raise SetupError(name, f"cannot be {value!r}", "Give it in one line.")
    line = f"{name}={value}"
    changed, count = re.subn(rf"(?m)^#?{name}=.*$", lambda _: line, text)
    return changed if count else f"{text.rstrip()}\n{line}\n"


def _about_chip(facts: Facts, options: Options) -> list[str]:
    if options.backend != "auto" or facts.backend == "hailort":
        return []
    missing = [
        name
        for name, there in (
            ("a Hailo chip on the PCIe bus", facts.has_chip),
            ("HailoRT's Python package", facts.hailort is not None),
            ("a model at /opt/edgeinfer/models/model.hef", facts.has_model),
        )
        if not there
    ]
    return [f"The sidecar computes on the CPU: missing are {', '.join(missing)}. Once they are there, run this again."]


def _about_time(machine: Machine) -> str:
    said = machine.ask("timedatectl", "show", "--property=NTPSynchronized", "--value").output.strip()
    if said == "yes":
        return "The clock is kept right by NTP."
    return (
        "The clock is not synchronized by NTP yet: 'timedatectl' says when it is. Without a network it never is; then"
        " set it by hand or by a clock module, because alerts and measurements carry its time."
    )
