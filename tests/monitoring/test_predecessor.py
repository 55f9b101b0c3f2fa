"""The predecessor's dashboards and alerts draw and fire by the optional rules, and ours see no difference."""

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from edgeinfer.catalog.all import all_metrics
from edgeinfer.monitoring import predecessor, prometheus_metrics, recording, rules
from edgeinfer.monitoring.alerts.rule_test import Values, counter, gauge
from tests.monitoring import test_recording
from tools.promql_lint import known_series
from tools.promql_tree import names_in
from tools.promtool_tests import Case, notation, run

PAGE = Path("docs/guides/come-from-the-predecessor.md")
GATEWAY = 'job="edge-infer", instance="g:1"'
LENGTH, AT = 1200, 1000
_STREAM = 'method="PUT", endpoint="/api/v1/analysis/stream", route="/api/v1/analysis/stream"'
HTTP, TIMED = "edgeinfer_http_requests_total", "edgeinfer_http_request_duration_seconds"
TAKEN, INFER = "hailo_inference_duration_seconds", "hailo_inference_requests_total"
PROCESSED = "hailo_samples_processed_total"


def state(check: str, found: str) -> dict[str, Values]:
    return {
        f'edgeinfer_health_status{{{GATEWAY}, check="{check}", status="{status}"}}': gauge((status == found, LENGTH))
        for status in ("healthy", "degraded", "unhealthy")
    }


# A gateway as Prometheus has it, with the copies of labels that the page asks for.
SERIES: dict[str, Values] = {
    **{
        f'{HTTP}{{{GATEWAY}, {_STREAM}, status_code="{status}", status="{status}"}}': counter((rate, LENGTH))
        for status, rate in (("202", 9), ("400", 1))
    },
    f'{TIMED}_bucket{{{GATEWAY}, {_STREAM}, le="0.1"}}': counter((8, LENGTH)),
    f'{TIMED}_bucket{{{GATEWAY}, {_STREAM}, le="+Inf"}}': counter((10, LENGTH)),
    f"{TIMED}_sum{{{GATEWAY}, {_STREAM}}}": counter((0.5, LENGTH)),
    f"{TIMED}_count{{{GATEWAY}, {_STREAM}}}": counter((10, LENGTH)),
    f'edgeinfer_http_errors_total{{{GATEWAY}, error_type="invalid_body"}}': counter((1, LENGTH)),
    f"edgeinfer_sessions_started_total{{{GATEWAY}}}": counter((0.5, LENGTH)),
    f'edgeinfer_sessions_ended_total{{{GATEWAY}, reason="stopped"}}': counter((0.5, LENGTH)),
    f"edgeinfer_samples_received_total{{{GATEWAY}}}": counter((100, LENGTH)),
    f'{INFER}{{{GATEWAY}, operation="process", status="success"}}': counter((4, LENGTH)),
    f'{INFER}{{{GATEWAY}, operation="process", status="failure"}}': counter((1, LENGTH)),
    f'hailo_inference_errors_total{{{GATEWAY}, error_type="timeout"}}': counter((1, LENGTH)),
    **test_recording._histogram(TAKEN, f'{GATEWAY}, operation="process"', 4, {"0.05": 0.5, "0.1": 1.0, "+Inf": 1.0}),
    f'{TAKEN}_sum{{{GATEWAY}, operation="process"}}': counter((0.2, LENGTH)),
    **{
        f'{PROCESSED}{{{GATEWAY}, metric="{metric}"}}': counter((4, LENGTH))
        for metric in ("samples_processed", "latent_vectors", "motif_predictions")
    },
    f'hailo_model_output_dimensions{{{GATEWAY}, output="latent"}}': gauge((64, LENGTH)),
    f'hailo_model_output_dimensions{{{GATEWAY}, output="motif_scores"}}': gauge((12, LENGTH)),
    **state("hailo_backend", "healthy"),
    **state("service", "healthy"),
    f'edgeinfer_health_check_duration_seconds{{{GATEWAY}, check="hailo_backend"}}': gauge((0.003, LENGTH)),
    f"process_resident_memory_bytes{{{GATEWAY}}}": gauge((9e7, LENGTH)),
    f"process_start_time_seconds{{{GATEWAY}}}": gauge((100, LENGTH)),
}


