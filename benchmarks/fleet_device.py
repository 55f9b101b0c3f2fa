"""What a device of a fleet sends: series and bytes of a full Prometheus and of an agent, at their shipped intervals.

Run with `python -m benchmarks.fleet_device [SECONDS]`; it needs tools/setup_fleet.sh. The services are real, answer a
replayed session on the CPU, and an exporter reads a faked chip; the file of each is printed by
`edgeinfer config fleet-device`.
"""

import argparse
import json
import os
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.counted import Counted
from benchmarks.processes import free_port, resident_megabytes
from edgeinfer.monitoring.files import GENERATED
from edgeinfer.monitoring.fleet.sending import AGENT_INTERVAL_SECONDS, AGENT_KEEPS
from edgeinfer.settings import StackSettings
from edgeinfer.stack.binaries import Program, cache_folder, find_all, require
from tests.end_to_end.fleet_rig import program
from tests.end_to_end.running_stack import RunningStack, until

_SETTLE_SECONDS = 120
_DAY_SECONDS = 86_400
_DEVICES = ("server", "agent")


@dataclass(frozen=True)
class Station:
    """A centre and two devices that scrape the same services."""

    centre: str
    vmalert: str
    devices: dict[str, "Device"]
    centre_pid: int


@dataclass(frozen=True)
class Device:
    """A Prometheus and the relay through which it sends."""

    address: str
    pid: int
    uplink: Counted


