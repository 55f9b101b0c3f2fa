"""Recording rules: latency quantiles, service level indicators, long windows staged from short ones, and history."""

from dataclasses import dataclass, field

from edgeinfer.catalog import device, gateway, labels, model_output, sidecar, system
from edgeinfer.catalog.all import all_metrics
from edgeinfer.catalog.metric import Metric, MetricKind
from edgeinfer.monitoring import prometheus_metrics
from edgeinfer.monitoring.promql import BuiltIn, Queries, Recorded
from edgeinfer.monitoring.thresholds import LATENCY_OBJECTIVE_SECONDS

JOB = ("job",)
TARGET = ("job", "instance")
QUANTILES = (0.5, 0.9, 0.95, 0.99)
# Windows of the burn rates; the first two groups of alerts need the short ones fresh.
SHORT_WINDOWS = ("5m", "30m", "1h")
LONG_WINDOWS = ("6h", "3d", "30d")
WINDOWS = (*SHORT_WINDOWS, *LONG_WINDOWS)

BUCKETS = Recorded("instance:hailo_inference_duration_seconds_bucket:rate1m", (*TARGET, "operation", "le"))
QUANTILE = Recorded(gateway.INFERENCE_DURATION.name, (*TARGET, "operation", "quantile"))

REQUESTS = Recorded("job:hailo_inference_requests:rate5m", JOB)
FAILURES = Recorded("job:hailo_inference_failures:rate5m", JOB)
TIMED = Recorded("job:hailo_inference_timed:rate5m", JOB)
SLOW = Recorded("job:hailo_inference_slow:rate5m", JOB)
ERRORS = Recorded("job_error_type:hailo_inference_errors:rate5m", (*JOB, "error_type"))
CONFIDENCE = Recorded("job:hailo_motif_confidence_ratio:mean1h", JOB)
MOTIF_SHARE = Recorded("job_motif:hailo_motif_top:share1h", (*JOB, "motif"))

# What dashboards may draw over days: the rates of all counters and histograms, recorded with every label.
LONG_RANGE_COUNTERS: tuple[Metric | BuiltIn, ...] = (
    *(metric for metric in all_metrics() if metric.kind is MetricKind.COUNTER),
    prometheus_metrics.PROCESS_CPU,
)
LONG_RANGE_HISTOGRAMS = {
    metric: ("_bucket", "_sum", "_count") for metric in all_metrics() if metric.kind is MetricKind.HISTOGRAM
}
LONG_RANGE_SECONDS = 300
# No series has this label: by its matchers a panel reads raw series or recorded ones (dashboards/long_range.py).
RESOLUTION = "resolution"


def long_range(source: Metric | BuiltIn, suffix: str = "") -> Recorded | None:
    """The recorded rate of a counter or of a part of a histogram, over five minutes; None if it is not recorded."""
    parts = LONG_RANGE_HISTOGRAMS.get(source, ()) if isinstance(source, Metric) else ()
    if suffix not in (parts or ([""] if source in LONG_RANGE_COUNTERS else [])):
        return None
    own = source.label_names if isinstance(source, Metric) else source.labels
    labels = (*TARGET, *own, *(("le",) if suffix == "_bucket" else ()))
    return Recorded(f"history:{source.name.removesuffix('_total')}{suffix}:rate5m", labels)


def _recorded(source: Metric | BuiltIn, suffix: str = "") -> Recorded:
    found = long_range(source, suffix)
    if found is None:
        raise ValueError(f"{source.name}{suffix} is not among the long ranges of {__name__}; add it there")
    return found


