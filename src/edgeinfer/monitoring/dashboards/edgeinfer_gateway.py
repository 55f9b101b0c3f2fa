"""The gateway's dashboard: what phones ask, what they get, and how the gateway itself fares."""

from edgeinfer.catalog import gateway, labels, system, tracing
from edgeinfer.monitoring import prometheus_metrics
from edgeinfer.monitoring.dashboards import variables
from edgeinfer.monitoring.dashboards.dashboard import Dashboard
from edgeinfer.monitoring.dashboards.layout import Row
from edgeinfer.monitoring.dashboards.long_range import resolution
from edgeinfer.monitoring.dashboards.panels import (
    DashboardLink,
    FieldConfig,
    Panel,
    Query,
    bar_gauge,
    stat,
    state_timeline,
    table,
    text,
    time_series,
)
from edgeinfer.monitoring.dashboards.sources import FIRING, LIVE, NOW, finite, health_state, or_zero
from edgeinfer.monitoring.dashboards.style import (
    AGE,
    ALL_UP,
    BYTES_PER_SECOND,
    COUNT,
    GREEN,
    GROUP_COLORS,
    LATENCY_LINE,
    NONE_IS_GOOD,
    PER_SECOND,
    PERCENTILE_COLORS,
    RED,
    REQUESTS_PER_SECOND,
    SOURCE_COLORS,
    YELLOW,
    Thresholds,
    of,
)
from edgeinfer.monitoring.promql import matching, other_than
from edgeinfer.monitoring.thresholds import SERVER_ERROR_SHARE, UNANSWERED_SHARE

_SIDECAR = DashboardLink("Inference in detail", "hailo-sidecar-monitoring")
_SLO = DashboardLink("What the objectives say", "edgeinfer-slo")
_HARDWARE = DashboardLink("The chip in detail", "edgeinfer-hardware")
_ANSWERED: Thresholds = ((None, RED), (1 - UNANSWERED_SHARE, YELLOW), (0.999, GREEN))
_SERVER_ERRORS: Thresholds = ((None, GREEN), (SERVER_ERROR_SHARE / 5, YELLOW), (SERVER_ERROR_SHARE, RED))
# Probes and scrapes come at their own pace and would drown what phones do.
_PHONES = {"endpoint": matching("/api/.*")}


def create() -> Dashboard:
    return Dashboard(
        uid="edgeinfer-gateway",
        file="edgeinfer_gateway_dashboard.json",
        title="EdgeInfer",
        description="The gateway: what phones ask of it, what they get, and how it fares.",
        variables=[variables.datasource(), variables.job(), variables.instance(), resolution()],
        rows=[
            Row("Now", [_now()], _SIDECAR),
            Row("What phones get", [_requests(), _answers()], _SIDECAR),
            Row(
                "What was done, and what the model said",
                [_known()],
                _SIDECAR,
                open_when="senders know what was done, as the replay does",
            ),
            Row(
                "Sensors",
                [_sensors(), _timing()],
                _SIDECAR,
                open_when="EdgeInferInputQualityPoor fires or one session gets no motifs",
            ),
            Row("Errors and checks", [_errors()], _SIDECAR, open_when="phones get errors or a check has stopped"),
            Row("Sessions and samples", [_sessions(), _store()], _SIDECAR, open_when="sessions end or fill the disk"),
            Row("Analyses and calls", [_analyses(), _upstream()], _SIDECAR, open_when="Analyses answered is not green"),
            Row("Processes", [_processes()], _HARDWARE, open_when="memory, CPU or open files may leak"),
            Row("Monitoring", [_monitoring()], _HARDWARE, open_when="scrapes are slow or series are missing"),
        ],
    )


