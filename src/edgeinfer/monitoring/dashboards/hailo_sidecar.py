"""The Hailo Sidecar Monitoring Dashboard: fast, right, healthy, real? Then where the time and the errors go."""

from itertools import pairwise

from edgeinfer.catalog import device, gateway, labels, sidecar, system
from edgeinfer.catalog.metric import Metric
from edgeinfer.monitoring.dashboards import variables
from edgeinfer.monitoring.dashboards.board import Board
from edgeinfer.monitoring.dashboards.layout import Row
from edgeinfer.monitoring.dashboards.panels import Drill, Look, Panel, Query, bars, graph, stat, timeline
from edgeinfer.monitoring.dashboards.sources import (
    FIRING,
    LIVE,
    NOW,
    PERCENTILES,
    WHOLE,
    finite,
    health_state,
    quantile,
    success_ratio,
)
from edgeinfer.monitoring.dashboards.style import (
    ALL_UP,
    BACKEND_COLORS,
    BLUE,
    COUNT,
    ERROR_COLORS,
    GREEN,
    GREY,
    LATENCY,
    LATENCY_LINE,
    NONE_IS_GOOD,
    ORANGE,
    PER_SECOND,
    PERCENTILE_COLORS,
    PURPLE,
    RED,
    REQUESTS_PER_SECOND,
    SOURCE_COLORS,
    STAGE_COLORS,
    STATUS_COLORS,
    SUCCESS,
    SUCCESS_LINE,
    TEAL,
    YELLOW,
    Steps,
    of,
)
from edgeinfer.monitoring.engine import UP
from edgeinfer.monitoring.recording import QUANTILE
from edgeinfer.monitoring.thresholds import DRIFT_LARGE, DRIFT_NOTICEABLE, FALLBACK_SHARE, LATENCY_OBJECTIVE_SECONDS

_DRIFT: Steps = ((None, GREEN), (DRIFT_NOTICEABLE, YELLOW), (DRIFT_LARGE, RED))
_FALLBACK: Steps = ((None, RED), (1 - FALLBACK_SHARE, YELLOW), (0.999, GREEN))
_SLO, _GATEWAY, _HARDWARE = (
    Drill("What the objectives say", "edgeinfer-slo"),
    Drill("The gateway in detail", "edgeinfer-gateway"),
    Drill("The chip in detail", "edgeinfer-hardware"),
)


def create() -> Board:
    """The board."""
    return Board(
        uid="hailo-sidecar-monitoring",
        file="grafana_hailo_sidecar_dashboard.json",
        title="Hailo Sidecar Monitoring Dashboard",
        description="Inference through the Hailo sidecar: is it fast, right, healthy and real, and if not, why.",
        variables=[variables.datasource(), variables.job(), variables.instance()],
        rows=[
            Row("Now: fast, right, healthy, real?", [_now()], _GATEWAY),
            Row("Requests", [_requests()], _GATEWAY),
            Row("Latency: where the time goes", [_latency(), _stages()], _SLO),
            Row("Errors", [_errors(), _inside_errors()], _SLO),
            Row("Fallback and backends", [_fallback(), _backends()], _GATEWAY),
            Row("Health", [_health(), _beside()], _GATEWAY),
            Row("Model output", [_output(), _confidence()], _GATEWAY),
            Row("Drift", [_drift()], _GATEWAY),
            Row("Another model in the shadow", [_shadow()], _HARDWARE),
            Row("Queue, work and machine", [_work(), _machine()], _HARDWARE),
        ],
    )