HISTORY_BUCKETS = _recorded(gateway.INFERENCE_DURATION, "_bucket")
HISTORY_REQUESTS = _recorded(gateway.INFERENCE_REQUESTS)
HISTORY_ERRORS = _recorded(gateway.INFERENCE_ERRORS)
HISTORY_SAMPLES = _recorded(gateway.SAMPLES_PROCESSED)
HISTORY_ANALYSES = _recorded(gateway.ANALYSES)
HISTORY_STAGES = Recorded("history:hailo_stage_duration_seconds:mean5m", ("stage",))
HISTORY_TEMPERATURE = Recorded("history:hailo_hardware_temperature_celsius:max5m", (*TARGET, "chip_id"))
HISTORY_UTILIZATION = Recorded("history:hailo_hardware_utilization_ratio:mean5m", (*TARGET, "chip_id"))
HISTORY_MEMORY = Recorded("history:hailo_memory_usage_bytes:max5m", (*TARGET, "memory_type"))
HISTORY_CPU = Recorded("history:hailo_cpu_usage_ratio:mean5m", TARGET)
HISTORY_LATENT_DRIFT = Recorded("history:hailo_latent_drift_score:max5m", TARGET)
HISTORY_MOTIF_DRIFT = Recorded("history:hailo_motif_drift_score:max5m", TARGET)
HISTORY_UP = Recorded("history:up:mean5m", TARGET)
# The worst of five minutes, as dashboards draw it: 0 healthy, 1 degraded, 2 unhealthy.
HISTORY_HEALTH = Recorded("history:edgeinfer_health_state:max5m", (*TARGET, "check"))
HISTORY_ALERTS = Recorded("history:alerts_firing:count", ("severity",))
HISTORY_FIRING = Recorded("history:alerts_firing:max5m", ("alertname", "severity", "instance"))
# Programs and models that run now, those that ran within the last day, and those that are new among them.
_VERSION = ("kind", "name", "version", "sha256")
VERSIONS = Recorded("edgeinfer:versions", _VERSION)
HISTORY_VERSIONS = Recorded("history:versions", _VERSION)
DEPLOYS = Recorded("edgeinfer:deploys", _VERSION)


def failure_ratio(window: str) -> Recorded:
    """Share of inference requests that failed over a window."""
    return Recorded(f"job:hailo_inference_failures:ratio_{_known(window)}", JOB)


def slow_ratio(window: str) -> Recorded:
    """Share of inference requests over the latency objective over a window."""
    return Recorded(f"job:hailo_inference_slow:ratio_{_known(window)}", JOB)


@dataclass(frozen=True, slots=True)
class Rule:
    """One recording rule."""

    record: Recorded
    expression: str
    labels: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Group:
    """Rules evaluated together, in order.

    Args:
        interval: how often, or empty for as often as is scraped.
    """

    name: str
    rules: tuple[Rule, ...]
    interval: str = ""


def groups() -> tuple[Group, ...]:
    return (
        Group("edgeinfer-latency", _latency()),
        Group("edgeinfer-indicators", _indicators(), interval="30s"),
        # Well within the five minutes that Prometheus looks back, so that an evaluation that comes late leaves no gap.
        Group("edgeinfer-long-windows", _long_windows(), interval="2m"),
        # A deploy shows within half a minute, and stays until the history below knows its version.
        Group("edgeinfer-deploys", _deploys(), interval="30s"),
        Group("edgeinfer-history", _history(), interval="5m"),
        Group("edgeinfer-long-range", _long_range_rates(), interval="5m"),
    )


def _latency() -> tuple[Rule, ...]:
    live = Queries("1m", {})
    buckets = Rule(BUCKETS, live.buckets(gateway.INFERENCE_DURATION, by=(*TARGET, "operation")))
    # Without requests a quantile is not a number: the comparison leaves it out, so that nothing is drawn.
    quantiles = (
        Rule(QUANTILE, f"histogram_quantile({fraction}, {BUCKETS.name}) >= 0", {"quantile": str(fraction)})
        for fraction in QUANTILES
    )
    return (buckets, *quantiles)


def _indicators() -> tuple[Rule, ...]:
    q = Queries("5m", {})
    timed = q.count(gateway.INFERENCE_DURATION, by=JOB)
    fast = q.at_most(LATENCY_OBJECTIVE_SECONDS, gateway.INFERENCE_DURATION, by=JOB)
    rates = (
        Rule(REQUESTS, q.rate(gateway.INFERENCE_REQUESTS, by=JOB)),
        Rule(FAILURES, q.rate(gateway.INFERENCE_REQUESTS, by=JOB, where={"status": "failure"})),
        Rule(TIMED, timed),
        Rule(SLOW, f"clamp_min({timed} - {fast}, 0)"),
        Rule(ERRORS, q.rate(gateway.INFERENCE_ERRORS, by=(*JOB, "error_type"))),
    )
    return (*rates, *_ratios(SHORT_WINDOWS))


def _long_windows() -> tuple[Rule, ...]:
    hour = Queries("1h", {})
    tops = model_output.MOTIF_TOP
    confidence = f"({hour.mean(model_output.MOTIF_CONFIDENCE, by=JOB)}) >= 0"
    share = f"{hour.rate(tops, by=(*JOB, 'motif'))} / on (job) group_left () ({hour.rate(tops, by=JOB)} > 0)"
    return (*_ratios(LONG_WINDOWS), Rule(CONFIDENCE, confidence), Rule(MOTIF_SHARE, share))


