"""Alerts on errors of the gateway: fallback, unanswered requests, server errors, and an open circuit."""

from edgeinfer.catalog import gateway
from edgeinfer.monitoring.alerts.alert import Alert, Runbook, RunbookStep, Severity
from edgeinfer.monitoring.alerts.rule_test import RuleCase, RuleTest, counter, gauge
from edgeinfer.monitoring.alerts.service_series import GATEWAY, QUERIES, TARGET
from edgeinfer.monitoring.promql import matching
from edgeinfer.monitoring.thresholds import (
    FALLBACK_SHARE,
    SERVER_ERROR_SHARE,
    TRAFFIC_GUARD_PER_SECOND,
    UNANSWERED_SHARE,
)


def create() -> list[Alert]:
    """The entries that rules, runbooks and rule tests are generated from."""
    return [
        _falling_back(),
        _unanswered(),
        _server_errors(),
        _circuit_open(),
    ]


def _falling_back() -> Alert:
    fallbacks = QUERIES.rate(gateway.ANALYSES, by=("job",), where={"source": "fallback"})
    everything = QUERIES.rate(gateway.ANALYSES, by=("job",))
    sidecar_answers, own = (
        f'edgeinfer_analyses_total{{{GATEWAY}, operation="process", source="{source}"}}'
        for source in ("sidecar", "fallback")
    )
    for_motifs = own.replace("process", "motifs")
    return Alert(
        name="EdgeInferFallingBack",
        provoked_by="http-5xx",
        expression=f"{fallbacks} / {everything} > {FALLBACK_SHARE}\nand {everything} > {TRAFFIC_GUARD_PER_SECOND}",
        for_="5m",
        severity=Severity.WARNING,
        service="edge-infer",
        signal="availability",
        summary="The gateway answers with its own CPU",
        description="{{ $value | humanizePercentage }} of the analyses were computed on the gateway's CPU.",
        runbook=Runbook(
            meaning="No sidecar answered, so the gateway ran the same model itself; results are real and marked.",
            impact="Slower answers, CPU time on the gateway, and no use of the chip.",
            diagnosis=(
                RunbookStep(
                    "Dashboard 'Hailo Sidecar', panel 'Fallbacks by reason': which one?",
                    {
                        "no_sidecar_configured": "set MODEL_BACKEND_URL, and restart the gateway.",
                        "connection_error or circuit_open": "the sidecar is down; continue with the next step.",
                        "timeout": "the sidecar is slow: see HailoLatencyBudgetBurnFast.",
                        "http_5xx": "the sidecar fails internally: see HailoHardwareErrors.",
                    },
                ),
                RunbookStep(
                    "Does the sidecar answer?",
                    {
                        "connection refused": "see HailoSidecarDown.",
                        "503 with a `reason`": "see HailoSidecarNotReady.",
                        "200": "the circuit closes by itself within seconds; check that the alert resolves.",
                    },
                    command="curl -si localhost:9000/healthz",
                ),
            ),
        ),
        rule_test=RuleTest(
            series={
                sidecar_answers: counter((0.88, 1500)),
                own: counter((0.06, 900), (0, 600)),
                for_motifs: counter((0.06, 900), (0, 600)),
            },
            pending_at=285,
            firing_at=420,
            resolved_at=1230,
            labels={"job": "edge-infer"},
            expected_description="12% of the analyses were computed on the gateway's CPU.",
        ),
        negative_cases=(
            RuleCase(
                why="one in twelve",
                series={sidecar_answers: counter((0.92, 1200)), own: counter((0.08, 1200))},
                at=1100,
            ),
            RuleCase(
                why="a handful of requests",
                series={sidecar_answers: counter((0, 1200)), own: counter((0.09, 1200))},
                at=1100,
            ),
        ),
        positive_cases=(
            RuleCase(
                why="slightly more requests than the traffic guard",
                series={sidecar_answers: counter((0.1, 1200)), own: counter((0.016, 1200))},
                at=1100,
            ),
        ),
    )


