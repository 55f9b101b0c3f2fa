"""promtool's unit tests from alert entries: each fires, waits, resolves, and stays silent in its negative cases."""

import json
import os
import re
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from edgeinfer.monitoring import recording, rules
from edgeinfer.monitoring.alerts.alert import Alert
from edgeinfer.monitoring.alerts.rule_test import Values
from tools.promql_tree import names_in

# A short run needs no more than this: promtool would spend a third of its time on memory that is free again anyway.
_FRUGAL = {"GOGC": "400", "GOMAXPROCS": "1"}
_LABEL_OF = re.compile(r"\{\{ \$labels\.(\w+) \}\}")


@dataclass(frozen=True, slots=True)
class Case:
    """One test file and the rules that it needs.

    Args:
        name: of both files.
        rules: the rule groups.
        test: promtool's document without `rule_files`.
    """

    name: str
    rules: list[dict[str, Any]]
    test: dict[str, Any]


def case_of(alert: Alert, *, expression: str = "", for_: str | None = None, name: str = "") -> Case:
    """The test of one alert, with its expression or for_ replaced for a mutant."""
    changed = replace_unchecked(alert, expression or alert.expression, alert.for_ if for_ is None else for_)
    # A recorded series that the situations give themselves is not computed a second time.
    needed = _recordings_for(names_in(changed["expr"]) - _given(alert))
    groups = [{"name": "needed", "rules": needed}] if needed else []
    groups.append({"name": "alert", "rules": [changed]})
    return Case(name or alert.name, groups, _test(alert))


def replace_unchecked(alert: Alert, expression: str, for_: str) -> dict[str, Any]:
    """The rule of an alert with other parts, as Prometheus reads it."""
    rule: dict[str, Any] = rules.alert_group("alert", [alert])["rules"][0]
    rule["expr"] = expression
    rule.pop("for", None)
    return rule | ({"for": for_} if for_ else {})


def _given(alert: Alert) -> set[str]:
    situations = [alert.rule_test.series, *(near.series for near in (*alert.negative_cases, *alert.positive_cases))]
    return {series.split("{", 1)[0] for situation in situations for series in situation}


def _recordings_for(names: set[str]) -> list[dict[str, Any]]:
    every = [rule for group in recording.groups() for rule in group.rules]
    wanted: set[str] = set()
    waiting = set(names)
    while waiting:
        waiting -= wanted
        wanted |= waiting
        waiting = {name for rule in every if rule.record.name in wanted for name in names_in(rule.expression)} - wanted
    found = [rule for rule in every if rule.record.name in wanted]
    group: dict[str, Any] = rules.recording_group(recording.Group("needed", tuple(found)))
    rendered: list[dict[str, Any]] = group["rules"]
    return rendered


def _test(alert: Alert) -> dict[str, Any]:
    interval = alert.rule_test.interval_seconds
    checks = [(alert.rule_test.firing_at, True), *([] if alert.always else [(alert.rule_test.resolved_at, False)])]
    if alert.rule_test.pending_at is not None:
        checks.append((alert.rule_test.pending_at, False))
    proof = _group("the proof", alert, alert.rule_test.series, sorted(checks), with_texts=True)
    silent = [_group(f"silent: {near.why}", alert, near.series, [(near.at, False)]) for near in alert.negative_cases]
    firing = [_group(f"fires too: {near.why}", alert, near.series, [(near.at, True)]) for near in alert.positive_cases]
    return {"evaluation_interval": f"{interval}s", "tests": [proof, *silent, *firing]}