def main() -> None:
    """Measure and print JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("seconds", type=int, nargs="?", default=480, help="to measure (%(default)s)")
    seconds = parser.parse_args().seconds
    with TemporaryDirectory() as name, station(Path(name)) as running:
        time.sleep(_SETTLE_SECONDS)
        before = {name: sent(device) for name, device in running.devices.items()}
        time.sleep(seconds)
        figures = {name: _figures(running, name, before[name]) for name in _DEVICES}
        print(json.dumps({"seconds": seconds} | figures | {"centre": _centre(running)}, indent=2))


def _figures(running: Station, name: str, before: dict[str, float]) -> dict[str, float]:
    """Bytes for each sample are measured, and samples a day follow from series and interval.

    Batches of a minute would make the rate over a few minutes depend on where these begin.
    """
    device = running.devices[name]
    now = sent(device)
    gone = {key: now[key] - before[key] for key in now}
    kept = f'{{__name__=~"{"fleet:.+" if name == "server" else f"({AGENT_KEEPS}|scrape_.+)"}", device="{name}"}}'
    count = len(series(running.centre, kept))
    samples = count * _DAY_SECONDS / AGENT_INTERVAL_SECONDS
    return {
        "series_on_the_device": round(_kept_there(device.address)),
        "series_sent": count,
        "samples_per_day": round(samples),
        "samples_seen": gone["samples"],
        "bytes_per_sample": round(gone["bytes"] / gone["samples"], 1),
        "bytes_per_sample_with_headers": round(gone["received"] / gone["samples"], 1),
        "bytes_answered_per_sample": round(gone["answered"] / gone["samples"], 1),
        "megabytes_per_day": round(samples * (gone["received"] + gone["answered"]) / gone["samples"] / 1e6, 2),
        "failed": now["failed"],
        "resident_megabytes": round(resident_megabytes(device.pid)),
    }


def _centre(running: Station) -> dict[str, float]:
    text = _get(f"{running.centre}/metrics").decode()
    return {
        "active_series": _sum(text, 'vm_cache_entries{type="storage/hour_metric_ids"}'),
        "resident_megabytes": round(resident_megabytes(running.centre_pid)),
    }


def sent(device: Device) -> dict[str, float]:
    """What a Prometheus says that it has sent so far, and what passed its relay."""
    text = _get(f"{device.address}/metrics").decode()
    names = {"samples": "samples_total", "bytes": "bytes_total", "failed": "samples_failed_total"}
    reported = {short: _sum(text, f"prometheus_remote_storage_{name}{{") for short, name in names.items()}
    return reported | {"received": device.uplink.received, "answered": device.uplink.answered}


def _sum(text: str, beginning: str) -> float:
    return sum(float(line.rpartition(" ")[2]) for line in text.splitlines() if line.startswith(beginning))


def series(centre: str, selector: str) -> list[dict[str, str]]:
    """The series that a centre has of late."""
    found: list[dict[str, str]] = _ask(f"{centre}/api/v1/series", **{"match[]": selector, "start": "-1m"})["data"]
    return found


def _kept_there(address: str) -> float:
    """Series of the last scrape of all targets, which an agent exports too: it does not answer queries."""
    text = _get(f"{address}/metrics").decode()
    return _sum(text, "prometheus_tsdb_head_series ") or _sum(text, "prometheus_agent_active_series ")


def _get(url: str, **parameters: str) -> bytes:
    asked = f"{url}?{urllib.parse.urlencode(parameters)}"
    with urllib.request.urlopen(asked, timeout=20) as answer:  # noqa: S310 - our own server
        body: bytes = answer.read()
        return body


def _ask(url: str, **parameters: str) -> Any:
    return json.loads(_get(url, **parameters))


@contextmanager
def station(folder: Path) -> Iterator[Station]:
    """Everything on free ports of loopback, ended at the end."""
    with ExitStack() as stack:
        services = RunningStack(folder / "services", "--no-monitoring", "--no-exporter")
        stack.callback(services.close)
        ours = {name: address.removeprefix("http://") for name, address in services.addresses.items()}
        exporter = free_port()
        _start(stack, folder, "exporter", *_exporter(exporter), FAKE_CHIP_STATE=str(folder / "state"))
        moved = {"127.0.0.1:8080": ours["gateway"], "127.0.0.1:9000": ours["sidecar-1"]}
        moved |= {"127.0.0.1:9048": f"127.0.0.1:{exporter}", "127.0.0.1:9093": f"127.0.0.1:{free_port()}"}
        centre, vmalert = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
        pid = _start(stack, folder, "centre", *_victoria(folder, centre, vmalert))
        _await(f"{centre}/health")
        _start(stack, folder, "vmalert", *_vmalert(centre, vmalert))
        devices = {device: _device(stack, folder, device, centre, moved) for device in _DEVICES}
        yield Station(centre, vmalert, devices, pid)


def _exporter(port: int) -> tuple[str, ...]:
    return (sys.executable, "-m", "tests.fakes.chip_service", "exporter", "--port", str(port))


def _victoria(folder: Path, centre: str, vmalert: str) -> tuple[str, ...]:
    listen = centre.removeprefix("http://")
    return (
        str(program("victoria-metrics")),
        f"-storageDataPath={folder / 'store'}",
        f"-httpListenAddr={listen}",
        f"-vmalert.proxyURL={vmalert}",
        "-search.latencyOffset=5s",
    )


def _vmalert(centre: str, vmalert: str) -> tuple[str, ...]:
    addresses = (f"-{kind}={centre}" for kind in ("datasource.url", "remoteWrite.url", "remoteRead.url"))
    rules = f"-rule={GENERATED / 'fleet' / 'centre.yml'}"
    listen = vmalert.removeprefix("http://")
    return (str(program("vmalert")), rules, *addresses, "-notifier.url=http://127.0.0.1:9", f"-httpListenAddr={listen}")


def _device(stack: ExitStack, folder: Path, name: str, centre: str, moved: dict[str, str]) -> Device:
    """A Prometheus with the file that `edgeinfer config fleet-device` prints, moved to our ports and folders."""
    listen = f"127.0.0.1:{free_port()}"
    uplink = Counted("127.0.0.1", int(centre.rpartition(":")[2]))
    uplink.start()
    stack.callback(uplink.close)
    url = f"http://127.0.0.1:{uplink.port}/api/v1/write"
    words = ["fleet", "--url", url, "--site", "lab", "--device", name, *(["--agent"] if name == "agent" else [])]
    text = subprocess.run(
        [sys.executable, "-m", "edgeinfer", *words], check=True, capture_output=True, text=True
    ).stdout
    for shipped, here in (moved | {"127.0.0.1:9090": listen, "/etc/edgeinfer": str(GENERATED)}).items():
        text = text.replace(shipped, here)
    file = folder / f"{name}.yml"
    file.write_text(text, encoding="utf-8")
    binary = require(find_all(cache_folder(StackSettings.from_environment().cache_home)), Program.PROMETHEUS)
    data = str(folder / name)
    mode = "--enable-feature=agent" if binary.version.startswith("2.") else "--agent"
    storage = (mode, f"--storage.agent.path={data}") if name == "agent" else ()
    storage = storage or ("--enable-feature=exemplar-storage", f"--storage.tsdb.path={data}")
    command = (str(binary.path), f"--config.file={file}", f"--web.listen-address={listen}", *storage)
    pid = _start(stack, folder, name, *command)
    _await(f"http://{listen}/-/ready")
    return Device(f"http://{listen}", pid, uplink)


def _await(url: str) -> None:
    if not until(lambda: _answers(url), 30):
        raise TimeoutError(f"{url}: no answer within 30 s. Look into its log.")


def _answers(url: str) -> bool:
    try:
        _get(url)
    except OSError:
        return False
    return True


def _start(stack: ExitStack, folder: Path, name: str, *command: str, **environment: str) -> int:
    with (folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=os.environ | environment)
    stack.callback(process.wait, 20)
    stack.callback(process.terminate)
    return process.pid


if __name__ == "__main__":
    main()
