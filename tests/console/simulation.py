"""Measurements of an hour as our services would make them, from the catalog, for a real Prometheus to load.

The numbers are those of this file: they say nothing about a device. They exist so that every query of every
dashboard has an answer at once, where real processes would have to run for an hour.
"""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import product

import promql_parser

from edgeinfer.catalog.all import all_metrics
from edgeinfer.catalog.metric import Label, Metric, MetricKind, Owner
from edgeinfer.monitoring import recording
from edgeinfer.monitoring.promql import TARGET_LABELS, Recorded
from edgeinfer.monitoring.recording import Rule, groups
from tools.promql_lint import selectors

STEP_SECONDS = 5
_DEPLOY_SHOWS_SECONDS = 180
INSTANCES = {Owner.GATEWAY: "127.0.0.1:8080", Owner.SIDECAR: "127.0.0.1:9000", Owner.EXPORTER: "127.0.0.1:9048"}
OPEN_VALUES = {
    "chip_id": ("0000:01:00.0",),
    "device_id": ("0000:01:00.0",),
    "sidecar": ("sidecar-1", "sidecar-2"),
    "endpoint": ("/infer", "/api/v1/analysis/process"),
    "status_code": ("200", "503"),
    "motif": ("m1", "m2", "m3", "m4"),
    "name": ("walk", "turn", "reach", "rest"),
    "model": ("motif_encoder", "pose_small"),
    "collector": ("system", "device"),
    "version": ("0.1.0", "0.2.0"),
    "python": ("3.11",),
    "device": ("Hailo-8",),
    "runtime": ("HailoRT 4.20",),
    "sensor": ("temperature", "power"),
    "quantile": ("0.5", "0.9", "0.95", "0.99"),
}
_JOB = re.compile(r'job="([\w-]+)"')
_WINDOW = re.compile(r"(\d+)([mhd])$")
_UNIT_SECONDS = {"m": 60, "h": 3600, "d": 86_400}
MOTIF_NAMES = dict(zip(OPEN_VALUES["motif"], OPEN_VALUES["name"], strict=True))
GAUGES = {
    "hailo_hardware_temperature_celsius": (58, 6),
    "hailo_hardware_sensor_temperature_celsius": (57, 6),
    "hailo_hardware_power_watts": (2.6, 0.4),
    "hailo_hardware_clock_hertz": (400e6, 0),
    "hailo_memory_usage_bytes": (310e6, 8e6),
    "hailo_cpu_usage_ratio": (0.31, 0.1),
    "hailo_hardware_utilization_ratio": (0.46, 0.12),
    "hailo_model_utilization_ratio": (0.22, 0.08),
    "hailo_model_frames_per_second": (42, 6),
    "hailo_latent_drift_score": (0.06, 0.03),
    "hailo_motif_drift_score": (0.08, 0.03),
    "hailo_latent_population_drift_score": (0.4, 0.03),
    "hailo_motif_population_drift_score": (0.7, 0.05),
    "hailo_latent_dimension_drift_score": (0.12, 0.1),
    "hailo_drift_baseline_answers": (11980, 0),
    "hailo_sidecar_queue_depth": (1.4, 1.4),
    "hailo_sidecar_queue_capacity": (64, 0),
    "edgeinfer_session_samples": (3800, 200),
    "edgeinfer_health_check_duration_seconds": (0.004, 0.002),
    "hailo_hardware_temperature_limit_celsius": (104, 0),
    "hailo_hardware_temperature_zone": (0, 0),
    "hailo_model_output_dimensions": (64, 0),
}


def openmetrics(
    start: float,
    end: float,
    *,
    backend: str = "hailo",
    failing: tuple[float, float] = (0.55, 0.63),
    step_seconds: int = STEP_SECONDS,
    stops: Mapping[str, float] | None = None,
) -> str:
    """The text that `promtool tsdb create-blocks-from openmetrics` reads.

    Args:
        start: seconds since 1970.
        end: where it ends; may lie ahead, so that a test has data while it runs.
        backend: what hailo_runtime_info says.
        failing: the part of the time in which requests fail and take long.
        step_seconds: between two scrapes.
        stops: from when on the process of a job answers no scrape.
    """
    first = int(start) // step_seconds * step_seconds
    moments = range(first, int(end), step_seconds)
    shape = _Shape(first, len(moments) * step_seconds, failing, backend, step_seconds, stops or {})
    lines: list[str] = []
    for name, labels, values in _all(shape, moments):
        text = ",".join(f'{key}="{value}"' for key, value in labels.items())
        lines += [
            f"{name}{{{text}}} {value:.9g} {at}" for at, value in zip(moments, values, strict=True) if value is not None
        ]
    return "\n".join([*lines, "# EOF", ""])