def _now() -> list[Panel]:
    samples = NOW.rate(gateway.SAMPLES_PROCESSED, where={"metric": "samples_processed"})
    from_sidecar = NOW.rate(gateway.ANALYSES, where={"source": "sidecar"})
    return [
        stat(
            "P95 latency",
            "Nineteen of twenty inference requests were faster than this over the last minute. The promise is 100 ms.",
            [Query(quantile(0.95), "p95")],
            Look(unit="s", steps=LATENCY, no_value="no requests"),
            drill=_SLO,
        ),
        stat(
            "Success",
            "Share of inference requests that a sidecar answered correctly. The promise is 95 %.",
            [Query(success_ratio(NOW), "success")],
            Look(unit="percentunit", decimals=2, steps=SUCCESS, no_value="no requests"),
            drill=_SLO,
        ),
        stat(
            "Requests per minute",
            "Inference requests that the gateway made to sidecars.",
            [Query(f"60 * {NOW.rate(gateway.INFERENCE_REQUESTS)}", "requests")],
            Look(unit=COUNT, decimals=0, no_value="no gateway"),
            drill=_GATEWAY,
        ),
        stat(
            "Samples per minute",
            "IMU samples in the windows that sidecars answered; a window has 100.",
            [Query(f"60 * {samples}", "samples")],
            Look(unit=COUNT, decimals=0, no_value="no gateway"),
            drill=_GATEWAY,
        ),
        stat(
            "From the sidecar",
            "Share of analyses that a sidecar computed; the others came from the gateway's CPU or from nobody.",
            [Query(finite(f"{from_sidecar} / {NOW.rate(gateway.ANALYSES)}"), "sidecar")],
            Look(unit="percentunit", decimals=1, steps=_FALLBACK, no_value="no analyses"),
        ),
        stat(
            "Backend",
            "What computes the answers: hailo is the chip, cpu the same model on the processor, "
            "stub means synthetic results that mean nothing.",
            [Query(NOW.info(sidecar.RUNTIME_INFO, by=("backend",)), "{{backend}}", instant=True)],
            Look(unit="none", colors=BACKEND_COLORS, no_value="no sidecar"),
            shows="name",
            sparkline=False,
            drill=_HARDWARE,
        ),
        stat(
            "Sidecar",
            "Whether every sidecar that is scraped is up and ready.",
            [
                Query(
                    f"{NOW.gauge(UP, how='min', where={'job': 'hailo-inference'})} * "
                    f"({NOW.gauge(sidecar.READY, how='min')} or vector(0))",
                    "ready",
                )
            ],
            Look(unit="none", steps=ALL_UP, states=[(0, "not ready", RED), (1, "ready", GREEN)], no_value="unknown"),
            sparkline=False,
        ),
        stat(
            "Alerts firing",
            "Alerts of severity critical and warning that fire now.",
            [Query(f"count({FIRING}) or vector(0)", "alerts", instant=True)],
            Look(unit="none", decimals=0, steps=NONE_IS_GOOD, no_value="unknown"),
            sparkline=False,
            drill=_SLO,
        ),
    ]


def _requests() -> list[Panel]:
    statuses = [
        # What is asked first lies at the bottom: failures below, lest they draw a red edge along what went well.
        Query(LIVE.rate(gateway.INFERENCE_REQUESTS, where={"status": status}), status)
        for status in reversed(labels.STATUSES)
    ]
    return [
        graph(
            "Request rate",
            "Inference requests per second by what they were for.",
            [Query(LIVE.rate(gateway.INFERENCE_REQUESTS, by=("operation", "instance")), "{{operation}} {{instance}}")],
            Look(unit=REQUESTS_PER_SECOND),
            size=(8, 8),
            drill=_GATEWAY,
        ),
        graph(
            "Success and failure",
            "Inference requests per second by outcome, stacked.",
            statuses,
            Look(unit=REQUESTS_PER_SECOND, colors=STATUS_COLORS),
            size=(8, 8),
            stacked=True,
        ),
        graph(
            "Sample throughput",
            "IMU samples, latent vectors and motif predictions per second.",
            [Query(LIVE.rate(gateway.SAMPLES_PROCESSED, by=("metric",)), "{{metric}}")],
            Look(unit=PER_SECOND),
            size=(8, 8),
        ),
    ]


