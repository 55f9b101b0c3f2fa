"""Recording rules under the names of the predecessor's metrics, for those who bring its dashboards and alerts.

They are optional and loaded by nobody who does not ask. No rule writes a rate of ours a second time: where the
predecessor gave one of our names other labels, a rule may add a constant, whose rate is zero, and nothing else;
the labels of the gateway's HTTP metrics are copied when they are scraped (`LABEL_COPIES`).
"""

from typing import Any

from edgeinfer.catalog import gateway, model_output
from edgeinfer.monitoring import prometheus_metrics, recording
from edgeinfer.monitoring.promql import Match, Recorded, one_of, selector
from edgeinfer.monitoring.recording import BUCKETS, QUANTILE, TARGET, Group, Rule

OPERATION = "tcn_vae_inference"
_GATEWAY = {"job": "edge-infer"}
_ROUTED = (*TARGET, "method", "route", "status")
_STREAM = "/api/v1/analysis/stream"
# As its dashboards ask for them: one as "0.5", the other as "0.50".
_HAILO_QUANTILES = (0.5, 0.95, 0.99)

LABEL_COPIES: list[dict[str, Any]] = [
    {"source_labels": [ours], "regex": "(.+)", "target_label": theirs}
    for ours, theirs in (("endpoint", "route"), ("status_code", "status"))
]
"""`metric_relabel_configs` of the gateway's scrape job: its dashboard asks for `route` and `status`."""


def groups() -> tuple[Group, ...]:
    """Every rule, in one group for each of its dashboards."""
    return (
        Group("predecessor-hailo", (*_inference(), *_health(), *_dimensions())),
        Group("predecessor-gateway", (*_process(), *_sessions(), *_gateway_quantiles(), *_checks())),
        Group("predecessor-api", _requests()),
    )


def _inference() -> tuple[Rule, ...]:
    """Quantiles over all operations: it knew one."""
    buckets = f"sum by ({', '.join((*TARGET, 'le'))}) ({BUCKETS.name})"
    return tuple(
        Rule(
            QUANTILE,
            f"histogram_quantile({fraction}, {buckets}) >= 0",
            {"operation": OPERATION, "quantile": str(fraction)},
        )
        for fraction in _HAILO_QUANTILES
    )


def _health() -> tuple[Rule, ...]:
    """The state of the sidecars as 1, in place of counts of checks among the counts of requests."""
    requests = Recorded(gateway.INFERENCE_REQUESTS.name, (*TARGET, "operation", "status"))
    duration = Recorded(gateway.INFERENCE_DURATION.name, (*TARGET, "operation"))
    check: dict[str, str | Match] = {"check": "hailo_backend"}
    found = {"healthy": one_of("healthy"), "unhealthy": one_of("degraded", "unhealthy")}
    states = (
        Rule(
            requests,
            f"sum by (job, instance) ({selector(gateway.HEALTH_STATUS, check | {'status': statuses})}) == 1",
            {"operation": "hailo_sidecar", "status": status},
        )
        for status, statuses in found.items()
    )
    return (
        *states,
        Rule(
            duration,
            f"max by (job, instance) ({selector(gateway.HEALTH_DURATION, check)})",
            {"operation": "hailo_sidecar_health"},
        ),
    )


def _dimensions() -> tuple[Rule, ...]:
    samples = Recorded(gateway.SAMPLES_PROCESSED.name, (*TARGET, "metric"))
    return tuple(
        Rule(
            samples,
            f"max by (job, instance) ({selector(model_output.OUTPUT_DIMENSIONS, {'output': output})})",
            {"metric": theirs},
        )
        for output, theirs in (("latent", "latent_dimensions"), ("motif_scores", "motif_classes"))
    )


def _process() -> tuple[Rule, ...]:
    started = selector(prometheus_metrics.STARTED, _GATEWAY)
    memory = selector(prometheus_metrics.PROCESS_MEMORY, _GATEWAY)
    return (
        Rule(Recorded("edgeinfer_uptime_seconds", TARGET), f"time() - max by (job, instance) ({started})"),
        Rule(Recorded("edgeinfer_memory_usage_bytes", TARGET), f"max by (job, instance) ({memory})"),
    )


def _sessions() -> tuple[Rule, ...]:
    record = Recorded("edgeinfer_sessions_total", (*TARGET, "stage"))
    stages = {
        "started": selector(gateway.SESSIONS_STARTED),
        "stopped": selector(gateway.SESSIONS_ENDED, {"reason": "stopped"}),
        "stream_events": selector(gateway.HTTP_REQUESTS, {"endpoint": _STREAM, "status_code": "202"}),
        "total_samples": selector(gateway.SAMPLES_RECEIVED),
    }
    return tuple(
        Rule(record, f"sum by (job, instance) ({source})", {"stage": stage}) for stage, source in stages.items()
    )


def _gateway_quantiles() -> tuple[Rule, ...]:
    record = Recorded("edgeinfer_inference_duration_seconds", (*TARGET, "operation", "quantile"))
    ours = {f"{fraction:.2f}": str(fraction) for fraction in recording.QUANTILES if fraction in _HAILO_QUANTILES}
    return tuple(
        Rule(record, f'{QUANTILE.name}{{operation!="{OPERATION}", quantile="{quantile}"}}', {"quantile": theirs})
        for theirs, quantile in ours.items()
    )


def _checks() -> tuple[Rule, ...]:
    """1 for what each check found last, 0 for what it did not find, in place of counts."""
    joined = f'label_join({gateway.HEALTH_STATUS.name}, "result", "_", "check", "status")'
    record = Recorded("edgeinfer_health_checks_total", (*TARGET, "result"))
    return (Rule(record, f"max by (job, instance, result) ({joined})"),)


def _requests() -> tuple[Rule, ...]:
    duration = gateway.HTTP_DURATION
    parts = {"_bucket": ("le",), "_sum": (), "_count": ()}
    timed = (
        Rule(
            Recorded(f"http_request_duration_seconds{suffix}", (*TARGET, "method", "route", *more)),
            _renamed(f"{duration.name}{suffix}", (*TARGET, "method", "route", *more)),
        )
        for suffix, more in parts.items()
    )
    return (Rule(Recorded("http_requests_total", _ROUTED), _renamed(gateway.HTTP_REQUESTS.name, _ROUTED)), *timed)


def _renamed(name: str, by: tuple[str, ...]) -> str:
    inner = f'label_replace({name}, "route", "$1", "endpoint", "(.+)")'
    if "status" in by:
        inner = f'label_replace({inner}, "status", "$1", "status_code", "(.+)")'
    return f"sum by ({', '.join(by)}) ({inner})"