def _ratios(windows: tuple[str, ...]) -> tuple[Rule, ...]:
    failed = [Rule(failure_ratio(window), _over(FAILURES, REQUESTS, window)) for window in windows]
    slow = [Rule(slow_ratio(window), _over(SLOW, TIMED, window)) for window in windows]
    return (*failed, *slow)


def _over(part: Recorded, whole: Recorded, window: str) -> str:
    """Share over a window, weighted by traffic: quiet hours count as little as they carried."""
    if window == "5m":
        return f"{part.name} / ({whole.name} > 0)"
    return f"sum_over_time({part.name}[{window}]) / (sum_over_time({whole.name}[{window}]) > 0)"


def _deploys() -> tuple[Rule, ...]:
    """What runs, and of it what is new: what returns after an outage is not, and neither is the first start."""
    programs = " or ".join(info.name for info in (gateway.BUILD_INFO, sidecar.BUILD_INFO))
    # The history is two minutes behind, so that it cannot know a version before this has seen it.
    hour, day = (f"last_over_time({HISTORY_VERSIONS.name}[{window}] offset 2m)" for window in ("1h", "1d"))
    after_an_outage = f"({day} unless on (kind) count by (kind) ({hour}))"
    is_known = f"count by (kind) ({day})"
    return (
        Rule(VERSIONS, f"count by (version) ({programs})", {"kind": "program", "name": "EdgeInfer"}),
        Rule(VERSIONS, f"count by (name, version, sha256) ({sidecar.MODEL_INFO.name})", {"kind": "model"}),
        Rule(DEPLOYS, f"{VERSIONS.name} unless {hour} unless {after_an_outage} and on (kind) {is_known}"),
    )


def _history() -> tuple[Rule, ...]:
    q = Queries("5m", {})
    return (
        Rule(HISTORY_STAGES, f"({q.mean(sidecar.STAGE_DURATION, by=('stage',))}) >= 0"),
        Rule(HISTORY_STAGES, f"({q.mean(gateway.NETWORK_DURATION)}) >= 0", {"stage": "network"}),
        _over_time(HISTORY_TEMPERATURE, "max", device.TEMPERATURE.name),
        _over_time(HISTORY_UTILIZATION, "avg", device.UTILIZATION_RATIO.name),
        _over_time(HISTORY_MEMORY, "max", system.MEMORY_USAGE.name),
        _over_time(HISTORY_CPU, "avg", system.CPU_USAGE_RATIO.name),
        _over_time(HISTORY_LATENT_DRIFT, "max", model_output.LATENT_DRIFT.name),
        _over_time(HISTORY_MOTIF_DRIFT, "max", model_output.MOTIF_DRIFT.name),
        _over_time(HISTORY_UP, "avg", prometheus_metrics.UP.name),
        _health(),
        Rule(
            HISTORY_ALERTS,
            f'count by (severity) ({prometheus_metrics.ALERTS.name}{{alertstate="firing", severity!="none"}})',
        ),
        _over_time(
            HISTORY_FIRING,
            "max",
            f'{prometheus_metrics.ALERTS.name}{{alertstate="firing", severity=~"critical|warning"}}',
        ),
        Rule(HISTORY_VERSIONS, VERSIONS.name),
    )


def _health() -> Rule:
    """A check that was not run yet has no status."""
    status, by = gateway.HEALTH_STATUS.name, ", ".join(HISTORY_HEALTH.labels)
    every, degraded, unhealthy = (
        f"max by ({by}) (max_over_time({status}{where}[5m]))"
        for where in ("", *(f'{{status="{one}"}}' for one in labels.HEALTH_STATUSES[1:]))
    )
    return Rule(HISTORY_HEALTH, f"({degraded} + {unhealthy} * (2 - {degraded})) and {every} > 0")


def _long_range_rates() -> tuple[Rule, ...]:
    parts = [(source, "") for source in LONG_RANGE_COUNTERS]
    parts += [(source, suffix) for source, suffixes in LONG_RANGE_HISTOGRAMS.items() for suffix in suffixes]
    records = ((_recorded(source, suffix), f"{source.name}{suffix}") for source, suffix in parts)
    return tuple(
        Rule(record, f"sum by ({', '.join(record.labels)}) (rate({name}[{LONG_RANGE_SECONDS // 60}m]))")
        for record, name in records
    )


def _over_time(record: Recorded, how: str, name: str) -> Rule:
    return Rule(record, f"{how} by ({', '.join(record.labels)}) ({how}_over_time({name}[5m]))")


def _known(window: str) -> str:
    if window not in WINDOWS:
        raise ValueError(f"no ratio is recorded over {window}; add it to the windows of {__name__}")
    return window
