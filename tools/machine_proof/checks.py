"""What an installed machine is compared with: the threat model, the units, and systemd's own checker."""

import json
import re
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from tools.device_setup.services import PORTS, UNITS
from tools.machine_proof.container import Container, ProofError, say

THREAT_MODEL = Path(__file__).resolve().parents[2] / "docs/concepts/threat-model.md"
_ACCOUNTS = {unit: "edgeinfer" if unit.startswith("edgeinfer-") else "prometheus" for unit in UNITS}
_SECCOMP_FILTER = "2"
# Not of ours: a manual page that this small Debian lacks.
_NOT_OURS = re.compile(r"Command 'man ")
_MAX_EXPOSED = 4.0


def file_table(text: str) -> list[tuple[str, str, str]]:
    """Path, owner and rights of each row of the threat model's table of files."""
    rows = re.findall(r"(?m)^\| `(/[^`]+)` \| ([\w-]+:[\w-]+) \| (\d{4}) \|", text)
    return [(path, owner, mode) for path, owner, mode in rows]


def must(holds: object, fault: str) -> None:
    """Fail where something is not as it must be."""
    if not holds:
        raise ProofError(fault)


def listeners(machine: Container, opened: Mapping[int, str] | None = None) -> None:
    """Exactly the services' ports, all on loopback but those that were opened on another address."""
    shown = machine.must("ss --listening --tcp --udp --numeric --processes --no-header")
    found: dict[int, set[str]] = {}
    for line in shown.splitlines():
        address, _, port = line.split()[4].rpartition(":")
        found.setdefault(int(port), set()).add(f"{line.split()[0]} {address}")
    at = {**dict.fromkeys(PORTS, "127.0.0.1"), **(opened or {})}
    wanted = {port: {f"tcp {address}"} for port, address in at.items()}
    must(found == wanted, f"the listeners are not those of the threat model: {shown}")
    say(f"shown: listeners: {', '.join(f'{PORTS[port]} {address}:{port}' for port, address in sorted(at.items()))}")


def files(machine: Container) -> None:
    """Owner and rights of every row of the threat model; nothing of ours that others could change."""
    rows = file_table(THREAT_MODEL.read_text(encoding="utf-8"))
    must(len(rows) > 8, "the threat model has no table of files")  # noqa: PLR2004 - it has more rows than that
    for pattern, owner, mode in rows:
        shown = machine.must(f"stat --format '%n %U:%G %04a' {pattern}").split("\n")
        for line in filter(None, shown):
            must(line.split()[1:] == [owner, mode], f"{line}: the threat model says {owner} {mode}")
    loose = machine.must("find -L /etc/edgeinfer /opt/edgeinfer -not -type l '(' -not -user root -o -perm /022 ')'")
    must(not loose, f"others could change: {loose}")
    kept = "/var/lib/edgeinfer-* /var/lib/prometheus"
    readable = machine.must(f"find {kept} -maxdepth 0 -perm /077")
    must(not readable, f"others could read: {readable}")
    seen = machine.run(f"ls {kept}", user="stranger")
    must(seen.returncode and seen.stdout.count("Permission denied") == 6, f"another user sees {seen.stdout}")  # noqa: PLR2004 - folders
    denied = machine.run("cat /etc/edgeinfer/api-keys /etc/edgeinfer/alertmanager.yml", user="stranger").stdout
    must(denied.count("Permission denied") == 2, f"another user reads {denied}")  # noqa: PLR2004 - files
    say(f"shown: {len(rows)} rows of files as the threat model says; another user reads nothing of value")


def processes(machine: Container) -> None:
    """Each service runs as its account, without privileges, behind its filter, with its umask."""
    for unit in UNITS:
        pid = main_pid(machine, unit)
        status = dict(
            line.split(":\t", 1) for line in machine.must(f"cat /proc/{pid}/status").splitlines() if ":\t" in line
        )
        account = machine.must(f"stat --format %U /proc/{pid}").strip()
        facts = (account, status["NoNewPrivs"], int(status["CapEff"], 16), status["Seccomp"])
        must(facts == (_ACCOUNTS[unit], "1", 0, _SECCOMP_FILTER), f"{unit} runs as {facts}")
        wanted = re.findall(r"(?m)^UMask=(\d+)", machine.must(f"systemctl cat {unit}"))[-1]
        must(status["Umask"] == wanted, f"{unit} has the umask {status['Umask']}, its unit says {wanted}")
    accounts = sorted(set(_ACCOUNTS.values()))
    say(f"shown: {len(UNITS)} services as {accounts}, no capability, no new privileges, filtered calls")


