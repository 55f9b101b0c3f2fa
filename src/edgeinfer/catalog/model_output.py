"""What the model answers, as the gateway sees it: motifs, latent vectors, and how far they have drifted."""

from edgeinfer.catalog import buckets, labels
from edgeinfer.catalog.gateway import GATEWAY
from edgeinfer.catalog.metric import Label, Metric, MetricKind

OUTPUT_DIMENSIONS = Metric(
    name="hailo_model_output_dimensions",
    kind=MetricKind.GAUGE,
    unit="dimensions",
    help="Length of each output in the last response of a sidecar; absent before the first.",
    owners=GATEWAY,
    labels=(Label("output", labels.OUTPUTS),),
    sensor=True,
)

MOTIF_CONFIDENCE = Metric(
    name="hailo_motif_confidence_ratio",
    kind=MetricKind.HISTOGRAM,
    unit="ratio",
    help="Score of the most likely motif of each response.",
    owners=GATEWAY,
    buckets=buckets.RATIO,
)

MOTIF_TOP = Metric(
    name="hailo_motif_top_total",
    kind=MetricKind.COUNTER,
    unit="windows",
    help="Responses in which this motif was the most likely one; hailo_motif_info has its name.",
    owners=GATEWAY,
    labels=(Label("motif", bounded_by="the motifs of the model card"),),
)

LATENT_NORM = Metric(
    name="hailo_latent_l2_norm",
    kind=MetricKind.HISTOGRAM,
    unit="norm",
    help="Euclidean norm of the latent vector of each response.",
    owners=GATEWAY,
    buckets=buckets.LATENT_NORM,
)

LATENT_DRIFT = Metric(
    name="hailo_latent_drift_score",
    kind=MetricKind.GAUGE,
    unit="score",
    help="Mean population stability index of the latent dimensions against the baseline that alerts judge by, by "
    "default the site's own; absent without such a baseline, without traffic, and while the window holds too little.",
    owners=GATEWAY,
    sensor=True,
)

MOTIF_DRIFT = Metric(
    name="hailo_motif_drift_score",
    kind=MetricKind.GAUGE,
    unit="score",
    help="Population stability index of the motif shares against the baseline that alerts judge by, by default the "
    "site's own; absent as hailo_latent_drift_score is.",
    owners=GATEWAY,
    sensor=True,
)

POPULATION_LATENT_DRIFT = Metric(
    name="hailo_latent_population_drift_score",
    kind=MetricKind.GAUGE,
    unit="score",
    help="Mean population stability index of the latent dimensions against the people that the model card knows; "
    "absent without traffic and while the window holds too few answers.",
    owners=GATEWAY,
    sensor=True,
)

POPULATION_MOTIF_DRIFT = Metric(
    name="hailo_motif_population_drift_score",
    kind=MetricKind.GAUGE,
    unit="score",
    help="Population stability index of the motif shares against the people that the model card knows; absent as "
    "hailo_latent_population_drift_score is.",
    owners=GATEWAY,
    sensor=True,
)

DIMENSION_DRIFT = Metric(
    name="hailo_latent_dimension_drift_score",
    kind=MetricKind.GAUGE,
    unit="score",
    help="Population stability index of each latent dimension against the site's baseline, or the population's "
    "where the site has none to compare with; absent without traffic.",
    owners=GATEWAY,
    labels=(
        Label("baseline", labels.BASELINES),
        Label("dimension", bounded_by="the latent dimensions of the model card"),
    ),
    sensor=True,
)

MOTIF_SHARES = Metric(
    name="hailo_motif_share_ratio",
    kind=MetricKind.GAUGE,
    unit="ratio",
    help="Share of answers in which each motif was the most likely one: in the drift window and in each baseline; "
    "absent without traffic.",
    owners=GATEWAY,
    labels=(Label("of", labels.SHARE_SOURCES), Label("motif", bounded_by="the motifs of the model card")),
    sensor=True,
)

DRIFT_WINDOW = Metric(
    name="hailo_drift_window_answers",
    kind=MetricKind.GAUGE,
    unit="windows",
    help="Number of responses in the window over which drift is computed.",
    owners=GATEWAY,
)

DRIFT_BASELINE = Metric(
    name="hailo_drift_baseline_answers",
    kind=MetricKind.GAUGE,
    unit="windows",
    help="Answers that each drift baseline was made from; absent for a baseline that there is not.",
    owners=GATEWAY,
    labels=(Label("baseline", labels.BASELINES),),
    sensor=True,
)

DRIFT_BASELINE_LEARNED = Metric(
    name="hailo_drift_baseline_learned_timestamp_seconds",
    kind=MetricKind.GAUGE,
    unit="timestamp",
    help="When the site's drift baseline was learned; absent before.",
    owners=GATEWAY,
    sensor=True,
)

MOTIF_INFO = Metric(
    name="hailo_motif_info",
    kind=MetricKind.INFO,
    unit="info",
    help="Name of each motif of the model card, to join with hailo_motif_top_total.",
    owners=GATEWAY,
    labels=(
        Label("motif", bounded_by="the motifs of the model card"),
        Label("name", bounded_by="the motifs of the model card"),
    ),
)
