"""Every metric of the gateway on one registry, its children bound once: looking them up costs more than using them."""

import platform
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import version

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from edgeinfer.catalog import gateway as catalog
from edgeinfer.catalog import input_streams, labels, model_output, tracing
from edgeinfer.metrics import instruments
from edgeinfer.metrics.readings import Readings, readings
from edgeinfer.web.refusals import count_refusals


@dataclass(frozen=True, slots=True)
class SessionInstruments:
    """What sessions count."""

    active: Gauge
    held: Gauge
    started: Counter
    ended: dict[str, Counter]
    received: Counter
    events: dict[str, Counter]


@dataclass(frozen=True, slots=True)
class StoreInstruments:
    """What the session store shows; sizes through `readings`, because a store in memory has none."""

    readings: Readings
    written: Counter
    early_drops: Counter

    def show_sizes(self, used_bytes: int, limit_bytes: int, set_aside: int) -> None:
        """Publish the sizes of the store as they are now."""
        self.readings.publish(catalog.STORE_USED, used_bytes)
        self.readings.publish(catalog.STORE_LIMIT, limit_bytes)
        self.readings.publish(catalog.STORE_SET_ASIDE, set_aside)


@dataclass(frozen=True, slots=True)
class OperationInstruments:
    """What one operation (process, motifs) counts."""

    success: Counter
    failure: Counter
    duration: Histogram
    analyses: dict[str, Counter]


@dataclass(frozen=True, slots=True)
class SidecarInstruments:
    """What the calls to one sidecar count."""

    success: Counter
    failure: Counter
    in_flight: Gauge
    circuit_state: dict[str, Gauge]
    circuit_transitions: dict[str, Counter]


@dataclass(frozen=True, slots=True)
class OutputInstruments:
    """What the answers of sidecars show."""

    samples: Counter
    latents: Counter
    predictions: Counter
    confidence: Histogram
    latent_norm: Histogram
    top: tuple[Counter, ...]
    network: Histogram
    violations: dict[str, Counter]


class GatewayInstruments:
    """All of the gateway's metrics.

    Args:
        registry: where they are exposed.
        motifs: names of the model's motifs, in the order of the scores.
        sidecars: names of the sidecars in the settings.
    """

    def __init__(self, registry: CollectorRegistry, *, motifs: tuple[str, ...], sidecars: Iterable[str]) -> None:
        self.readings: Readings = readings(
            (
                model_output.OUTPUT_DIMENSIONS,
                model_output.LATENT_DRIFT,
                model_output.MOTIF_DRIFT,
                model_output.POPULATION_LATENT_DRIFT,
                model_output.POPULATION_MOTIF_DRIFT,
                model_output.DIMENSION_DRIFT,
                model_output.MOTIF_SHARES,
                input_streams.STREAM_PROBLEM,
                input_streams.STREAM_RATE,
                input_streams.STREAM_JITTER,
                input_streams.STREAM_CLOCK_OFFSET,
                model_output.DRIFT_BASELINE,
                model_output.DRIFT_BASELINE_LEARNED,
                catalog.HEALTH_DURATION,
                catalog.HEALTH_LAST_RUN,
                catalog.STORE_USED,
                catalog.STORE_LIMIT,
                catalog.STORE_SET_ASIDE,
            ),
            registry,
        )
        self.http_requests = instruments.counter(catalog.HTTP_REQUESTS, registry)
        self.http_duration = instruments.histogram(catalog.HTTP_DURATION, registry)
        self.problems = instruments.counter(catalog.PROBLEMS, registry)
        self.on_refusal = count_refusals(registry)
        self.errors = _by_value(instruments.counter(catalog.INFERENCE_ERRORS, registry), labels.INFERENCE_ERROR_TYPES)
        self.fallbacks = _by_value(instruments.counter(catalog.FALLBACKS, registry), labels.FALLBACK_REASONS)
        self.fallback_duration = instruments.histogram(catalog.FALLBACK_DURATION, registry)
        self.retries = instruments.counter(catalog.RETRIES, registry)
        self.spans = instruments.counter(tracing.GATEWAY_SPANS, registry)
        self.drift_window = instruments.gauge(model_output.DRIFT_WINDOW, registry)
        self.streams_receiving = instruments.gauge(input_streams.STREAMS_RECEIVING, registry)
        problem = instruments.gauge(input_streams.STREAMS_WITH_PROBLEM, registry)
        self.streams_with_problem = {name: problem.labels(name) for name in labels.SENSOR_PROBLEMS}
        self.known_activity = _by_value(
            instruments.counter(input_streams.KNOWN_ACTIVITY, registry), labels.ACTIVITY_RESULTS
        )
        self.known_activity_groups = instruments.counter(input_streams.KNOWN_ACTIVITY_GROUPS, registry)
        self.health_status = instruments.gauge(catalog.HEALTH_STATUS, registry)
        self.operations = _operations(registry)
        self.sidecars = _sidecars(registry, sidecars)
        self.outputs = _outputs(registry, len(motifs))
        self.sessions = _sessions(registry)
        self.store = StoreInstruments(
            self.readings,
            instruments.counter(catalog.STORE_WRITTEN, registry),
            instruments.counter(catalog.STORE_EARLY_DROPS, registry),
        )
        self.motif_names = instruments.info(
            model_output.MOTIF_INFO, [(str(index), name) for index, name in enumerate(motifs)], registry
        )
        self.build = instruments.info(catalog.BUILD_INFO, [(version("edgeinfer"), platform.python_version())], registry)


