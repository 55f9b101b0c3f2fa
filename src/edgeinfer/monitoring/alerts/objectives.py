"""Alerts on the service level objectives: how fast the error budget burns, and on what."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from edgeinfer.monitoring.alerts.alert import Alert, Runbook, RunbookStep, Severity
from edgeinfer.monitoring.alerts.rule_test import RuleCase, RuleTest, Values, gauge
from edgeinfer.monitoring.promql import Recorded
from edgeinfer.monitoring.recording import REQUESTS, failure_ratio, slow_ratio
from edgeinfer.monitoring.thresholds import (
    BURN_EXHAUSTING,
    BURN_FAST,
    BURN_SLOW,
    ERROR_BUDGET,
    INTERNAL_FAST,
    INTERNAL_SLOW,
    TRAFFIC_GUARD_PER_SECOND,
)

_JOB = '{job="edge-infer"}'
_BUSY = f"{REQUESTS.name} > {TRAFFIC_GUARD_PER_SECOND}"
_HARDLY_BUSY = TRAFFIC_GUARD_PER_SECOND * 1.2
_DASHBOARD = "edgeinfer-slo"


@dataclass(frozen=True, slots=True)
class _Burn:
    """One pace of burning: two windows over one threshold."""

    suffix: str
    windows: tuple[str, str]
    threshold: float
    for_: str
    hold_seconds: int
    severity: Severity
    pace: str


_BURNS = (
    _Burn("BurnFast", ("5m", "1h"), BURN_FAST, "2m", 120, Severity.CRITICAL, "gone in 5 days"),
    _Burn("BurnSlow", ("30m", "6h"), BURN_SLOW, "15m", 900, Severity.WARNING, "gone in 10 days"),
    _Burn("Exhausting", ("6h", "3d"), BURN_EXHAUSTING, "1h", 3600, Severity.TICKET, "used up at the end"),
)


@dataclass(frozen=True, slots=True)
class _Indicator:
    """What an objective is about, in words and as recorded ratio; the scenarios that provoke its alerts by suffix."""

    prefix: str
    signal: str
    verb: str
    provoked_by: Mapping[str, str]
    impact: str
    diagnosis: tuple[RunbookStep, ...]


_ERRORS = _Indicator(
    "HailoErrorBudget",
    "availability",
    "fail",
    {
        "BurnFast": "timeout",
        "BurnSlow": "a-quarter-fails",
        "Exhausting": "errors-eat-the-budget",
        "ObjectiveMissed": "a-tenth-fails",
    },
    "Phones get results from the gateway's CPU, which are real but slower, or none at all.",
    (
        RunbookStep(
            "Dashboard 'SLO', panel 'Errors by class': which class consumes the budget?",
            {
                "connection_error or circuit_open": "the sidecar is down: see HailoSidecarDown.",
                "timeout": "it is slow: see HailoLatencyBudgetBurnFast.",
                "http_5xx": "it fails internally: see HailoHardwareErrors.",
                "malformed_response or decode_error": (
                    "model and gateway do not match: roll back to the previous model."
                ),
            },
        ),
        RunbookStep(
            "Is the sidecar healthy?",
            {
                "connection refused": "see HailoSidecarDown.",
                "503 with a `reason`": "see HailoSidecarNotReady.",
                "200": "continue.",
            },
            command="curl -si localhost:9000/healthz",
        ),
        RunbookStep(
            "Did it begin with a deploy? Each dashboard has an annotation where a version appeared.",
            {
                "yes": "roll back to the previous version.",
                "no": "dashboard 'SLO', panel 'Failures by sidecar': remove a failing one from MODEL_BACKEND_URL.",
            },
        ),
    ),
)
_LATENCY = _Indicator(
    "HailoLatencyBudget",
    "latency",
    "take longer than 100 ms",
    {
        "BurnFast": "latency",
        "BurnSlow": "a-quarter-is-late",
        "Exhausting": "lateness-eats-the-budget",
        "ObjectiveMissed": "a-tenth-is-late",
    },
    "Live analysis lags behind the movement; beyond the gateway's timeout these requests become errors.",
    (
        RunbookStep(
            "Dashboard 'Hailo Sidecar', panel 'Where the time goes': which stage grew?",
            {
                "queue": (
                    "more requests than the device can answer: take load off, or add a sidecar to MODEL_BACKEND_URL."
                ),
                "execute": "the chip or processor is slower; continue.",
                "network": "the link, or the gateway's machine: `top` there, then `ping` the sidecar's.",
                "decode, preprocess or postprocess": "the sidecar is short of CPU time; continue.",
            },
        ),
        RunbookStep(
            "Does another process use the CPU?",
            {
                "a process that is not part of EdgeInfer": "stop it.",
                "only EdgeInfer's processes": "reduce the load.",
            },
            command="top -b -n 1 | head -15",
        ),
        RunbookStep(
            "Dashboard 'Hailo hardware', panels 'Clock' and 'Use by model': is the chip throttled or saturated?",
            {
                "a protection lowers the clock": "see HailoThrottling.",
                "another model uses it": "move it to another chip.",
                "neither, and a deploy annotation": "roll back to the previous model.",
            },
        ),
    ),
)


def create() -> list[Alert]:
    """The entries that rules, runbooks and rule tests are generated from."""
    errors = [_burn(_ERRORS, failure_ratio, burn) for burn in _BURNS]
    latency = [_burn(_LATENCY, slow_ratio, burn) for burn in _BURNS]
    return [*errors, *latency, _internal(), _missed(_ERRORS, failure_ratio("5m")), _missed(_LATENCY, slow_ratio("5m"))]


def _burn(about: _Indicator, ratio_over: Callable[[str], Recorded], burn: _Burn) -> Alert:
    short, long = (ratio_over(window) for window in burn.windows)
    over, limit, seconds = burn.threshold * 1.05, burn.threshold, burn.hold_seconds
    interval = 15 if burn.severity is Severity.CRITICAL else 60
    length = seconds * 3

    def lives(short_value: float, long_value: float, busy: float) -> dict[str, Values]:
        values = ((short, short_value), (long, long_value), (REQUESTS, busy))
        return {f"{series.name}{_JOB}": gauge((value, length)) for series, value in values}

    # Hardly more traffic than the guard requires.
    firing = lives(over, over, _HARDLY_BUSY) | {f"{short.name}{_JOB}": gauge((over, seconds * 2), (0.01, seconds))}
    guard = TRAFFIC_GUARD_PER_SECOND
    return Alert(
        name=f"{about.prefix}{burn.suffix}",
        provoked_by=about.provoked_by[burn.suffix],
        expression=f"{short.name} > {limit}\nand {long.name} > {limit}\nand {_BUSY}",
        for_=burn.for_,
        severity=burn.severity,
        service="edge-infer",
        signal=about.signal,
        objective="95",
        summary=f"The 30-day {about.signal} error budget is burning: at this rate it is {burn.pace}",
        description=f"{{{{ $value | humanizePercentage }}}} of inference requests {about.verb} "
        f"(over {burn.windows[0]}; the alert threshold is {limit:.0%}).",
        dashboard_uid=_DASHBOARD,
        runbook=Runbook(
            meaning=f"More than {limit:.0%} of the inference requests {about.verb}, over {burn.windows[0]} and over "
            f"{burn.windows[1]} alike, while there is traffic. The objective allows {ERROR_BUDGET:.0%} for 30 days.",
            impact=about.impact,
            diagnosis=about.diagnosis,
        ),
        rule_test=RuleTest(
            series=firing,
            pending_at=seconds - interval,
            firing_at=seconds + 2 * interval,
            resolved_at=seconds * 2 + 2 * interval,
            labels={"job": "edge-infer"},
            expected_description=f"{over * 100:.4g}% of inference requests {about.verb} "
            f"(over {burn.windows[0]}; the alert threshold is {limit:.0%}).",
            interval_seconds=interval,
        ),
        negative_cases=(
            RuleCase(
                why="it has just begun: the long window is below the threshold",
                series=lives(over, limit, 5),
                at=length - 60,
            ),
            RuleCase(
                why="it is over: the short window is below the threshold", series=lives(limit, over, 5), at=length - 60
            ),
            RuleCase(why="a handful of requests at night", series=lives(over, over, guard), at=length - 60),
        ),
    )


def _internal() -> Alert:
    pairs = ((_BURNS[0].windows, INTERNAL_FAST), (_BURNS[1].windows, INTERNAL_SLOW))
    halves = [
        f"({failure_ratio(short).name} > {limit} and {failure_ratio(long).name} > {limit})"
        for (short, long), limit in pairs
    ]

    def lives(five: float, hour: float, half: float, six: float, busy: float = 5) -> dict[str, Values]:
        values = (("5m", five), ("1h", hour), ("30m", half), ("6h", six))
        series = {f"{failure_ratio(window).name}{_JOB}": gauge((value, 600)) for window, value in values}
        return series | {f"{REQUESTS.name}{_JOB}": gauge((busy, 600))}

    idle, quick, steady = 0.01, INTERNAL_FAST * 1.05, INTERNAL_SLOW * 1.05
    firing = lives(idle, idle, steady, steady, _HARDLY_BUSY) | {
        f"{failure_ratio('30m').name}{_JOB}": gauge((steady, 300), (idle, 300)),
    }
    return Alert(
        name="HailoInternalObjectiveBurn",
        provoked_by="partial-failure",
        expression=f"({halves[0]}\nor {halves[1]})\nand {_BUSY}",
        for_="2m",
        severity=Severity.TICKET,
        service="edge-infer",
        signal="availability",
        objective="99",
        summary="The internal error objective is being missed",
        description="{{ $value | humanizePercentage }} of inference requests fail; the internal objective is 1%.",
        dashboard_uid=_DASHBOARD,
        runbook=Runbook(
            meaning="The internal objective of 99 % burns at the standard burn rates, while the published 95 % still "
            "holds.",
            impact="No outage for users; the margin of the published objective shrinks. Plan a fix; it is not urgent.",
            diagnosis=_ERRORS.diagnosis,
        ),
        rule_test=RuleTest(
            series=firing,
            pending_at=105,
            firing_at=150,
            resolved_at=330,
            labels={"job": "edge-infer"},
            expected_description=f"{steady * 100:.4g}% of inference requests fail; the internal objective is 1%.",
        ),
        negative_cases=(
            RuleCase(why="fast: only the hour", series=lives(INTERNAL_FAST, quick, idle, idle), at=500),
            RuleCase(why="fast: only five minutes", series=lives(quick, INTERNAL_FAST, idle, idle), at=500),
            RuleCase(why="slow: only six hours", series=lives(idle, idle, INTERNAL_SLOW, steady), at=500),
            RuleCase(why="slow: only half an hour", series=lives(idle, idle, steady, INTERNAL_SLOW), at=500),
            RuleCase(
                why="a handful of requests",
                series=lives(quick, quick, steady, steady, TRAFFIC_GUARD_PER_SECOND),
                at=500,
            ),
        ),
        positive_cases=(RuleCase(why="fast", series=lives(quick, quick, idle, idle), at=500),),
    )


def _missed(about: _Indicator, ratio: Recorded) -> Alert:
    over = round(ERROR_BUDGET * 1.05, 4)

    def lives(value: float, busy: float) -> dict[str, Values]:
        return {f"{ratio.name}{_JOB}": gauge((value, 1800)), f"{REQUESTS.name}{_JOB}": gauge((busy, 1800))}

    return Alert(
        name=f"Hailo{about.signal.capitalize()}ObjectiveMissed",
        provoked_by=about.provoked_by["ObjectiveMissed"],
        expression=f"{ratio.name} > {ERROR_BUDGET}\nand {_BUSY}",
        for_="10m",
        severity=Severity.WARNING,
        service="edge-infer",
        signal=about.signal,
        objective="95",
        summary=f"The {about.signal} objective is missed right now",
        description=f"{{{{ $value | humanizePercentage }}}} of inference requests {about.verb}; "
        "the objective allows 5%.",
        dashboard_uid=_DASHBOARD,
        runbook=Runbook(
            meaning=f"For ten minutes more than {ERROR_BUDGET:.0%} of the requests {about.verb}: "
            "the objective is missed while this lasts, whatever is left of the month's budget.",
            impact=about.impact,
            diagnosis=about.diagnosis,
        ),
        rule_test=RuleTest(
            series=lives(over, _HARDLY_BUSY) | {f"{ratio.name}{_JOB}": gauge((over, 1200), (0.01, 600))},
            pending_at=585,
            firing_at=630,
            resolved_at=1230,
            labels={"job": "edge-infer"},
            expected_description=f"{over * 100:.4g}% of inference requests {about.verb}; the objective allows 5%.",
        ),
        negative_cases=(
            RuleCase(why="exactly at the objective", series=lives(ERROR_BUDGET, 5), at=1500),
            RuleCase(why="a handful of requests", series=lives(over, TRAFFIC_GUARD_PER_SECOND), at=1500),
        ),
    )