def _unanswered() -> Alert:
    nobody = QUERIES.rate(gateway.ANALYSES, by=("job",), where={"source": "none"})
    everything = QUERIES.rate(gateway.ANALYSES, by=("job",))
    answered, lost = (
        f'edgeinfer_analyses_total{{{GATEWAY}, operation="process", source="{source}"}}'
        for source in ("sidecar", "none")
    )
    lost_too = lost.replace("process", "motifs")
    return Alert(
        name="EdgeInferAnswersMissing",
        provoked_by="nobody-answers",
        expression=f"{nobody} / {everything} > {UNANSWERED_SHARE}\nand {everything} > {TRAFFIC_GUARD_PER_SECOND}",
        for_="2m",
        severity=Severity.CRITICAL,
        service="edge-infer",
        signal="availability",
        summary="Users get no result: neither sidecar nor fallback answers",
        description="{{ $value | humanizePercentage }} of the analyses had no answer at all.",
        dashboard_uid="edgeinfer-gateway",
        runbook=Runbook(
            meaning="Sidecars failed and the fallback on the gateway's CPU failed or is missing too.",
            impact="Phones show errors.",
            diagnosis=(
                RunbookStep(
                    "What does the gateway report about itself?",
                    {
                        "`hailo_backend` is not healthy": (
                            "fix the sidecar first: see HailoSidecarDown. That alone resolves the alert."
                        ),
                        "`inference_capability` is unhealthy": (
                            "the fallback is broken too; continue with the next step."
                        ),
                    },
                    command="curl -s localhost:8080/health/detailed",
                ),
                RunbookStep(
                    "Why does the fallback not answer?",
                    {
                        "`the fallback model cannot be loaded`": (
                            "the line names the file: check EDGEINFER_MODEL_FOLDER, restart."
                        ),
                        "`the fallback failed`": "keep the traceback; restart the gateway; file a bug.",
                        "neither": "EDGEINFER_GATEWAY_FALLBACK is off: set it, and restart the gateway.",
                    },
                    command="journalctl -u edgeinfer-gateway --since -30min | grep -i fallback",
                ),
            ),
        ),
        rule_test=RuleTest(
            series={
                answered: counter((0.94, 900)),
                lost: counter((0.03, 400), (0, 500)),
                lost_too: counter((0.03, 400), (0, 500)),
            },
            pending_at=105,
            firing_at=210,
            resolved_at=735,
            labels={"job": "edge-infer"},
            expected_description="6% of the analyses had no answer at all.",
        ),
        negative_cases=(
            RuleCase(
                why="one in twenty-five",
                series={answered: counter((0.959, 900)), lost: counter((0.041, 900))},
                at=800,
            ),
            RuleCase(
                why="a handful of requests", series={answered: counter((0, 900)), lost: counter((0.09, 900))}, at=800
            ),
        ),
        positive_cases=(
            RuleCase(
                why="slightly more requests than the traffic guard",
                series={answered: counter((0.1, 900)), lost: counter((0.016, 900))},
                at=800,
            ),
        ),
    )