class _Shape:
    """How the simulated hour goes."""

    def __init__(
        self,
        first: int,
        seconds: int,
        failing: tuple[float, float],
        backend: str,
        step: int,
        stops: Mapping[str, float],
    ) -> None:
        self.first, self.seconds, self.backend, self.step = first, seconds, backend, step
        self._stops = stops
        self.begins, self.ends = (first + seconds * share for share in failing)
        self.deployed = self.ends + 240

    def version(self, at: float) -> str:
        """The version that runs: a new one was deployed after the failure."""
        return "0.1.0" if at < self.deployed else "0.2.0"

    def stopped(self, owner: Owner) -> float:
        """From when on this process answers no scrape."""
        return self._stops.get(owner, math.inf)

    def is_failing(self, at: float) -> bool:
        return self.begins <= at < self.ends

    def wave(self, at: float, seed: int) -> float:
        """Between -1 and 1: a slow wave, a quick one, and some noise that is the same each time."""
        slow = math.sin(at / 420 + seed * 1.7)
        quick = math.sin(at / 47 + seed * 0.9)
        noise = math.sin(at * 12.9898 + seed * 78.233) * 43758.5453
        return 0.5 * slow + 0.25 * quick + 0.5 * (noise - math.floor(noise) - 0.5)


_Series = tuple[str, dict[str, str], Sequence[float | None]]


def _all(shape: _Shape, moments: range) -> Iterator[_Series]:
    seed = 0
    for metric in all_metrics():
        for owner in metric.owners:
            known = {"backend": (shape.backend,)} if metric.name == "hailo_runtime_info" else {}
            if metric.name == "hailo_model_info":
                known = {"name": ("motif-encoder",), "version": ("3",)}
            for combination in product(*(known.get(one.name) or _values(one) for one in metric.labels)):
                seed += 1
                labels = dict(zip(metric.label_names, combination, strict=True))
                for name, found, values in _of_metric(metric, labels | _target(owner), shape, moments, seed):
                    yield name, found, _until(shape.stopped(owner), moments, values)
    yield from _prometheus(shape, moments)
    yield from _recorded(shape, moments)


def _until(end: float, moments: range, values: Sequence[float | None]) -> Sequence[float | None]:
    return [value if at < end else None for at, value in zip(moments, values, strict=True)]


def _target(owner: Owner) -> dict[str, str]:
    return {"job": str(owner), "instance": INSTANCES[owner]}


def _values(label: Label) -> tuple[str, ...]:
    return label.values or OPEN_VALUES.get(label.name, ("one",))


def _of_metric(metric: Metric, labels: dict[str, str], shape: _Shape, moments: range, seed: int) -> Iterator[_Series]:
    if metric.name == "hailo_motif_info":
        if labels["name"] == MOTIF_NAMES.get(labels["motif"]):
            yield metric.name, labels, [1.0] * len(moments)
    elif metric.name.endswith("_build_info"):
        yield metric.name, labels, [1.0 if shape.version(at) == labels["version"] else None for at in moments]
    elif metric.kind is MetricKind.INFO:
        yield metric.name, labels, [1.0] * len(moments)
    elif metric.kind is MetricKind.COUNTER:
        yield metric.name, labels, _counter(_rate(metric.name, labels), labels, shape, moments, seed)
    elif metric.kind is MetricKind.HISTOGRAM:
        yield from _histogram(metric, labels, shape, moments, seed)
    else:
        yield metric.name, labels, [_gauge(metric.name, labels, at, shape, seed) for at in moments]


_BAD = ("failure", "none", "fallback", "differed", "failed", "shed", "backend_error", "unhealthy", "503", "5xx")


def _is_bad(name: str, labels: dict[str, str]) -> bool:
    text = " ".join(value for label, value in labels.items() if label not in ("job", "instance"))
    is_error = any(word in name for word in ("error", "fail", "violation", "fallback", "problem", "recover", "retr"))
    return is_error or any(word in text for word in _BAD)


def _rate(name: str, labels: dict[str, str]) -> float:
    if "samples" in name and labels.get("metric") == "samples_processed":
        return 1150
    return 0.02 if _is_bad(name, labels) else 6.0


def _counter(rate: float, labels: dict[str, str], shape: _Shape, moments: range, seed: int) -> list[float]:
    total, found = 0.0, []
    for at in moments:
        found.append(round(total, 3))
        is_bad = rate < 1
        factor = (60 if shape.is_failing(at) else 1) if is_bad else 1 + 0.35 * shape.wave(at, seed)
        total += rate * factor * shape.step
    return found


