"""Each committed dashboard is what Grafana's types allow and what our lints require; each check can fail."""

import copy
import json
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from edgeinfer.catalog import labels
from edgeinfer.monitoring import files
from tools.dashboard_lint import lint
from tools.grafana_types import faults

Document = dict[str, Any]
# Of style.py, which needs Grafana's SDK: good, to be watched, serious, failed; a number, and what does not count.
JUDGING = ["#56A64B", "#E0B400", "#FF780A", "#E02F44"]
PLAIN = ["#3274D9", "#8E8E8E"]
HAILO = "grafana_hailo_sidecar_dashboard.json"


def _graph(document: Document) -> Document:
    found: Document = next(panel for panel in files.all_panels(document) if panel["type"] == "timeseries")
    return found


def _stat(document: Document) -> Document:
    found: Document = next(panel for panel in files.all_panels(document) if panel["type"] == "stat")
    return found


def _latency(document: Document) -> Document:
    found: Document = next(panel for panel in files.all_panels(document) if panel.get("title") == "Latency percentiles")
    return found


def _bars(document: Document) -> Document:
    found: Document = next(panel for panel in files.all_panels(document) if panel.get("title") == "Motifs seen")
    return found


def _stacked(document: Document) -> Document:
    found: Document = next(panel for panel in files.all_panels(document) if panel.get("title") == "Success and failure")
    return found


def _collapsed(document: Document) -> Document:
    found: Document = next(panel for panel in document["panels"] if panel.get("collapsed"))
    return found


def _idle(document: Document) -> Document:
    found: Document = next(one for one in files.all_panels(document) if "not act here" in one.get("description", ""))
    return found


def _override(panel: Document, name: str, value: Any) -> None:
    change = {"matcher": {"id": "byName", "options": "x"}, "properties": [{"id": name, "value": value}]}
    panel["fieldConfig"]["overrides"].append(change)


def _annotate(document: Document, expression: str) -> None:
    annotation = document["annotations"]["list"][0]
    annotation["expr"] = annotation["target"]["expr"] = expression


def test_every_dashboard_is_what_grafana_s_own_types_allow(documents: dict[str, Document]) -> None:
    assert {name: found for name, document in documents.items() if (found := faults(document))} == {}


def test_the_fleet_s_dashboard_is_what_grafana_s_own_types_allow() -> None:
    (path,) = (files.GENERATED / "fleet").glob("*.json")
    assert faults(json.loads(path.read_text(encoding="utf-8"))) == []


def test_every_dashboard_keeps_our_rules(documents: dict[str, Document]) -> None:
    assert {name: found for name, document in documents.items() if (found := lint(document))} == {}


def test_titles_and_uids_are_unique(documents: dict[str, Document]) -> None:
    for key in ("uid", "title"):
        found = [document[key] for document in documents.values()]
        assert len(found) == len(set(found))


def test_the_source_s_dashboard_has_its_name_and_rows(documents: dict[str, Document]) -> None:
    document = documents[HAILO]
    assert (document["uid"], document["title"]) == ("hailo-sidecar-monitoring", "Hailo Sidecar Monitoring Dashboard")
    titles = {panel["title"] for panel in files.all_panels(document)}
    assert titles >= {
        "P95 latency", "Success", "Request rate", "Success and failure", "Latency percentiles", "Sample throughput",
        "Errors by class", "Health checks", "Health response times", "Output dimensions", "Where the time goes",
        "Backend", "Fallbacks by reason", "Calls by sidecar", "Health and latency", "Motif confidence", "Drift",
        "Contract violations",
    }  # fmt: skip


def test_every_link_leads_to_a_dashboard_that_exists(documents: dict[str, Document]) -> None:
    uids = {document["uid"] for document in documents.values()}
    links = [
        link
        for document in documents.values()
        for panel in files.all_panels(document)
        for link in panel.get("links", [])
    ]
    assert len(links) >= 20
    assert {link["url"].split("/d/")[1].split("?")[0] for link in links} <= uids