def _known() -> list[Panel]:
    """Where senders know what was done, as the replay of `edgeinfer up` does."""
    results = {
        result: LIVE.increase(gateway.KNOWN_ACTIVITY, where={"result": result}, window="$__range")
        for result in labels.ACTIVITY_RESULTS
    }
    judged = f"({results['agreed']} + {results['differed']})"
    by_group = {
        side: LIVE.rate(gateway.KNOWN_ACTIVITY_GROUPS, by=("group",), where={"of": side})
        for side in labels.ACTIVITY_SIDES
    }
    return [
        text(
            "What is replayed",
            "Why the replay of edgeinfer up sends what it does.",
            "`edgeinfer up` replays six people in turn who sit, stand up, walk, turn and sit down, with a phone in a "
            "**trouser pocket**, and knows what they did.\n\n"
            "The model was made for a phone at the **waist**. Recordings from there are not shipped, because the "
            "licence of UCI HAPT is uncertain; `docs/guides/train-your-own-model.md` says how to make them for "
            "yourself. So the *group* of the motif counts here (move, static, transition), not its name.",
            size=(6, 8),
        ),
        stat(
            "Model agrees",
            "Share of windows in which the most likely motif is of the group of what was done; what "
            "the model has no motif for is left out. Windows count whose sender gives an activity.",
            [Query(finite(f"{results['agreed']} / {judged}"), "agreed")],
            FieldConfig(unit="percentunit", decimals=0, no_value="no sender knows"),
            size=(4, 8),
        ),
        time_series(
            "What was done",
            "Windows per second by the group of what was really done, as the sender knows it; other is what the model "
            "has no motif for, such as turning.",
            [Query(by_group["done"], "{{group}}")],
            FieldConfig(unit=PER_SECOND, colors=GROUP_COLORS, no_value="no sender knows what is done"),
            size=(7, 8),
            stacked=True,
        ),
        time_series(
            "What the model said",
            "The same windows by the group of the motif that scored highest.",
            [Query(by_group["said"], "{{group}}")],
            FieldConfig(unit=PER_SECOND, colors=GROUP_COLORS, no_value="no sender knows what is done"),
            size=(7, 8),
            stacked=True,
        ),
    ]


def _sensors() -> list[Panel]:
    """Which stream has what problem of its sensor."""
    return [
        table(
            "What is wrong with which stream",
            "Problems of sensors now, twenty at most; the session is the first eight characters of its id. "
            "The console's page /sessions says more of it, and what to do to the sensor.",
            Query(LIVE.gauge(gateway.STREAM_PROBLEM, by=("session", "role", "problem"))),
            FieldConfig(unit="none", no_value="no sensor has a problem"),
            columns={"session": "Session", "role": "Stream", "problem": "Problem"},
            size=(8, 7),
        ),
        time_series(
            "Streams with a problem",
            "How many streams show each problem; an absent magnetometer is allowed.",
            [Query(f"{LIVE.gauge(gateway.STREAMS_WITH_PROBLEM, how='sum', by=('problem',))} > 0", "{{problem}}")],
            FieldConfig(unit=COUNT, decimals=0, no_value="no sensor has a problem"),
            size=(8, 7),
        ),
        time_series(
            "Irregular samples",
            "What was irregular in the samples of all streams, per second: gaps and samples missing in them, "
            "duplicates, reorderings, jumps of a sensor's clock, pauses.",
            [Query(LIVE.rate(gateway.INPUT_EVENTS, by=("event",)), "{{event}}")],
            FieldConfig(unit=PER_SECOND),
            size=(8, 7),
            stacked=True,
        ),
    ]


def _timing() -> list[Panel]:
    return [
        time_series(
            "Sample rate",
            "Mean rate over the newest ten seconds of each stream: least, median and greatest. Windows are made from "
            "16 Hz on.",
            [Query(LIVE.gauge(gateway.STREAM_RATE, by=("of",)), "{{of}}")],
            FieldConfig(unit="hertz", no_value="no samples"),
            size=(6, 7),
        ),
        time_series(
            "Jitter",
            "Spread of the steps between samples: least, median and greatest of the streams.",
            [Query(LIVE.gauge(gateway.STREAM_JITTER, by=("of",)), "{{of}}")],
            FieldConfig(unit="s", no_value="no samples"),
            size=(6, 7),
        ),
        time_series(
            "Clock offset",
            "Distance between the gateway's clock and t of the newest sample as it arrived, for sensors whose t counts "
            "from 1970.",
            [Query(LIVE.gauge(gateway.STREAM_CLOCK_OFFSET, by=("of",)), "{{of}}")],
            FieldConfig(unit="s", no_value="no t counts from 1970"),
            size=(6, 7),
        ),
        time_series(
            "Streams with samples",
            "Streams that got samples within the last minute.",
            [Query(LIVE.gauge(gateway.STREAMS_RECEIVING, how="sum"), "streams")],
            FieldConfig(unit=COUNT, decimals=0),
            size=(6, 7),
        ),
    ]


