"""Recording rules give the numbers that they are named for, on the real rule binary."""

import dataclasses
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from edgeinfer.catalog.buckets import LATENCY_SECONDS
from edgeinfer.monitoring import recording, rules
from edgeinfer.monitoring.alerts.rule_test import Values, counter, gauge
from edgeinfer.monitoring.recording import Rule, groups
from tools.promql_lint import faults, known_series
from tools.promql_tree import names_in
from tools.promtool_tests import Case, notation, run
from tools.rule_mutants import Mutant, mutants_of_rule

GATEWAY = 'job="edge-infer", instance="g:1"'
SIDECAR = 'job="hailo-inference", instance="s:1"'
EXPORTER = 'job="hailo-exporter", instance="e:1"'
LENGTH = 3600
AT = 3000


def _histogram(name: str, labels: str, per_second: float, at_most: Mapping[str, float]) -> dict[str, Values]:
    """A histogram that gets so many observations a second, with this share at most each edge."""
    buckets = {
        f'{name}_bucket{{{labels}, le="{edge}"}}': counter((per_second * share, LENGTH))
        for edge, share in at_most.items()
    }
    return buckets | {f"{name}_count{{{labels}}}": counter((per_second, LENGTH))}


def _health(check: str, degraded: Values, unhealthy: Values) -> dict[str, Values]:
    of = {"degraded": degraded, "unhealthy": unhealthy}
    return {
        f'edgeinfer_health_status{{{GATEWAY}, check="{check}", status="{status}"}}': values
        for status, values in of.items()
    }


DURATION = "hailo_inference_duration_seconds"
SPREAD = {"0.05": 0.5, "0.1": 0.75, "0.15": 1.0, "+Inf": 1.0}
SERIES: dict[str, Values] = {
    f'hailo_inference_requests_total{{{GATEWAY}, operation="process", status="success"}}': counter((6, LENGTH)),
    f'hailo_inference_requests_total{{{GATEWAY}, operation="motifs", status="success"}}': counter((2, LENGTH)),
    f'hailo_inference_requests_total{{{GATEWAY}, operation="process", status="failure"}}': counter((2, LENGTH)),
    f'hailo_inference_errors_total{{{GATEWAY}, error_type="timeout"}}': counter((2, LENGTH)),
    f'hailo_samples_processed_total{{{GATEWAY}, metric="latent_vectors"}}': counter((8, LENGTH)),
    f'edgeinfer_analyses_total{{{GATEWAY}, operation="process", source="sidecar"}}': counter((8, LENGTH)),
    **_histogram(DURATION, f'{GATEWAY}, operation="process"', 8, SPREAD),
    f'hailo_sidecar_stage_duration_seconds_sum{{{SIDECAR}, stage="execute"}}': counter((0.016, LENGTH)),
    f'hailo_sidecar_stage_duration_seconds_count{{{SIDECAR}, stage="execute"}}': counter((8, LENGTH)),
    f"edgeinfer_network_duration_seconds_sum{{{GATEWAY}}}": counter((0.024, LENGTH)),
    f"edgeinfer_network_duration_seconds_count{{{GATEWAY}}}": counter((8, LENGTH)),
    f"hailo_motif_confidence_ratio_sum{{{GATEWAY}}}": counter((6, LENGTH)),
    f"hailo_motif_confidence_ratio_count{{{GATEWAY}}}": counter((8, LENGTH)),
    f'hailo_motif_top_total{{{GATEWAY}, motif="m1"}}': counter((6, LENGTH)),
    f'hailo_motif_top_total{{{GATEWAY}, motif="m2"}}': counter((2, LENGTH)),
    f'hailo_hardware_temperature_celsius{{{EXPORTER}, chip_id="c"}}': gauge((50, 2850), (70, 15), (50, 735)),
    f'hailo_hardware_utilization_ratio{{{EXPORTER}, chip_id="c"}}': gauge((0.5, LENGTH)),
    f'hailo_memory_usage_bytes{{{SIDECAR}, memory_type="process_resident"}}': gauge((9e7, 2850), (1e8, 15), (9e7, 735)),
    f"hailo_cpu_usage_ratio{{{SIDECAR}}}": gauge((0.25, LENGTH)),
    f"hailo_latent_drift_score{{{GATEWAY}}}": gauge((0.1, 2850), (0.2, 15), (0.1, 735)),
    f"hailo_motif_drift_score{{{GATEWAY}}}": gauge((0.1, 2850), (0.3, 15), (0.1, 735)),
    f"up{{{GATEWAY}}}": gauge((1, LENGTH)),
    **_health("unhealthy", gauge((0, LENGTH)), gauge((0, 2850), (1, 15), (0, 735))),
    **_health("both", gauge((0, 2850), (1, 15), (0, 735)), gauge((0, 2865), (1, 15), (0, 720))),
    **_health("degraded", gauge((1, LENGTH)), gauge((0, LENGTH))),
    **_health("never run", gauge((0, LENGTH)), gauge((0, LENGTH))),
    f'edgeinfer_build_info{{{GATEWAY}, version="1"}}': gauge((1, 2970), (None, LENGTH - 2970)),
    f'edgeinfer_build_info{{{GATEWAY}, version="2"}}': gauge((None, 2970), (1, LENGTH - 2970)),
    'ALERTS{alertname="A", alertstate="firing", severity="warning"}': gauge((1, LENGTH)),
    'ALERTS{alertname="B", alertstate="pending", severity="warning"}': gauge((1, LENGTH)),
    'ALERTS{alertname="W", alertstate="firing", severity="none"}': gauge((1, LENGTH)),
}