def _histogram(metric: Metric, labels: dict[str, str], shape: _Shape, moments: range, seed: int) -> Iterator[_Series]:
    bounds = metric.buckets
    middle = bounds[len(bounds) // 2]
    totals = [0.0] * (len(bounds) + 1)
    columns: list[list[float]] = [[] for _ in totals]
    sums: list[float] = []
    total = 0.0
    for at in moments:
        for column, value in zip(columns, totals, strict=True):
            column.append(round(value, 3))
        sums.append(round(total, 5))
        center = middle * (1 + 0.3 * shape.wave(at, seed)) * (4 if shape.is_failing(at) else 1)
        count = 6 * shape.step * (1 + 0.3 * shape.wave(at, seed))
        total += count * center
        for place, bound in enumerate(bounds):
            totals[place] += count / (1 + (center / bound) ** 4)
        totals[-1] += count
    for edge, column in zip([*map(str, bounds), "+Inf"], columns, strict=True):
        yield f"{metric.name}_bucket", labels | {"le": edge}, column
    yield f"{metric.name}_sum", labels, sums
    yield f"{metric.name}_count", labels, columns[-1]


def _gauge(name: str, labels: dict[str, str], at: float, shape: _Shape, seed: int) -> float:
    is_failing = shape.is_failing(at)
    if "timestamp" in name:
        return at - 3
    if "status" in labels or "state" in labels:
        state = labels.get("status") or labels.get("state")
        is_sick = is_failing and labels.get("check", "hailo_backend") == "hailo_backend"
        return float(state == (("degraded" if "status" in labels else "open") if is_sick else _fine(state)))
    middle, spread = GAUGES.get(name, (1.0, 0.0))
    if labels.get("limit") == "red":
        middle = 120
    lift = 1.6 if is_failing and spread else 1.0
    value = middle * (lift if name.startswith("hailo_sidecar_queue") else 1 + (lift - 1) / 6)
    value = value + spread * shape.wave(at, seed)
    return max(0.0, round(value) if name.endswith("queue_depth") else value)


def _fine(state: str | None) -> str:
    return "closed" if state in ("closed", "open", "half_open") else "healthy"


def _prometheus(shape: _Shape, moments: range) -> Iterator[_Series]:
    alert = {"alertname": "HailoLatencyBudgetBurnFast", "alertstate": "firing", "severity": "critical"}
    yield "ALERTS", alert | _target(Owner.GATEWAY), [1.0 if shape.is_failing(at - 60) else None for at in moments]
    for owner in Owner:
        # Prometheus says itself whether a scrape succeeded, how long it took and what it brought.
        answers = [float(at < shape.stopped(owner)) for at in moments]
        yield "up", _target(owner), answers
        yield "scrape_samples_scraped", _target(owner), [420 * answer for answer in answers]
        yield "scrape_duration_seconds", _target(owner), [0.004 + 0.001 * shape.wave(at, 3) for at in moments]
        for name, values in _of_process(shape, moments):
            yield name, _target(owner), _until(shape.stopped(owner), moments, values)


def _of_process(shape: _Shape, moments: range) -> Iterator[tuple[str, list[float]]]:
    yield "process_resident_memory_bytes", [92e6 + 1e6 * shape.wave(at, 5) for at in moments]
    yield "process_cpu_seconds_total", [0.08 * (at - shape.first) for at in moments]
    yield "process_start_time_seconds", [shape.first - 60.0] * len(moments)
    yield "process_open_fds", [24.0] * len(moments)


def _recorded(shape: _Shape, moments: range) -> Iterator[_Series]:
    seed = 500
    for group in groups():
        for rule in group.rules:
            names = [name for name in rule.record.labels if name not in {*rule.labels, *TARGET_LABELS}]
            # Rules keep the job of what they read; one that sums over jobs has one series for all of them.
            owners = sorted(owners_of(rule.expression))
            for owner in owners if "job" in rule.record.labels else owners[:1]:
                target = {name: value for name, value in _target(owner).items() if name in rule.record.labels}
                for combination in product(*(_recorded_values(rule, name) for name in names)):
                    seed += 1
                    labels = dict(zip(names, combination, strict=True)) | dict(rule.labels) | target
                    values = _recorded_values_at(rule.record, labels, shape, moments, seed)
                    yield rule.record.name, labels, _until(_last_recorded(rule.record, owner, shape), moments, values)


def owners_of(expression: str) -> frozenset[Owner]:
    """The processes whose metrics an expression reads, also those behind recorded series; all where it names none."""
    found: set[Owner] = set()
    jobs = {Owner(job) for job in _JOB.findall(expression)}
    for node in selectors(expression):
        matchers = (one for one in node.matchers.matchers if one.op == promql_parser.MatchOp.Equal)
        found |= jobs or _owners_of_series(node.name, frozenset((one.name, one.value) for one in matchers))
    return frozenset(found) or frozenset(Owner)


@cache
def _owners_of_series(name: str, matched: frozenset[tuple[str, str]]) -> frozenset[Owner]:
    """Of several rules that write one series, each with a label of its own, the one that the labels name.

    A latency quantile has the name of the histogram that it is computed of, and so its owner.
    """
    rules = [rule for group in groups() for rule in group.rules if rule.record.name == name]
    exact = [rule for rule in rules if rule.labels and matched >= set(dict(rule.labels).items())]
    others = [rule for rule in rules if not rule.labels] or rules
    behind = [rule.expression for rule in exact or (others if matched else rules)]
    metric = re.sub("_(bucket|sum|count)$", "", name)
    own = [owner for one in all_metrics() if one.name in {name, metric} for owner in one.owners]
    return frozenset(own) or frozenset().union(*map(owners_of, behind)) or frozenset(Owner)


def window_seconds(record: Recorded) -> float:
    """How far back a recorded series looks, which its name says: `rate5m`, `ratio_30d`; 0 if it does not look back."""
    found = _WINDOW.search(record.name)
    return float(found[1]) * _UNIT_SECONDS[found[2]] if found else 0.0


def _last_recorded(record: Recorded, owner: Owner, shape: _Shape) -> float:
    """A rate continues for as long as its window holds samples; alerts and deploys do not end with a process."""
    if record in (recording.HISTORY_FIRING, recording.HISTORY_ALERTS, recording.HISTORY_UP):
        return math.inf
    return shape.stopped(owner) + window_seconds(record)


def _recorded_values_at(
    record: Recorded, labels: dict[str, str], shape: _Shape, moments: range, seed: int
) -> Sequence[float | None]:
    """Deploys and alerts are there for a while only, and what runs is of one version at a time."""
    if record == recording.HISTORY_FIRING:
        return [1.0 if shape.is_failing(at - 60) else None for at in moments]
    if record in (recording.VERSIONS, recording.HISTORY_VERSIONS):
        return [1.0 if shape.version(at) == labels["version"] else None for at in moments]
    if record == recording.DEPLOYS:
        newest = labels["version"] == OPEN_VALUES["version"][-1]
        return [1.0 if newest and 0 <= at - shape.deployed < _DEPLOY_SHOWS_SECONDS else None for at in moments]
    return [_recorded_value(record.name, labels, at, shape, seed) for at in moments]


def _recorded_values(rule: Rule, name: str) -> tuple[str, ...]:
    """Values of a label, as the metrics have it that the rule reads; others have labels of the same name."""
    read = [metric for metric in all_metrics() if metric.name in rule.expression]
    if name == "le":
        return (*map(str, next(metric.buckets for metric in read)), "+Inf")
    closed = next((one.values for metric in read for one in metric.labels if one.name == name), ())
    return closed or OPEN_VALUES.get(name, ("one",))


_QUANTILE_SECONDS = {"0.5": 0.009, "0.9": 0.019, "0.95": 0.026, "0.99": 0.048}


def _recorded_value(name: str, labels: dict[str, str], at: float, shape: _Shape, seed: int) -> float:
    wave = shape.wave(at, seed % 7)
    slow = 4.5 if shape.is_failing(at) else 1.0
    if "le" in labels:
        return 6 / (1 + (0.011 * slow * (1 + 0.2 * wave) / float(labels["le"])) ** 3)
    if "quantile" in labels:
        return _QUANTILE_SECONDS[labels["quantile"]] * slow * (1 + 0.2 * wave)
    usual, spread, failing = next(values for words, values in _RECORDED if any(word in name for word in words))
    return failing if shape.is_failing(at) else usual + spread * wave


# Words in the name of a recorded series: its usual value, how far it swings, its value in a failure.
_RECORDED: tuple[tuple[tuple[str, ...], tuple[float, float, float]], ...] = (
    (("health_state",), (0, 0, 1)),
    (("ratio", "share"), (0.005, 0.003, 0.21)),
    (("temperature",), (58, 5, 63)),
    (("memory",), (310e6, 4e6, 330e6)),
    (("fail", "error", "slow", "fallback"), (0.01, 0.002, 0.9)),
    (("seconds",), (0.012, 0.002, 0.05)),
    (("",), (6, 1, 6)),
)
