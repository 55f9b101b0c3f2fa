"""What sensors send: the samples of each stream, its problems, and what was done where the sender knows it."""

from edgeinfer.catalog import labels
from edgeinfer.catalog.gateway import GATEWAY
from edgeinfer.catalog.metric import Label, Metric, MetricKind

INPUT_EVENTS = Metric(
    name="edgeinfer_input_events_total",
    kind=MetricKind.COUNTER,
    unit="events",
    help="What was irregular in the samples of streams: gaps, samples missing in them, duplicates, reorderings, jumps "
    "of the sensor's clock, pauses.",
    owners=GATEWAY,
    labels=(Label("event", labels.INPUT_EVENTS),),
)

STREAMS_RECEIVING = Metric(
    name="edgeinfer_streams_receiving",
    kind=MetricKind.GAUGE,
    unit="count",
    help="Streams that got samples within the last minute.",
    owners=GATEWAY,
)

STREAMS_WITH_PROBLEM = Metric(
    name="edgeinfer_streams_with_problem",
    kind=MetricKind.GAUGE,
    unit="count",
    help="Streams whose samples show this problem of their sensor, of those that got samples within the last minute.",
    owners=GATEWAY,
    labels=(Label("problem", labels.SENSOR_PROBLEMS),),
)

STREAM_PROBLEM = Metric(
    name="edgeinfer_stream_problem",
    kind=MetricKind.GAUGE,
    unit="state",
    help="1 for each problem of a stream's sensor; the session is the first eight characters of its id; absent for a "
    "stream without one.",
    owners=GATEWAY,
    labels=(
        Label("problem", labels.SENSOR_FAULTS),
        Label("session", bounded_by="20 series at a time"),
        Label("role", bounded_by="20 series at a time"),
    ),
    sensor=True,
)

STREAM_RATE = Metric(
    name="edgeinfer_stream_rate_hertz",
    kind=MetricKind.GAUGE,
    unit="hertz",
    help="Mean sample rate over the newest ten seconds of each stream, holes included: least, median and greatest of "
    "the streams; absent without any.",
    owners=GATEWAY,
    labels=(Label("of", labels.SPREAD),),
    sensor=True,
)

STREAM_JITTER = Metric(
    name="edgeinfer_stream_jitter_seconds",
    kind=MetricKind.GAUGE,
    unit="seconds",
    help="Spread of the steps between samples over the newest ten seconds of each stream: least, median and greatest "
    "of the streams; absent without any.",
    owners=GATEWAY,
    labels=(Label("of", labels.SPREAD),),
    sensor=True,
)

STREAM_CLOCK_OFFSET = Metric(
    name="edgeinfer_stream_clock_offset_seconds",
    kind=MetricKind.GAUGE,
    unit="seconds",
    help="Distance between the gateway's clock and t of the newest sample as it arrived: least, median and greatest of "
    "the streams; absent where no t counts from 1970.",
    owners=GATEWAY,
    labels=(Label("of", labels.SPREAD),),
    sensor=True,
)

KNOWN_ACTIVITY = Metric(
    name="edgeinfer_known_activity_windows_total",
    kind=MetricKind.COUNTER,
    unit="windows",
    help="Analysed windows whose sender knew what was done, by whether the most likely motif is of the same group.",
    owners=GATEWAY,
    labels=(Label("result", labels.ACTIVITY_RESULTS),),
)

KNOWN_ACTIVITY_GROUPS = Metric(
    name="edgeinfer_known_activity_groups_total",
    kind=MetricKind.COUNTER,
    unit="windows",
    help="Analysed windows whose sender knew what was done, by the motif group that was done and that the model said; "
    "other is what the model has no motif for.",
    owners=GATEWAY,
    labels=(Label("of", labels.ACTIVITY_SIDES), Label("group", bounded_by="the motif groups of the model card")),
)
