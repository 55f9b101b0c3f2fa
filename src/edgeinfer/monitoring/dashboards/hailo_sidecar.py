"""The Hailo Sidecar Monitoring Dashboard: fast, right, healthy, real? Then where the time and the errors go."""

from itertools import pairwise

from edgeinfer.catalog import device, gateway, labels, sidecar, system
from edgeinfer.catalog.metric import Metric
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
    time_series,
)
from edgeinfer.monitoring.dashboards.sources import (
    FIRING,
    LIVE,
    NOW,
    PERCENTILES,
    WHOLE,
    finite,
    health_state,
    quantile,
    quantile_now,
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
    INVALID_OUTPUT,
    LATENCY,
    LATENCY_LINE,
    NONE_IS_GOOD,
    ORANGE,
    PER_SECOND,
    PERCENTILE_COLORS,
    PROBE,
    RED,
    REQUESTS_PER_SECOND,
    SOURCE_COLORS,
    STAGE_COLORS,
    STATUS_COLORS,
    SUCCESS,
    SUCCESS_LINE,
    YELLOW,
    Thresholds,
    of,
)
from edgeinfer.monitoring.prometheus_metrics import UP
from edgeinfer.monitoring.recording import QUANTILE
from edgeinfer.monitoring.thresholds import DRIFT_LARGE, DRIFT_NOTICEABLE, FALLBACK_SHARE, LATENCY_OBJECTIVE_SECONDS

_DRIFT: Thresholds = ((None, GREEN), (DRIFT_NOTICEABLE, YELLOW), (DRIFT_LARGE, RED))
_FALLBACK: Thresholds = ((None, RED), (1 - FALLBACK_SHARE, YELLOW), (0.999, GREEN))
_NO_ERRORS = "no errors counted"
_SLO, _GATEWAY, _HARDWARE = (
    DashboardLink("What the objectives say", "edgeinfer-slo"),
    DashboardLink("The gateway in detail", "edgeinfer-gateway"),
    DashboardLink("The chip in detail", "edgeinfer-hardware"),
)


def create() -> Dashboard:
    return Dashboard(
        uid="hailo-sidecar-monitoring",
        file="grafana_hailo_sidecar_dashboard.json",
        title="Hailo Sidecar Monitoring Dashboard",
        description="Inference through the Hailo sidecar: is it fast, right, healthy and real, and if not, why.",
        variables=[variables.datasource(), variables.job(), variables.instance(), resolution()],
        rows=[
            Row("Now: fast, right, healthy, real?", [_now()], _GATEWAY),
            Row("What has changed?", [_outcome(), _causes()], _GATEWAY),
            Row("Requests", [_requests()], _GATEWAY, open_when="there are too many or too few"),
            Row("Latency", [_latency()], _SLO, open_when="P95 latency is yellow or red"),
            Row("Errors", [_errors(), _inside_errors()], _SLO, open_when="Success is not green"),
            Row("Fallback and sidecars", [_fallback()], _GATEWAY, open_when="answers come from the fallback"),
            Row("Health", [_health()], _GATEWAY, open_when="a health check fails or a process is down"),
            Row("Model output", [_output(), _confidence()], _GATEWAY, open_when="motifs or scores look wrong"),
            Row("Drift", [_drift(), _moved()], _GATEWAY, open_when="the input may have changed"),
            Row("Another model in the shadow", [_shadow()], _HARDWARE, open_when="you compare or change models"),
            Row("Queue and work", [_work()], _HARDWARE, open_when="latency rises while the chip is not slower"),
            Row("Machine", [_machine()], _HARDWARE, open_when="CPU, memory or disk may be short"),
        ],
    )