def quantiles(name: str, *fractions: str, by: str = "") -> list[str]:
    return [f'{name}{{quantile="{fraction}"{by}}} * 1000' for fraction in fractions]


def from_buckets(name: str, *fractions: str, where: str = "") -> list[str]:
    return [
        f"histogram_quantile({fraction}, sum by (le, route) (rate({name}_bucket{where}[5m])))" for fraction in fractions
    ]


_ONE = f', operation="{predecessor.OPERATION}"'
_ANY = '{route=~".*",method=~".*"}'
_FAILED = '{status=~"5..|4..",route=~".*"}'
# What its three dashboards ask, made from their parts: 19, 18 and 9 queries.
HAILO = [
    f"sum(rate({INFER}[5m])) * 60",
    f'sum({INFER}{{status="success"}}) / sum({INFER}) * 100',
    *(f"sum by ({label}) (rate({INFER}[5m]))" for label in ("operation", "status")),
    *quantiles(TAKEN, "0.95", "0.5", "0.95", "0.99", by=_ONE),
    " / ".join(f'rate({TAKEN}_{part}{{operation="tcn_vae_inference"}}[5m])' for part in ("sum", "count")),
    "sum by (error_type) (rate(hailo_inference_errors_total[5m]))",
    f'{INFER}{{operation="hailo_sidecar",status="healthy"}}',
    f'{INFER}{{operation="hailo_sidecar",status="unhealthy"}}',
    f'rate({PROCESSED}{{metric="samples_processed"}}[5m]) * 60',
    *(
        f'rate({PROCESSED}{{metric="{metric}"}}[5m])'
        for metric in ("samples_processed", "latent_vectors", "motif_predictions")
    ),
    *(f'{PROCESSED}{{metric="{metric}"}}' for metric in ("latent_dimensions", "motif_classes")),
    f'{TAKEN}{{operation="hailo_sidecar_health"}} * 1000',
]
GATEWAY_DASHBOARD = [
    "edgeinfer_uptime_seconds",
    f"sum(rate({HTTP}[5m])) * 60",
    "edgeinfer_memory_usage_bytes / 1024 / 1024",
    "edgeinfer_memory_usage_bytes",
    f'sum by (route, method) (rate({HTTP}{{route!=""}}[5m]))',
    f'sum by (status) ({HTTP}{{status!=""}})',
    *from_buckets(TIMED, "0.50", "0.95", "0.99", where='{route!=""}'),
    f"sum by (route, method) (rate(edgeinfer_http_errors_total[5m])) / sum by (route, method) (rate({HTTP}[5m])) * 100",
    *quantiles("edgeinfer_inference_duration_seconds", "0.50", "0.95", "0.99"),
    *(
        f'edgeinfer_sessions_total{{stage="{stage}"}}'
        for stage in ("started", "stopped", "stream_events", "total_samples")
    ),
    'edgeinfer_health_checks_total{result=~".*_healthy"}',
]
FIRST = [
    f"sum by (route, method) (rate(http_requests_total{_ANY}[1m]))",
    f"sum(rate(http_requests_total{_FAILED}[1m])) / ignoring(status) sum(rate(http_requests_total{_ANY}[1m])) * 100",
    *from_buckets("http_request_duration_seconds", "0.50", "0.90", "0.99", where='{route=~".*"}'),
    'sum by (route) (rate(http_requests_total{route=~".*"}[1m]))',
    f"sum by (route) (rate(http_requests_total{_FAILED}[1m]))",
    " / ".join(f"sum by (route) (rate(http_request_duration_seconds_{part}[1m]))" for part in ("sum", "count")),
    f"sum by (status) (rate(http_requests_total{_ANY}[1m]))",
]
HEALTHY, UNHEALTHY = HAILO[10:12]


def every_group() -> list[dict[str, Any]]:
    found = [*recording.groups(), *predecessor.groups()]
    return [rules.recording_group(recording.Group("all", tuple(rule for group in found for rule in group.rules)))]


