"""A new version is marked; a first start and what returns after an outage are not, on the real rule binary."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from edgeinfer.monitoring import recording, rules
from edgeinfer.monitoring.alerts.rule_test import Values, gauge
from tools.promtool_tests import Case, notation, run
from tools.rule_mutants import mutants_of_rule

_HOUR = 3600
_INTERVAL_SECONDS = 60
_LENGTH = 8 * _HOUR
# A deploy shows for some minutes; by then the history, which is written each five minutes, knows it.
_SOON, _LATER = 60, 15 * 60
_HISTORY = (recording.HISTORY_VERSIONS.name,)


def gateway(version: str) -> str:
    return f'edgeinfer_build_info{{job="edge-infer", instance="g:1", version="{version}"}}'


def sidecar(version: str) -> str:
    return f'hailo_sidecar_build_info{{job="hailo-inference", instance="s:1", version="{version}"}}'


def model(name: str, version: str = "3") -> str:
    return f'hailo_model_info{{job="hailo-inference", instance="s:1", name="{name}", version="{version}", sha256="f"}}'


def from_to(begin: int, end: int = _LENGTH) -> Values:
    return gauge((None, begin), (1, end - begin), (None, _LENGTH - end))


@dataclass(frozen=True, slots=True)
class Marked:
    """What runs when, and which names and versions are marked at a time."""

    why: str
    series: Mapping[str, Values]
    at: int
    names: tuple[str, ...] = ()


_CHANGE = {gateway("1"): from_to(0, 2 * _HOUR), gateway("2"): from_to(2 * _HOUR)}
_AWAY = from_to(0, 2 * _HOUR)
_BACK = gauge((1, 2 * _HOUR), (None, 4 * _HOUR), (1, 2 * _HOUR))
CASES = (
    Marked("the first start", {gateway("1"): from_to(0)}, _SOON),
    Marked("the first start, later", {gateway("1"): from_to(0)}, _LATER),
    Marked("another version", _CHANGE, 2 * _HOUR + _SOON, ("EdgeInfer 2",)),
    Marked("another version, later", _CHANGE, 2 * _HOUR + _LATER),
    Marked(
        "back to a version that ran today",
        {
            gateway("1"): gauge((1, 2 * _HOUR), (None, 2 * _HOUR), (1, 4 * _HOUR)),
            gateway("2"): from_to(2 * _HOUR, 4 * _HOUR),
        },
        4 * _HOUR + _SOON,
        ("EdgeInfer 1",),
    ),
    Marked("the same version after hours of outage", {gateway("1"): _BACK}, 6 * _HOUR + _SOON),
    Marked(
        "another version after hours of outage",
        {gateway("1"): _AWAY, gateway("2"): from_to(6 * _HOUR)},
        6 * _HOUR + _SOON,
        ("EdgeInfer 2",),
    ),
    Marked(
        "a model that returns while the gateway continued",
        {gateway("1"): from_to(0), model("m"): _BACK},
        6 * _HOUR + _SOON,
    ),
    Marked("another model", {model("m"): _AWAY, model("n"): from_to(2 * _HOUR)}, 2 * _HOUR + _SOON, ("n 3",)),
    Marked("the first model", {gateway("1"): from_to(0), model("m"): from_to(2 * _HOUR)}, 2 * _HOUR + _SOON),
    Marked(
        "a sidecar of the version that runs",
        {gateway("1"): from_to(0), sidecar("1"): from_to(2 * _HOUR)},
        2 * _HOUR + _SOON,
    ),
    Marked(
        "a sidecar of another version",
        {gateway("1"): from_to(0), sidecar("2"): from_to(2 * _HOUR)},
        2 * _HOUR + _SOON,
        ("EdgeInfer 2",),
    ),
)


def _test(case: Marked) -> dict[str, Any]:
    named = 'sum by (mark) (label_join(edgeinfer:deploys, "mark", " ", "name", "version"))'
    wanted = [{"labels": f'{{mark="{name}"}}', "value": 1} for name in case.names]
    return {
        "name": case.why,
        "interval": f"{_INTERVAL_SECONDS}s",
        "input_series": [
            {"series": name, "values": notation(values, _INTERVAL_SECONDS)} for name, values in case.series.items()
        ],
        "promql_expr_test": [{"expr": named, "eval_time": f"{case.at}s", "exp_samples": wanted}],
    }


def _case(name: str, deploys: recording.Group) -> Case:
    history = next(group for group in recording.groups() if group.name == "edgeinfer-history")
    kept = tuple(rule for rule in history.rules if rule.record.name in _HISTORY)
    groups = [rules.recording_group(group) for group in (deploys, dataclasses.replace(history, rules=kept))]
    return Case(name, groups, {"evaluation_interval": "30s", "tests": [_test(case) for case in CASES]})


def _group() -> recording.Group:
    return next(group for group in recording.groups() if group.name == "edgeinfer-deploys")


def test_new_versions_are_marked_and_nothing_else(promtool: Path, tmp_path: Path) -> None:
    assert run(promtool, [_case("marks", _group())], tmp_path) == {}


@pytest.mark.timeout(120)
def test_a_changed_rule_is_noticed(promtool: Path, tmp_path: Path) -> None:
    group = _group()
    mutants = {
        f"rule-{number}-{count}": (mutant, rule, number)
        for number, rule in enumerate(group.rules)
        for count, mutant in enumerate(mutants_of_rule(rule))
    }
    cases = []
    for name, (mutant, rule, number) in mutants.items():
        changed = list(group.rules)
        changed[number] = dataclasses.replace(rule, expression=mutant.expression)
        cases.append(_case(name, dataclasses.replace(group, rules=tuple(changed))))
    killed = run(promtool, cases, tmp_path)
    assert [
        f"{rule.record.name}: {mutant.what}" for name, (mutant, rule, _) in mutants.items() if name not in killed
    ] == []
    assert len(mutants) >= 5
