"""Which of several causes that fit comes first."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from edgeinfer.diagnosis.diagnosis import Certainty, Diagnosis
from edgeinfer.diagnosis.judge import newest_only
from edgeinfer.diagnosis.run import Diagnostician
from edgeinfer.monitoring.causes import all_causes
from edgeinfer.monitoring.causes.cause import Cause, Evidence
from edgeinfer.monitoring.causes.signs import SIDECAR, condition, refused
from tests.diagnosis.answers import NOW, Answers, firing, one

CAUSES = {cause.name: cause for cause in all_causes()}
SIDECAR_SERIES = [one(0, job=SIDECAR, instance="sidecar:9000")]


async def named(series: dict[str, list[dict[str, Any]]], causes: Sequence[Cause] = (), at: float | None = None) -> Any:
    found = await diagnosed(series, causes, at)
    return [finding.name for finding in found.findings]


async def diagnosed(
    series: dict[str, list[dict[str, Any]]], causes: Sequence[Cause] = (), at: float | None = None
) -> Diagnosis:
    return await Diagnostician(Answers(series), causes=causes, clock=lambda: NOW).diagnose(at)


def shown(*names: str) -> dict[str, list[dict[str, Any]]]:
    """All evidence of these causes, within a minute and within the last moments."""
    expressions = [one.expression for name in names for one in CAUSES[name].evidence]
    return {text: [one(1)] for expression in expressions for text in (expression, newest_only(expression))}


async def test_a_change_against_the_past_comes_after_a_failure_that_is_less_urgent() -> None:
    alerts = firing("HailoMotifConfidenceLow", "HailoLatencyBudgetExhausting")
    found = await diagnosed({**alerts, **shown("model-undecided", "path-loses-answers")})
    assert [(one.name, one.certainty) for one in found.findings] == [
        ("path-loses-answers", Certainty.CERTAIN),
        ("model-undecided", Certainty.LIKELY),
    ]


async def test_a_change_against_the_past_comes_before_a_failure_in_doubt_that_is_less_urgent() -> None:
    alerts = firing("HailoMotifConfidenceLow", "HailoLatencyBudgetExhausting")
    busy = {CAUSES["path-loses-answers"].doubts[0].expression: [one(0.99)]}
    assert await named({**alerts, **busy, **shown("model-undecided", "path-loses-answers")}) == [
        "model-undecided",
        "path-loses-answers",
    ]


async def test_a_change_against_the_past_comes_before_what_nobody_feels_yet() -> None:
    path = firing("HailoLatencyBudgetBurnFast", state="pending")
    alerts = firing("HailoMotifConfidenceLow")
    both = {name: alerts[name] + path[name] for name in alerts}
    assert (await named({**both, **shown("model-undecided", "path-loses-answers")}))[0] == "model-undecided"


async def test_what_lasts_comes_before_what_is_over_and_would_explain_the_same() -> None:
    alerts = firing("HailoErrorBudgetBurnFast", "HailoLatencyBudgetBurnFast", "EdgeInferServerErrors")
    series = {**alerts, **shown("path-loses-answers", "store-cannot-write")}
    assert await named(series) == ["path-loses-answers", "store-cannot-write"]
    over = {text: answer for text, answer in series.items() if "[15s]" not in text or "storage" in text}
    assert await named(over) == ["store-cannot-write", "path-loses-answers"]


async def test_what_is_over_keeps_its_place_where_nothing_else_explains_its_alerts() -> None:
    link = replace(CAUSES["link-slow"], alerts=("HailoPcieLinkDegraded",))
    path = CAUSES["path-answers-errors"]
    alerts = firing("HailoErrorBudgetBurnFast", "HailoPcieLinkDegraded")
    minute = {text: answer for text, answer in shown("path-answers-errors", "link-slow").items() if "[15s]" not in text}
    assert await named({**alerts, **minute}, (link, path)) == ["path-answers-errors", "link-slow"]


async def test_a_loop_of_restarts_that_no_scrape_saw_is_not_ruled_out_of_the_past() -> None:
    alerts = firing("HailoSidecarDown")
    away = CAUSES["sidecar-crashes"].evidence[0].expression
    found = await diagnosed({**alerts, refused(SIDECAR): SIDECAR_SERIES, away: SIDECAR_SERIES}, at=NOW - 1)
    assert [(one.name, one.certainty) for one in found.findings] == [("sidecar-stopped", Certainty.LIKELY)]
    assert "sidecar-crashes" in [one.name for one in found.possible]


def test_evidence_is_narrowed_to_the_last_moments_only_where_it_is_a_minute_s() -> None:
    assert newest_only("rate(a[1m]) > 0") == "rate(a[15s]) > 0"
    confidence = condition("HailoMotifConfidenceLow")
    assert newest_only(confidence) == confidence
    assert Evidence("down", refused(SIDECAR)).expression == newest_only(refused(SIDECAR))