# The rates of the long ranges that are not among the above: one series each, of this growth.
LONG_RANGE_PER_SECOND = 3.0
_KNOWN = {name.split("{", maxsplit=1)[0] for name in SERIES}
LONG_RANGE = {
    found[1]: rule
    for group in groups()
    if group.name == "edgeinfer-long-range"
    for rule in group.rules
    if (found := re.search(r"rate\((\w+)\[", rule.expression)) and found[1] not in _KNOWN
}
SERIES |= {
    name + "{" + ", ".join(f'{label}="1"' for label in rule.record.labels) + "}": counter(
        (LONG_RANGE_PER_SECOND, LENGTH)
    )
    for name, rule in LONG_RANGE.items()
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a query must give on the series above, rounded to six digits."""

    query: str
    value: float


JOB = '{job="edge-infer"}'
WANTED = (
    Wanted(f'{DURATION}{{operation="process", quantile="0.5"}}', 0.05),
    Wanted(f'{DURATION}{{operation="process", quantile="0.9"}}', 0.13),
    Wanted(f'{DURATION}{{operation="process", quantile="0.95"}}', 0.14),
    Wanted(f'{DURATION}{{operation="process", quantile="0.99"}}', 0.148),
    Wanted('instance:hailo_inference_duration_seconds_bucket:rate1m{le="0.1"}', 6),
    Wanted(f"job:hailo_inference_requests:rate5m{JOB}", 10),
    Wanted(f"job:hailo_inference_failures:rate5m{JOB}", 2),
    Wanted(f"job:hailo_inference_timed:rate5m{JOB}", 8),
    Wanted(f"job:hailo_inference_slow:rate5m{JOB}", 2),
    Wanted('job_error_type:hailo_inference_errors:rate5m{error_type="timeout"}', 2),
    *(Wanted(f"job:hailo_inference_failures:ratio_{window}{JOB}", 0.2) for window in recording.WINDOWS),
    *(Wanted(f"job:hailo_inference_slow:ratio_{window}{JOB}", 0.25) for window in recording.WINDOWS),
    Wanted(f"job:hailo_motif_confidence_ratio:mean1h{JOB}", 0.75),
    Wanted('job_motif:hailo_motif_top:share1h{motif="m1"}', 0.75),
    Wanted('history:hailo_inference_duration_seconds_bucket:rate5m{le="0.1"}', 6),
    Wanted('history:hailo_inference_requests:rate5m{operation="process", status="success"}', 6),
    Wanted("history:hailo_inference_duration_seconds_count:rate5m", 8),
    Wanted("history:hailo_sidecar_stage_duration_seconds_sum:rate5m", 0.016),
    Wanted("history:hailo_sidecar_stage_duration_seconds_count:rate5m", 8),
    Wanted("history:edgeinfer_network_duration_seconds_sum:rate5m", 0.024),
    Wanted("history:edgeinfer_network_duration_seconds_count:rate5m", 8),
    Wanted("history:hailo_motif_confidence_ratio_sum:rate5m", 6),
    Wanted("history:hailo_motif_confidence_ratio_count:rate5m", 8),
    Wanted('history:hailo_motif_top:rate5m{motif="m1"}', 6),
    *(Wanted(rule.record.name, LONG_RANGE_PER_SECOND) for rule in LONG_RANGE.values()),
    Wanted('history:hailo_inference_errors:rate5m{error_type="timeout"}', 2),
    Wanted("history:hailo_samples_processed:rate5m", 8),
    Wanted("history:edgeinfer_analyses:rate5m", 8),
    Wanted('history:hailo_stage_duration_seconds:mean5m{stage="execute"}', 0.002),
    Wanted('history:hailo_stage_duration_seconds:mean5m{stage="network"}', 0.003),
    Wanted("history:hailo_hardware_temperature_celsius:max5m", 70),
    Wanted("history:hailo_hardware_utilization_ratio:mean5m", 0.5),
    Wanted("history:hailo_memory_usage_bytes:max5m", 1e8),
    Wanted("history:hailo_cpu_usage_ratio:mean5m", 0.25),
    Wanted("history:hailo_latent_drift_score:max5m", 0.2),
    Wanted("history:hailo_motif_drift_score:max5m", 0.3),
    Wanted("history:up:mean5m", 1),
    Wanted('history:edgeinfer_health_state:max5m{check="unhealthy"}', 2),
    Wanted('history:edgeinfer_health_state:max5m{check="both"}', 2),
    Wanted('history:edgeinfer_health_state:max5m{check="degraded"}', 1),
    # Absent: the number is that of the fallback.
    Wanted('history:edgeinfer_health_state:max5m{check="never run"} or vector(-7)', -7),
    Wanted("history:alerts_firing:count", 1),
    Wanted('history:alerts_firing:max5m{alertname="A", severity="warning"}', 1),
    Wanted('edgeinfer:versions{kind="program", name="EdgeInfer", version="1"}', 1),
    Wanted('history:versions{kind="program", name="EdgeInfer", version="1"}', 1),
    Wanted('edgeinfer:deploys{kind="program", name="EdgeInfer", version="2"}', 1),
)
# Without requests a share is absent: it is not zero, and not "not a number".
ABSENT = (
    DURATION,
    *(recording.failure_ratio(window).name for window in recording.WINDOWS),
    *(recording.slow_ratio(window).name for window in recording.WINDOWS),
    "job:hailo_motif_confidence_ratio:mean1h",
    "job_motif:hailo_motif_top:share1h",
    "history:hailo_stage_duration_seconds:mean5m",
)


def _case(name: str, every: Sequence[Rule]) -> Case:
    """Rules against the values that are wanted of their series, with traffic and without."""
    group = rules.recording_group(recording.Group("all", tuple(every)))
    names = {rule.record.name for rule in every}
    # What no rule reads changes no number, and takes most of the time.
    read = {name for rule in every for name in names_in(rule.expression)}
    series = {name: values for name, values in SERIES.items() if name.split("{", maxsplit=1)[0] in read}
    return Case(name, [group], {"evaluation_interval": "15s", "tests": [_busy(series, names), *_idle(series, names)]})


def _needed(rule: Rule) -> list[Rule]:
    """The rules that a rule reads, and itself, in order."""
    every = [one for group in groups() for one in group.rules]
    names = names_in(rule.expression)
    found = [inner for one in every if one.record.name in names and one is not rule for inner in _needed(one)]
    return [*found, rule]


def _test(series: Mapping[str, Values], wanted: list[dict[str, Any]]) -> dict[str, Any]:
    inputs = [{"series": name, "values": notation(values, 15)} for name, values in series.items()]
    return {"interval": "15s", "input_series": inputs, "promql_expr_test": wanted}


def _busy(series: Mapping[str, Values], names: set[str]) -> dict[str, Any]:
    # promtool compares numbers exactly, and a rate is rarely exact in its last digit.
    wanted = [
        {
            "expr": f"round(max({one.query}), 0.000001)",
            "eval_time": f"{AT + 7}s",
            "exp_samples": [{"labels": "{}", "value": one.value}],
        }
        for one in WANTED
        if one.query.split("{", maxsplit=1)[0] in names
    ]
    return _test(series, wanted)


def _idle(series: Mapping[str, Values], names: set[str]) -> list[dict[str, Any]]:
    still = {name: counter((0, LENGTH)) if values.counts else values for name, values in series.items()}
    nothing = [{"labels": "{}", "value": 0}]
    wanted = [
        {"expr": f"count({name}) or vector(0)", "eval_time": f"{AT}s", "exp_samples": nothing}
        for name in ABSENT
        if name in names
    ]
    return [_test(still, wanted)] if wanted else []


def test_recorded_series_have_the_values_they_are_named_for(promtool: Path, tmp_path: Path) -> None:
    every = [rule for group in groups() for rule in group.rules]
    assert run(promtool, [_case("rules", every)], tmp_path) == {}


def test_every_recorded_series_is_asked_for() -> None:
    asked = " ".join(one.query for one in WANTED)
    assert [rule.record.name for group in groups() for rule in group.rules if rule.record.name not in asked] == []


@pytest.mark.timeout(240)
# The rates of long ranges have nothing that could be changed: no number, no comparison. Deploys take days:
# test_deploy_marks.py.
@pytest.mark.parametrize(
    "group",
    [one for one in groups() if one.name not in ("edgeinfer-long-range", "edgeinfer-deploys")],
    ids=lambda group: group.name,
)
def test_a_changed_recording_rule_is_noticed(group: recording.Group, promtool: Path, tmp_path: Path) -> None:
    mutants = {
        f"rule-{number}-{count}": (rule, mutant)
        for number, rule in enumerate(group.rules)
        for count, mutant in enumerate(mutants_of_rule(rule))
        if not _means_the_same(mutant)
    }
    cases = [
        _case(name, [*_needed(rule)[:-1], dataclasses.replace(rule, expression=mutant.expression)])
        for name, (rule, mutant) in mutants.items()
    ]
    killed = run(promtool, cases, tmp_path) if cases else {}
    survivors = [f"{rule.record.name}: {mutant.what}" for name, (rule, mutant) in mutants.items() if name not in killed]
    assert len(mutants) >= 1
    assert survivors == []


def _means_the_same(mutant: Mutant) -> bool:
    """At least zero only takes out what is not a number; a total above zero has no use for another limit."""
    return mutant.what.endswith("to '>'") or "-> -1" in mutant.what or "-> 1" in mutant.what


def test_every_expression_reads_what_exists() -> None:
    known = known_series()
    rules_with_faults = {
        rule.record.name: found
        for group in groups()
        for rule in group.rules
        if (found := faults(rule.expression, known))
    }
    assert rules_with_faults == {}


def test_a_recorded_series_is_named_for_its_window() -> None:
    """Numbers of a steady load would not distinguish one window from another."""
    # Deploys have no number: whether they are there follows from two windows.
    for rule in (rule for group in groups() for rule in group.rules if group.name != "edgeinfer-deploys"):
        windows = set(re.findall(r"\[(\w+)\]", rule.expression))
        named = re.search(r"(?:rate|mean|max|ratio_|share)(\d+[smhd])$", rule.record.name)
        assert windows <= ({named[1]} if named else set()), rule.record.name


def test_the_latency_objective_is_an_edge_of_the_histogram() -> None:
    assert 0.1 in LATENCY_SECONDS


def test_a_window_that_is_not_recorded_is_refused() -> None:
    with pytest.raises(ValueError, match="no ratio is recorded over 2h"):
        recording.failure_ratio("2h")
