"""The card as text: JSON for people, indented, with a list of plain values on one line; needs no torch."""

import json
from typing import Any


def render(value: Any, margin: str = "") -> str:
    """Return a value of the card as JSON."""
    inner = margin + "  "
    if isinstance(value, dict) and value:
        items = [f"{inner}{json.dumps(key)}: {render(item, inner)}" for key, item in value.items()]
        return "{\n" + ",\n".join(items) + f"\n{margin}}}"
    if isinstance(value, list) and any(isinstance(item, dict | list) for item in value):
        items = [inner + render(item, inner) for item in value]
        return "[\n" + ",\n".join(items) + f"\n{margin}]"
    return json.dumps(value, ensure_ascii=False)