def _by_value(counter: Counter, values: Iterable[str], *before: str) -> dict[str, Counter]:
    return {value: counter.labels(*before, value) for value in values}


def _operations(registry: CollectorRegistry) -> dict[str, OperationInstruments]:
    requests = instruments.counter(catalog.INFERENCE_REQUESTS, registry)
    duration = instruments.histogram(catalog.INFERENCE_DURATION, registry)
    analyses = instruments.counter(catalog.ANALYSES, registry)
    return {
        operation: OperationInstruments(
            requests.labels(operation, "success"),
            requests.labels(operation, "failure"),
            duration.labels(operation),
            _by_value(analyses, labels.SOURCES, operation),
        )
        for operation in labels.OPERATIONS
    }


def _sidecars(registry: CollectorRegistry, names: Iterable[str]) -> dict[str, SidecarInstruments]:
    requests = instruments.counter(catalog.SIDECAR_REQUESTS, registry)
    in_flight = instruments.gauge(catalog.SIDECAR_IN_FLIGHT, registry)
    state = instruments.gauge(catalog.CIRCUIT_STATE, registry)
    transitions = instruments.counter(catalog.CIRCUIT_TRANSITIONS, registry)
    return {
        name: SidecarInstruments(
            requests.labels(name, "success"),
            requests.labels(name, "failure"),
            in_flight.labels(name),
            {value: state.labels(name, value) for value in labels.CIRCUIT_STATES},
            _by_value(transitions, labels.CIRCUIT_STATES, name),
        )
        for name in names
    }


def _outputs(registry: CollectorRegistry, motifs: int) -> OutputInstruments:
    processed = instruments.counter(catalog.SAMPLES_PROCESSED, registry)
    top = instruments.counter(model_output.MOTIF_TOP, registry)
    violations = instruments.counter(catalog.CONTRACT_VIOLATIONS, registry)
    return OutputInstruments(
        processed.labels("samples_processed"),
        processed.labels("latent_vectors"),
        processed.labels("motif_predictions"),
        instruments.histogram(model_output.MOTIF_CONFIDENCE, registry),
        instruments.histogram(model_output.LATENT_NORM, registry),
        tuple(top.labels(str(index)) for index in range(motifs)),
        instruments.histogram(catalog.NETWORK_DURATION, registry),
        _by_value(violations, labels.CONTRACT_CHECKS),
    )


def _sessions(registry: CollectorRegistry) -> SessionInstruments:
    ended = instruments.counter(catalog.SESSIONS_ENDED, registry)
    return SessionInstruments(
        instruments.gauge(catalog.SESSIONS_ACTIVE, registry),
        instruments.gauge(catalog.SAMPLES_STORED, registry),
        instruments.counter(catalog.SESSIONS_STARTED, registry),
        _by_value(ended, labels.SESSION_ENDS),
        instruments.counter(catalog.SAMPLES_RECEIVED, registry),
        _by_value(instruments.counter(input_streams.INPUT_EVENTS, registry), labels.INPUT_EVENTS),
    )