def _now() -> list[Panel]:
    unanswered = NOW.rate(gateway.ANALYSES, where={"source": other_than("none")})
    errors = NOW.rate(gateway.HTTP_REQUESTS, where={"status_code": matching("5..")})
    every = NOW.rate(gateway.HTTP_REQUESTS)
    return [
        stat(
            "P95 of phone requests",
            "Nineteen of twenty API requests were answered faster than this.",
            [Query(finite(NOW.quantile(0.95, gateway.HTTP_DURATION, where=_PHONES)), "p95")],
            FieldConfig(unit="s", thresholds=LATENCY_LINE, no_value="no requests"),
            link=_SIDECAR,
        ),
        stat(
            "Analyses answered",
            "Share of analyses that got a result, from a sidecar or from the gateway's CPU.",
            [Query(finite(f"{unanswered} / {NOW.rate(gateway.ANALYSES)}"), "answered")],
            FieldConfig(unit="percentunit", decimals=2, thresholds=_ANSWERED, no_value="no analyses"),
            link=_SLO,
        ),
        stat(
            "Server errors",
            "Share of the gateway's answers that are 5xx.",
            [Query(finite(f"({or_zero(errors)}) / {every}"), "5xx")],
            FieldConfig(unit="percentunit", decimals=2, thresholds=_SERVER_ERRORS, no_value="no requests"),
        ),
        stat(
            "Requests per minute",
            "API requests of phones.",
            [Query(f"60 * {NOW.rate(gateway.HTTP_REQUESTS, where=_PHONES)}", "requests")],
            FieldConfig(unit=COUNT, decimals=0, no_value="no gateway"),
        ),
        stat(
            "Sessions",
            "Sessions that are open now.",
            [Query(NOW.gauge(gateway.SESSIONS_ACTIVE, how="sum"), "sessions")],
            FieldConfig(unit=COUNT, decimals=0, no_value="no gateway"),
        ),
        stat(
            "Gateway",
            "Whether every gateway that is scraped is up.",
            [Query(NOW.gauge(prometheus_metrics.UP, how="min", where={"job": "edge-infer"}), "up")],
            FieldConfig(
                unit="none", thresholds=ALL_UP, value_mappings=[(0, "down", RED), (1, "up", GREEN)], no_value="unknown"
            ),
            sparkline=False,
        ),
        stat(
            "Version",
            "Version of the gateway that runs.",
            [Query(NOW.info(gateway.BUILD_INFO, by=("version",)), "{{version}}", instant=True)],
            FieldConfig(unit="none", no_value="no gateway"),
            shows="name",
            sparkline=False,
        ),
        stat(
            "Alerts firing",
            "Alerts of severity critical and warning that fire now.",
            [Query(f"count({FIRING}) or vector(0)", "alerts", instant=True)],
            FieldConfig(unit="none", decimals=0, thresholds=NONE_IS_GOOD, no_value="unknown"),
            sparkline=False,
            link=_SLO,
        ),
    ]


def _requests() -> list[Panel]:
    by = ("method", "endpoint")
    # The worst at the bottom of the stack, lest it draws a red edge along what went well.
    status_classes = {"5xx": ("5..", RED), "4xx": ("4..", YELLOW), "2xx": ("2..", GREEN)}
    return [
        time_series(
            "Request rate by route",
            "Requests per second that the gateway answered, by route.",
            [Query(LIVE.rate(gateway.HTTP_REQUESTS, by=by), "{{method}} {{endpoint}}")],
            FieldConfig(unit=REQUESTS_PER_SECOND),
            size=(8, 7),
        ),
        time_series(
            "Answers by status",
            "Answers per second by class of status: 4xx are the caller's, 5xx are ours.",
            [
                Query(or_zero(LIVE.rate(gateway.HTTP_REQUESTS, where={"status_code": matching(pattern)})), name)
                for name, (pattern, _) in status_classes.items()
            ],
            FieldConfig(unit=REQUESTS_PER_SECOND, colors={name: color for name, (_, color) in status_classes.items()}),
            size=(8, 7),
            stacked=True,
        ),
        time_series(
            "P95 by route",
            "From the request's first byte at the gateway to the last byte of its answer.",
            [
                Query(
                    finite(LIVE.quantile(0.95, gateway.HTTP_DURATION, by=by)),
                    "{{method}} {{endpoint}}",
                    exemplars=True,
                )
            ],
            FieldConfig(unit="s", thresholds=LATENCY_LINE),
            size=(8, 7),
            line=True,
            link=_SIDECAR,
        ),
    ]


