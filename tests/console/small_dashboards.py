"""Small dashboards in Grafana's classic model, for tests."""

import json
from pathlib import Path
from typing import Any


def target(expression: str, ref: str = "A", **more: Any) -> dict[str, Any]:
    """A range query."""
    return {"refId": ref, "expr": expression, "legendFormat": "", "range": True, "instant": False} | more


def panel(number: int, *targets: dict[str, Any], kind: str = "timeseries", **more: Any) -> dict[str, Any]:
    """A panel of a quarter of the grid's width."""
    place = {"x": (number - 1) % 2 * 12, "y": (number - 1) // 2 * 8, "w": 12, "h": 8}
    return {"id": number, "type": kind, "title": f"Panel {number}", "gridPos": place, "targets": list(targets)} | more


def dashboard(*panels: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A dashboard."""
    return {"uid": "small", "title": "Small", "panels": list(panels), "tags": ["edgeinfer"]} | more


def query_variable(name: str, query: str, **more: Any) -> dict[str, Any]:
    """A variable with All, as our dashboards have them."""
    fixed = {"name": name, "type": "query", "label": name.title(), "query": {"query": query, "refId": name}}
    chosen = {"multi": True, "includeAll": True, "allValue": ".+", "current": {"text": "All", "value": "$__all"}}
    return fixed | chosen | more


def write(folder: Path, *documents: dict[str, Any]) -> Path:
    """The folder, with a file for each dashboard."""
    folder.mkdir(parents=True, exist_ok=True)
    for document in documents:
        (folder / f"{document['uid']}.json").write_text(json.dumps(document), "utf-8")
    return folder
