"""What a thousand devices cost the centre: memory, disk, and the time of each panel of the fleet's dashboard.

Run with `python -m benchmarks.fleet_centre [DEVICES]`; it needs tools/setup_fleet.sh. An hour of what a device sends
is imported into VictoriaMetrics with values that vary as rates do, then every query of the dashboard runs five times.
"""

import argparse
import json
import statistics
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from benchmarks.processes import free_port, resident_megabytes
from edgeinfer.catalog import gateway, labels
from edgeinfer.monitoring.files import GENERATED, all_panels
from edgeinfer.monitoring.fleet import rules
from edgeinfer.monitoring.scrape_targets import SYSTEMD
from edgeinfer.monitoring.thresholds import TRAFFIC_GUARD_PER_SECOND
from tests.end_to_end.fleet_rig import program
from tests.end_to_end.running_stack import until

_HOUR_SECONDS = 3600
_AT_ONCE = 50
_ROUNDS = 5
_DASHBOARD = GENERATED / "fleet" / "edgeinfer_fleet_dashboard.json"


def main() -> None:
    """Measure and print JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("devices", type=int, nargs="?", default=1000, help="that send (%(default)s)")
    devices = parser.parse_args().devices
    with TemporaryDirectory() as name:
        address = f"127.0.0.1:{free_port()}"
        options = (f"-storageDataPath={name}", f"-httpListenAddr={address}", "-search.latencyOffset=5s")
        centre = subprocess.Popen([str(program("victoria-metrics")), *options], stderr=subprocess.DEVNULL)
        try:
            print(json.dumps(_measure(f"http://{address}", centre.pid, Path(name), devices), indent=2))
        finally:
            centre.terminate()
            centre.wait(30)


def _measure(url: str, pid: int, folder: Path, devices: int) -> dict[str, Any]:
    if not until(lambda: _answers(url), 30):
        raise TimeoutError(f"{url}: no answer within 30 s.")
    began = time.monotonic()
    samples = sum(_import(url, range(first, min(first + _AT_ONCE, devices))) for first in range(0, devices, _AT_ONCE))
    took = time.monotonic() - began
    _get(f"{url}/internal/force_flush")
    _get(f"{url}/internal/force_merge")
    time.sleep(20)
    disk = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return {
        "devices": devices,
        "series": devices * len(_series()),
        "samples": samples,
        "import_seconds": round(took, 1),
        "disk_bytes_per_sample": round(disk / samples, 2),
        "panels_milliseconds": {title: _milliseconds(url, query) for title, query in _queries()},
        "resident_megabytes": round(resident_megabytes(pid)),
    }


def _series() -> list[tuple[str, dict[str, str], float]]:
    """Name, labels and usual value of each series that a device sends."""
    rate = TRAFFIC_GUARD_PER_SECOND * 20
    bounds = [*(f"{bound:g}" for bound in gateway.INFERENCE_DURATION.buckets), "+Inf"]
    by_label = [
        (rules.UP.name, "job", dict.fromkeys(SYSTEMD, 1.0)),
        (rules.VERSION.name, "version", {"0.1.0": 1.0}),
        (rules.REQUESTS.name, "status", {"success": rate, "failure": 0.0}),
        (rules.BUCKETS.name, "le", {bound: rate * min(1, at / 6) for at, bound in enumerate(bounds)}),
        (rules.ERRORS.name, "error_type", dict.fromkeys(labels.INFERENCE_ERROR_TYPES, 0.0)),
        (rules.ANALYSES.name, "source", {"sidecar": rate, "fallback": 0.0, "none": 0.0}),
        (rules.TEMPERATURE.name, "chip_id", {"0001:01:00.0": 55.0}),
        (rules.UTILIZATION.name, "chip_id", {"0001:01:00.0": 0.3}),
        (rules.ALERTS.name, "severity", {"warning": 1.0}),
    ]
    plain = {rules.LATENT_DRIFT: 0.1, rules.MOTIF_DRIFT: 0.1, rules.CPU: 0.3, rules.STARTED: 1.7e9}
    labelled = [(name, {label: key}, usual) for name, label, values in by_label for key, usual in values.items()]
    return labelled + [(record.name, {}, usual) for record, usual in plain.items()]


def _import(url: str, numbers: range) -> int:
    """An hour of these devices; returns how many samples that is."""
    now = int(time.time()) - 30
    moments = range(now - _HOUR_SECONDS, now, rules.INTERVAL_SECONDS)
    stamps = ",".join(str(moment * 1000) for moment in moments)
    body = "\n".join(line for number in numbers for line in _lines(number, stamps, len(moments)))
    request = urllib.request.Request(f"{url}/api/v1/import", body.encode(), method="POST")  # noqa: S310 - our own
    with urllib.request.urlopen(request, timeout=120):  # noqa: S310 - our own
        return len(numbers) * len(_series()) * len(moments)


def _lines(number: int, stamps: str, length: int) -> Iterator[str]:
    noise = np.random.default_rng(number)
    who = {"site": f"site-{number % 20}", "device": f"edge-{number:06}"}
    for name, own, usual in _series():
        steady = name in {rules.UP.name, rules.VERSION.name, rules.STARTED.name, rules.ALERTS.name}
        values = usual * (np.ones(length) if steady else noise.normal(1, 0.1, length))
        metric = json.dumps({"__name__": name, **own, **who})
        yield f'{{"metric":{metric},"values":[{",".join(f"{value:.9g}" for value in values)}],"timestamps":[{stamps}]}}'


def _queries() -> Iterator[tuple[str, str]]:
    for panel in all_panels(json.loads(_DASHBOARD.read_text(encoding="utf-8"))):
        for target in panel.get("targets", []):
            yield panel["title"], target["expr"]


def _milliseconds(url: str, query: str) -> int:
    """The middle of five; a range of an hour in steps of a minute, and no answer from a cache."""

    def ask() -> float:
        now = time.time()
        began = time.monotonic()
        asked = {"query": query, "start": str(now - _HOUR_SECONDS), "end": str(now), "step": "60", "nocache": "1"}
        _get(f"{url}/api/v1/query_range?{urllib.parse.urlencode(asked)}")
        return (time.monotonic() - began) * 1000

    return round(statistics.median(ask() for _ in range(_ROUNDS)))


def _get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=120) as answer:  # noqa: S310 - our own server
        body: bytes = answer.read()
        return body


def _answers(url: str) -> bool:
    try:
        _get(f"{url}/health")
    except OSError:
        return False
    return True


if __name__ == "__main__":
    main()