def _server_errors() -> Alert:
    failed = QUERIES.rate(gateway.HTTP_REQUESTS, by=("job",), where={"status_code": matching("5..")})
    everything = QUERIES.rate(gateway.HTTP_REQUESTS, by=("job",))
    route = f'{GATEWAY}, method="PUT", endpoint="/api/v1/analysis/stream"'
    good, bad, worse, wrong = (
        f'edgeinfer_http_requests_total{{{route}, status_code="{code}"}}' for code in ("202", "500", "507", "404")
    )
    return Alert(
        name="EdgeInferServerErrors",
        provoked_by="disk-full",
        expression=f"{failed} / {everything} > {SERVER_ERROR_SHARE}\nand {everything} > {TRAFFIC_GUARD_PER_SECOND}",
        for_="5m",
        severity=Severity.WARNING,
        service="edge-infer",
        signal="availability",
        summary="The gateway answers with server errors",
        description="{{ $value | humanizePercentage }} of the gateway's answers are 5xx.",
        dashboard_uid="edgeinfer-gateway",
        runbook=Runbook(
            meaning="More than one in twenty requests to the gateway ended in a 5xx.",
            impact="Phones retry or lose windows.",
            diagnosis=(
                RunbookStep(
                    "Dashboard 'EdgeInfer', panel 'Problems': which kind?",
                    {
                        "overloaded": "more requests than it can take: reduce the load, or add a gateway.",
                        "storage_error": "the disk is full or read-only: see HailoDiskFull.",
                        "not_ready or backend_error": "no sidecar and no fallback: see EdgeInferAnswersMissing.",
                        "internal_error": "a bug in EdgeInfer; continue with the next step.",
                    },
                ),
                RunbookStep(
                    "What failed internally?",
                    {
                        "a traceback": "keep it with its request id and file a bug; restart the gateway.",
                        "it began with a deploy": "roll back to the previous version.",
                    },
                    command='journalctl -u edgeinfer-gateway --since -15min | grep \'"level": "error"\'',
                ),
            ),
        ),
        rule_test=RuleTest(
            series={
                good: counter((9.4, 1500)),
                bad: counter((0.3, 900), (0, 600)),
                worse: counter((0.3, 900), (0, 600)),
            },
            pending_at=285,
            firing_at=420,
            resolved_at=1230,
            labels={"job": "edge-infer"},
            expected_description="6% of the gateway's answers are 5xx.",
        ),
        negative_cases=(
            RuleCase(why="few", series={good: counter((9.59, 1200)), bad: counter((0.41, 1200))}, at=1100),
            RuleCase(
                why="the caller's mistakes", series={good: counter((5, 1200)), wrong: counter((5, 1200))}, at=1100
            ),
            RuleCase(why="a handful of requests", series={bad: counter((0.09, 1200))}, at=1100),
        ),
        positive_cases=(
            RuleCase(
                why="slightly more requests than the traffic guard",
                series={good: counter((0.1, 1200)), bad: counter((0.016, 1200))},
                at=1100,
            ),
        ),
    )


def _circuit_open() -> Alert:
    # Each trial call makes an open circuit half-open for a moment: only closed means that it has recovered.
    is_closed = QUERIES.gauge(gateway.CIRCUIT_STATE, by=(*TARGET, "sidecar"), where={"state": "closed"})
    address = 'sidecar="127.0.0.1:9000"'
    opened, closed = (
        f'edgeinfer_circuit_state{{{GATEWAY}, {address}, state="{state}"}}' for state in ("open", "closed")
    )
    return Alert(
        name="HailoCircuitOpen",
        provoked_by="half-open",
        expression=f"{is_closed} == 0",
        for_="1m",
        severity=Severity.WARNING,
        service="edge-infer",
        signal="availability",
        summary="The gateway has stopped calling {{ $labels.sidecar }}",
        description="The circuit breaker of {{ $labels.sidecar }} is open: its calls failed too often.",
        runbook=Runbook(
            meaning="So many calls to this sidecar failed that the gateway stopped calling it, except for a trial "
            "call now and then.",
            impact="Its share of the work goes to other sidecars or to the gateway's CPU.",
            diagnosis=(
                RunbookStep(
                    "Does that sidecar answer? The alert names its address.",
                    {
                        "connection refused": "see HailoSidecarDown.",
                        "503 with a `reason`": "see HailoSidecarNotReady.",
                        "200": "the next trial call closes the circuit; check that the alert resolves.",
                    },
                    command="curl -si localhost:9000/healthz",
                ),
                RunbookStep(
                    "Dashboard 'Hailo Sidecar', panel 'Errors by class': what failed before it opened?",
                    {
                        "timeout": "it is slow, not down: see HailoLatencyBudgetBurnFast.",
                        "http_5xx": "it fails internally: see HailoHardwareErrors.",
                    },
                ),
            ),
        ),
        rule_test=RuleTest(
            series={opened: gauge((1, 50), (0, 10), (1, 240), (0, 300)), closed: gauge((0, 300), (1, 300))},
            pending_at=45,
            firing_at=90,
            resolved_at=330,
            labels={"job": "edge-infer", "instance": "gateway:8080", "sidecar": "127.0.0.1:9000"},
            expected_description="The circuit breaker of 127.0.0.1:9000 is open: its calls failed too often.",
        ),
        negative_cases=(RuleCase(why="closed", series={opened: gauge((0, 300)), closed: gauge((1, 300))}, at=200),),
    )