def units(machine: Container) -> None:
    """What this system's own systemd says of the units."""
    for unit in UNITS:
        said = machine.run(f"systemd-analyze verify {unit}.service", user="root").stdout
        ours = [line for line in said.splitlines() if not _NOT_OURS.search(line)]
        must(not ours, f"systemd-analyze verify {unit}: {ours}")
        exposed = re.findall(r"level for \S+: ([\d.]+)", machine.must(f"systemd-analyze security {unit}.service"))
        must(float(exposed[0]) <= _MAX_EXPOSED, f"{unit} is exposed by {exposed[0]}")
    failed = machine.must("systemctl list-units --failed --no-legend")
    must(not failed, f"failed units: {failed}")
    enabled = machine.must("systemctl is-enabled edgeinfer.target prometheus prometheus-alertmanager").split()
    must(enabled == ["enabled"] * 3, f"after a boot these would not run: {enabled}")
    say(f"shown: {machine.must('systemctl --version').splitlines()[0]} has no word for any unit; none failed")


def doctor(machine: Container) -> None:
    """It knows the services and their ports, for a user without any rights as well."""
    for user, options in (("root", ""), ("stranger", " --only ports")):
        done = machine.run(f"edgeinfer doctor{options}", user=user)
        said = done.stdout.splitlines()
        up = next((line for line in said if line.startswith("ok       stack: systemd runs it; up: ")), "")
        must(not done.returncode and up.count("127.0.0.1:") == len(PORTS), f"doctor says to {user}:\n{done.stdout}")
        answered = [line for line in said if line.endswith("that systemd runs answers there")]
        must(len(answered) == len(PORTS), f"doctor knows of these ports alone: {answered}")
    say(f"shown: edgeinfer doctor ends with 0 and says to any user: {up.partition(': ')[2]}")


def errors_in_log(machine: Container) -> None:
    """No service wrote an error."""
    log = machine.must("journalctl --no-pager --output cat --unit 'edgeinfer-*'")
    # The console writes every alert that it hears of, and some are true: services were killed here.
    own = [line for line in log.splitlines() if '"logger": "edgeinfer.console.notifications"' not in line]
    bad = [line for line in own if '"level": "error"' in line or "Traceback" in line]
    must(not bad, "a service logged an error:\n" + "\n".join(bad[:5]))
    say("shown: no service logged an error")


def main_pid(machine: Container, unit: str) -> int:
    """Process of a service."""
    return int(machine.must(f"systemctl show --property MainPID --value {unit}"))


def query(machine: Container, expression: str) -> list[tuple[dict[str, str], float]]:
    """Series and values that Prometheus has for an expression; nothing where it does not answer yet."""
    asked = f"curl --silent --get --data-urlencode 'query={expression}' http://127.0.0.1:9090/api/v1/query"
    try:
        answer = json.loads(machine.run(asked, user="root").stdout)
    except ValueError:
        return []
    return [(one["metric"], float(one["value"][1])) for one in answer.get("data", {}).get("result", [])]


def until(is_so: Callable[[], bool], what: str, seconds: float = 120.0) -> float:
    """Wait until it is so; returns the seconds that it took."""
    begin = time.monotonic()
    while not is_so():
        must(time.monotonic() < begin + seconds, f"not within {seconds:g} s: {what}")
        time.sleep(0.5)
    return time.monotonic() - begin


def first_figures(machine: Container) -> None:
    """All five targets are up, the gateway is healthy, and the rules are loaded."""
    until(lambda: sum(value for _, value in query(machine, "up")) == 5, "five targets are up")  # noqa: PLR2004 - jobs
    until(lambda: machine.run("curl -s localhost:8080/healthz").stdout == "OK", "the gateway is healthy")
    until(lambda: bool(query(machine, 'ALERTS{alertname="Watchdog"}')), "the rules are evaluated")
