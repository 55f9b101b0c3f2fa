"""Errors and checks, sessions and their store, analyses and the calls to sidecars."""

from edgeinfer.catalog import gateway, system
from edgeinfer.monitoring.dashboards.layout import Row
from edgeinfer.monitoring.dashboards.links import SIDECAR
from edgeinfer.monitoring.dashboards.panels import (
    FieldConfig,
    Panel,
    Query,
    bar_gauge,
    time_series,
)
from edgeinfer.monitoring.dashboards.sources import LIVE, finite
from edgeinfer.monitoring.dashboards.style import (
    AGE,
    BYTES_PER_SECOND,
    COUNT,
    GREEN,
    PER_SECOND,
    PERCENTILE_COLORS,
    RED,
    REQUESTS_PER_SECOND,
    YELLOW,
    of,
)


def rows() -> list[Row]:
    return [
        Row("Errors and checks", [_errors()], SIDECAR, open_when="phones get errors or a check has stopped"),
        Row("Sessions and samples", [_sessions(), _store()], SIDECAR, open_when="sessions end or fill the disk"),
        Row("Analyses and calls", [_analyses(), _sidecar_calls()], SIDECAR, open_when="Analyses answered is not green"),
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


def _sidecar_calls() -> list[Panel]:
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
