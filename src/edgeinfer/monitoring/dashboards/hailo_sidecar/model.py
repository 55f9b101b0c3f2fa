"""What the model says, how far it has drifted, and another model in the shadow."""

from itertools import pairwise

from edgeinfer.catalog import labels, model_output, sidecar
from edgeinfer.catalog.metric import Metric
from edgeinfer.monitoring.dashboards.layout import Row
from edgeinfer.monitoring.dashboards.links import GATEWAY, HARDWARE
from edgeinfer.monitoring.dashboards.panels import (
    FieldConfig,
    Panel,
    Query,
    bar_gauge,
    stat,
    time_series,
)
from edgeinfer.monitoring.dashboards.sources import (
    LIVE,
    NOW,
    WHOLE,
    finite,
)
from edgeinfer.monitoring.dashboards.style import (
    BLUE,
    COUNT,
    GREEN,
    GREY,
    ORANGE,
    PER_SECOND,
    PERCENTILE_COLORS,
    RED,
    YELLOW,
    Thresholds,
    of,
)
from edgeinfer.monitoring.thresholds import DRIFT_LARGE, DRIFT_NOTICEABLE

_DRIFT: Thresholds = ((None, GREEN), (DRIFT_NOTICEABLE, YELLOW), (DRIFT_LARGE, RED))


def rows() -> list[Row]:
    return [
        Row("Model output", [_output(), _confidence()], GATEWAY, open_when="motifs or scores look wrong"),
        Row("Drift", [_drift(), _moved()], GATEWAY, open_when="the input may have changed"),
        Row("Another model in the shadow", [_shadow()], HARDWARE, open_when="you compare or change models"),
    ]


def _output() -> list[Panel]:
    share = (
        f"{LIVE.increase(model_output.MOTIF_TOP, by=('motif',), window='$__range')} "
        f"* on (motif) group_left (name) {LIVE.info(model_output.MOTIF_INFO, by=('motif', 'name'))}"
    )
    return [
        stat(
            "Output dimensions",
            "Length of each output in the newest answer. The model of this project gives 64 and 12.",
            [
                Query(LIVE.gauge(model_output.OUTPUT_DIMENSIONS, where={"output": one}), one, instant=True)
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
    score = model_output.MOTIF_CONFIDENCE
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
            [
                Query(finite(LIVE.quantile(fraction, model_output.LATENT_NORM)), name)
                for name, fraction in spread.items()
            ],
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
                Query(LIVE.gauge(model_output.LATENT_DRIFT, by=("instance",)), "latent, judged {{instance}}"),
                Query(LIVE.gauge(model_output.MOTIF_DRIFT, by=("instance",)), "motifs, judged {{instance}}"),
                Query(
                    LIVE.gauge(model_output.POPULATION_LATENT_DRIFT, by=("instance",)),
                    "latent, population {{instance}}",
                ),
                Query(
                    LIVE.gauge(model_output.POPULATION_MOTIF_DRIFT, by=("instance",)),
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
            [Query(LIVE.gauge(model_output.DRIFT_WINDOW, by=("instance",)), "{{instance}}")],
            FieldConfig(unit=COUNT, decimals=0),
            size=(8, 7),
        ),
    ]


def _moved() -> list[Panel]:
    """What moved, and from which baseline."""
    dimensions = LIVE.gauge(model_output.DIMENSION_DRIFT, by=("dimension", "baseline"))
    shares = LIVE.gauge(model_output.MOTIF_SHARES, by=("motif", "of"))
    return [
        stat(
            "Site's baseline",
            "When what is normal at this site was learned: by itself after a whole window, or with "
            "'edgeinfer drift learn'. Without one, drift alerts have nothing to judge by.",
            [Query(f"{NOW.gauge(model_output.DRIFT_BASELINE_LEARNED)} * 1000", "learned", instant=True)],
            FieldConfig(unit="dateTimeFromNow", no_value="not learned yet"),
            size=(4, 8),
            sparkline=False,
        ),
        stat(
            "Answers in the baselines",
            "How many answers each baseline was made from.",
            [Query(NOW.gauge(model_output.DRIFT_BASELINE, by=("baseline",)), "{{baseline}}", instant=True)],
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
                    f"sort_desc(max by (name, of) (({shares} > 0.02) "
                    f"* on (motif) group_left (name) {LIVE.info(model_output.MOTIF_INFO, by=('motif', 'name'))}))",
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
