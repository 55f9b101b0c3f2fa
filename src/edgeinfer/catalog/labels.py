"""Closed sets of label values that code and catalog share."""

from edgeinfer.catalog.backends import backend_kinds
from edgeinfer.catalog.metric import Label
from edgeinfer.catalog.sensor import SENSOR_NOTES, SENSOR_REMEDIES

OPERATIONS = ("process", "motifs")
STATUSES = ("success", "failure")
SOURCES = ("sidecar", "fallback", "none")
STAGES = ("queue", "decode", "preprocess", "execute", "postprocess")
THROUGHPUT_KINDS = ("samples_processed", "latent_vectors", "motif_predictions")
ACTIVITY_RESULTS = ("agreed", "differed", "unknown_to_model")
ACTIVITY_SIDES = ("done", "said")
SENSOR_FAULTS = tuple(SENSOR_REMEDIES)
SENSOR_PROBLEMS = (*SENSOR_FAULTS, *SENSOR_NOTES)
INPUT_EVENTS = ("gap", "missing", "duplicate", "reordered", "clock_jump", "pause")
SPREAD = ("min", "median", "max")
OUTPUTS = ("latent", "motif_scores")
BASELINES = ("site", "population")
SHARE_SOURCES = ("window", *BASELINES)

# The first six are the source document's; the last two distinguish a dead sidecar from an incompatible one.
INFERENCE_ERROR_TYPES = (
    "timeout",
    "http_4xx",
    "http_5xx",
    "malformed_response",
    "decode_error",
    "unknown_error",
    "connection_error",
    "circuit_open",
)
FALLBACK_REASONS = (*INFERENCE_ERROR_TYPES, "no_sidecar_configured")
CONTRACT_CHECKS = ("latent_shape", "motif_shape", "not_finite", "score_range", "score_sum")

# Section 5 of the HailoRT status table; the last three are not the device's.
HARDWARE_ERROR_CLASSES = (
    "hailort_init_failure",
    "version_mismatch",
    "device_not_found",
    "device_in_use",
    "thermal_throttling",
    "memory_allocation_error",
    "timeout",
    "hef_invalid",
    "communication_closed",
    "backpressure",
    "misuse",
    "unsupported_feature",
    "invalid_output",
    "execution_failed",
    "unknown",
)
SIDECAR_INFERENCE_STATUSES = (
    "success",
    "shed",
    "abandoned",
    "invalid_input",
    "backend_error",
    "invalid_output",
    "not_ready",
)

BACKEND_KINDS = backend_kinds()
CIRCUIT_STATES = ("closed", "half_open", "open")
HEALTH_CHECKS = ("service", "hailo_backend", "inference_capability", "system_resources")
HEALTH_STATUSES = ("healthy", "degraded", "unhealthy")
SESSION_ENDS = ("stopped", "expired", "evicted")
MEMORY_TYPES = ("process_resident", "system_used", "system_available", "system_total")
DISK_SPACES = ("available", "total")
HTTP_METHODS = ("GET", "HEAD", "POST", "PUT", "OTHER")

PROBLEMS = (
    "invalid_body",
    "invalid_window",
    "invalid_samples",
    "body_too_large",
    "unsupported_content_type",
    "unknown_session",
    "stopped_session",
    "not_enough_samples",
    "unusable_window",
    "unauthorized",
    "rate_limited",
    "forbidden",
    "not_found",
    "method_not_allowed",
    "overloaded",
    "not_ready",
    "backend_error",
    "storage_error",
    "internal_error",
)

# What the HTTP server answers itself: heads that it cannot read, clients that are too slow, too much at a time.
REFUSALS = ("body_too_large", "internal_error", "invalid_head", "overloaded", "slow_request")

OPERATION = Label("operation", OPERATIONS)
STATUS = Label("status", STATUSES)
METHOD = Label("method", HTTP_METHODS)
ENDPOINT = Label("endpoint", bounded_by="the route templates of the service; unmatched paths are one value")
STATUS_CODE = Label("status_code", bounded_by="the statuses that the service answers with")
PROBLEM = Label("error_type", PROBLEMS)
SIDECAR = Label("sidecar", bounded_by="the sidecars named in the settings")
COLLECTOR = Label("collector", bounded_by="the files in edgeinfer/collectors")
CHIP = Label("chip_id", bounded_by="the chips in the machine")
DEVICE = Label("device_id", bounded_by="the chips in the machine")
