"""A panel shows the same numbers from recorded series as from raw ones, within its resolution, on real Prometheus."""

from pathlib import Path
from typing import Any

from edgeinfer.monitoring import files, recording, rules
from edgeinfer.monitoring.alerts.rule_test import Values, counter, gauge
from tools.backfill import Line, series_lines
from tools.promql_lint import substituted
from tools.promql_tree import names_in
from tools.promtool_tests import Case, notation, run

_INTERVAL_SECONDS = 30
# Between two evaluations of the recording rules, as the points of a dashboard are.
_AT_SECONDS = 5417
# Twice as busy in the second half of what `$__range` covers, so that another window gives other numbers.
_CHANGE_SECONDS, _LENGTH_SECONDS = 3600, 5700
_VARIABLES = {
    "$__rate_interval": "930s",
    "$__interval": "15m",
    "$__range": "1h",
    **dict.fromkeys(("$job", "$instance", "$chip"), ".+"),
}
_TOLERANCE = 0.05
_SOURCES = {"raw": ".*", "recorded": ".+"}


def _queries(documents: dict[str, dict[str, Any]]) -> dict[str, str]:
    """Every expression that has two sources, by where it stands."""
    return {
        f"{document['uid']} {panel['title']} {target['refId']}": target["expr"]
        for document in documents.values()
        for panel in files.all_panels(document)
        for target in panel.get("targets", ())
        if f"${recording.RESOLUTION}" in target["expr"]
    }


def _read(queries: dict[str, str]) -> set[str]:
    """Names of the series that the expressions read, and of those that are recorded of them."""
    direct = set().union(*(names_in(substituted(expression)) for expression in queries.values()))
    of_rules = (rule for group in recording.groups() for rule in group.rules if rule.record.name in direct)
    return direct.union(*(names_in(rule.expression) for rule in of_rules))


def _name(line: Line) -> str:
    return line.text.split("{", maxsplit=1)[0]


def _values(line: Line) -> Values:
    if "edgeinfer_health_status{" in line.text:
        return gauge((float('status="degraded"' in line.text), _LENGTH_SECONDS))
    if not line.growth:
        return gauge((line.level, _LENGTH_SECONDS))
    return counter((line.growth, _CHANGE_SECONDS), (2 * line.growth, _LENGTH_SECONDS - _CHANGE_SECONDS))


def _case(queries: dict[str, str]) -> Case:
    """For each expression: no series differs, and as many come from either source, which are more than none."""
    read = _read(queries)
    lines = [line for _, found in series_lines() for line in found if _name(line) in read]
    inputs = {line.text.strip(): _values(line) for line in lines}
    inputs['process_cpu_seconds_total{job="edge-infer", instance="127.0.0.1:8080"}'] = counter((0.2, _LENGTH_SECONDS))
    wanted = []
    for expression in queries.values():
        raw, recorded = (substituted(expression, _VARIABLES | {"$resolution": source}) for source in _SOURCES.values())
        differing = f"count(abs(({recorded}) / ({raw}) - 1) > {_TOLERANCE}) or vector(0)"
        counts = f"(count({raw}) == count({recorded})) > bool 0"
        for asked, value in ((differing, 0), (counts, 1)):
            sample = {"labels": "{}", "value": value}
            wanted.append({"expr": asked, "eval_time": f"{_AT_SECONDS}s", "exp_samples": [sample]})
    groups = [rules.recording_group(group) for group in recording.groups()]
    needed = [group | {"rules": [rule for rule in group["rules"] if rule["record"] in read]} for group in groups]
    test = {
        "interval": f"{_INTERVAL_SECONDS}s",
        "input_series": [
            {"series": name, "values": notation(values, _INTERVAL_SECONDS)} for name, values in inputs.items()
        ],
        "promql_expr_test": wanted,
    }
    return Case("long-range", needed, {"evaluation_interval": "5m", "tests": [test]})


def test_a_panel_shows_the_same_numbers_from_recorded_series(
    documents: dict[str, dict[str, Any]], promtool: Path, tmp_path: Path
) -> None:
    queries = _queries(documents)
    assert len(queries) > 70
    assert run(promtool, [_case(queries)], tmp_path) == {}
