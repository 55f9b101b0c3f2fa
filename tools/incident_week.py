"""A week of a device with twelve incidents, as OpenMetrics with times, and what each of them cost.

    python -m tools.incident_week /tmp/week.om
    promtool tsdb create-blocks-from openmetrics /tmp/week.om DATA_FOLDER

The counters grow by whole events and the alerts are those that the rules would have fired; nothing comes from a real
device.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from edgeinfer.monitoring.alerts import all_alerts

STEP_SECONDS = 15
DAY = 86_400
WEEK = 7 * DAY
_HOUR = 3600
_GATEWAY, _SIDECAR = ('job="edge-infer",instance="gateway:8080"', 'job="hailo-inference",instance="sidecar:9000"')
_EXPORTER = 'job="hailo-exporter",instance="exporter:9048"'
_PER_STEP = 30  # analyses
_UPLOADS_PER_STEP = 8
_SCRAPE_TIMEOUT = 5.0
# As long as the rules hold: a condition is true before its alert fires.
_HOLD_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Fault:
    """One incident of the script.

    Args:
        cause: the true one, by its entry.
        at: when it begins, in seconds of the week.
        seconds: how long it lasts.
        alerts: that fire, a minute after it began.
        error_type: of the calls that fail; empty where none does.
        failed: analyses of each step that nobody answers; the other failed calls are answered by fallback.
        refused: uploads of each step that are refused.
        gauges: series that have another value meanwhile, by their text.
    """

    cause: str
    at: int
    seconds: int
    alerts: tuple[str, ...]
    error_type: str = ""
    failed: int = 0
    refused: int = 0
    gauges: Mapping[str, float] = field(default_factory=dict)


def _up(target: str, value: float, scrape_seconds: float) -> dict[str, float]:
    return {f"up{{{target}}}": value, f"scrape_duration_seconds{{{target}}}": scrape_seconds}


_GONE, _HANGS = _up(_SIDECAR, 0, 0.001), _up(_SIDECAR, 0, _SCRAPE_TIMEOUT)
_CHIP = f'{{{_EXPORTER},chip_id="0000:01:00.0"'
_HOT = {f"hailo_hardware_temperature_celsius{_CHIP}}}": 97.0}
_AVAILABLE, _TOTAL = (f'hailo_disk_space_bytes{{{_SIDECAR},space="{space}"}}' for space in ("available", "total"))
_DOWN = ("HailoSidecarDown", "EdgeInferFallingBack", "HailoCircuitOpen")
_REFUSED = ("EdgeInferServerErrors",)

FAULTS = (
    Fault("sidecar-stopped", 6 * _HOUR, 900, _DOWN, "connection_error", gauges=_GONE),
    Fault("path-answers-errors", 18 * _HOUR, 1200, ("EdgeInferFallingBack",), "http_5xx"),
    Fault("chip-hot", DAY + 2 * _HOUR, 3600, ("HailoTemperatureHigh",), gauges=_HOT),
    Fault("sidecar-hangs", DAY + 9 * _HOUR, 600, _DOWN, "timeout", gauges=_HANGS),
    Fault("connections-reset", DAY + 20 * _HOUR, 750, ("EdgeInferFallingBack",), "connection_error"),
    Fault("store-cannot-write", 2 * DAY + 3 * _HOUR, 1500, _REFUSED, refused=5),
    Fault("answers-corrupted", 2 * DAY + 15 * _HOUR, 660, ("EdgeInferFallingBack",), "malformed_response"),
    Fault("disk-full", 3 * DAY + 4 * _HOUR, 1800, ("HailoDiskFull", *_REFUSED), refused=8, gauges={_AVAILABLE: 1e9}),
    Fault(
        "sidecar-stopped",
        4 * DAY + 1 * _HOUR,
        900,
        ("HailoSidecarDown", "EdgeInferAnswersMissing"),
        "connection_error",
        failed=_PER_STEP,
        gauges=_GONE,
    ),
    Fault("gateway-stopped", 5 * DAY, 540, ("EdgeInferDown",), gauges=_up(_GATEWAY, 0, 0.001)),
    Fault("path-loses-answers", 5 * DAY + 12 * _HOUR, 840, ("EdgeInferFallingBack",), "timeout"),
    Fault("sidecar-stopped", 6 * DAY + 7 * _HOUR, 1020, _DOWN, "connection_error", gauges=_GONE),
)
_BEFORE, _AFTER = '{version="1.4.0"}', '{version="1.5.0"}'
_DEPLOYED_AT = 18 * _HOUR - 600  # ten minutes before the second incident
_ERROR_TYPES = ("connection_error", "http_5xx", "timeout", "malformed_response")
_STEADY = {
    **_up(_GATEWAY, 1, 0.01),
    **_up(_SIDECAR, 1, 0.01),
    **_up(_EXPORTER, 1, 0.01),
    f"hailo_sidecar_ready{{{_SIDECAR}}}": 1.0,
    f"hailo_hardware_temperature_celsius{_CHIP}}}": 60.0,
    f'hailo_hardware_temperature_limit_celsius{_CHIP},limit="orange"}}': 104.0,
    _AVAILABLE: 4e10,
    _TOTAL: 1e11,
    'ALERTS{alertname="Watchdog",alertstate="firing",severity="none"}': 1.0,
    **{f"process_open_fds{{{target}}}": 30.0 for target in (_GATEWAY, _SIDECAR, _EXPORTER)},
    f"edgeinfer_build_info{{{_GATEWAY}}}": 1.0,
    f"hailo_sidecar_build_info{{{_SIDECAR}}}": 1.0,
    f"hailo_exporter_build_info{{{_EXPORTER}}}": 1.0,
}


@dataclass(slots=True)
class Totals:
    """What the counters of the week counted."""

    analyses: int = 0
    failed: int = 0
    by_fallback: int = 0
    failed_calls: int = 0
    refused_uploads: int = 0


def openmetrics(begin: int, totals: Totals) -> Iterator[str]:
    """Lines of the week, series after series; the totals are added up on the way.

    Args:
        begin: of the week, in seconds since 1970.
        totals: filled while the lines are read.
    """
    samples: dict[str, list[str]] = {}
    counters: dict[str, int] = dict.fromkeys(_counters(), 0)
    for at in range(0, WEEK, STEP_SECONDS):
        fault = next((one for one in FAULTS if one.at <= at < one.at + one.seconds), None)
        is_away = fault is not None and fault.cause == "gateway-stopped"
        if not is_away:  # who is down counts nothing, and has no samples
            _count(counters, fault, totals)
            for text, value in counters.items():
                samples.setdefault(text, []).append(f"{text} {value} {begin + at}")
        for text, level in _gauges(at, fault, begin).items():
            samples.setdefault(text, []).append(f"{text} {level} {begin + at}")
    families = sorted(samples, key=_family)
    known = ""
    for text in families:
        if _family(text) != known:
            known = _family(text)
            yield f"# TYPE {known} {'counter' if text.split('{')[0].endswith('_total') else 'gauge'}"
        yield from samples[text]
    yield "# EOF"


def _counters() -> list[str]:
    return [
        *(f'edgeinfer_analyses_total{{{_GATEWAY},operation="motifs",source="{one}"}}' for one in _SOURCES),
        *(f'hailo_inference_requests_total{{{_GATEWAY},operation="motifs",status="{one}"}}' for one in _STATUSES),
        *(f'hailo_inference_errors_total{{{_GATEWAY},error_type="{one}"}}' for one in _ERROR_TYPES),
        *(_stream(code) for code in ("202", "507")),
        _STORAGE_ERROR,
        _SIDECAR_SUCCESS,
    ]


def _stream(code: str) -> str:
    path = "/api/v1/analysis/stream"
    return f'edgeinfer_http_requests_total{{{_GATEWAY},method="PUT",endpoint="{path}",status_code="{code}"}}'


_SOURCES, _STATUSES = ("sidecar", "fallback", "none"), ("success", "failure")
_STORAGE_ERROR = f'edgeinfer_http_errors_total{{{_GATEWAY},error_type="storage_error"}}'
_SIDECAR_SUCCESS = f'hailo_sidecar_inferences_total{{{_SIDECAR},status="success"}}'


def _count(counters: dict[str, int], fault: Fault | None, totals: Totals) -> None:
    analyses, requests, errors = (list(counters)[first:last] for first, last in ((0, 3), (3, 5), (5, 9)))
    is_failing = fault is not None and bool(fault.error_type)
    failed = fault.failed if fault else 0
    refused = fault.refused if fault else 0
    by_fallback = _PER_STEP - failed if is_failing else 0
    for text, more in zip(analyses, (0 if is_failing else _PER_STEP, by_fallback, failed), strict=True):
        counters[text] += more
    counters[requests[1 if is_failing else 0]] += _PER_STEP
    if fault and fault.error_type:
        counters[errors[_ERROR_TYPES.index(fault.error_type)]] += _PER_STEP
    if not is_failing:
        counters[_SIDECAR_SUCCESS] += _PER_STEP
    counters[_stream("202")] += _UPLOADS_PER_STEP - refused
    counters[_stream("507")] += refused
    counters[_STORAGE_ERROR] += refused
    totals.analyses += _PER_STEP
    totals.failed += failed
    totals.by_fallback += by_fallback
    totals.failed_calls += _PER_STEP if is_failing else 0
    totals.refused_uploads += refused


def _gauges(at: int, fault: Fault | None, begin: int) -> dict[str, float]:
    version = _AFTER if at >= _DEPLOYED_AT else _BEFORE
    gauges = {**_STEADY, f"hailo_sidecar_build_info{version.replace('{', '{' + _SIDECAR + ',')}": 1.0}
    gauges.pop(f"hailo_sidecar_build_info{{{_SIDECAR}}}")
    if fault:
        gauges |= fault.gauges
        if fault.cause == "path-loses-answers":
            gauges[f"hailo_sidecar_queue_depth{{{_SIDECAR}}}"] = 0.0
        state = "firing" if at >= fault.at + _HOLD_SECONDS else "pending"
        for name in fault.alerts:
            labels = ",".join(f'{key}="{value}"' for key, value in _labels(name).items())
            gauges[f'ALERTS{{alertname="{name}",alertstate="{state}",{labels}}}'] = 1.0
            gauges[f'ALERTS_FOR_STATE{{alertname="{name}",{labels}}}'] = float(begin + fault.at)
    return gauges


def _labels(name: str) -> Mapping[str, str]:
    return _LABELS[name]


_LABELS = {alert.name: alert.labels for alert in all_alerts()}


def _family(text: str) -> str:
    return text.partition("{")[0].removesuffix("_total")


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the week that ended an hour ago, and print what it cost."""
    parser = argparse.ArgumentParser(prog="python -m tools.incident_week", description=__doc__)
    parser.add_argument("file", type=Path)
    options = parser.parse_args(arguments)
    totals = Totals()
    begin = int(time.time()) - WEEK - _HOUR
    with options.file.open("w", encoding="utf-8") as out:
        out.writelines(f"{line}\n" for line in openmetrics(begin, totals))
    print(json.dumps({name: getattr(totals, name) for name in Totals.__slots__}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
