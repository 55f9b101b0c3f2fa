"""The services: enabled for every boot, and started again where a file of theirs was changed."""

from dataclasses import dataclass, field

from tools.device_setup.journal import Journal
from tools.device_setup.machine import Machine, SetupError

TARGET = "edgeinfer.target"
# Who hears of alerts first, who measures last: so no start is measured as an outage.
UNITS = (
    "prometheus-alertmanager", "edgeinfer-sidecar", "edgeinfer-exporter", "edgeinfer-gateway", "edgeinfer-console",
    "prometheus",
)  # fmt: skip
PORTS = {
    8080: "edgeinfer-gateway",
    9000: "edgeinfer-sidecar",
    9048: "edgeinfer-exporter",
    8088: "edgeinfer-console",
    9090: "prometheus",
    9093: "prometheus-alertmanager",
}


def is_active(machine: Machine, unit: str) -> bool:
    """Whether systemd says that a service runs."""
    return machine.ask("systemctl", "is-active", unit).output.strip() == "active"


@dataclass(slots=True)
class Services:
    """All services of a device.

    Args:
        touched: those with a changed file; whoever makes the changes adds to it.
        units: see `Change`.
    """

    touched: set[str] = field(default_factory=set)
    units: tuple[str, ...] = ()

    def pending(self, machine: Machine, journal: Journal) -> str:
        """Enable, start, restart."""
        del journal
        words = [] if self._is_enabled(machine) else [f"systemctl enable {TARGET}"]
        if to_start := self._to_start(machine):
            late = "" if machine.systemd_runs else " (at the next boot: systemd does not run here)"
            words.append(f"systemctl restart {' '.join(to_start)}{late}")
        return "; ".join(words)

    def _is_enabled(self, machine: Machine) -> bool:
        return machine.ask("systemctl", "is-enabled", TARGET).output.strip() == "enabled"

    def _to_start(self, machine: Machine) -> list[str]:
        if not machine.systemd_runs:
            return [unit for unit in UNITS if unit in self.touched]
        return [unit for unit in UNITS if unit in self.touched or not is_active(machine, unit)]

    def apply(self, machine: Machine, journal: Journal) -> None:
        """Do it; every service is tried, and those that do not start are named together.

        Raises:
            SetupError: a service does not start.
        """
        to_start = self._to_start(machine)
        remedy = "See what systemd says, then run this again."
        if machine.systemd_runs:
            machine.do("systemctl", "daemon-reload", remedy=remedy)
            # A machine without devices of its own has no udev.
            machine.ask("udevadm", "control", "--reload")
            machine.ask("udevadm", "trigger", "--subsystem-match=hailo1x")
        machine.ask("systemd-tmpfiles", "--create", "edgeinfer.conf")
        if not self._is_enabled(machine):
            journal.record("unit", TARGET)
            machine.do("systemctl", "enable", "--quiet", TARGET, remedy=remedy)
        if machine.systemd_runs:
            self._start(machine, to_start)

    def _start(self, machine: Machine, units: list[str]) -> None:
        for unit in units:
            machine.ask("systemctl", "reset-failed", unit)
            machine.ask("systemctl", "restart", unit)
        failed = [unit for unit in units if not is_active(machine, unit)]
        if failed:
            words = "; ".join(f"journalctl -u {unit} -n 20" for unit in failed)
            raise SetupError(", ".join(failed), "does not start; it is tried again every 5 s", f"It says why: {words}")
