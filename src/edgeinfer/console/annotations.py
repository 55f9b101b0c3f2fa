"""Events on the time axis, from a dashboard's annotation queries: firing alerts, deploys."""

from collections.abc import Mapping, Sequence
from typing import Any

from edgeinfer.console.interpolation import legend
from edgeinfer.console.prometheus import numbers

_MAX_EVENTS = 200


def events(annotation: Mapping[str, Any], series: Sequence[dict[str, Any]], step: float) -> list[dict[str, Any]]:
    """Stretches in which a series is above zero, as Grafana's Prometheus annotations have it.

    Args:
        annotation: the dashboard's document of it.
        series: what its query answered.
        step: seconds between points; a longer gap ends a stretch.
    """
    found = [event for one in series for event in _of_series(annotation, one, step)]
    found.sort(key=lambda event: event["start"])
    return found[-_MAX_EVENTS:]


def _of_series(annotation: Mapping[str, Any], series: dict[str, Any], step: float) -> list[dict[str, Any]]:
    stretches: list[list[float]] = []
    for moment, value in numbers(series["values"]):
        if not value > 0:
            continue
        if stretches and moment - stretches[-1][1] <= step * 1.5:
            stretches[-1][1] = moment
        else:
            stretches.append([moment, moment])
    described = _described(annotation, series["metric"])
    return [{"start": start, "end": end} | described for start, end in stretches]


def _described(annotation: Mapping[str, Any], labels: dict[str, str]) -> dict[str, Any]:
    name = str(annotation.get("name", ""))
    keys = [key.strip() for key in str(annotation.get("tagKeys") or "").split(",") if key.strip()]
    return {
        "name": name,
        "color": str(annotation.get("iconColor") or "blue"),
        "title": legend(str(annotation.get("titleFormat") or ""), labels, name),
        "text": legend(str(annotation.get("textFormat") or " "), labels, name).strip(),
        "tags": [labels[key] for key in keys if labels.get(key)],
    }