def _group(
    title: str,
    alert: Alert,
    series: Mapping[str, Values],
    checks: Sequence[tuple[int, bool]],
    *,
    with_texts: bool = False,
) -> dict[str, Any]:
    interval = alert.rule_test.interval_seconds
    group: dict[str, Any] = {
        "name": title,
        "interval": f"{interval}s",
        "input_series": [{"series": name, "values": notation(value, interval)} for name, value in series.items()],
    }
    if with_texts:
        group["alert_rule_test"] = [
            {"eval_time": f"{at}s", "alertname": alert.name, "exp_alerts": [_expected(alert)] if fires else []}
            for at, fires in checks
        ]
    else:
        # The further cases check only whether the alert fires: its texts depend on the case.
        active = f'count(ALERTS{{alertname="{alert.name}", alertstate="firing"}}) or vector(0)'
        group["promql_expr_test"] = [
            {
                "expr": active,
                "eval_time": f"{at}s",
                "exp_samples": [{"labels": "{}", "value": 1 if fires else 0}],
            }
            for at, fires in checks
        ]
    return group


def _expected(alert: Alert) -> dict[str, Any]:
    labels = dict(alert.rule_test.labels)
    texts = alert.annotations | {"description": alert.rule_test.expected_description}
    filled = {name: _LABEL_OF.sub(lambda match: labels.get(match[1], ""), text) for name, text in texts.items()}
    return {"exp_labels": labels | alert.labels, "exp_annotations": filled}


def notation(values: Values, interval: int) -> str:
    """The values as promtool writes series: start+step x repetitions."""
    parts: list[str] = []
    reached = 0.0
    for value, seconds in values.segments:
        count = seconds // interval
        if value is None:
            parts += ["_"] * count
        elif values.counts:
            step = value * interval
            parts.append(f"{reached!r}+{step!r}x{count - 1}")
            reached = round(reached + step * count, 9)
        else:
            parts.append(f"{float(value)!r}x{count - 1}" if count > 1 else repr(float(value)))
    return " ".join(parts)


def run(promtool: Path, cases: Iterable[Case], folder: Path) -> dict[str, str]:
    """Run many test files at once; the name of each failed case to promtool's message about it.

    Raises:
        subprocess.SubprocessError: promtool did not get through.
    """
    names = [_write(case, folder) for case in cases]
    report = ["--junit=report.xml"] if _writes_reports(promtool) else []
    command = [str(promtool), "test", "rules", *report, *(f"{name}.test.yml" for name in names)]
    # One stream, because promtool 2 names the file on one and the failure on the other.
    done = subprocess.run(
        command,
        cwd=folder,
        env=os.environ | _FRUGAL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=600,
    )
    results = _of_report(folder / "report.xml") if report else _of_output(done.stdout)
    if set(results) != set(names):
        raise subprocess.SubprocessError(f"promtool ran {len(results)} of {len(names)} files: {done.stdout[-2000:]}")
    return {name: failure for name, failure in results.items() if failure}


@cache
def _writes_reports(promtool: Path) -> bool:
    """Whether it is promtool 3, which does not print which file it tests, and writes a report that says it."""
    help_text = subprocess.run([str(promtool), "test", "rules", "--help"], capture_output=True, text=True, check=False)
    return "--junit" in help_text.stdout + help_text.stderr


def _of_report(path: Path) -> dict[str, str]:
    """What failed in each file, empty where nothing did."""
    suites = ET.parse(path).getroot()  # noqa: S314 - of promtool, which has just written it
    return {
        suite.get("name", "").removesuffix(".test.yml"): "\n".join(
            one.text or "failed" for one in suite.iter("failure")
        )
        for suite in suites.iter("testsuite")
    }


def _of_output(reported: str) -> dict[str, str]:
    parts = re.split(r"^Unit Testing:\s+", reported, flags=re.MULTILINE)[1:]
    return {part.split(".test.yml", 1)[0].strip(): "" if "SUCCESS" in part else part for part in parts}


def _write(case: Case, folder: Path) -> str:
    # JSON is YAML, and is written in a tenth of the time.
    (folder / f"{case.name}.rules.yml").write_text(json.dumps({"groups": case.rules}), encoding="utf-8")
    document = {"rule_files": [f"{case.name}.rules.yml"], **case.test}
    (folder / f"{case.name}.test.yml").write_text(json.dumps(document), encoding="utf-8")
    return case.name
