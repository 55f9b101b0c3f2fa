"""The way between gateway and sidecar: slow, cut, or failing now and then."""

from chaos.faults import Fault, FaultKind
from chaos.scenario import error, proxied

NETWORK = (
    proxied(
        "latency",
        "Each answer of the sidecar comes 0.3 s late.",
        Fault(FaultKind.LATENCY, seconds=0.3),
        alert="HailoLatencyBudgetBurnFast",
        minutes=25,
    ),
    proxied(
        "jitter",
        "Each answer comes late by a random time up to 2 s; some are too late.",
        Fault(FaultKind.JITTER, seconds=2.0),
        error("timeout"),
        alert="HailoLatencyBudgetBurnFast",
        minutes=25,
    ),
    proxied(
        "timeout",
        "Each answer comes 3 s late, past the gateway's 1.5 s.",
        Fault(FaultKind.LATENCY, seconds=3.0),
        error("timeout"),
        alert="HailoErrorBudgetBurnFast",
        minutes=25,
    ),
    proxied(
        "reset",
        "Connections are reset once the request has arrived.",
        Fault(FaultKind.RESET),
        error("connection_error"),
        alert="EdgeInferFallingBack",
    ),
    proxied(
        "half-open",
        "Requests are taken and nothing ever comes back.",
        Fault(FaultKind.HALF_OPEN),
        error("timeout"),
        error("circuit_open"),
        alert="HailoCircuitOpen",
        minutes=5,
    ),
    proxied(
        "slow-bytes",
        "Answers come one byte every 50 ms.",
        Fault(FaultKind.SLOW_BYTES, seconds=0.05),
        error("timeout"),
        alert="EdgeInferFallingBack",
    ),
    proxied(
        "partial-failure",
        "One request in five is answered with 500.",
        Fault(FaultKind.STATUS, status=500, share=0.2),
        error("http_5xx"),
        alert="HailoInternalObjectiveBurn",
        minutes=20,
    ),
)
