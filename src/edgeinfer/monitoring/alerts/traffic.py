"""Alerts on the flow of requests: queues, shedding, silence, and answers that no model gave."""

from edgeinfer.catalog import gateway, sidecar, system
from edgeinfer.monitoring.alerts.alert import Alert, Runbook, RunbookStep, Severity
from edgeinfer.monitoring.alerts.rule_test import RuleCase, RuleTest, counter, gauge
from edgeinfer.monitoring.alerts.service_series import GATEWAY, QUERIES, SIDECAR, SIDECAR_LABELS, TARGET
from edgeinfer.monitoring.recording import REQUESTS
from edgeinfer.monitoring.thresholds import (
    QUEUE_BACKLOG_WINDOWS,
    REFUSALS_PER_SECOND,
    TRAFFIC_GUARD_PER_SECOND,
)


def create() -> list[Alert]:
    """The entries that rules, runbooks and rule tests are generated from."""
    return [
        _backlog(),
        _shedding(),
        _refused(),
        _no_traffic(),
        _counter_silent(),
        _stub(),
    ]


def _backlog() -> Alert:
    depth = f"hailo_sidecar_queue_depth{{{SIDECAR}}}"
    least = f"min by (job, instance) (min_over_time({sidecar.QUEUE_DEPTH.name}[2m]))"
    return Alert(
        name="HailoQueueBacklog",
        provoked_by="sidecar-backlogged",
        expression=f"{least} > {QUEUE_BACKLOG_WINDOWS}",
        for_="2m",
        severity=Severity.WARNING,
        service="hailo-inference",
        signal="latency",
        summary="Windows are queueing at {{ $labels.instance }}",
        description="At least {{ $value | humanize }} windows have been waiting at all times for two minutes.",
        runbook=Runbook(
            meaning="More windows arrive than the backend can compute, and the queue no longer drains.",
            impact="Each request waits for all before it; beyond its capacity the sidecar sheds load.",
            diagnosis=(
                RunbookStep(
                    "Dashboard 'Hailo Sidecar', panels 'Request rate' and 'Where the time goes': what changed?",
                    {
                        "the traffic grew, 'execute' did not": (
                            "add a sidecar to MODEL_BACKEND_URL, or reduce the load."
                        ),
                        "'execute' became slower": "heat or another process; continue.",
                    },
                ),
                RunbookStep(
                    "Which process uses the CPU?",
                    {
                        "a process that is not part of EdgeInfer": "stop it, or move it elsewhere.",
                        "the sidecar alone": "the machine is saturated: add a sidecar on another one.",
                    },
                    command="top -b -n 1 | head -15",
                ),
            ),
        ),
        rule_test=RuleTest(
            series={depth: gauge((18, 600), (0, 300))},
            pending_at=105,
            firing_at=150,
            resolved_at=630,
            labels=SIDECAR_LABELS,
            expected_description="At least 18 windows have been waiting at all times for two minutes.",
        ),
        negative_cases=(
            RuleCase(why="exactly at the threshold", series={depth: gauge((16, 600))}, at=500),
            RuleCase(
                why="it empties now and then",
                series={depth: gauge((40, 90), (0, 30), (40, 90), (0, 30), (40, 90), (0, 30), (40, 90), (0, 30))},
                at=450,
            ),
        ),
        positive_cases=(RuleCase(why="empty five minutes ago", series={depth: gauge((0, 600), (18, 300))}, at=885),),
    )


def _shedding() -> Alert:
    shed, done = (f'hailo_sidecar_inferences_total{{{SIDECAR}, status="{status}"}}' for status in ("shed", "success"))
    return Alert(
        name="HailoSheddingLoad",
        provoked_by="sidecar-flooded",
        expression=f"{QUERIES.rate(sidecar.INFERENCES, by=TARGET, where={'status': 'shed'}, window='2m')} > 0",
        for_="2m",
        severity=Severity.WARNING,
        service="hailo-inference",
        signal="availability",
        summary="{{ $labels.instance }} is shedding load because its queue is full",
        description="{{ $value | humanize }} windows a second are answered with 503 and Retry-After.",
        runbook=Runbook(
            meaning="The bounded queue is full: the sidecar answers the queued windows and rejects new ones.",
            impact="Rejected windows are computed by the gateway's CPU.",
            diagnosis=(
                RunbookStep(
                    "How full is it?",
                    {
                        "the request rate is higher than usual": (
                            "add a sidecar to MODEL_BACKEND_URL, or reduce the load."
                        ),
                        "it is as usual": "the sidecar has become slower: see HailoQueueBacklog.",
                    },
                    command="edgeinfer top --once",
                ),
                RunbookStep(
                    "Dashboard 'EdgeInfer', panel 'Request rate by route': does one client send far more than the "
                    "others?",
                    {
                        "yes": "give it an API key with a rate limit, or stop it.",
                        "no": "do not enlarge the queue: that only trades rejections for latency.",
                    },
                ),
            ),
        ),
        rule_test=RuleTest(
            series={shed: counter((0.5, 400), (0, 400)), done: counter((5, 800))},
            pending_at=105,
            firing_at=180,
            resolved_at=570,
            labels=SIDECAR_LABELS,
            expected_description="500m windows a second are answered with 503 and Retry-After.",
        ),
        negative_cases=(
            RuleCase(why="nothing shed", series={shed: counter((0, 600)), done: counter((5, 600))}, at=500),
        ),
    )