def _now() -> list[Panel]:
    samples = NOW.rate(gateway.SAMPLES_PROCESSED, where={"metric": "samples_processed"})
    from_sidecar = NOW.rate(gateway.ANALYSES, where={"source": "sidecar"})
    return [
        stat(
            "P95 latency",
            "Nineteen of twenty inference requests were faster than this over the last minute. The promise is 100 ms.",
            [Query(quantile_now(0.95), "p95")],
            FieldConfig(unit="s", thresholds=LATENCY, no_value="no requests"),
            link=_SLO,
        ),
        stat(
            "Success",
            "Share of inference requests that a sidecar answered correctly. The promise is 95 %.",
            [Query(success_ratio(NOW), "success")],
            FieldConfig(unit="percentunit", decimals=2, thresholds=SUCCESS, no_value="no requests"),
            link=_SLO,
        ),
        stat(
            "Requests per minute",
            "Inference requests that the gateway made to sidecars.",
            [Query(f"60 * {NOW.rate(gateway.INFERENCE_REQUESTS)}", "requests")],
            FieldConfig(unit=COUNT, decimals=0, no_value="no gateway"),
            link=_GATEWAY,
        ),
        stat(
            "Samples per minute",
            "IMU samples in the windows that sidecars answered; a window has 100.",
            [Query(f"60 * {samples}", "samples")],
            FieldConfig(unit=COUNT, decimals=0, no_value="no gateway"),
            link=_GATEWAY,
        ),
        stat(
            "From the sidecar",
            "Share of analyses that a sidecar computed; the others came from the gateway's CPU or from nobody.",
            [Query(finite(f"{from_sidecar} / {NOW.rate(gateway.ANALYSES)}"), "sidecar")],
            FieldConfig(unit="percentunit", decimals=1, thresholds=_FALLBACK, no_value="no analyses"),
        ),
        stat(
            "Backend",
            "What computes the answers: hailo is the chip, cpu the same model on the processor, "
            "stub means synthetic results that mean nothing.",
            [Query(NOW.info(sidecar.RUNTIME_INFO, by=("backend",)), "{{backend}}", instant=True)],
            FieldConfig(unit="none", colors=BACKEND_COLORS, no_value="no sidecar"),
            shows="name",
            sparkline=False,
            link=_HARDWARE,
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
            FieldConfig(
                unit="none",
                thresholds=ALL_UP,
                value_mappings=[(0, "not ready", RED), (1, "ready", GREEN)],
                no_value="unknown",
            ),
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


def _outcome() -> list[Panel]:
    statuses = [
        # The first query is drawn at the bottom: failures first, or they would draw a red edge along the successes.
        Query(LIVE.rate(gateway.INFERENCE_REQUESTS, where={"status": status}), status)
        for status in reversed(labels.STATUSES)
    ]
    percentiles = [Query(quantile(fraction), name) for name, fraction in PERCENTILES.items()]
    mean = Query(finite(LIVE.mean(gateway.INFERENCE_DURATION)), "mean")
    return [
        time_series(
            "Success and failure",
            "Inference requests per second by outcome, stacked.",
            statuses,
            FieldConfig(unit=REQUESTS_PER_SECOND, colors=STATUS_COLORS),
            size=(8, 7),
            stacked=True,
        ),
        time_series(
            "Latency percentiles",
            "How long inference requests took, from sending the window until the answer was validated. "
            "The red line is the objective for p95.",
            [*percentiles, mean],
            FieldConfig(unit="s", thresholds=LATENCY_LINE, colors=of(PERCENTILE_COLORS, *PERCENTILES, "mean")),
            size=(8, 7),
            line=True,
            link=_SLO,
        ),
        _time_by_part(),
    ]


def _time_by_part() -> Panel:
    inside = {stage: finite(LIVE.mean(sidecar.STAGE_DURATION, where={"stage": stage})) for stage in labels.STAGES}
    parts = {"network": finite(LIVE.mean(gateway.NETWORK_DURATION))} | inside
    return time_series(
        "Where the time goes",
        "Mean time of each part of a call, stacked: the network and both HTTP stacks, then the sidecar's stages. "
        "Together they are the whole call.",
        [Query(expression, stage) for stage, expression in parts.items()],
        FieldConfig(unit="s", colors=STAGE_COLORS),
        size=(8, 7),
        stacked=True,
        link=_HARDWARE,
    )


def _causes() -> list[Panel]:
    states = [(0, "healthy", GREEN), (1, "degraded", YELLOW), (2, "unhealthy", RED)]
    return [
        time_series(
            "Errors by class",
            "Failed inference requests per second by class, as the gateway saw them.",
            [Query(LIVE.rate(gateway.INFERENCE_ERRORS, by=("error_type",)), "{{error_type}}")],
            FieldConfig(unit=PER_SECOND, colors=ERROR_COLORS, no_value=_NO_ERRORS),
            size=(8, 6),
            stacked=True,
            bars=True,
            link=_SLO,
        ),
        time_series(
            "Where answers come from",
            "Analyses per second: computed by a sidecar, by the gateway's own CPU, or by nobody.",
            [Query(LIVE.rate(gateway.ANALYSES, by=("source",)), "{{source}}")],
            FieldConfig(unit=REQUESTS_PER_SECOND, colors=SOURCE_COLORS),
            size=(8, 6),
            stacked=True,
        ),
        state_timeline(
            "Health checks",
            "The gateway's own checks, run every 30 seconds.",
            [Query(health_state(), "{{check}} {{instance}}")],
            FieldConfig(unit="none", value_mappings=states),
            size=(8, 6),
            link=_GATEWAY,
        ),
    ]


def _requests() -> list[Panel]:
    return [
        time_series(
            "Request rate",
            "Inference requests per second by what they were for.",
            [Query(LIVE.rate(gateway.INFERENCE_REQUESTS, by=("operation", "instance")), "{{operation}} {{instance}}")],
            FieldConfig(unit=REQUESTS_PER_SECOND),
            link=_GATEWAY,
        ),
        time_series(
            "Sample throughput",
            "IMU samples, latent vectors and motif predictions per second.",
            [Query(LIVE.rate(gateway.SAMPLES_PROCESSED, by=("metric",)), "{{metric}}")],
            FieldConfig(unit=PER_SECOND),
        ),
    ]


def _latency() -> list[Panel]:
    fast = LIVE.at_most(LATENCY_OBJECTIVE_SECONDS, gateway.INFERENCE_DURATION)
    by_stage = LIVE.quantile(0.95, sidecar.STAGE_DURATION, by=("stage",))
    by_operation = LIVE.recorded(QUANTILE, how="max", by=("operation", "instance"), where={"quantile": "0.95"})
    inside_whole = LIVE.quantile(0.95, sidecar.HTTP_DURATION, by=("instance",), where={"endpoint": "/infer"})
    return [
        time_series(
            "Within 100 ms",
            "Share of requests that kept the objective, counted exactly from the histogram's edge at 0.1 s. "
            "The line is the promise of 95 %.",
            [Query(finite(f"{fast} / {LIVE.count(gateway.INFERENCE_DURATION)}"), "within 100 ms")],
            FieldConfig(unit="percentunit", maximum=1, thresholds=SUCCESS_LINE, colors={"within 100 ms": GREEN}),
            size=(8, 8),
            line=True,
            link=_SLO,
        ),
        time_series(
            "Slowest part, p95",
            "The 95th percentile of each stage inside the sidecar.",
            [Query(finite(by_stage), "{{stage}}", exemplars=True)],
            FieldConfig(unit="s", colors=of(STAGE_COLORS, *labels.STAGES)),
            size=(8, 8),
        ),
        time_series(
            "P95 by operation",
            "The 95th percentile by what the inference was for, and what the sidecar itself took for all of it.",
            [
                Query(by_operation, "{{operation}} {{instance}}"),
                Query(finite(inside_whole), "inside the sidecar {{instance}}"),
            ],
            FieldConfig(unit="s", thresholds=LATENCY_LINE),
            size=(8, 8),
            line=True,
        ),
    ]


def _errors() -> list[Panel]:
    status_colors = {"success": GREEN, "shed": ORANGE, "invalid_input": YELLOW, "backend_error": RED}
    return [
        time_series(
            "Contract violations",
            "Answers that break the model's contract, by the check that found them. "
            "Any is too many: such a model is wrong.",
            [Query(LIVE.rate(gateway.CONTRACT_VIOLATIONS, by=("check",)), "{{check}}")],
            FieldConfig(unit=PER_SECOND, no_value=_NO_ERRORS),
            size=(8, 8),
            bars=True,
        ),
        time_series(
            "What became of windows",
            "Windows that reached the sidecar, by what became of them there.",
            [Query(LIVE.rate(sidecar.INFERENCES, by=("status",)), "{{status}}")],
            FieldConfig(unit=PER_SECOND, colors=status_colors | {"invalid_output": INVALID_OUTPUT, "not_ready": GREY}),
            size=(8, 8),
            stacked=True,
        ),
        time_series(
            "Backend failures",
            "Failures of the backend by class; with a chip these come from HailoRT's status codes.",
            [Query(LIVE.rate(sidecar.HARDWARE_ERRORS, by=("error_class",)), "{{error_class}}")],
            FieldConfig(unit=PER_SECOND),
            size=(8, 8),
            bars=True,
            link=_HARDWARE,
        ),
    ]


def _inside_errors() -> list[Panel]:
    return [
        time_series(
            "Recoveries",
            "Times that the backend was closed and opened again after a failure.",
            [Query(LIVE.increase(sidecar.BACKEND_RECOVERIES, by=("instance",)), "{{instance}}")],
            FieldConfig(unit=COUNT, decimals=0),
            size=(8, 8),
            bars=True,
        ),
        time_series(
            "Problems of the sidecar",
            "Requests that the sidecar answered with an error, by kind of problem.",
            [Query(LIVE.rate(sidecar.PROBLEMS, by=("error_type",)), "{{error_type}}")],
            FieldConfig(unit=PER_SECOND),
            size=(8, 8),
            bars=True,
        ),
        time_series(
            "Sidecar's answers by status",
            "HTTP requests that the sidecar answered, by status code.",
            [
                Query(
                    LIVE.rate(sidecar.HTTP_REQUESTS, by=("endpoint", "status_code")),
                    "{{endpoint}} {{status_code}}",
                )
            ],
            FieldConfig(unit=REQUESTS_PER_SECOND),
            size=(8, 8),
        ),
    ]


def _fallback() -> list[Panel]:
    circuit = LIVE.gauge(gateway.CIRCUIT_STATE, by=("sidecar",), where={"state": "open"})
    half = LIVE.gauge(gateway.CIRCUIT_STATE, by=("sidecar",), where={"state": "half_open"})
    return [
        time_series(
            "Fallbacks by reason",
            "Why the gateway's CPU had to answer.",
            [Query(LIVE.rate(gateway.FALLBACKS, by=("reason",)), "{{reason}}")],
            FieldConfig(unit=PER_SECOND, colors=ERROR_COLORS),
            size=(6, 8),
            bars=True,
            stacked=True,
        ),
        time_series(
            "Calls by sidecar",
            "How the gateway spreads its calls over the sidecars, and how they end.",
            [Query(LIVE.rate(gateway.SIDECAR_REQUESTS, by=("sidecar", "status")), "{{sidecar}} {{status}}")],
            FieldConfig(unit=REQUESTS_PER_SECOND),
            size=(6, 8),
        ),
        time_series(
            "Calls under way",
            "Calls that each sidecar has not answered yet.",
            [Query(LIVE.gauge(gateway.SIDECAR_IN_FLIGHT, by=("sidecar",)), "{{sidecar}}")],
            FieldConfig(unit=COUNT, decimals=0),
            size=(6, 8),
        ),
        state_timeline(
            "Circuit breaker",
            "Whether the gateway asks each sidecar: open means that it leaves it alone after too many failures.",
            [Query(f"2 * {circuit} + {half}", "{{sidecar}}")],
            FieldConfig(unit="none", value_mappings=[(0, "closed", GREEN), (1, "half open", YELLOW), (2, "open", RED)]),
            size=(6, 8),
        ),
    ]


def _health() -> list[Panel]:
    return [
        state_timeline(
            "Up",
            "Whether Prometheus reaches each process.",
            [Query(LIVE.gauge(UP, by=("job", "instance")), "{{job}} {{instance}}")],
            FieldConfig(unit="none", value_mappings=[(0, "down", RED), (1, "up", GREEN)]),
            size=(8, 8),
        ),
        time_series(
            "Health response times",
            "How long each health check took. A check that becomes slow often precedes a failure.",
            [Query(LIVE.gauge(gateway.HEALTH_DURATION, by=("check", "instance")), "{{check}} {{instance}}")],
            FieldConfig(unit="s"),
            size=(8, 8),
        ),
        time_series(
            "Health and latency",
            "The probe of the sidecar and the p95 of real requests in one picture: do they move together?",
            [
                Query(LIVE.gauge(gateway.HEALTH_DURATION, where={"check": "hailo_backend"}), "probe of the sidecar"),
                Query(quantile(0.95), "p95 of requests"),
            ],
            FieldConfig(
                unit="s",
                thresholds=LATENCY_LINE,
                colors={"probe of the sidecar": PROBE, "p95 of requests": PERCENTILE_COLORS["p95"]},
            ),
            size=(8, 8),
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
            FieldConfig(unit="none", decimals=0, no_value="no answer yet"),
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
            FieldConfig(unit="none", no_value="no sidecar"),
            size=(6, 8),
            shows="name",
            sparkline=False,
        ),
        bar_gauge(
            "Motifs seen",
            "Windows of the shown time range by their most likely motif.",
            [Query(f"sort_desc({share})", "{{motif}} {{name}}", instant=True)],
            FieldConfig(unit=COUNT, decimals=0, minimum=0, no_value="no answers"),
            size=(12, 8),
        ),
    ]


def _confidence() -> list[Panel]:
    score = gateway.MOTIF_CONFIDENCE
    spread = {"p10": 0.1, "p50": 0.5, "p90": 0.9}
    return [
        time_series(
            "Motif confidence",
            "Score of the most likely motif: the middle, the lowest and the highest tenth of the answers.",
            [Query(finite(LIVE.quantile(fraction, score)), name) for name, fraction in spread.items()],
            FieldConfig(unit="percentunit", maximum=1, colors=of(PERCENTILE_COLORS, *spread)),
            size=(8, 8),
        ),
        bar_gauge(
            "Confidence distribution",
            "Share of the shown time range's answers by how sure they were of their motif. "
            "A model that knows its input has long bars below.",
            _shares(score),
            FieldConfig(unit="percentunit", decimals=1, minimum=0, color=BLUE, no_value="no answers"),
            size=(8, 8),
        ),
        time_series(
            "Length of the latent vector",
            "Euclidean length of the latent vectors: a jump means other input or another model.",
            [Query(finite(LIVE.quantile(fraction, gateway.LATENT_NORM)), name) for name, fraction in spread.items()],
            FieldConfig(unit="none", decimals=1, colors=of(PERCENTILE_COLORS, *spread)),
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
        time_series(
            "Drift",
            "Population stability index of the last day's answers: against what was learned as normal at this site, "
            "by which alerts judge, and against the people of the model card, from whom one household always differs. "
            "Above 0.1 worth a look, above 0.25 a large shift.",
            [
                Query(LIVE.gauge(gateway.LATENT_DRIFT, by=("instance",)), "latent, judged {{instance}}"),
                Query(LIVE.gauge(gateway.MOTIF_DRIFT, by=("instance",)), "motifs, judged {{instance}}"),
                Query(
                    LIVE.gauge(gateway.POPULATION_LATENT_DRIFT, by=("instance",)),
                    "latent, population {{instance}}",
                ),
                Query(
                    LIVE.gauge(gateway.POPULATION_MOTIF_DRIFT, by=("instance",)),
                    "motifs, population {{instance}}",
                ),
            ],
            FieldConfig(unit="none", decimals=3, thresholds=_DRIFT),
            size=(16, 7),
            line=True,
        ),
        time_series(
            "Answers in the drift window",
            "How many answers the index rests on; with few it is mostly noise.",
            [Query(LIVE.gauge(gateway.DRIFT_WINDOW, by=("instance",)), "{{instance}}")],
            FieldConfig(unit=COUNT, decimals=0),
            size=(8, 7),
        ),
    ]


def _moved() -> list[Panel]:
    """What moved, and from which baseline."""
    dimensions = LIVE.gauge(gateway.DIMENSION_DRIFT, by=("dimension", "baseline"))
    return [
        stat(
            "Site's baseline",
            "When what is normal at this site was learned: by itself after a whole window, or with "
            "'edgeinfer drift learn'. Without one, drift alerts have nothing to judge by.",
            [Query(f"{NOW.gauge(gateway.DRIFT_BASELINE_LEARNED)} * 1000", "learned", instant=True)],
            FieldConfig(unit="dateTimeFromNow", no_value="not learned yet"),
            size=(4, 8),
            sparkline=False,
        ),
        stat(
            "Answers in the baselines",
            "How many answers each baseline was made from.",
            [Query(NOW.gauge(gateway.DRIFT_BASELINE, by=("baseline",)), "{{baseline}}", instant=True)],
            FieldConfig(unit=COUNT, decimals=0, no_value="no baseline"),
            size=(4, 8),
            sparkline=False,
        ),
        bar_gauge(
            "Latent dimensions that moved most",
            "Index of the eight dimensions that moved most, from the site's baseline, or the population's where the "
            "site has none.",
            [Query(f"topk(8, {dimensions})", "{{dimension}} from {{baseline}}", instant=True)],
            FieldConfig(unit="none", decimals=2, thresholds=_DRIFT, no_value="no drift figure yet"),
            size=(8, 8),
        ),
        bar_gauge(
            "Motifs: now and usually",
            "Share of answers in which each motif was the most likely: in the drift window, at this site, and in the "
            "population of the model card. Motifs below 2 % everywhere are left out.",
            [
                Query(
                    f"sort_desc(max by (name, of) (({LIVE.gauge(gateway.MOTIF_SHARES, by=('motif', 'of'))} > 0.02) "
                    f"* on (motif) group_left (name) {LIVE.info(gateway.MOTIF_INFO, by=('motif', 'name'))}))",
                    "{{name}}: {{of}}",
                    instant=True,
                )
            ],
            FieldConfig(unit="percentunit", decimals=0, maximum=1, no_value="no drift figure yet"),
            size=(8, 8),
        ),
    ]


def _shadow() -> list[Panel]:
    spread = {"p10": 0.1, "p50": 0.5}
    return [
        time_series(
            "Shadow comparisons",
            "Windows that a second model also computed, by whether both named the same motif.",
            [Query(LIVE.rate(sidecar.SHADOW_COMPARISONS, by=("result",)), "{{result}}")],
            FieldConfig(unit=PER_SECOND, colors={"agreed": GREEN, "differed": ORANGE, "failed": RED, "skipped": GREY}),
            size=(8, 7),
            stacked=True,
        ),
        time_series(
            "Shadow likeness",
            "Cosine between the two latent vectors: 1 means the same direction. Absent without a shadow.",
            [Query(finite(LIVE.quantile(value, sidecar.SHADOW_COSINE)), name) for name, value in spread.items()],
            FieldConfig(unit="none", decimals=4, maximum=1, colors=of(PERCENTILE_COLORS, *spread)),
            size=(8, 7),
        ),
        time_series(
            "Model changes",
            "Requested changes of the sidecar's model, by outcome; after a refused change the old model keeps serving.",
            [Query(LIVE.increase(sidecar.MODEL_CHANGES, by=("result",)), "{{result}}")],
            FieldConfig(unit=COUNT, decimals=0, colors={"switched": GREEN, "unchanged": GREY, "refused": RED}),
            size=(8, 7),
        ),
    ]


def _work() -> list[Panel]:
    return [
        time_series(
            "Queue and work",
            "Windows that wait, windows that are being computed, and where the sidecar begins to shed.",
            [
                Query(LIVE.gauge(sidecar.QUEUE_DEPTH, by=("instance",)), "waiting {{instance}}"),
                Query(LIVE.gauge(sidecar.IN_FLIGHT, by=("instance",)), "computing {{instance}}"),
                Query(LIVE.gauge(sidecar.QUEUE_CAPACITY, by=("instance",)), "room {{instance}}"),
                Query(LIVE.gauge(sidecar.WORKERS, by=("instance",)), "workers {{instance}}"),
            ],
            FieldConfig(unit=COUNT, decimals=0),
            size=(16, 8),
        ),
        time_series(
            "Windows computed together",
            "How many windows shared the run of an answered window, on average; 1 where the backend does not batch.",
            [Query(finite(LIVE.mean(sidecar.BATCH_SIZE, by=("instance",))), "{{instance}}")],
            FieldConfig(unit="none", decimals=1),
            size=(8, 8),
        ),
    ]


def _machine() -> list[Panel]:
    return [
        time_series(
            "CPU",
            "Share of the CPU time of the sidecar's machine that is used.",
            [Query(LIVE.gauge(system.CPU_USAGE_RATIO, by=("instance",)), "{{instance}}")],
            FieldConfig(unit="percentunit", maximum=1),
            size=(6, 7),
        ),
        time_series(
            "Memory",
            "Memory of the sidecar's process and of its machine.",
            [Query(LIVE.gauge(system.MEMORY_USAGE, by=("memory_type", "instance")), "{{memory_type}} {{instance}}")],
            FieldConfig(unit="bytes"),
            size=(6, 7),
        ),
        time_series(
            "Disk",
            "Space of the disk that holds the root folder of the sidecar's machine: sessions and measurements fill it.",
            [Query(LIVE.gauge(system.DISK_SPACE, by=("space", "instance")), "{{space}} {{instance}}")],
            FieldConfig(unit="bytes"),
            size=(6, 7),
        ),
        time_series(
            "Hottest chip",
            "Temperature of each chip; its limits are on the hardware dashboard.",
            [Query(LIVE.gauge(device.TEMPERATURE, by=("chip_id",)), "{{chip_id}}")],
            FieldConfig(unit="celsius", decimals=0),
            size=(6, 7),
            link=_HARDWARE,
        ),
    ]
