"""The sidecar's live metrics, bound once so that a request only moves them."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry

from edgeinfer.catalog import labels, sidecar, tracing
from edgeinfer.metrics import instruments
from edgeinfer.web.refusals import count_refusals


class SidecarInstruments:
    """Everything that the sidecar's own code sets.

    Args:
        registry: where the metrics live.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self.http_requests = instruments.counter(sidecar.HTTP_REQUESTS, registry)
        self.http_duration = instruments.histogram(sidecar.HTTP_DURATION, registry)
        self.problems = instruments.counter(sidecar.PROBLEMS, registry)
        self.on_refusal = count_refusals(registry)
        self.queue_depth = instruments.gauge(sidecar.QUEUE_DEPTH, registry)
        self.queue_capacity = instruments.gauge(sidecar.QUEUE_CAPACITY, registry)
        self.in_flight = instruments.gauge(sidecar.IN_FLIGHT, registry)
        self.workers = instruments.gauge(sidecar.WORKERS, registry)
        self.batch_size = instruments.histogram(sidecar.BATCH_SIZE, registry)
        self.frames_in_flight = instruments.histogram(sidecar.FRAMES_IN_FLIGHT, registry)
        self.ready = instruments.gauge(sidecar.READY, registry)
        self.recoveries = instruments.counter(sidecar.BACKEND_RECOVERIES, registry)
        self.model_changes = instruments.counter(sidecar.MODEL_CHANGES, registry)
        self.shadow_comparisons = instruments.counter(sidecar.SHADOW_COMPARISONS, registry)
        self.shadow_cosine = instruments.histogram(sidecar.SHADOW_COSINE, registry)
        self.model_info = instruments.info(sidecar.MODEL_INFO, [], registry)
        self.runtime_info = instruments.info(sidecar.RUNTIME_INFO, [], registry)
        self.build_info = instruments.info(sidecar.BUILD_INFO, [], registry)
        self.spans = instruments.counter(tracing.SIDECAR_SPANS, registry)
        hardware_errors = instruments.counter(sidecar.HARDWARE_ERRORS, registry)
        self.count_hardware_error: dict[str, Callable[[], None]] = {
            error_class: hardware_errors.labels(error_class).inc for error_class in labels.HARDWARE_ERROR_CLASSES
        }
        inferences = instruments.counter(sidecar.INFERENCES, registry)
        self.count_inference: dict[str, Callable[[], None]] = {
            status: inferences.labels(status).inc for status in labels.SIDECAR_INFERENCE_STATUSES
        }
        stages = instruments.histogram(sidecar.STAGE_DURATION, registry)
        self.observe_queue = stages.labels("queue").observe
        self.observe_decode = stages.labels("decode").observe
        self.observe_preprocess = stages.labels("preprocess").observe
        self.observe_execute = stages.labels("execute").observe
        self.observe_postprocess = stages.labels("postprocess").observe