def _latency() -> list[Panel]:
    percentiles = [Query(quantile(fraction), name) for name, fraction in PERCENTILES.items()]
    mean = Query(finite(LIVE.mean(gateway.INFERENCE_DURATION)), "mean")
    fast = LIVE.at_most(LATENCY_OBJECTIVE_SECONDS, gateway.INFERENCE_DURATION)
    return [
        graph(
            "Latency percentiles",
            "How long inference requests took, from sending the window until the answer was validated. "
            "The red line is the objective for p95.",
            [*percentiles, mean],
            Look(unit="s", steps=LATENCY_LINE, colors=of(PERCENTILE_COLORS, *PERCENTILES, "mean")),
            line=True,
            drill=_SLO,
        ),
        graph(
            "Within 100 ms",
            "Share of requests that kept the objective, counted exactly from the histogram's edge at 0.1 s. "
            "The line is the promise of 95 %.",
            [Query(finite(f"{fast} / {LIVE.count(gateway.INFERENCE_DURATION)}"), "within 100 ms")],
            Look(unit="percentunit", maximum=1, steps=SUCCESS_LINE, colors={"within 100 ms": GREEN}),
            line=True,
            drill=_SLO,
        ),
    ]


def _stages() -> list[Panel]:
    inside = {stage: finite(LIVE.mean(sidecar.STAGE_DURATION, where={"stage": stage})) for stage in labels.STAGES}
    parts = {"network": finite(LIVE.mean(gateway.NETWORK_DURATION))} | inside
    by_stage = LIVE.quantile(0.95, sidecar.STAGE_DURATION, by=("stage",))
    by_operation = LIVE.recorded(QUANTILE, how="max", by=("operation", "instance"), where={"quantile": "0.95"})
    inside_whole = LIVE.quantile(0.95, sidecar.HTTP_DURATION, by=("instance",), where={"endpoint": "/infer"})
    return [
        graph(
            "Where the time goes",
            "Mean time of each part of a call, stacked: the network and both HTTP stacks, then the sidecar's stages. "
            "Together they are the whole call.",
            [Query(expression, stage) for stage, expression in parts.items()],
            Look(unit="s", colors=STAGE_COLORS),
            size=(12, 8),
            stacked=True,
            drill=_HARDWARE,
        ),
        graph(
            "Slowest part, p95",
            "The 95th percentile of each stage inside the sidecar.",
            [Query(finite(by_stage), "{{stage}}", exemplars=True)],
            Look(unit="s", colors=of(STAGE_COLORS, *labels.STAGES)),
            size=(6, 8),
        ),
        graph(
            "P95 by operation",
            "The 95th percentile by what the inference was for, and what the sidecar itself took for all of it.",
            [
                Query(by_operation, "{{operation}} {{instance}}"),
                Query(finite(inside_whole), "inside the sidecar {{instance}}"),
            ],
            Look(unit="s", steps=LATENCY_LINE),
            size=(6, 8),
            line=True,
        ),
    ]


def _errors() -> list[Panel]:
    return [
        graph(
            "Errors by class",
            "Failed inference requests per second by class, as the gateway saw them.",
            [Query(LIVE.rate(gateway.INFERENCE_ERRORS, by=("error_type",)), "{{error_type}}")],
            Look(unit=PER_SECOND, colors=ERROR_COLORS),
            stacked=True,
            bars=True,
            drill=_SLO,
        ),
        graph(
            "Contract violations",
            "Answers that break the model's contract, by the check that found them. "
            "Any is too many: such a model is wrong.",
            [Query(LIVE.rate(gateway.CONTRACT_VIOLATIONS, by=("check",)), "{{check}}")],
            Look(unit=PER_SECOND),
            bars=True,
        ),
    ]


def _inside_errors() -> list[Panel]:
    status_colors = {"success": GREEN, "shed": ORANGE, "invalid_input": YELLOW, "backend_error": RED}
    return [
        graph(
            "What became of windows",
            "Windows that reached the sidecar, by what became of them there.",
            [Query(LIVE.rate(sidecar.INFERENCES, by=("status",)), "{{status}}")],
            Look(unit=PER_SECOND, colors=status_colors | {"invalid_output": PURPLE, "not_ready": GREY}),
            size=(8, 8),
            stacked=True,
        ),
        graph(
            "Backend failures",
            "Failures of the backend by class; with a chip these come from HailoRT's status codes.",
            [Query(LIVE.rate(sidecar.HARDWARE_ERRORS, by=("error_class",)), "{{error_class}}")],
            Look(unit=PER_SECOND),
            size=(8, 8),
            bars=True,
            drill=_HARDWARE,
        ),
        graph(
            "Recoveries",
            "Times that the backend was closed and opened again after a failure.",
            [Query(LIVE.increase(sidecar.BACKEND_RECOVERIES, by=("instance",)), "{{instance}}")],
            Look(unit=COUNT, decimals=0),
            size=(8, 8),
            bars=True,
        ),
    ]