def _refused() -> Alert:
    malformed, slow = (
        f'hailo_http_refusals_total{{{GATEWAY}, error_type="{error_type}"}}'
        for error_type in ("invalid_head", "slow_request")
    )
    return Alert(
        name="EdgeInferRequestsRefused",
        provoked_by="not-http",
        expression=f"{QUERIES.rate(system.HTTP_REFUSALS, by=TARGET)} > {REFUSALS_PER_SECOND}",
        for_="5m",
        severity=Severity.INFO,
        service="edge-infer",
        signal="errors",
        summary="The HTTP server of {{ $labels.instance }} refuses requests before it reads them",
        description="{{ $value | humanize }} requests or connections a second are refused and reach no route.",
        dashboard_uid="edgeinfer-gateway",
        runbook=Runbook(
            meaning="A client keeps sending what is not HTTP, too large, too slow, or too many at a time.",
            impact="None for others: what is refused costs little, and every other request is answered. The client "
            "itself gets nothing.",
            diagnosis=(
                RunbookStep(
                    "Which kind is it?",
                    {
                        "invalid_head": "the caller does not speak HTTP/1.1: a scanner, or TLS on the plain port.",
                        "body_too_large": "a client uploads too much at a time: see EDGEINFER_GATEWAY_MAX_BODY_BYTES.",
                        "slow_request": "a slow network, or connections that are held open on purpose.",
                        "overloaded": "too many connections or half-sent requests: continue.",
                        "internal_error": "read the traceback in the log of the service.",
                    },
                    command="curl -s localhost:8080/metrics | grep hailo_http_refusals_total",
                ),
                RunbookStep(
                    "Who has the connections?",
                    {
                        "one address": "fix that client, or keep it out with the firewall.",
                        "many addresses": "put the proxy of the threat model in front, which bounds them by address.",
                    },
                    command="ss -Htn state established '( sport = :8080 )'",
                ),
            ),
        ),
        rule_test=RuleTest(
            series={malformed: counter((0.5, 900), (0, 900))},
            pending_at=330,
            firing_at=405,
            resolved_at=1320,
            labels={"job": "edge-infer", "instance": "gateway:8080"},
            expected_description="500m requests or connections a second are refused and reach no route.",
        ),
        negative_cases=(
            RuleCase(why="just below the threshold", series={malformed: counter((0.09, 1800))}, at=1500),
            RuleCase(why="a burst that ends", series={malformed: counter((5, 30), (0, 1200))}, at=900),
        ),
        positive_cases=(
            RuleCase(why="just above the threshold", series={malformed: counter((0.12, 1800))}, at=1500),
            RuleCase(
                why="two kinds, each below the threshold",
                series={malformed: counter((0.06, 1800)), slow: counter((0.06, 1800))},
                at=1500,
            ),
        ),
    )


def _no_traffic() -> Alert:
    requests = f'{REQUESTS.name}{{job="edge-infer"}}'
    return Alert(
        name="HailoNoTraffic",
        provoked_by="nobody-asks",
        expression=f"{REQUESTS.name} == 0\nand max_over_time({REQUESTS.name}[1d]) > 0",
        for_="15m",
        severity=Severity.INFO,
        service="edge-infer",
        signal="traffic",
        summary="No inference requests for 15 minutes",
        description="No inference requests, though there were some within the last day.",
        dashboard_uid="edgeinfer-gateway",
        runbook=Runbook(
            meaning="The service is up but idle: there are no users at this time, or their requests do not arrive.",
            impact="None, if there are no users at this time.",
            diagnosis=(
                RunbookStep(
                    "Are users expected at this time?",
                    {
                        "no": "nothing to do.",
                        "yes": "continue.",
                    },
                ),
                RunbookStep(
                    "Does the gateway answer from the phones' network?",
                    {
                        "it answers": "the phones send no requests: check the app, and the address it uses.",
                        "it does not": (
                            "the network or the firewall; `EDGEINFER_GATEWAY_HOST` says where the gateway listens."
                        ),
                    },
                    command="curl -si -m 5 http://GATEWAY:8080/healthz",
                ),
            ),
        ),
        rule_test=RuleTest(
            series={requests: gauge((0.5, 600), (0, 1800), (0.5, 600))},
            pending_at=600 + 840,
            firing_at=600 + 1020,
            resolved_at=600 + 1860,
            labels={"job": "edge-infer"},
            expected_description="No inference requests, though there were some within the last day.",
            interval_seconds=300,
        ),
        negative_cases=(
            RuleCase(why="new: no request so far", series={requests: gauge((0, 2400))}, at=2000),
            RuleCase(why="traffic", series={requests: gauge((2, 2400))}, at=2000),
            RuleCase(
                why="no request for more than a day",
                series={requests: gauge((0.5, 600), (0, 25 * 3600))},
                at=25 * 3600,
            ),
        ),
    )


