"""Metrics that the gateway exports: its own, and the client's view of inference."""

from edgeinfer.catalog import buckets, labels
from edgeinfer.catalog.labels import ENDPOINT, METHOD, OPERATION, PROBLEM, SIDECAR, STATUS, STATUS_CODE
from edgeinfer.catalog.metric import Label, Metric, MetricKind, Owner

GATEWAY = (Owner.GATEWAY,)

INFERENCE_REQUESTS = Metric(
    name="hailo_inference_requests_total",
    kind=MetricKind.COUNTER,
    unit="requests",
    help="Inference requests to a sidecar, by outcome; a request rejected by the open circuit is a failure.",
    owners=GATEWAY,
    labels=(OPERATION, STATUS),
)

INFERENCE_DURATION = Metric(
    name="hailo_inference_duration_seconds",
    kind=MetricKind.HISTOGRAM,
    unit="seconds",
    help="Time from sending a window to a sidecar until its response was validated or the request failed.",
    owners=GATEWAY,
    labels=(OPERATION,),
    buckets=buckets.LATENCY_SECONDS,
)

INFERENCE_ERRORS = Metric(
    name="hailo_inference_errors_total",
    kind=MetricKind.COUNTER,
    unit="errors",
    help="Failed inference requests, by error class.",
    owners=GATEWAY,
    labels=(Label("error_type", labels.INFERENCE_ERROR_TYPES),),
)

SAMPLES_PROCESSED = Metric(
    name="hailo_samples_processed_total",
    kind=MetricKind.COUNTER,
    unit="samples",
    help="IMU samples in windows answered by a sidecar, and the latent vectors and motif predictions returned.",
    owners=GATEWAY,
    labels=(Label("metric", labels.THROUGHPUT_KINDS),),
)

CONTRACT_VIOLATIONS = Metric(
    name="hailo_output_contract_violations_total",
    kind=MetricKind.COUNTER,
    unit="errors",
    help="Responses of a sidecar that violate the model's contract, by check.",
    owners=GATEWAY,
    labels=(Label("check", labels.CONTRACT_CHECKS),),
)

HTTP_REQUESTS = Metric(
    name="edgeinfer_http_requests_total",
    kind=MetricKind.COUNTER,
    unit="requests",
    help="HTTP requests answered by the gateway.",
    owners=GATEWAY,
    labels=(METHOD, ENDPOINT, STATUS_CODE),
)

HTTP_DURATION = Metric(
    name="edgeinfer_http_request_duration_seconds",
    kind=MetricKind.HISTOGRAM,
    unit="seconds",
    help="Time from the first byte of a request at the gateway to the last byte of its response.",
    owners=GATEWAY,
    labels=(METHOD, ENDPOINT),
    buckets=buckets.LATENCY_SECONDS,
)

PROBLEMS = Metric(
    name="edgeinfer_http_errors_total",
    kind=MetricKind.COUNTER,
    unit="errors",
    help="Requests that the gateway answered with an error, by error type.",
    owners=GATEWAY,
    labels=(PROBLEM,),
)

ANALYSES = Metric(
    name="edgeinfer_analyses_total",
    kind=MetricKind.COUNTER,
    unit="requests",
    help="Analyses requested from the gateway, by source of the result; none means that there was no result.",
    owners=GATEWAY,
    labels=(OPERATION, Label("source", labels.SOURCES)),
)

FALLBACKS = Metric(
    name="edgeinfer_fallbacks_total",
    kind=MetricKind.COUNTER,
    unit="requests",
    help="Analyses computed on the gateway's CPU, by the reason why no sidecar answered.",
    owners=GATEWAY,
    labels=(Label("reason", labels.FALLBACK_REASONS),),
)

FALLBACK_DURATION = Metric(
    name="edgeinfer_fallback_duration_seconds",
    kind=MetricKind.HISTOGRAM,
    unit="seconds",
    help="Time that the fallback on the gateway's CPU took to compute a window.",
    owners=GATEWAY,
    buckets=buckets.LATENCY_SECONDS,
)

NETWORK_DURATION = Metric(
    name="edgeinfer_network_duration_seconds",
    kind=MetricKind.HISTOGRAM,
    unit="seconds",
    help="Part of a successful call outside the sidecar: network, connection and HTTP stacks.",
    owners=GATEWAY,
    buckets=buckets.STAGE_SECONDS,
)

SIDECAR_REQUESTS = Metric(
    name="edgeinfer_sidecar_requests_total",
    kind=MetricKind.COUNTER,
    unit="requests",
    help="Calls to each sidecar, by outcome.",
    owners=GATEWAY,
    labels=(SIDECAR, STATUS),
)

SIDECAR_IN_FLIGHT = Metric(
    name="edgeinfer_sidecar_in_flight",
    kind=MetricKind.GAUGE,
    unit="requests",
    help="Calls to each sidecar in flight.",
    owners=GATEWAY,
    labels=(SIDECAR,),
)

