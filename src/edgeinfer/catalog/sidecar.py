"""Metrics that the sidecar exports: HTTP, its inside view of inference, its process."""

from edgeinfer.catalog import buckets, labels
from edgeinfer.catalog.labels import ENDPOINT, METHOD, PROBLEM, STATUS_CODE
from edgeinfer.catalog.metric import Kind, Label, Metric, Owner

SIDECAR = (Owner.SIDECAR,)

HTTP_REQUESTS = Metric(
    name="hailo_http_requests_total",
    kind=Kind.COUNTER,
    unit="requests",
    help="HTTP requests that the sidecar answered.",
    owners=SIDECAR,
    labels=(METHOD, ENDPOINT, STATUS_CODE),
)
HTTP_DURATION = Metric(
    name="hailo_http_request_duration_seconds",
    kind=Kind.HISTOGRAM,
    unit="seconds",
    help="Time from the request's first byte at the sidecar to the last byte of its answer.",
    owners=SIDECAR,
    labels=(METHOD, ENDPOINT),
    buckets=buckets.LATENCY_SECONDS,
)
PROBLEMS = Metric(
    name="hailo_sidecar_http_errors_total",
    kind=Kind.COUNTER,
    unit="errors",
    help="Requests that the sidecar answered with an error, by kind of problem.",
    owners=SIDECAR,
    labels=(PROBLEM,),
)
INFERENCES = Metric(
    name="hailo_sidecar_inferences_total",
    kind=Kind.COUNTER,
    unit="windows",
    help="Windows sent to the sidecar by what became of them.",
    owners=SIDECAR,
    labels=(Label("status", labels.SIDECAR_INFERENCE_STATUSES),),
)
STAGE_DURATION = Metric(
    name="hailo_sidecar_stage_duration_seconds",
    kind=Kind.HISTOGRAM,
    unit="seconds",
    help="Time of each stage of an answered window inside the sidecar.",
    owners=SIDECAR,
    labels=(Label("stage", labels.STAGES),),
    buckets=buckets.STAGE_SECONDS,
)
QUEUE_DEPTH = Metric(
    name="hailo_sidecar_queue_depth",
    kind=Kind.GAUGE,
    unit="windows",
    help="Windows that wait for a worker.",
    owners=SIDECAR,
)
QUEUE_CAPACITY = Metric(
    name="hailo_sidecar_queue_capacity",
    kind=Kind.GAUGE,
    unit="windows",
    help="Windows that may wait before the sidecar sheds with 503.",
    owners=SIDECAR,
)
IN_FLIGHT = Metric(
    name="hailo_sidecar_in_flight",
    kind=Kind.GAUGE,
    unit="windows",
    help="Windows that workers are computing.",
    owners=SIDECAR,
)
WORKERS = Metric(
    name="hailo_sidecar_workers",
    kind=Kind.GAUGE,
    unit="count",
    help="Threads that may call the backend at once: one for each frame that a chip takes, or for each core.",
    owners=SIDECAR,
)
BATCH_SIZE = Metric(
    name="hailo_sidecar_batch_size",
    kind=Kind.HISTOGRAM,
    unit="windows",
    help="Windows that the backend computed together; 1 where it does not batch.",
    owners=SIDECAR,
    buckets=buckets.BATCH_SIZE,
)
FRAMES_IN_FLIGHT = Metric(
    name="hailo_sidecar_frames_in_flight",
    kind=Kind.HISTOGRAM,
    unit="windows",
    help="Windows with a chip at once, when each answered one was handed to it; nothing without a chip.",
    owners=SIDECAR,
    buckets=buckets.FRAMES_IN_FLIGHT,
)
READY = Metric(
    name="hailo_sidecar_ready",
    kind=Kind.GAUGE,
    unit="state",
    help="1 while the model is loaded and answers, else 0.",
    owners=SIDECAR,
)
HARDWARE_ERRORS = Metric(
    name="hailo_hardware_errors_total",
    kind=Kind.COUNTER,
    unit="errors",
    help="Failures of the backend by class, from HailoRT's status codes where there is a chip.",
    owners=SIDECAR,
    labels=(Label("error_class", labels.HARDWARE_ERROR_CLASSES),),
)
BACKEND_RECOVERIES = Metric(
    name="hailo_sidecar_backend_recoveries_total",
    kind=Kind.COUNTER,
    unit="events",
    help="Times that the backend answered again after it had failed.",
    owners=SIDECAR,
)
MODEL_INFO = Metric(
    name="hailo_model_info",
    kind=Kind.INFO,
    unit="info",
    help="The model that the sidecar serves.",
    owners=SIDECAR,
    labels=tuple(
        Label(name, bounded_by="one per process")
        for name in ("name", "version", "sha256", "latent_dimensions", "motifs")
    ),
)
RUNTIME_INFO = Metric(
    name="hailo_runtime_info",
    kind=Kind.INFO,
    unit="info",
    help="What computes the answers; backend is stub where they are synthetic.",
    owners=SIDECAR,
    labels=(
        Label("backend", bounded_by="hailo, cpu or stub"),
        Label("device", bounded_by="one per process"),
        Label("runtime", bounded_by="one per process"),
    ),
)
BUILD_INFO = Metric(
    name="hailo_sidecar_build_info",
    kind=Kind.INFO,
    unit="info",
    help="Version of the sidecar; a change of it marks a deploy.",
    owners=SIDECAR,
    labels=(Label("version", bounded_by="one per process"), Label("python", bounded_by="one per process")),
)
MODEL_CHANGES = Metric(
    name="hailo_sidecar_model_changes_total",
    kind=Kind.COUNTER,
    unit="events",
    help="Times that the sidecar was told to change its model, by what became of it; refused leaves the old one "
    "serving.",
    owners=SIDECAR,
    labels=(Label("result", ("switched", "unchanged", "refused")),),
)
SHADOW_COMPARISONS = Metric(
    name="hailo_shadow_comparisons_total",
    kind=Kind.COUNTER,
    unit="windows",
    help="Windows that the shadow backend computed too, by whether its top motif agreed.",
    owners=SIDECAR,
    labels=(Label("result", ("agreed", "differed", "failed", "skipped")),),
)
SHADOW_COSINE = Metric(
    name="hailo_shadow_latent_cosine",
    kind=Kind.HISTOGRAM,
    unit="score",
    help="Cosine between the latent of the serving and of the shadow backend.",
    owners=SIDECAR,
    buckets=buckets.COSINE,
)