def _fallback() -> list[Panel]:
    return [
        graph(
            "Where answers come from",
            "Analyses per second: computed by a sidecar, by the gateway's own CPU, or by nobody.",
            [Query(LIVE.rate(gateway.ANALYSES, by=("source",)), "{{source}}")],
            Look(unit=REQUESTS_PER_SECOND, colors=SOURCE_COLORS),
            stacked=True,
        ),
        graph(
            "Fallbacks by reason",
            "Why the gateway's CPU had to answer.",
            [Query(LIVE.rate(gateway.FALLBACKS, by=("reason",)), "{{reason}}")],
            Look(unit=PER_SECOND, colors=ERROR_COLORS),
            bars=True,
            stacked=True,
        ),
    ]


def _backends() -> list[Panel]:
    circuit = LIVE.gauge(gateway.CIRCUIT_STATE, by=("backend",), where={"state": "open"})
    half = LIVE.gauge(gateway.CIRCUIT_STATE, by=("backend",), where={"state": "half_open"})
    return [
        graph(
            "Calls by sidecar",
            "How the gateway spreads its calls over the sidecars, and how they end.",
            [Query(LIVE.rate(gateway.BACKEND_REQUESTS, by=("backend", "status")), "{{backend}} {{status}}")],
            Look(unit=REQUESTS_PER_SECOND),
            size=(8, 7),
        ),
        graph(
            "Calls under way",
            "Calls that each sidecar has not answered yet.",
            [Query(LIVE.gauge(gateway.BACKEND_IN_FLIGHT, by=("backend",)), "{{backend}}")],
            Look(unit=COUNT, decimals=0),
            size=(8, 7),
        ),
        timeline(
            "Circuit breaker",
            "Whether the gateway asks each sidecar: open means that it leaves it alone after too many failures.",
            [Query(f"2 * {circuit} + {half}", "{{backend}}")],
            Look(unit="none", states=[(0, "closed", GREEN), (1, "half open", YELLOW), (2, "open", RED)]),
            size=(8, 7),
        ),
    ]


def _health() -> list[Panel]:
    states = [(0, "healthy", GREEN), (1, "degraded", YELLOW), (2, "unhealthy", RED)]
    return [
        timeline(
            "Health checks",
            "The gateway's own checks, run every 30 seconds.",
            [Query(health_state(), "{{check}} {{instance}}")],
            Look(unit="none", states=states),
            drill=_GATEWAY,
        ),
        timeline(
            "Up",
            "Whether Prometheus reaches each process.",
            [Query(LIVE.gauge(UP, by=("job", "instance")), "{{job}} {{instance}}")],
            Look(unit="none", states=[(0, "down", RED), (1, "up", GREEN)]),
        ),
    ]


def _beside() -> list[Panel]:
    return [
        graph(
            "Health response times",
            "How long each health check took. A check that gets slow announces trouble.",
            [Query(LIVE.gauge(gateway.HEALTH_DURATION, by=("check", "instance")), "{{check}} {{instance}}")],
            Look(unit="s"),
        ),
        graph(
            "Health beside latency",
            "The probe of the sidecar and the p95 of real requests in one picture: do they move together?",
            [
                Query(LIVE.gauge(gateway.HEALTH_DURATION, where={"check": "hailo_backend"}), "probe of the sidecar"),
                Query(quantile(0.95), "p95 of requests"),
            ],
            Look(unit="s", steps=LATENCY_LINE, colors={"probe of the sidecar": BLUE, "p95 of requests": ORANGE}),
            line=True,
        ),
    ]