def test_a_stub_is_shown_in_red(documents: dict[str, Document]) -> None:
    backend = next(panel for panel in files.all_panels(documents[HAILO]) if panel.get("title") == "Backend")
    red = [
        change["properties"][0]["value"]["fixedColor"]
        for change in backend["fieldConfig"]["overrides"]
        if change["matcher"]["options"] == "stub"
    ]
    assert red == ["#E02F44"]


def _colors(documents: Iterable[Document]) -> Iterator[tuple[str, str]]:
    """Each color that a series wears by its name, with the first word of the name."""
    for document in documents:
        for panel in files.all_panels(document):
            for override in panel.get("fieldConfig", {}).get("overrides", []):
                for one in override["properties"]:
                    if one["id"] == "color":
                        yield one["value"]["fixedColor"], override["matcher"]["options"].split(" ")[0]


_CATEGORY = re.compile("|".join((r"p\d+|mean|\d+[mhd]|network", *labels.STAGES, *labels.INFERENCE_ERROR_TYPES)))


def test_every_color_means_one_thing(documents: dict[str, Document]) -> None:
    worn: dict[str, set[str]] = {}
    for color, name in _colors(documents.values()):
        worn.setdefault(color, set()).add(name)
    shared = {color: names for color, names in worn.items() if len(names) > 1}
    assert shared.keys() <= {*JUDGING, *PLAIN}
    judged = {name for color in JUDGING for name in worn.get(color, ())}
    assert {name for name in judged if _CATEGORY.fullmatch(name)} == set()
    assert len(worn) > 20


def test_a_number_that_nobody_judges_is_blue(documents: dict[str, Document]) -> None:
    panel = next(one for one in files.all_panels(documents[HAILO]) if one["title"] == "Requests per minute")
    config = panel["fieldConfig"]["defaults"]
    assert config["color"] == {"mode": "thresholds"}
    assert [step["color"] for step in config["thresholds"]["steps"]] == PLAIN[:1]


