"""Grafana finds the trace of an exemplar where a trace store is configured."""

from pathlib import Path
from typing import Any

import yaml

DEPLOY = Path(__file__).parents[2] / "deploy"


def document(path: str) -> Any:
    return yaml.safe_load((DEPLOY / path).read_text())


def test_an_exemplar_leads_to_the_trace_store() -> None:
    plain, traced = (
        document(f"monitoring/grafana/{folder}/prometheus.yml")["datasources"]
        for folder in ("datasources", "datasources-with-traces")
    )
    prometheus = next(source for source in traced if source["type"] == "prometheus")
    (destination,) = prometheus["jsonData"].pop("exemplarTraceIdDestinations")
    assert destination["name"] == "trace_id"
    store = next(source for source in traced if source["uid"] == destination["datasourceUid"])
    assert (store["type"], store["url"]) == ("tempo", "${TEMPO_URL}")
    # Everything else is as without traces.
    assert [source for source in traced if source is not store] == plain


def test_the_overlay_switches_on_what_it_needs_and_nothing_else() -> None:
    overlay = document("docker-compose.traces.yml")["services"]
    plain = document("docker-compose.monitoring.yml")["services"]
    assert set(overlay) == {"grafana"}
    key = "GF_PLUGINS_DISABLE_PLUGINS"
    disabled, before = (of["grafana"]["environment"][key].split(",") for of in (overlay, plain))
    assert set(before) - set(disabled) == {"tempo"}
    (volume,) = overlay["grafana"]["volumes"]
    assert volume.split(":")[1] in {one.split(":")[1] for one in plain["grafana"]["volumes"]}
