"""Metrics that the sidecar exports: HTTP, its inside view of inference, its process."""

from edgeinfer.catalog import buckets, labels
from edgeinfer.catalog.labels import ENDPOINT, METHOD, PROBLEM, STATUS_CODE
from edgeinfer.catalog.metric import Label, Metric, MetricKind, Owner

SIDECAR = (Owner.SIDECAR,)

HTTP_REQUESTS = Metric(
    name="hailo_http_requests_total",
    kind=MetricKind.COUNTER,
    unit="requests",
    help="HTTP requests answered by the sidecar.",
    owners=SIDECAR,
    labels=(METHOD, ENDPOINT, STATUS_CODE),
)
HTTP_DURATION = Metric(
    name="hailo_http_request_duration_seconds",
    kind=MetricKind.HISTOGRAM,
    unit="seconds",
    help="Time from the first byte of a request at the sidecar to the last byte of its response.",
    owners=SIDECAR,
    labels=(METHOD, ENDPOINT),
    buckets=buckets.LATENCY_SECONDS,
)
PROBLEMS = Metric(
    name="hailo_sidecar_http_errors_total",
    kind=MetricKind.COUNTER,
    unit="errors",
    help="Requests that the sidecar answered with an error, by error type.",
    owners=SIDECAR,
    labels=(PROBLEM,),
)
INFERENCES = Metric(
    name="hailo_sidecar_inferences_total",
    kind=MetricKind.COUNTER,
    unit="windows",
    help="Windows received by the sidecar, by outcome.",
    owners=SIDECAR,
    labels=(Label("status", labels.SIDECAR_INFERENCE_STATUSES),),
)
STAGE_DURATION = Metric(
    name="hailo_sidecar_stage_duration_seconds",
    kind=MetricKind.HISTOGRAM,
    unit="seconds",
    help="Duration of each stage of an answered window in the sidecar.",
    owners=SIDECAR,
    labels=(Label("stage", labels.STAGES),),
    buckets=buckets.STAGE_SECONDS,
)
QUEUE_DEPTH = Metric(
    name="hailo_sidecar_queue_depth",
    kind=MetricKind.GAUGE,
    unit="windows",
    help="Number of windows under way beyond one for each worker, which wait or share a run.",
    owners=SIDECAR,
)
QUEUE_CAPACITY = Metric(
    name="hailo_sidecar_queue_capacity",
    kind=MetricKind.GAUGE,
    unit="windows",
    help="Number of windows that may wait before the sidecar sheds load with status 503.",
    owners=SIDECAR,
)
IN_FLIGHT = Metric(
    name="hailo_sidecar_in_flight",
    kind=MetricKind.GAUGE,
    unit="windows",
    help="Number of windows under way, at most one for each worker.",
    owners=SIDECAR,
)
WORKERS = Metric(
    name="hailo_sidecar_workers",
    kind=MetricKind.GAUGE,
    unit="count",
    help="Number of threads that may call the backend concurrently: one for each frame a chip accepts, or for each "
    "core.",
    owners=SIDECAR,
)
BATCH_SIZE = Metric(
    name="hailo_sidecar_batch_size",
    kind=MetricKind.HISTOGRAM,
    unit="windows",
    help="Windows in the run of each answered window, itself included; 1 if the backend does not batch.",
    owners=SIDECAR,
    buckets=buckets.BATCH_SIZE,
)
FRAMES_IN_FLIGHT = Metric(
    name="hailo_sidecar_frames_in_flight",
    kind=MetricKind.HISTOGRAM,
    unit="windows",
    help="Windows in flight on the chip when each answered window was submitted; no observations without a chip.",
    owners=SIDECAR,
    buckets=buckets.FRAMES_IN_FLIGHT,
)
READY = Metric(
    name="hailo_sidecar_ready",
    kind=MetricKind.GAUGE,
    unit="state",
    help="1 while the model is loaded and serving, else 0.",
    owners=SIDECAR,
)
HARDWARE_ERRORS = Metric(
    name="hailo_hardware_errors_total",
    kind=MetricKind.COUNTER,
    unit="errors",
    help="Failures of the backend, by error class, derived from HailoRT's status codes if there is a chip.",
    owners=SIDECAR,
    labels=(Label("error_class", labels.HARDWARE_ERROR_CLASSES),),
)
BACKEND_RECOVERIES = Metric(
    name="hailo_sidecar_backend_recoveries_total",
    kind=MetricKind.COUNTER,
    unit="events",
    help="Recoveries of the backend after a failure.",
    owners=SIDECAR,
)
MODEL_INFO = Metric(
    name="hailo_model_info",
    kind=MetricKind.INFO,
    unit="info",
    help="Model served by the sidecar.",
    owners=SIDECAR,
    labels=tuple(
        Label(name, bounded_by="one per process")
        for name in ("name", "version", "sha256", "latent_dimensions", "motifs")
    ),
)
RUNTIME_INFO = Metric(
    name="hailo_runtime_info",
    kind=MetricKind.INFO,
    unit="info",
    help="Backend that computes the results; stub if they are synthetic.",
    owners=SIDECAR,
    labels=(
        Label("backend", bounded_by="hailo, cpu or stub"),
        Label("device", bounded_by="one per process"),
        Label("runtime", bounded_by="one per process"),
    ),
)
BUILD_INFO = Metric(
    name="hailo_sidecar_build_info",
    kind=MetricKind.INFO,
    unit="info",
    help="Version of the sidecar, and what decodes windows in JSON; a change marks a deployment.",
    owners=SIDECAR,
    labels=(
        Label("version", bounded_by="one per process"),
        Label("python", bounded_by="one per process"),
        Label("json_decoder", ("simdjson", "msgspec")),
    ),
)
MODEL_CHANGES = Metric(
    name="hailo_sidecar_model_changes_total",
    kind=MetricKind.COUNTER,
    unit="events",
    help="Requested changes of the sidecar's model, by outcome; after a refused change the old model keeps serving.",
    owners=SIDECAR,
    labels=(Label("result", ("switched", "unchanged", "refused")),),
)
SHADOW_COMPARISONS = Metric(
    name="hailo_shadow_comparisons_total",
    kind=MetricKind.COUNTER,
    unit="windows",
    help="Windows computed by the shadow backend, by whether its top motif agreed.",
    owners=SIDECAR,
    labels=(Label("result", ("agreed", "differed", "failed", "skipped")),),
)
SHADOW_COSINE = Metric(
    name="hailo_shadow_latent_cosine",
    kind=MetricKind.HISTOGRAM,
    unit="score",
    help="Cosine similarity between the latent vectors of the serving and the shadow backend.",
    owners=SIDECAR,
    buckets=buckets.COSINE,
)
