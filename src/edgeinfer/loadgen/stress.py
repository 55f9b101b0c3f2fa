"""Where the service stops keeping its promises: the knee of a run with growing load."""

from collections.abc import Sequence
from typing import Any

# A step keeps up when nearly all that was offered was answered in its time.
KEEPS_UP_RATIO = 0.95


def step_of(summary: dict[str, Any]) -> dict[str, Any]:
    """The few numbers of one step that the knee is found from."""
    offered = summary["offered_per_second"]
    goodput = summary["goodput_per_second"]
    keeps_up = goodput >= KEEPS_UP_RATIO * offered
    return {
        "users": summary["users"],
        "offered_per_second": offered,
        "goodput_per_second": goodput,
        "p50_ms": summary["all"]["latency_ms"].get("p50"),
        "p95_ms": summary["all"]["latency_ms"].get("p95"),
        "p99_ms": summary["all"]["latency_ms"].get("p99"),
        "success_ratio": summary["all"]["success_ratio"],
        "fallback_share": _share(summary["sources"]),
        "generator_is_bottleneck": summary["generator"]["is_bottleneck"],
        "passed": bool(summary["passed"]) and keeps_up,
    }


def is_past_knee(steps: Sequence[dict[str, Any]]) -> bool:
    """Whether to stop: two steps in a row that fail, so that one hiccup ends nothing."""
    return len(steps) > 1 and not steps[-1]["passed"] and not steps[-2]["passed"]


def find_knee(steps: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """The last step that passed before the first of the steps that failed to the end; None where none passed."""
    passed = [step for step in steps if step["passed"]]
    return passed[-1] if passed else None


def _share(sources: dict[str, int]) -> float:
    total = sum(sources.values())
    return round(sources.get("fallback", 0) / total, 4) if total else 0.0
