"""The way between gateway and sidecar: late, cut, or answered by something else."""

from edgeinfer.catalog import gateway, sidecar, system
from edgeinfer.monitoring.causes.cause import Action, Cause, Evidence
from edgeinfer.monitoring.causes.commands import Verb
from edgeinfer.monitoring.causes.facts import fact
from edgeinfer.monitoring.causes.signs import (
    BUSY_SHARE,
    CALLS_FAIL,
    CALLS_LATE,
    GATEWAY,
    MACHINE_BUSY,
    SIDECAR,
    SIDECAR_FAILS,
    SIDECAR_SCRAPED,
    SIDECAR_WAS_AWAY,
    WINDOW,
    Q,
    call_errors,
    condition,
    either,
    out_of_files,
)
from edgeinfer.monitoring.prometheus_metrics import SCRAPE_DURATION
from edgeinfer.monitoring.promql import one_of
from edgeinfer.monitoring.thresholds import LATENCY_WARNING_SECONDS

_VIOLATES = Evidence("its answers break the model's contract", f"{Q.rate(gateway.CONTRACT_VIOLATIONS)} > 0")
_SHOW_CALL = "curl -si -m 5 localhost:8080/health/detailed"
_ROUTE = "sudo ss -tnp state established '( dport = :9000 )'"
# What the fallback hides from phones still shows in these.
_FAILS = (*CALLS_FAIL, *CALLS_LATE)
_SLOW_SIDECAR = f"{Q.quantile(0.95, sidecar.HTTP_DURATION, where={'endpoint': '/infer'})} > {LATENCY_WARNING_SECONDS}"
_QUEUED = f"min(min_over_time({Q.select(sidecar.QUEUE_DEPTH)}[1m])) > 0"
# A machine without an idle moment delays many calls, and scrapes no less; where most calls are late, or those that
# are late are far later than scrapes of the same two processes, something else does it.
_LATE_SECONDS, _TIMEOUTS = 0.25, 0.5
_TIMED_OUT = Q.rate(gateway.INFERENCE_ERRORS, where={"error_type": "timeout"})
_ANSWERED = Q.rate(gateway.INFERENCE_REQUESTS, where={"status": "success"})
_LATER_THAN_SCRAPES = 2
_LATEST_CALLS = Q.quantile(0.95, gateway.NETWORK_DURATION)
_LATEST_SCRAPES = (
    f"max(quantile_over_time(0.9, {Q.select(SCRAPE_DURATION, {'job': one_of(GATEWAY, SIDECAR)})}[{WINDOW}]))"
)
_BUSY = (
    f"avg(avg_over_time({Q.select(system.CPU_USAGE_RATIO)}[1m])) > {BUSY_SHARE}"
    f" unless on () ({Q.quantile(0.5, gateway.NETWORK_DURATION)} > {_LATE_SECONDS})"
    f" unless on () ({_TIMED_OUT} > {_TIMEOUTS} * {_ANSWERED})"
    f" unless on () ({_LATEST_CALLS} > {_LATER_THAN_SCRAPES} * {_LATEST_SCRAPES})"
)


def create() -> list[Cause]:
    """The entries that diagnosis and reference are made from."""
    return [_late(), _reset(), _answers_errors(), _corrupted(), _elsewhere(), _no_fallback()]


def _late() -> Cause:
    network = f"{Q.quantile(0.95, gateway.NETWORK_DURATION)} > {LATENCY_WARNING_SECONDS}"
    return Cause(
        name="path-loses-answers",
        title="Answers of the sidecar reach the gateway late or not at all",
        service=GATEWAY,
        alerts=_FAILS,
        evidence=(
            Evidence(
                "calls take or time out over 75 ms more than the sidecar accounts for",
                either(network, call_errors("timeout")),
            ),
            SIDECAR_SCRAPED,
        ),
        unless=(
            Evidence("the sidecar itself takes {value} s for 95 % of its answers", _SLOW_SIDECAR),
            Evidence("{value} windows wait in the sidecar's queue", _QUEUED),
            Evidence("the whole machine is busy, which delays scrapes as much as calls", _BUSY),
            SIDECAR_FAILS,
            SIDECAR_WAS_AWAY,
            out_of_files("gateway", GATEWAY),
        ),
        doubts=(MACHINE_BUSY,),
        confused_with=("sidecar-hangs", "sidecar-overloaded", "sidecar-out-of-files", "processor-busy"),
        follows_from=("processor-busy", "sidecar-suspended"),
        remedy=(
            Action("See the connections between the two.", command=_ROUTE),
            Action("Look at what stands between them: a proxy, a network, a firewall that drops packets."),
            Action("Take it out of the way, and compare the panel 'Where the time goes'."),
        ),
    )


