"""The Targets page: what Prometheus scrapes, and what went wrong."""

from collections.abc import Mapping, Sequence
from typing import Any

_ORDER = {"down": 0, "unknown": 1, "up": 2}


def targets_document(targets: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What the browser lists, what is down first."""
    found = [_target(one) for one in targets]
    return sorted(found, key=lambda one: (_ORDER.get(one["health"], 0), one["job"], one["instance"]))


def _target(target: Mapping[str, Any]) -> dict[str, Any]:
    labels = target["labels"]
    return {
        "job": labels.get("job", ""),
        "instance": labels.get("instance", ""),
        "labels": {name: value for name, value in labels.items() if name not in ("job", "instance")},
        "url": target["scrapeUrl"],
        "health": target["health"],
        "error": target.get("lastError", ""),
        "last_scrape": target.get("lastScrape", ""),
        "duration_seconds": target.get("lastScrapeDuration"),
        "interval": target.get("scrapeInterval", ""),
    }
