"""A session of a phone while the sidecar is killed, and damaged files of Prometheus: what the machine makes of them."""

import json
import re

from tools.machine_proof.checks import main_pid, must, query, until
from tools.machine_proof.container import Container, say

_KEY, _TALLY = "/run/proof-key", "/run/proof-replay.json"
_REPLAY = f"edgeinfer replay --loop --json --api-key-file {_KEY} > {_TALLY}"
# The name of a block without its meta.json.
_BLOCK = "01JDXXXXXXXXXXXXXXXXXXXXXX"
_FALLBACKS = "sum(edgeinfer_fallbacks_total)"
_ANSWERED = 'sum(increase(hailo_inference_requests_total{status="success"}[20s]))'


def _value(machine: Container, expression: str) -> float:
    return sum(value for _, value in query(machine, expression))


def _restarts(machine: Container, unit: str) -> int:
    return int(machine.must(f"systemctl show --property NRestarts --value {unit}"))


def _is_active(machine: Container, unit: str) -> bool:
    return machine.run(f"systemctl is-active {unit}", user="root").stdout.strip() == "active"


def killed_sidecar(machine: Container, key: str) -> None:
    """A phone sends, the sidecar is killed with SIGKILL, its windows are answered all the same, systemd restarts it."""
    refused = machine.must("curl -s -o /dev/null -w '%{http_code}' -X POST localhost:8080/api/v1/analysis/start")
    must(refused == "401", f"without a key the gateway answered {refused}")
    machine.must(f"install -m 600 /dev/null {_KEY} && echo {key} > {_KEY}")
    machine.must(f"systemd-run --quiet --unit proof-replay --setenv HOME=/root bash -c '{_REPLAY}'")
    until(lambda: _value(machine, _ANSWERED) > 0, "windows are answered by the sidecar")
    before, pid = _value(machine, _FALLBACKS), main_pid(machine, "edgeinfer-sidecar")
    machine.must(f"kill -KILL {pid}")
    took = until(
        lambda: _is_active(machine, "edgeinfer-sidecar") and main_pid(machine, "edgeinfer-sidecar") not in {0, pid},
        "systemd restarts the killed sidecar",
    )
    must(_restarts(machine, "edgeinfer-sidecar") == 1, "systemd did not count a restart")
    until(lambda: _value(machine, _FALLBACKS) > before, "windows were answered by the fallback")
    until(lambda: _value(machine, 'up{job="hailo-inference"}') == 1, "the sidecar is scraped again")
    until(lambda: _value(machine, _ANSWERED) > 0, "windows are answered by the sidecar again")
    fallen = _value(machine, _FALLBACKS) - before
    machine.must("systemctl kill --signal=SIGINT --kill-whom=all proof-replay; sleep 1")
    until(lambda: not _is_active(machine, "proof-replay"), "the replay ends")
    tally = json.loads(machine.must(f"cat {_TALLY}"))
    sent, stored = tally["samples"], tally["samples_according_to_gateway"]
    must(sent > 0 and sent == stored, f"of {sent} samples {stored} are stored: {tally}")
    say(
        f"shown: sidecar killed, {fallen:g} windows by fallback, restarted by systemd and ready after {took:.1f} s;"
        f" {sent} samples acknowledged and stored"
    )


def killed_one_by_one(machine: Container, units: tuple[str, ...]) -> None:
    """Every service that is killed comes back."""
    for unit in units:
        pid = main_pid(machine, unit)
        machine.must(f"kill -KILL {pid}")
        until(lambda unit=unit, pid=pid: main_pid(machine, unit) not in {0, pid}, f"{unit} is restarted")  # type: ignore[misc]
        until(lambda unit=unit: _is_active(machine, unit), f"{unit} is active")  # type: ignore[misc]
    say(f"shown: killed with SIGKILL and restarted by systemd: {', '.join(units)}")


def damaged(machine: Container) -> None:
    """Files as a power cut leaves them: both servers start without them, and an alert says that they lie aside."""
    storage = "/var/lib/prometheus"
    machine.must(
        "systemctl stop prometheus prometheus-alertmanager"
        f" && mkdir -p {storage}/metrics2/{_BLOCK}/chunks && truncate -s 64 {storage}/metrics2/{_BLOCK}/index"
        f" && head -c 32 /dev/zero | tr '\\0' '\\377' > {storage}/alertmanager/silences"
        f" && chown -R prometheus:prometheus {storage}/metrics2/{_BLOCK}"
        # Alertmanager second: its unit has to make the running Prometheus read the rule again.
        " && systemctl start prometheus && systemctl start prometheus-alertmanager"
    )
    for unit in ("prometheus", "prometheus-alertmanager"):
        until(lambda unit=unit: _is_active(machine, unit), f"{unit} starts on damaged files")  # type: ignore[misc]
    until(
        lambda: _value(machine, "sum(edgeinfer_stack_set_aside_files)") == 2,  # noqa: PLR2004 - a block and silences
        "Prometheus counts two files that were set aside",
    )
    until(lambda: _value(machine, 'ALERTS{alertname="MonitoringDataSetAside"}') > 0, "MonitoringDataSetAside is raised")
    aside = machine.must(f"cd {storage}/damaged && find . -mindepth 2 -name {_BLOCK} -o -name silences").split()
    must(len(aside) == 2, f"what was set aside: {aside}")  # noqa: PLR2004 - as above
    machine.must(f"rm -r {storage}/damaged/*")
    say("shown: a damaged block and damaged silences set aside by the units, and MonitoringDataSetAside raised")


def tally_of(text: str) -> dict[str, str]:
    """The API keys that a set-up printed, by their name."""
    return dict(re.findall(r"API key of (\S+), shown this once: (\S+)", text))