def _reset() -> Cause:
    return Cause(
        name="connections-reset",
        title="Connections from the gateway to the sidecar are refused or cut, while the sidecar runs",
        service=GATEWAY,
        alerts=_FAILS,
        evidence=(
            Evidence(
                "calls of the gateway fail with connection errors, {value} a second", call_errors("connection_error")
            ),
            SIDECAR_SCRAPED,
        ),
        unless=(
            SIDECAR_WAS_AWAY,
            Evidence("{found}", facts=(fact("sidecar.process", "restarting", "ended"),)),
            out_of_files("gateway", GATEWAY),
        ),
        confused_with=("sidecar-stopped", "sidecar-crashes"),
        follows_from=("sidecar-stopped", "sidecar-crashes", "port-taken"),
        remedy=(
            Action(
                "See what stands between gateway and sidecar, and which address the gateway asks.", command=_SHOW_CALL
            ),
            Action("Compare MODEL_BACKEND_URL of the gateway with the sidecar's port, and look at the firewall."),
        ),
    )


def _answers_errors() -> Cause:
    return Cause(
        name="path-answers-errors",
        title="Something between gateway and sidecar answers with errors in the sidecar's place",
        service=GATEWAY,
        alerts=_FAILS,
        evidence=(
            Evidence(
                "the gateway gets error statuses or redirects, {value} a second",
                call_errors("http_4xx", "http_5xx", "unknown_error"),
            ),
            Evidence("the sidecar runs and is ready", f"{Q.gauge(sidecar.READY)} == 1"),
        ),
        unless=(SIDECAR_FAILS, SIDECAR_WAS_AWAY),
        confused_with=("model-not-loaded", "sidecar-overloaded", "backend-fails"),
        remedy=(
            Action("Ask the sidecar itself, past everything between.", command="curl -si -m 5 localhost:9000/healthz"),
            Action("Ask as the gateway does: at the address in MODEL_BACKEND_URL.", command=_SHOW_CALL),
            Action("Fix or take out the proxy that answers differently."),
        ),
    )


def _corrupted() -> Cause:
    return Cause(
        name="answers-corrupted",
        title="Answers of the sidecar are cut or changed before they reach the gateway",
        service=GATEWAY,
        alerts=_FAILS,
        evidence=(
            Evidence(
                "the gateway cannot read answers, {value} a second", call_errors("malformed_response", "decode_error")
            ),
            SIDECAR_SCRAPED,
        ),
        unless=(_VIOLATES, SIDECAR_WAS_AWAY),
        confused_with=("port-taken", "model-of-another-shape", "path-answers-errors"),
        remedy=(
            Action(
                "See what a call to the sidecar answers; it should be JSON or floats, not a page.",
                command="curl -si -m 5 localhost:9000/healthz",
            ),
            Action("Look for a proxy that rewrites, compresses or limits bodies, and take it out."),
            Action("Bring gateway and sidecar to one version.", verb=Verb.LOG, process="gateway"),
        ),
    )


def _elsewhere() -> Cause:
    return Cause(
        name="answered-elsewhere",
        title="Another sidecar answers than the one that Prometheus reads",
        service=SIDECAR,
        alerts=("HailoCounterSilent",),
        evidence=(
            Evidence("calls succeed, and the sidecar that is scraped counts none", condition("HailoCounterSilent")),
        ),
        remedy=(
            Action(
                "Compare the address that the gateway asks with the target in prometheus.yml.",
                command="curl -s localhost:9090/api/v1/targets",
            ),
        ),
    )


def _no_fallback() -> Cause:
    fallback = {"source": "fallback"}
    return Cause(
        name="fallback-off",
        title="The gateway has no model of its own to answer with while the sidecar does not",
        service=GATEWAY,
        alerts=("EdgeInferAnswersMissing", "EdgeInferServerErrors"),
        evidence=(
            Evidence(
                "analyses are answered by nobody, {value} a second",
                f"{Q.rate(gateway.ANALYSES, by=('job',), where={'source': 'none'})} > 0",
            ),
        ),
        unless=(
            Evidence(
                "it answers by fallback, {value} a second",
                f"{Q.rate(gateway.ANALYSES, by=('job',), where=fallback)} > 0",
            ),
        ),
        follows_from=(
            "path-answers-errors",
            "path-loses-answers",
            "answers-corrupted",
            "connections-reset",
            "sidecar-stopped",
            "sidecar-hangs",
            "sidecar-crashes",
            "model-not-loaded",
            "port-taken",
            "sidecar-out-of-memory",
            "sidecar-suspended",
            "sidecar-overloaded",
            "sidecar-out-of-files",
        ),
        remedy=(Action("Set EDGEINFER_GATEWAY_FALLBACK=true, and restart it.", verb=Verb.RESTART, process="gateway"),),
    )