TYPE_DEFECTS: dict[str, Callable[[Document], object]] = {
    "a mistyped key of a panel": lambda d: _graph(d).update(titel="x"),
    "a mistyped key of the dashboard": lambda d: d.update(refreshh="5s"),
    "a wrong legend placement": lambda d: _graph(d)["options"]["legend"].update(placement="left"),
    "an unknown panel type": lambda d: _graph(d).update(type="grap"),
    "an unknown draw style": lambda d: _graph(d)["fieldConfig"]["defaults"]["custom"].update(drawStyle="lines"),
    "an unknown option": lambda d: _stat(d)["options"].update(colourMode="value"),
    "a wrong scalar": lambda d: _graph(d)["fieldConfig"]["defaults"].update(decimals="two"),
    "a threshold without a color": lambda d: _graph(d)["fieldConfig"]["defaults"]["thresholds"]["steps"][0].pop(
        "color"
    ),
    "a query without a refId": lambda d: _graph(d)["targets"][0].pop("refId"),
    "a mistyped key of a query": lambda d: _graph(d)["targets"][0].update(legendFromat="x"),
    "an unknown key of a variable": lambda d: d["templating"]["list"][0].update(auto=True),
    "an unknown key of an annotation": lambda d: d["annotations"]["list"][0].update(colour="red"),
    "custom options on a stat": lambda d: _stat(d)["fieldConfig"]["defaults"].update(custom={"drawStyle": "line"}),
    "an override of an unknown option": lambda d: _override(_graph(d), "custom.hidden", value=True),
    "an override of a misspelt option": lambda d: _override(_stat(d), "colour", {"mode": "fixed"}),
    "an override with a wrong value": lambda d: _override(_graph(d), "custom.lineWidth", "thick"),
    "an override of an unknown part": lambda d: _override(_graph(d), "custom.hideFrom.vizz", value=True),
    "an override of a custom option on a stat": lambda d: _override(_stat(d), "custom.lineWidth", 1),
    "a wrong sort of schema version": lambda d: d.update(schemaVersion="42"),
}
LINT_DEFECTS: dict[str, tuple[Callable[[Document], object], str]] = {
    "no title": (lambda d: _graph(d).update(title=""), "title missing"),
    "no description": (lambda d: _graph(d).update(description=""), "description"),
    "an unknown unit": (lambda d: _graph(d)["fieldConfig"]["defaults"].update(unit="fortnights"), "unit"),
    "no query": (lambda d: _graph(d).update(targets=[]), "without a query"),
    "a fixed data source": (lambda d: _graph(d).update(datasource={"type": "prometheus", "uid": "p1"}), "datasource"),
    "a fixed data source of a query": (
        lambda d: _graph(d)["targets"][0].update(datasource={"type": "prometheus", "uid": "p1"}),
        "datasource",
    ),
    "an overlap": (lambda d: d["panels"][2]["gridPos"].update(x=0), "overlap"),
    "wider than the grid": (lambda d: d["panels"][1]["gridPos"].update(x=23), "wider than the grid"),
    "ids twice": (lambda d: d["panels"][2].update(id=1), "panel ids"),
    "twenty-one open panels": (
        lambda d: d["panels"].extend({**_graph(d), "id": 100 + number} for number in range(7)),
        "21 panels are open, of 20",
    ),
    "an open panel below the first screen": (lambda d: _graph(d)["gridPos"].update(h=40), "the first screen"),
    "a collapsed row that does not say when to open it": (
        lambda d: _collapsed(d).update(title="Drift"),
        "says when to open it",
    ),
    "an open row that asks to be opened": (
        lambda d: d["panels"][0].update(title="Now (open when you like)"),
        "says when to open it",
    ),
    "a collapsed row without its panels": (lambda d: _collapsed(d).update(panels=[]), "holds its panels"),
    "an overlap within a collapsed row": (
        lambda d: _collapsed(d)["panels"][1]["gridPos"].update(x=0),
        "overlap",
    ),
    "a fault within a collapsed row": (lambda d: _collapsed(d)["panels"][0].update(title=""), "title missing"),
    "raw counters over days": (
        lambda d: _graph(d)["targets"][0].update(
            expr="sum(rate(hailo_inference_requests_total[$__rate_interval])) > 0"
        ),
        "over days it reads every raw sample",
    ),
    "a hidden variable in the address": (
        lambda d: d["templating"]["list"][-1].update(skipUrlSync=False),
        "no address may carry it",
    ),
    "two sources and no variable to choose": (
        lambda d: d["templating"]["list"].pop(),
        "resolution is for dashboards that read recorded series",
    ),
    "an id of the dashboard": (lambda d: d.update(id=1), "id: a provisioned file has none"),
    "another refresh": (lambda d: d.update(refresh="1m"), "refresh and time"),
    "editable": (lambda d: d.update(editable=True), "editable"),
    "a short uid": (lambda d: d.update(uid="x"), "uid"),
    "too few panels": (lambda d: d.update(panels=d["panels"][:6]), "fewer than 8 panels"),
    "links that lose the time": (lambda d: d["links"][0].update(keepTime=False), "keep time"),
    "a drill-down that loses the time": (
        lambda d: _stat(d)["links"][0].update(url="/d/edgeinfer-slo"),
        "keep time and variables",
    ),
    "a hidden annotation": (lambda d: d["annotations"]["list"][0].update(placement="inControlsMenu"), "placement"),
    "an annotation of one data source": (
        lambda d: d["annotations"]["list"][0].update(datasource={"uid": "p"}),
        "datasource",
    ),
    "an annotation with two queries": (lambda d: d["annotations"]["list"][0].update(expr="up"), "one query"),
    "no annotations": (lambda d: d["annotations"].update(list=[]), "annotations"),
    "a variable of one value": (lambda d: d["templating"]["list"][1].update(multi=False), "multi"),
    "a variable without All": (lambda d: d["templating"]["list"][1].update(allValue=None), "allValue"),
    "a variable that goes stale": (lambda d: d["templating"]["list"][1].update(refresh=1), "refresh"),
    "no variable": (lambda d: d["templating"]["list"].pop(1), "come first"),
    "a line elsewhere than at the objective": (
        lambda d: _latency(d)["fieldConfig"]["defaults"]["thresholds"]["steps"][1].update(value=0.2),
        "must be at the objective",
    ),
    "a color for a series that is not there": (
        lambda d: _latency(d)["fieldConfig"]["overrides"][0]["matcher"].update(options="p42"),
        "override 'p42': no query gives a series",
    ),
    "two queries of one name": (lambda d: _latency(d)["targets"][1].update(refId="A"), "two of one refId"),
    "a panel that leads nowhere": (lambda d: _graph(d).pop("links"), "lead on to another dashboard"),
    "two panels of one title": (lambda d: _graph(d).update(title="P95 latency"), "is there twice"),
    "seconds called bytes": (
        lambda d: _latency(d)["fieldConfig"]["defaults"].update(unit="bytes"),
        "it gives seconds, which Grafana calls 's'",
    ),
    "a variable that no panel follows": (
        lambda d: d["templating"]["list"].append({**d["templating"]["list"][2], "name": "shelf"}),
        "variable shelf: no panel follows it",
    ),
    "a legend with a label that is not there": (
        lambda d: _graph(d)["targets"][0].update(legendFormat="{{operation}} {{instance}} {{motif}}"),
        "no series has the label motif",
    ),
    "a variable of an unknown series": (
        lambda d: d["templating"]["list"][2]["query"].update(query="label_values(upp, instance)"),
        "variable instance: upp: no process exports this",
    ),
    "a variable of an unknown label": (
        lambda d: d["templating"]["list"][2]["query"].update(query="label_values(up, instanze)"),
        "has no label instanze",
    ),
    "an annotation of an unknown label": (
        lambda d: _annotate(d, 'ALERTS{alertstat="firing"}'),
        "annotation Alerts: ALERTS: it has no label alertstat",
    ),
    "decimals of a unit that scales": (
        lambda d: _latency(d)["fieldConfig"]["defaults"].update(decimals=0),
        "fixed decimals would round digits away",
    ),
    "decimals of an overriding unit that scales": (
        lambda d: _override(_latency(d), "decimals", 1),
        "fixed decimals would round digits away",
    ),
    "a count with fractions": (
        lambda d: _bars(d)["fieldConfig"]["defaults"].pop("decimals"),
        "a count is whole",
    ),
    "a threshold with more digits than a value has": (
        lambda d: _latency(d)["fieldConfig"]["defaults"]["thresholds"]["steps"][1].update(value=5.999999999999999),
        "has more digits",
    ),
    "bars in no order": (
        lambda d: _bars(d)["targets"][0].update(expr=_bars(d)["targets"][0]["expr"].replace("sort_desc", "")),
        "several bars in no order",
    ),
    "failures of nothing on top of health": (
        lambda d: _stacked(d)["targets"][1].update(expr=_stacked(d)["targets"][1]["expr"].removesuffix(" > 0")),
        "a red line on top of what went well",
    ),
    "a picker that does nothing and is not named": (
        lambda d: _idle(d).update(description="Share of the CPU time that is used."),
        "ignores the picker",
    ),
    "an annotation that a long step misses": (
        lambda d: _annotate(d, 'ALERTS{alertstate="firing"}'),
        "a step that is longer than the event would miss it",
    ),
    "a number of yesterday": (
        lambda d: _stat(d)["options"]["reduceOptions"].update(calcs=["lastNotNull"]),
        "shows the last number that there was",
    ),
    "a legend with a number of yesterday": (
        lambda d: _graph(d)["options"]["legend"].update(calcs=["lastNotNull"]),
        "legend: 'last'",
    ),
    "a number without a point where there is nothing": (
        lambda d: _stat(d)["targets"][0].update(expr=_stat(d)["targets"][0]["expr"].removesuffix(" or vector(NaN)")),
        "its last number would stay",
    ),
    "a number of the picked range": (lambda d: _stat(d).pop("timeFrom"), "may be hours old"),
    "a number without words for nothing": (
        lambda d: _stat(d)["fieldConfig"]["defaults"].pop("mappings"),
        "say what it means that there is nothing",
    ),
    "no legend": (lambda d: _graph(d)["targets"][0].update(legendFormat=""), "a legend is missing"),
}
SCOPE = 'job=~"$job", instance=~"$instance"'
QUERY_DEFECTS: dict[str, tuple[str, str]] = {
    "it does not parse": (f"sum(rate(hailo_inference_requests_total{{{SCOPE}}}[$__rate_interval])", "does not parse"),
    "an unknown metric": (f"sum(rate(hailo_inference_request_total{{{SCOPE}}}[$__rate_interval]))", "Did you mean"),
    "an invented metric": (f"max(zebra_stripes{{{SCOPE}}})", "Add it to edgeinfer/catalog"),
    "an unknown label": (
        f'sum(rate(hailo_inference_requests_total{{{SCOPE}, outcome="x"}}[$__rate_interval]))',
        "has no label outcome",
    ),
    "a value that never is": (
        f'sum(rate(hailo_inference_requests_total{{{SCOPE}, status="succes"}}[$__rate_interval]))',
        "never is 'succes'",
    ),
    "a counter as it is": (f"sum(hailo_inference_requests_total{{{SCOPE}}})", "only under rate"),
    "the rate of a gauge": (f"sum(rate(hailo_sidecar_queue_depth{{{SCOPE}}}[$__rate_interval]))", "is for counters"),
    "buckets without le": (
        f"sum(rate(hailo_inference_duration_seconds_bucket{{{SCOPE}}}[$__rate_interval]))",
        "without `le`",
    ),
    "a fixed window": (f"sum(rate(hailo_inference_requests_total{{{SCOPE}}}[5m]))", "in place of [$__rate_interval]"),
    "one instance in place of the picked ones": (
        'sum(rate(hailo_inference_requests_total{job=~"$job", instance="here"}[$__rate_interval]))',
        "does not follow the variable $instance",
    ),
    "bytes per second called requests per second": (
        f"sum(rate(edgeinfer_store_written_bytes_total{{{SCOPE}}}[$__rate_interval]))",
        "it gives bytes/s, which Grafana calls 'binBps'",
    ),
    "a share of time called requests per second": (
        f"sum(rate(hailo_inference_duration_seconds_sum{{{SCOPE}}}[$__rate_interval]))",
        "it gives seconds/s, which Grafana calls 'percentunit'",
    ),
    "without the variables": ("sum(rate(hailo_inference_requests_total[$__rate_interval]))", "does not follow"),
    "by a label that is not there": (
        f"sum by (stage) (rate(hailo_inference_requests_total{{{SCOPE}}}[$__rate_interval]))",
        "no series inside has this label",
    ),
    "paired by a label that is not there": (
        f"sum(rate(hailo_motif_top_total{{{SCOPE}}}[$__rate_interval])) * on (motiv) max(hailo_motif_info{{{SCOPE}}})",
        "on (motiv): no series inside has this label",
    ),
    "series that nobody can distinguish": (
        f"sum by (instance) (rate(hailo_inference_requests_total{{{SCOPE}}}[$__rate_interval]))",
        "which the legend does not show",
    ),
}


@pytest.mark.parametrize("defect", TYPE_DEFECTS)
def test_grafana_s_types_find(defect: str, documents: dict[str, Document]) -> None:
    document = copy.deepcopy(documents[HAILO])
    TYPE_DEFECTS[defect](document)
    assert faults(document)


@pytest.mark.parametrize("defect", LINT_DEFECTS)
def test_our_rules_find(defect: str, documents: dict[str, Document]) -> None:
    document = copy.deepcopy(documents[HAILO])
    change, says = LINT_DEFECTS[defect]
    change(document)
    assert [found for found in lint(document) if says in found]


@pytest.mark.parametrize("defect", QUERY_DEFECTS)
def test_a_query_is_refused_for(defect: str, documents: dict[str, Document]) -> None:
    document = copy.deepcopy(documents[HAILO])
    expression, says = QUERY_DEFECTS[defect]
    _graph(document)["targets"] = [_graph(document)["targets"][0] | {"expr": expression, "legendFormat": "x"}]
    assert [found for found in lint(document) if says in found], json.dumps(lint(document))
