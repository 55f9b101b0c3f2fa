"""Rules and Alertmanager files with all their times divided, so that an alert can be seen to arrive in seconds."""

import re
from typing import Any

import yaml

_DURATION = re.compile(r"(\d+)(ms|s|m|h|d|w)")
_RANGE = re.compile(r"\[([\dsmhdw]+)(?::([\dsmhdw]*))?\]")
_OFFSET = re.compile(r"\boffset ([\dsmhdw]+)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
# rate() needs two scrapes, and one may be late: nothing is looked back on over less than four of them.
_SCRAPES_PER_RANGE = 4
_HOLDS = ("for", "keep_firing_for")
_NOTIFICATION_WAITS = ("group_wait", "group_interval")


def compress_rule_times(text: str, factor: float, scrape_seconds: float) -> str:
    """A rule file with ranges, offsets, holds and intervals divided.

    Thresholds stay as they are, and so do the names of recorded series, which name their unshortened window.

    Args:
        text: the YAML of a rule file.
        factor: 60 makes a second of a minute.
        scrape_seconds: time between scrapes; ranges keep four of them at least.
    """
    document = yaml.safe_load(text)
    for group in document["groups"]:
        if "interval" in group:
            group["interval"] = _divide(group["interval"], factor, scrape_seconds)
        for rule in group["rules"]:
            rule["expr"] = compress_expression(str(rule["expr"]), factor, scrape_seconds)
            for key in _HOLDS:
                if key in rule:
                    rule[key] = _divide(rule[key], factor, 0.0)
    return yaml.safe_dump(document, sort_keys=False, width=1000)


def compress_notification_times(text: str, factor: float) -> str:
    """An Alertmanager file whose waits are divided."""
    document = yaml.safe_load(text)
    _shorten_route(document["route"], factor)
    return yaml.safe_dump(document, sort_keys=False, width=1000)


def _shorten_route(route: dict[str, Any], factor: float) -> None:
    for key in _NOTIFICATION_WAITS:
        if key in route:
            route[key] = _divide(route[key], factor, 0.1)
    for inner in route.get("routes", ()):
        _shorten_route(inner, factor)


def compress_expression(expression: str, factor: float, scrape_seconds: float) -> str:
    """An expression with its ranges and offsets divided; ranges keep four scrapes at least."""
    least = _SCRAPES_PER_RANGE * scrape_seconds

    def divide_range(found: re.Match[str]) -> str:
        window = _divide(found[1], factor, least)
        if found[2] is None:
            return f"[{window}]"
        step = _divide(found[2], factor, scrape_seconds) if found[2] else ""
        return f"[{window}:{step}]"

    expression = _RANGE.sub(divide_range, expression)
    return _OFFSET.sub(lambda found: f"offset {_divide(found[1], factor, scrape_seconds)}", expression)


def _divide(duration: str, factor: float, min_seconds: float) -> str:
    """A Prometheus duration divided, in whole milliseconds."""
    seconds = sum(int(amount) * _SECONDS[unit] for amount, unit in _DURATION.findall(str(duration)))
    return f"{round(max(seconds / factor, min_seconds) * 1000)}ms"
