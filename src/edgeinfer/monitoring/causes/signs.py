"""Expressions and groups of alerts that several causes share."""

from functools import cache

from edgeinfer.catalog import gateway, sidecar, system
from edgeinfer.monitoring.alerts import all_alerts
from edgeinfer.monitoring.causes.cause import Evidence
from edgeinfer.monitoring.causes.facts import fact
from edgeinfer.monitoring.prometheus_metrics import (
    CONFIGURATION_LOADED_AT,
    FILES_LIMIT,
    OPEN_FILES,
    SCRAPE_DURATION,
    STARTED,
    UP,
)
from edgeinfer.monitoring.promql import TARGET_LABELS, Queries, one_of, other_than

GATEWAY, SIDECAR, EXPORTER = "edge-infer", "hailo-inference", "hailo-exporter"
WINDOW = "1m"
Q = Queries(WINDOW, {})
# A refused connection is known within a millisecond; a process that hangs takes the whole time of a scrape.
_REFUSED_SECONDS = 1
_NEARLY_ALL = 0.95

# What phones and objectives feel when calls to the sidecar fail, or come late.
CALLS_FAIL = (
    "EdgeInferFallingBack",
    "EdgeInferAnswersMissing",
    "EdgeInferServerErrors",
    "EdgeInferHealthDegraded",
    "HailoCircuitOpen",
    "HailoErrorClassSpike",
    "HailoErrorBudgetBurnFast",
    "HailoErrorBudgetBurnSlow",
    "HailoErrorBudgetExhausting",
    "HailoInternalObjectiveBurn",
    "HailoAvailabilityObjectiveMissed",
)
CALLS_LATE = (
    "HailoLatencyBudgetBurnFast",
    "HailoLatencyBudgetBurnSlow",
    "HailoLatencyBudgetExhausting",
    "HailoLatencyObjectiveMissed",
)


@cache
def _conditions() -> dict[str, str]:
    return {alert.name: alert.expression for alert in all_alerts()}


def condition(alert: str) -> str:
    """The expression of an alert: a cause that the alert names by itself has no second threshold."""
    return _conditions()[alert]


def either(*expressions: str) -> str:
    """A series where one of them has one."""
    return " or ".join(f"({expression})" for expression in expressions)


def without(expression: str, other: str) -> str:
    """The expression where the other has nothing at all."""
    return f"({expression}) unless on () ({other})"


def down(job: str) -> str:
    """Prometheus could not scrape the job the last time."""
    return f"{Q.select(UP, {'job': job})} == 0"


def scraped(job: str) -> str:
    return f"{Q.select(UP, {'job': job})} == 1"


def refused(job: str) -> str:
    """Prometheus could not, and knew it at once."""
    return f"{down(job)} and on (job, instance) {Q.select(SCRAPE_DURATION, {'job': job})} < {_REFUSED_SECONDS}"


def silent(job: str) -> str:
    """Prometheus could not several times in a row, and waited for it: one late answer is a busy machine's."""
    gone = f"max_over_time({Q.select(UP, {'job': job})}[15s]) == 0"
    return f"{gone} and on (job, instance) {Q.select(SCRAPE_DURATION, {'job': job})} >= {_REFUSED_SECONDS}"


def was_away(job: str) -> str:
    """It was down or restarted a moment ago, so that failures of that time prove nothing else."""
    target = {"job": job}
    return either(f"min_over_time({Q.select(UP, target)}[2m]) == 0", f"changes({Q.select(STARTED, target)}[2m]) > 0")


def call_errors(*error_types: str) -> str:
    """Calls to the sidecar that failed in one of these ways within a minute, per second."""
    where = {"error_type": one_of(*error_types)}
    return f"{Q.rate(gateway.INFERENCE_ERRORS, by=TARGET_LABELS, where=where)} > 0"


def calls_succeed() -> str:
    """Calls to a sidecar that were answered within a quarter of a minute, per second."""
    found = f"sum(rate({Q.select(gateway.INFERENCE_REQUESTS, {'status': 'success'})}[15s])) > 0"
    return f"({found}) and on () (max(max_over_time({Q.select(UP, {'job': SIDECAR})}[15s])) == 0)"


def out_of_files(process: str, job: str) -> Evidence:
    """A process has no open file left."""
    target = {"job": job}
    is_full = f"{Q.select(OPEN_FILES, target)} >= {_NEARLY_ALL} * {Q.select(FILES_LIMIT, target)}"
    # Reading the number takes an open file itself: where none is left, the series is missing.
    is_unread = f"{Q.select(UP, target)} == 1 unless on (job, instance) {Q.select(OPEN_FILES, target)}"
    says = f"the {process} has used up its open files"
    return Evidence(says, either(is_full, is_unread), (fact(f"{process}.open_files", "used_up"),))


def violations(*checks: str) -> str:
    """Answers that broke the model's contract in one of these ways within a minute, per second."""
    return f"{Q.rate(gateway.CONTRACT_VIOLATIONS, by=TARGET_LABELS, where={'check': one_of(*checks)})} > 0"


def sidecar_failures() -> str:
    """Windows that the sidecar itself did not answer."""
    where = {"status": other_than("success", "abandoned")}
    return f"{Q.rate(sidecar.INFERENCES, by=TARGET_LABELS, where=where)} > 0"


BUSY_SHARE = 0.9
MACHINE_BUSY = Evidence(
    "the whole machine is busy, which delays answers as well",
    f"avg(avg_over_time({Q.select(system.CPU_USAGE_RATIO)}[1m])) > {BUSY_SHARE}",
    (fact("machine.processor", "overloaded"),),
)
PROMETHEUS_RELOADED = Evidence(
    "Prometheus read its configuration again, which restarts its scrapes and what it sends",
    f"changes({Q.select(CONFIGURATION_LOADED_AT)}[15m]) > 0",
)
SIDECAR_SCRAPED = Evidence("the sidecar answers Prometheus", scraped(SIDECAR))
SIDECAR_WAS_AWAY = Evidence("the sidecar was down or restarted within two minutes", was_away(SIDECAR))
SIDECAR_FAILS = Evidence("the sidecar itself counts failures, {value} a second", sidecar_failures())