def _answers() -> list[Panel]:
    states = [(0, "healthy", GREEN), (1, "degraded", YELLOW), (2, "unhealthy", RED)]
    return [
        time_series(
            "Analyses by source",
            "Per second: computed by a sidecar, by the gateway's CPU, or by nobody.",
            [Query(LIVE.rate(gateway.ANALYSES, by=("source",)), "{{source}}")],
            FieldConfig(unit=REQUESTS_PER_SECOND, colors=SOURCE_COLORS),
            size=(8, 6),
            stacked=True,
            link=_SIDECAR,
        ),
        state_timeline(
            "Health checks",
            "The gateway's own checks, run every 30 seconds.",
            [Query(health_state(), "{{check}} {{instance}}")],
            FieldConfig(unit="none", value_mappings=states),
            size=(8, 6),
        ),
        table(
            "Alerts now",
            "What fires or is about to fire.",
            Query('max by (alertname, alertstate, severity, service) (ALERTS{severity!="none"})'),
            FieldConfig(unit="none", no_value="no alerts"),
            columns={"alertname": "Alert", "alertstate": "State", "severity": "Severity", "service": "Service"},
            size=(8, 6),
        ),
    ]


def _errors() -> list[Panel]:
    age = f"time() - {LIVE.gauge(gateway.HEALTH_LAST_RUN, by=('check', 'instance'))}"
    return [
        time_series(
            "Problems",
            "Requests answered with an error, by kind of problem, as the answer's `error` says; and what the HTTP "
            "server of each service refused before any route.",
            [
                Query(LIVE.rate(gateway.PROBLEMS, by=("error_type",)), "{{error_type}}"),
                Query(LIVE.rate(system.HTTP_REFUSALS, by=("job",)), "refused by the HTTP server of {{job}}"),
            ],
            FieldConfig(unit=PER_SECOND),
            size=(16, 7),
            bars=True,
            stacked=True,
        ),
        bar_gauge(
            "Since the last check",
            "A check runs every 30 seconds; one that is much older has stopped.",
            [Query(f"sort_desc({age})", "{{check}} {{instance}}", instant=True)],
            FieldConfig(
                unit=AGE,
                minimum=0,
                maximum=120,
                thresholds=((None, GREEN), (60, YELLOW), (120, RED)),
                no_value="no check has run",
            ),
            size=(8, 7),
        ),
    ]


def _sessions() -> list[Panel]:
    ends = Query(LIVE.rate(gateway.SESSIONS_ENDED, by=("reason",)), "ended: {{reason}}")
    return [
        time_series(
            "Open sessions",
            "Sessions that were started and have not ended.",
            [Query(LIVE.gauge(gateway.SESSIONS_ACTIVE, by=("instance",)), "{{instance}}")],
            FieldConfig(unit=COUNT, decimals=0),
            size=(8, 7),
        ),
        time_series(
            "Sessions started and ended",
            "Per second; expired means that the phone went away without a word.",
            [Query(LIVE.rate(gateway.SESSIONS_STARTED), "started"), ends],
            FieldConfig(unit=PER_SECOND, colors={"started": GREEN, "ended: expired": YELLOW, "ended: evicted": RED}),
            size=(8, 7),
        ),
        time_series(
            "Samples",
            "IMU samples that were accepted, per second; a phone sends 100.",
            [Query(LIVE.rate(gateway.SAMPLES_RECEIVED, by=("instance",)), "received {{instance}}")],
            FieldConfig(unit=PER_SECOND),
            size=(4, 7),
        ),
        time_series(
            "Samples held",
            "IMU samples in memory; a session keeps its newest 2000.",
            [Query(LIVE.gauge(gateway.SAMPLES_STORED, by=("instance",)), "{{instance}}")],
            FieldConfig(unit=COUNT, decimals=0),
            size=(4, 7),
        ),
    ]


def _store() -> list[Panel]:
    return [
        time_series(
            "Session store",
            "Size of its files, and the limit at which ended sessions go before their time.",
            [
                Query(LIVE.gauge(gateway.STORE_USED, by=("instance",)), "used {{instance}}"),
                Query(LIVE.gauge(gateway.STORE_LIMIT, by=("instance",)), "limit {{instance}}"),
            ],
            FieldConfig(unit="bytes"),
            size=(8, 7),
        ),
        time_series(
            "Written to the session store",
            "Per second; the card wears by this.",
            [Query(LIVE.rate(gateway.STORE_WRITTEN, by=("instance",)), "{{instance}}")],
            FieldConfig(unit=BYTES_PER_SECOND),
            size=(8, 7),
        ),
        time_series(
            "Ended sessions dropped early",
            "Segments that went before EDGEINFER_GATEWAY_RETENTION_HOURS, for want of room.",
            [Query(LIVE.increase(gateway.STORE_EARLY_DROPS, by=("instance",)), "{{instance}}")],
            FieldConfig(unit=COUNT, decimals=0),
            size=(8, 7),
        ),
    ]


