"""Dashboards against the types of the pinned Grafana; `python -m tools.grafana_types` derives the schema again."""

import json
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft7Validator

from edgeinfer.monitoring.files import all_panels

FOLDER = Path(__file__).parent / "grafana_schema"
SCHEMA = FOLDER / "grafana-13.2.3.json"
_ROOT = "#/definitions/"
_ORIGIN = "derived by tools/grafana_types.py from the types of @grafana/schema 13.2.3, Apache-2.0, Grafana Labs"
# Distinguished by panel type; Grafana's generic types would collapse them to empty objects.
_OPEN = ("options", "custom")
_FIELD_TYPES = {"timeseries": "timeseriesField", "state-timeline": "stateTimelineField", "table": "tableField"}
# "custom.width" names an option, "custom.hideFrom.viz" a part of one.
_CUSTOM_OPTION = 2
_NOTHING = {"type": "object", "additionalProperties": False}
_OPTION_NAMES = {"state-timeline": "stateTimeline"}
# The query of a target is a type of the Prometheus plugin, which the package does not carry.
_TARGET = {
    "type": "object",
    "additionalProperties": False,
    "required": ["refId", "expr", "datasource"],
    "properties": {
        "refId": {"type": "string", "minLength": 1},
        "expr": {"type": "string", "minLength": 1},
        "datasource": {"type": "object"},
        "legendFormat": {"type": "string"},
        "format": {"enum": ["time_series", "table", "heatmap"]},
        "instant": {"type": "boolean"},
        "range": {"type": "boolean"},
        "exemplar": {"type": "boolean"},
    },
}
# Of variables: the Prometheus plugin's query, an object inside a type that knows any object only as an empty one.
_VARIABLE_QUERY = {
    "anyOf": [
        {"type": "string"},
        {
            "type": "object",
            "additionalProperties": False,
            "required": ["query", "refId", "qryType"],
            "properties": {"query": {"type": "string"}, "refId": {"type": "string"}, "qryType": {"type": "integer"}},
        },
    ]
}
# Of annotations: what the Prometheus plugin still reads from the top level.
_ANNOTATION_KEYS = ("expr", "titleFormat", "textFormat")


def derive() -> dict[str, Any]:
    """The schema as the installed types give it, without descriptions. Needs node and `npm ci` in the folder."""
    done = subprocess.run(["npm", "run", "--silent", "types"], cwd=FOLDER, capture_output=True, text=True, check=True)
    bare = _without_descriptions(json.loads(done.stdout))
    return {"$comment": _ORIGIN} | dict(bare)


@cache
def schema() -> dict[str, Any]:
    """The committed JSON schema, read once."""
    found: dict[str, Any] = json.loads(SCHEMA.read_text(encoding="utf-8"))
    return found


def faults(document: dict[str, Any]) -> list[str]:
    """What Grafana's own types say against a dashboard, with the path of each fault."""
    parts = schema()["properties"]
    found = _against(_opened(), parts["dashboard"], document, "")
    for position, panel in enumerate(all_panels(document)):
        if panel.get("type") == "row":
            continue
        where = f"panels[{position}] {panel.get('title')!r}"
        kind = _OPTION_NAMES.get(panel.get("type", ""), panel.get("type", ""))
        if kind not in parts:
            found.append(f"{where}: panel type {panel.get('type')!r} is not one that we use")
            continue
        found += _against(schema(), _relaxed(parts[kind]), panel.get("options", {}), f"{where} options")
        custom = panel.get("fieldConfig", {}).get("defaults", {}).get("custom", {})
        field = _FIELD_TYPES.get(panel["type"])
        if field:
            found += _against(schema(), _relaxed(parts[field]), custom, f"{where} custom")
        elif custom:
            found.append(f"{where}: a {panel['type']} has no custom field options")
        found += [
            f"{where} {fault}" for fault in _override_faults(panel, _relaxed(parts[field]) if field else _NOTHING)
        ]
        for target in panel.get("targets", []):
            found += [f"{where} targets: {error.message}" for error in Draft7Validator(_TARGET).iter_errors(target)]
    return found


def _override_faults(panel: dict[str, Any], custom: dict[str, Any]) -> list[str]:
    """Properties of overrides: their ids are names of field options, with dots where an option has parts."""
    found = []
    config = schema()["definitions"]["FieldConfig"]
    options = config | {"properties": config["properties"] | {"custom": custom}}
    for override in panel.get("fieldConfig", {}).get("overrides", []):
        for one in override["properties"]:
            value: Any = one["value"]
            names = one["id"].split(".")
            for name in reversed(names):
                value = {name: value}
            # An id that names a part gives only that part.
            definitions = _without_required(schema()) if len(names) > _CUSTOM_OPTION else schema()
            found += _against(definitions, options, value, f"override {one['id']}")
    return found


def _without_required(node: Any) -> Any:
    if isinstance(node, dict):
        return {key: _without_required(value) for key, value in node.items() if key != "required"}
    return [_without_required(value) for value in node] if isinstance(node, list) else node


def _against(definitions: dict[str, Any], part: dict[str, Any], value: Any, where: str) -> list[str]:
    rooted = {"definitions": definitions["definitions"]} | part
    errors = Draft7Validator(rooted).iter_errors(value)
    return [f"{where}{error.json_path.removeprefix('$')}: {error.message[:200]}" for error in errors]


@cache
def _opened() -> dict[str, Any]:
    """The schema with the places open that each panel type fills in its own way."""
    document: dict[str, Any] = json.loads(json.dumps(schema()))
    for definition in document["definitions"].values():
        for name, part in definition.get("properties", {}).items():
            if name in _OPEN:
                definition["properties"][name] = {}
            if name == "targets" or (name == "target" and "$ref" in part):
                definition["properties"][name] = {}
    definitions = document["definitions"]
    definitions["VariableModel"]["properties"]["query"] = _VARIABLE_QUERY
    definitions["AnnotationQuery"]["properties"].update({key: {"type": "string"} for key in _ANNOTATION_KEYS})
    return document


def _relaxed(part: dict[str, Any]) -> dict[str, Any]:
    """The type without its required keys: Grafana fills in defaults for what a file leaves out."""
    resolved = schema()["definitions"][part["$ref"].removeprefix(_ROOT)] if "$ref" in part else part
    return {key: value for key, value in resolved.items() if key != "required"}


def _without_descriptions(node: Any) -> Any:
    if isinstance(node, dict):
        return {
            key: _without_descriptions(value)
            for key, value in node.items()
            if not (key == "description" and isinstance(value, str)) and key != "default"
        }
    return [_without_descriptions(value) for value in node] if isinstance(node, list) else node


if __name__ == "__main__":
    SCHEMA.write_text(json.dumps(derive(), separators=(",", ":"), sort_keys=True) + "\n", encoding="utf-8")
    sys.stdout.write(f"wrote {SCHEMA} ({SCHEMA.stat().st_size} bytes)\n")