def _output() -> list[Panel]:
    share = (
        f"{LIVE.increase(gateway.MOTIF_TOP, by=('motif',), window='$__range')} "
        f"* on (motif) group_left (name) {LIVE.info(gateway.MOTIF_INFO, by=('motif', 'name'))}"
    )
    return [
        stat(
            "Output dimensions",
            "Length of each output in the newest answer. The model of this project gives 64 and 12.",
            [
                Query(LIVE.gauge(gateway.OUTPUT_DIMENSIONS, where={"output": one}), one, instant=True)
                for one in labels.OUTPUTS
            ],
            Look(unit="none", decimals=0, no_value="no answer yet"),
            size=(6, 8),
            shows="value_and_name",
            sparkline=False,
        ),
        stat(
            "Model",
            "The model that each sidecar serves.",
            [
                Query(
                    LIVE.info(sidecar.MODEL_INFO, by=("name", "version")),
                    "{{name}} {{version}}",
                    instant=True,
                )
            ],
            Look(unit="none", no_value="no sidecar"),
            size=(6, 8),
            shows="name",
            sparkline=False,
        ),
        bars(
            "Motifs seen",
            "Windows of the shown time range by their most likely motif.",
            [Query(f"sort_desc({share})", "{{motif}} {{name}}", instant=True)],
            Look(unit=COUNT, decimals=0, minimum=0, no_value="no answers"),
            size=(12, 8),
        ),
    ]


def _confidence() -> list[Panel]:
    of = gateway.MOTIF_CONFIDENCE
    spread = {"p10": 0.1, "p50": 0.5, "p90": 0.9}
    return [
        graph(
            "Motif confidence",
            "Score of the most likely motif: the middle, the lowest and the highest tenth of the answers.",
            [Query(finite(LIVE.quantile(fraction, of)), name) for name, fraction in spread.items()],
            Look(unit="percentunit", maximum=1, colors={"p10": TEAL, "p50": GREEN, "p90": BLUE}),
            size=(8, 8),
        ),
        bars(
            "Confidence distribution",
            "Share of the shown time range's answers by how sure they were of their motif. "
            "A model that knows its input has long bars below.",
            _shares(of),
            Look(unit="percentunit", decimals=1, minimum=0, color=BLUE, no_value="no answers"),
            size=(8, 8),
        ),
        graph(
            "Length of the latent vector",
            "Euclidean length of the latent vectors: a jump means other input or another model.",
            [Query(finite(LIVE.quantile(fraction, gateway.LATENT_NORM)), name) for name, fraction in spread.items()],
            Look(unit="none", decimals=1, colors={"p10": TEAL, "p50": GREEN, "p90": BLUE}),
            size=(8, 8),
        ),
    ]


def _shares(histogram: Metric) -> list[Query]:
    """What lies between two neighbouring edges of a histogram, as a share of all; the lowest first."""
    up_to = [WHOLE.at_most(edge, histogram) for edge in histogram.buckets]
    between = [up_to[0], *(f"({upper} - {lower})" for lower, upper in pairwise(up_to))]
    edges = [0, *histogram.buckets]
    return [
        Query(finite(f"{part} / {WHOLE.count(histogram)}"), f"{lower:g} to {upper:g}", instant=True)
        for part, (lower, upper) in zip(between, pairwise(edges), strict=True)
    ]


def _drift() -> list[Panel]:
    return [
        graph(
            "Drift",
            "Population stability index against the data that the model was made with: "
            "above 0.1 worth a look, above 0.25 a large shift.",
            [
                Query(LIVE.gauge(gateway.LATENT_DRIFT, by=("instance",)), "latent {{instance}}"),
                Query(LIVE.gauge(gateway.MOTIF_DRIFT, by=("instance",)), "motifs {{instance}}"),
            ],
            Look(unit="none", decimals=3, steps=_DRIFT),
            size=(16, 7),
            line=True,
        ),
        graph(
            "Answers in the drift window",
            "How many answers the index rests on; with few it is mostly noise.",
            [Query(LIVE.gauge(gateway.DRIFT_WINDOW, by=("instance",)), "{{instance}}")],
            Look(unit=COUNT, decimals=0),
            size=(8, 7),
        ),
    ]