def _analyses() -> list[Panel]:
    return [
        time_series(
            "Analyses by operation",
            "Per second: process is one window in one request, motifs reads a session.",
            [Query(LIVE.rate(gateway.ANALYSES, by=("operation",)), "{{operation}}")],
            FieldConfig(unit=REQUESTS_PER_SECOND),
            size=(12, 8),
        ),
        time_series(
            "Time of the fallback",
            "How long the model takes on the gateway's own CPU.",
            [Query(finite(LIVE.quantile(0.95, gateway.FALLBACK_DURATION)), "p95")],
            FieldConfig(unit="s"),
            size=(12, 8),
        ),
    ]


def _upstream() -> list[Panel]:
    return [
        time_series(
            "Network and HTTP",
            "Part of each call that the sidecar did not account for: connection, network, both HTTP stacks.",
            [
                Query(finite(LIVE.quantile(0.5, gateway.NETWORK_DURATION)), "p50"),
                Query(finite(LIVE.quantile(0.95, gateway.NETWORK_DURATION)), "p95"),
            ],
            FieldConfig(unit="s", colors=of(PERCENTILE_COLORS, "p50", "p95")),
            size=(8, 7),
        ),
        time_series(
            "Retries",
            "Calls that were made again after a failure.",
            [Query(LIVE.rate(gateway.RETRIES, by=("instance",)), "{{instance}}")],
            FieldConfig(unit=PER_SECOND),
            size=(8, 7),
            bars=True,
        ),
        time_series(
            "Circuit breaker movements",
            "Times that a sidecar's circuit breaker entered a state.",
            [Query(LIVE.increase(gateway.CIRCUIT_TRANSITIONS, by=("sidecar", "state")), "{{sidecar}} {{state}}")],
            FieldConfig(unit=COUNT, decimals=0),
            size=(8, 7),
            bars=True,
        ),
    ]


def _processes() -> list[Panel]:
    return [
        time_series(
            "Memory of our processes",
            "Resident memory; a line that only ever rises is a leak.",
            [Query(LIVE.gauge(prometheus_metrics.PROCESS_MEMORY, by=("job", "instance")), "{{job}} {{instance}}")],
            FieldConfig(unit="bytes"),
            size=(8, 7),
        ),
        time_series(
            "CPU of our processes",
            "Seconds of CPU time per second: 1 is one core.",
            [Query(LIVE.rate(prometheus_metrics.PROCESS_CPU, by=("job", "instance")), "{{job}} {{instance}}")],
            FieldConfig(unit="none", decimals=2),
            size=(8, 7),
        ),
        time_series(
            "Open files",
            "File descriptors, connections among them.",
            [Query(LIVE.gauge(prometheus_metrics.OPEN_FILES, by=("job", "instance")), "{{job}} {{instance}}")],
            FieldConfig(unit=COUNT, decimals=0),
            size=(8, 7),
        ),
    ]


def _monitoring() -> list[Panel]:
    return [
        time_series(
            "Time of a scrape",
            "How long Prometheus waits for /metrics of each process.",
            [Query(LIVE.gauge(prometheus_metrics.SCRAPE_DURATION, by=("job", "instance")), "{{job}} {{instance}}")],
            FieldConfig(unit="s"),
            size=(8, 7),
        ),
        time_series(
            "Series exported",
            "Samples in one scrape of each process; a line that keeps rising is a label gone wild.",
            [Query(LIVE.gauge(prometheus_metrics.SCRAPE_SAMPLES, by=("job", "instance")), "{{job}} {{instance}}")],
            FieldConfig(unit=COUNT, decimals=0),
            size=(8, 7),
        ),
        time_series(
            "Spans of traces",
            "What became of the spans of sampled requests; failed and dropped ones never held up a request.",
            [
                Query(LIVE.rate(tracing.GATEWAY_SPANS, by=("result",)), "{{result}} gateway"),
                Query(LIVE.rate(tracing.SIDECAR_SPANS, by=("result",)), "{{result}} sidecar"),
            ],
            FieldConfig(unit=PER_SECOND),
            size=(8, 7),
        ),
    ]
