"""Failures of a few requests, which alerts with long windows find."""

from dataclasses import replace

from chaos.faults import Fault, FaultKind
from chaos.scenario import Counted, Scenario, error, proxied


def _budget(name: str, does: str, fault: Fault, *counted: Counted, alert: str, minutes: float) -> Scenario:
    return replace(proxied(name, does, fault, *counted, alert=alert, minutes=minutes), is_slow=True)


BUDGETS = (
    _budget(
        "a-quarter-fails",
        "One request in four is answered with 400.",
        Fault(FaultKind.STATUS, status=400, share=0.25),
        error("http_4xx"),
        alert="HailoErrorBudgetBurnSlow",
        minutes=90,
    ),
    _budget(
        "a-tenth-fails",
        "One request in ten is answered with 400.",
        Fault(FaultKind.STATUS, status=400, share=0.1),
        error("http_4xx"),
        alert="HailoAvailabilityObjectiveMissed",
        minutes=60,
    ),
    _budget(
        "a-quarter-is-late",
        "One answer in four comes 0.3 s late.",
        Fault(FaultKind.LATENCY, seconds=0.3, share=0.25),
        alert="HailoLatencyBudgetBurnSlow",
        minutes=90,
    ),
    _budget(
        "a-tenth-is-late",
        "One answer in ten comes 0.3 s late.",
        Fault(FaultKind.LATENCY, seconds=0.3, share=0.1),
        alert="HailoLatencyObjectiveMissed",
        minutes=60,
    ),
    _budget(
        "error-spike",
        "A class of error that was rare grows: one request in five is answered with 400.",
        Fault(FaultKind.STATUS, status=400, share=0.2),
        error("http_4xx"),
        alert="HailoErrorClassSpike",
        minutes=90,
    ),
    _budget(
        "errors-eat-the-budget",
        "One request in four is answered with 400, for hours.",
        Fault(FaultKind.STATUS, status=400, share=0.25),
        error("http_4xx"),
        alert="HailoErrorBudgetExhausting",
        minutes=400,
    ),
    _budget(
        "lateness-eats-the-budget",
        "One answer in four comes 0.3 s late, for hours.",
        Fault(FaultKind.LATENCY, seconds=0.3, share=0.25),
        alert="HailoLatencyBudgetExhausting",
        minutes=400,
    ),
)