CIRCUIT_STATE = Metric(
    name="edgeinfer_circuit_state",
    kind=MetricKind.GAUGE,
    unit="state",
    help="1 for the current state of a sidecar's circuit breaker, 0 for the other states.",
    owners=GATEWAY,
    labels=(SIDECAR, Label("state", labels.CIRCUIT_STATES)),
)

CIRCUIT_TRANSITIONS = Metric(
    name="edgeinfer_circuit_transitions_total",
    kind=MetricKind.COUNTER,
    unit="events",
    help="Transitions of a sidecar's circuit breaker into each state.",
    owners=GATEWAY,
    labels=(SIDECAR, Label("state", labels.CIRCUIT_STATES)),
)

RETRIES = Metric(
    name="edgeinfer_sidecar_retries_total",
    kind=MetricKind.COUNTER,
    unit="requests",
    help="Retries of a call to a sidecar after a failure.",
    owners=GATEWAY,
)

SESSIONS_ACTIVE = Metric(
    name="edgeinfer_sessions_active",
    kind=MetricKind.GAUGE,
    unit="sessions",
    help="Number of active sessions.",
    owners=GATEWAY,
)

SESSIONS_STARTED = Metric(
    name="edgeinfer_sessions_started_total",
    kind=MetricKind.COUNTER,
    unit="sessions",
    help="Sessions started.",
    owners=GATEWAY,
)

SESSIONS_ENDED = Metric(
    name="edgeinfer_sessions_ended_total",
    kind=MetricKind.COUNTER,
    unit="sessions",
    help="Sessions ended, by reason.",
    owners=GATEWAY,
    labels=(Label("reason", labels.SESSION_ENDS),),
)

SAMPLES_RECEIVED = Metric(
    name="edgeinfer_samples_received_total",
    kind=MetricKind.COUNTER,
    unit="samples",
    help="IMU samples of streams accepted with status 202.",
    owners=GATEWAY,
)

SAMPLES_STORED = Metric(
    name="edgeinfer_session_samples",
    kind=MetricKind.GAUGE,
    unit="samples",
    help="IMU samples currently held by sessions.",
    owners=GATEWAY,
)

STORE_USED = Metric(
    name="edgeinfer_store_used_bytes",
    kind=MetricKind.GAUGE,
    unit="bytes",
    help="Size of the session store's files; absent if sessions are kept in memory.",
    owners=GATEWAY,
    sensor=True,
)

STORE_LIMIT = Metric(
    name="edgeinfer_store_limit_bytes",
    kind=MetricKind.GAUGE,
    unit="bytes",
    help="Maximum size of the session store; absent if sessions are kept in memory.",
    owners=GATEWAY,
    sensor=True,
)

STORE_WRITTEN = Metric(
    name="edgeinfer_store_written_bytes_total",
    kind=MetricKind.COUNTER,
    unit="bytes",
    help="Bytes written by the session store.",
    owners=GATEWAY,
)

STORE_SET_ASIDE = Metric(
    name="edgeinfer_store_set_aside",
    kind=MetricKind.GAUGE,
    unit="count",
    help="Folders of damaged files that the session store has set aside and that still exist; absent if "
    "sessions are kept in memory.",
    owners=GATEWAY,
    sensor=True,
)

STORE_EARLY_DROPS = Metric(
    name="edgeinfer_store_early_drops_total",
    kind=MetricKind.COUNTER,
    unit="events",
    help="Segments of ended sessions dropped before their retention time for lack of space.",
    owners=GATEWAY,
)

HEALTH_STATUS = Metric(
    name="edgeinfer_health_status",
    kind=MetricKind.GAUGE,
    unit="state",
    help="1 for the last status of a health check, 0 for the others; all 0 before its first run.",
    owners=GATEWAY,
    labels=(Label("check", labels.HEALTH_CHECKS), Label("status", labels.HEALTH_STATUSES)),
)

HEALTH_DURATION = Metric(
    name="edgeinfer_health_check_duration_seconds",
    kind=MetricKind.GAUGE,
    unit="seconds",
    help="Duration of the last run of a health check; absent before its first run.",
    owners=GATEWAY,
    labels=(Label("check", labels.HEALTH_CHECKS),),
    sensor=True,
)

HEALTH_LAST_RUN = Metric(
    name="edgeinfer_health_check_last_run_timestamp_seconds",
    kind=MetricKind.GAUGE,
    unit="timestamp",
    help="Time of the last run of a health check; absent before its first run.",
    owners=GATEWAY,
    labels=(Label("check", labels.HEALTH_CHECKS),),
    sensor=True,
)

BUILD_INFO = Metric(
    name="edgeinfer_build_info",
    kind=MetricKind.INFO,
    unit="info",
    help="Version of the gateway; a change marks a deployment.",
    owners=GATEWAY,
    labels=(Label("version", bounded_by="one per process"), Label("python", bounded_by="one per process")),
)