def _counter_silent() -> Alert:
    asked = QUERIES.rate(gateway.INFERENCE_REQUESTS, where={"status": "success"})
    done = QUERIES.rate(sidecar.INFERENCES)
    success, failure = (
        f'hailo_inference_requests_total{{{GATEWAY}, operation="process", status="{status}"}}'
        for status in ("success", "failure")
    )
    inside = f'hailo_sidecar_inferences_total{{{SIDECAR}, status="success"}}'
    return Alert(
        name="HailoCounterSilent",
        provoked_by="answered-elsewhere",
        expression=f"{asked} > {TRAFFIC_GUARD_PER_SECOND}\nand {done} == 0",
        for_="5m",
        severity=Severity.WARNING,
        service="hailo-inference",
        signal="monitoring",
        summary="The gateway gets answers from sidecars whose counters do not increase",
        description="{{ $value | humanize }} successful requests a second, none of them counted by a scraped sidecar.",
        runbook=Runbook(
            meaning="Prometheus scrapes other sidecars than the gateway calls.",
            impact="The sidecar's panels and alerts are about the wrong process.",
            diagnosis=(
                RunbookStep(
                    "Which sidecars does the gateway call, and which does Prometheus scrape?",
                    {
                        "they differ": "scrape those that it calls: fix the job hailo-inference, then reload.",
                        "they are the same": "two sidecars share one address; `ss -ltnp` shows which process listens.",
                    },
                    command="systemctl show edgeinfer-gateway -p Environment; curl -s localhost:9090/api/v1/targets",
                ),
            ),
        ),
        rule_test=RuleTest(
            series={success: counter((0.12, 1500)), inside: counter((0, 900), (0.12, 600))},
            pending_at=480,
            firing_at=630,
            resolved_at=960,
            expected_description="120m successful requests a second, none of them counted by a scraped sidecar.",
        ),
        negative_cases=(
            RuleCase(why="counted", series={success: counter((2, 900)), inside: counter((2, 900))}, at=800),
            RuleCase(why="little traffic", series={success: counter((0.085, 900)), inside: counter((0, 900))}, at=800),
            RuleCase(why="none succeeded", series={failure: counter((2, 900)), inside: counter((0, 900))}, at=800),
        ),
        positive_cases=(
            RuleCase(
                why="they counted a quarter of an hour ago",
                series={success: counter((0.12, 2000)), inside: counter((0.12, 900), (0, 1100))},
                at=1620,
            ),
        ),
    )


def _stub() -> Alert:
    stub, chip = (
        f'hailo_runtime_info{{{SIDECAR}, backend="{backend}", device="d", runtime="r"}}'
        for backend in ("stub", "hailo")
    )
    return Alert(
        name="HailoStubAnswers",
        provoked_by="stub-answers",
        expression=f"{QUERIES.info(sidecar.RUNTIME_INFO, by=(*TARGET, 'backend'), where={'backend': 'stub'})} == 1",
        for_="1m",
        severity=Severity.WARNING,
        service="hailo-inference",
        signal="output",
        summary="{{ $labels.instance }} answers with synthetic results",
        description="The stub backend is meant for dashboard development; its results are synthetic.",
        runbook=Runbook(
            meaning="USE_REAL_MODEL is false or EDGEINFER_SIDECAR_BACKEND is stub.",
            impact="Users see synthetic results.",
            diagnosis=(
                RunbookStep(
                    "What computes the answers?",
                    {
                        "`backend` is stub": (
                            "set USE_REAL_MODEL=true and EDGEINFER_SIDECAR_BACKEND to onnx or hailort; restart it."
                        ),
                        "it is hailo or cpu": "it is another sidecar: the alert names its address.",
                    },
                    command="curl -s localhost:9000/healthz",
                ),
            ),
        ),
        rule_test=RuleTest(
            # A series that just ends is seen for five more minutes; a scrape without it ends it at once.
            series={stub: gauge((1, 300), (None, 600)), chip: gauge((None, 300), (1, 600))},
            pending_at=45,
            firing_at=90,
            resolved_at=630,
            labels=SIDECAR_LABELS | {"backend": "stub"},
            expected_description="The stub backend is meant for dashboard development; its results are synthetic.",
        ),
        negative_cases=(RuleCase(why="a chip", series={chip: gauge((1, 300))}, at=200),),
    )