def _shadow() -> list[Panel]:
    spread = {"p10": 0.1, "p50": 0.5}
    return [
        graph(
            "Shadow comparisons",
            "Windows that a second model computed beside the serving one, by whether both named the same motif.",
            [Query(LIVE.rate(sidecar.SHADOW_COMPARISONS, by=("result",)), "{{result}}")],
            Look(unit=PER_SECOND, colors={"agreed": GREEN, "differed": ORANGE, "failed": RED, "skipped": GREY}),
            size=(8, 7),
            stacked=True,
        ),
        graph(
            "Shadow likeness",
            "Cosine between the two latent vectors: 1 means the same direction. Absent without a shadow.",
            [Query(finite(LIVE.quantile(value, sidecar.SHADOW_COSINE)), name) for name, value in spread.items()],
            Look(unit="none", decimals=4, maximum=1, colors={"p10": ORANGE, "p50": GREEN}),
            size=(8, 7),
        ),
        graph(
            "Model changes",
            "Times that the sidecar was told to serve another model; refused leaves the old one serving.",
            [Query(LIVE.increase(sidecar.MODEL_CHANGES, by=("result",)), "{{result}}")],
            Look(unit=COUNT, decimals=0, colors={"switched": GREEN, "unchanged": GREY, "refused": RED}),
            size=(8, 7),
        ),
    ]


def _work() -> list[Panel]:
    return [
        graph(
            "Queue and work",
            "Windows that wait, windows that are being computed, and where the sidecar begins to shed.",
            [
                Query(LIVE.gauge(sidecar.QUEUE_DEPTH, by=("instance",)), "waiting {{instance}}"),
                Query(LIVE.gauge(sidecar.IN_FLIGHT, by=("instance",)), "computing {{instance}}"),
                Query(LIVE.gauge(sidecar.QUEUE_CAPACITY, by=("instance",)), "room {{instance}}"),
                Query(LIVE.gauge(sidecar.WORKERS, by=("instance",)), "workers {{instance}}"),
            ],
            Look(unit=COUNT, decimals=0),
            size=(8, 8),
        ),
        graph(
            "Windows computed together",
            "Mean size of a batch; 1 where the backend does not batch.",
            [Query(finite(LIVE.mean(sidecar.BATCH_SIZE, by=("instance",))), "{{instance}}")],
            Look(unit="none", decimals=1),
            size=(4, 8),
        ),
        graph(
            "Problems of the sidecar",
            "Requests that the sidecar answered with an error, by kind of problem.",
            [Query(LIVE.rate(sidecar.PROBLEMS, by=("problem",)), "{{problem}}")],
            Look(unit=PER_SECOND),
            size=(4, 8),
            bars=True,
        ),
        graph(
            "Sidecar's answers by status",
            "HTTP requests that the sidecar answered, by status code.",
            [
                Query(
                    LIVE.rate(sidecar.HTTP_REQUESTS, by=("endpoint", "status_code")),
                    "{{endpoint}} {{status_code}}",
                )
            ],
            Look(unit=REQUESTS_PER_SECOND),
            size=(8, 8),
        ),
    ]


def _machine() -> list[Panel]:
    return [
        graph(
            "CPU",
            "Share of the CPU time of the sidecar's machine that is used.",
            [Query(LIVE.gauge(system.CPU_USAGE_RATIO, by=("instance",)), "{{instance}}")],
            Look(unit="percentunit", maximum=1),
            size=(6, 7),
        ),
        graph(
            "Memory",
            "Memory of the sidecar's process and of its machine.",
            [Query(LIVE.gauge(system.MEMORY_USAGE, by=("memory_type", "instance")), "{{memory_type}} {{instance}}")],
            Look(unit="bytes"),
            size=(6, 7),
        ),
        graph(
            "Disk",
            "Space of the disk that holds the root folder of the sidecar's machine: sessions and measurements fill it.",
            [Query(LIVE.gauge(system.DISK_SPACE, by=("space", "instance")), "{{space}} {{instance}}")],
            Look(unit="bytes"),
            size=(6, 7),
        ),
        graph(
            "Hottest chip",
            "Temperature of each chip; its limits are on the hardware board.",
            [Query(LIVE.gauge(device.TEMPERATURE, by=("chip_id",)), "{{chip_id}}")],
            Look(unit="celsius", decimals=0),
            size=(6, 7),
            drill=_HARDWARE,
        ),
    ]