def case_of(queries: list[str], empty: list[str], series: Mapping[str, Values]) -> Case:
    """Queries that all give something, but for those that are to be empty."""
    inputs = [{"series": name, "values": notation(values, 15)} for name, values in series.items()]
    wanted = [
        {
            "expr": f"(count(({query}) > -Inf) or vector(0)) > bool 0",
            "eval_time": f"{AT}s",
            "exp_samples": [{"labels": "{}", "value": int(query not in empty)}],
        }
        for query in queries
    ]
    test = {"interval": "15s", "input_series": inputs, "promql_expr_test": wanted}
    return Case("queries", every_group(), {"evaluation_interval": "15s", "tests": [test]})


def edited(queries: list[str], folder: Path) -> list[str]:
    """The queries after the edits that the page asks for."""
    path = folder / "queries.json"
    path.write_text("\n".join(queries))
    commands = re.findall(r"^sed -i (?:.|\n)*?(?=\n```)", PAGE.read_text("utf-8"), re.MULTILINE)
    assert len(commands) == 1
    text = re.sub(r"\S+\.json\b", str(path), commands[0])
    subprocess.run(["bash", "-c", text], check=True, timeout=20)
    return path.read_text().split("\n")


def test_the_queries_are_as_many_as_its_dashboards_have() -> None:
    assert (len(HAILO), len(GATEWAY_DASHBOARD), len(FIRST)) == (19, 18, 9)


def test_its_dashboards_draw_after_the_two_edits_of_the_page(promtool: Path, tmp_path: Path) -> None:
    queries = [*HAILO, *GATEWAY_DASHBOARD, *FIRST]
    by_hand = [query for query in queries if "_sum{operation" in query or "edgeinfer_http_errors_total" in query]
    assert run(promtool, [case_of(queries, [*by_hand, UNHEALTHY], SERIES)], tmp_path) == {}
    after = edited(queries, tmp_path)
    assert [one for one, two in zip(queries, after, strict=True) if one != two] == by_hand
    assert run(promtool, [case_of(after, [UNHEALTHY], SERIES)], tmp_path) == {}


def test_a_sidecar_that_is_not_healthy_is_drawn_as_such(promtool: Path, tmp_path: Path) -> None:
    lost = SERIES | state("hailo_backend", "unhealthy")
    assert run(promtool, [case_of([UNHEALTHY, HEALTHY], [HEALTHY], lost)], tmp_path) == {}


def test_our_own_series_are_what_they_were(promtool: Path, tmp_path: Path) -> None:
    theirs = [rule for group in predecessor.groups() for rule in group.rules]
    ours = [rule for group in recording.groups() for rule in group.rules]
    case = test_recording._case("rules", [*ours, *theirs])
    # What the rules of ours read is there in full, and health flips in the middle of it.
    flips = {
        f'edgeinfer_health_status{{{GATEWAY}, check="hailo_backend", status="{status}"}}': gauge(
            (status == "healthy", 2850), (status != "healthy", 120), (status == "healthy", 630)
        )
        for status in ("healthy", "unhealthy")
    }
    flips[f'hailo_model_output_dimensions{{{GATEWAY}, output="latent"}}'] = gauge((64, 3600))
    case.test["tests"][0]["input_series"] += [
        {"series": name, "values": notation(values, 15)} for name, values in flips.items()
    ]
    assert run(promtool, [case], tmp_path) == {}


def test_the_rules_read_what_exists() -> None:
    known = known_series().keys() | {metric.name for metric in all_metrics()}
    known |= {prometheus_metrics.STARTED.name, prometheus_metrics.PROCESS_MEMORY.name}
    read = {name for group in predecessor.groups() for rule in group.rules for name in names_in(rule.expression)}
    assert read - known == set()


def test_the_page_shows_the_label_copies_that_are_meant() -> None:
    shown = re.search(r"```yaml\n(metric_relabel_configs:\n.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert shown is not None
    assert yaml.safe_load(shown[1]) == {"metric_relabel_configs": predecessor.LABEL_COPIES}


@pytest.mark.parametrize("group", predecessor.groups(), ids=lambda group: group.name)
def test_no_rule_gives_a_rate_of_ours_a_second_time(group: recording.Group) -> None:
    ours = {name for metric in all_metrics() for name in metric.series_names}
    for rule in group.rules:
        if rule.record.name in ours and rule.record.name != recording.QUANTILE.name:
            assert "rate(" not in rule.expression
            assert rule.expression.endswith("== 1") or "hailo_model_output_dimensions" in rule.expression
