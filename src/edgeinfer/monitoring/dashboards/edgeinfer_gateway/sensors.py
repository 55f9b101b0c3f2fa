"""What sensors send, and what was done where the sender knows it."""

from edgeinfer.catalog import input_streams, labels
from edgeinfer.monitoring.dashboards.layout import Row
from edgeinfer.monitoring.dashboards.links import SIDECAR
from edgeinfer.monitoring.dashboards.panels import (
    FieldConfig,
    Panel,
    Query,
    stat,
    table,
    text,
    time_series,
)
from edgeinfer.monitoring.dashboards.sources import LIVE, finite
from edgeinfer.monitoring.dashboards.style import (
    COUNT,
    GROUP_COLORS,
    PER_SECOND,
)


def rows() -> list[Row]:
    """Collapsed: few senders know what was done, and most sensors are well."""
    return [
        Row(
            "What was done, and what the model said",
            [_known()],
            SIDECAR,
            open_when="senders know what was done, as the replay does",
        ),
        Row(
            "Sensors",
            [_sensors(), _timing()],
            SIDECAR,
            open_when="EdgeInferInputQualityPoor fires or one session gets no motifs",
        ),
    ]


def _known() -> list[Panel]:
    """Where senders know what was done, as the replay of `edgeinfer up` does."""
    results = {
        result: LIVE.increase(input_streams.KNOWN_ACTIVITY, where={"result": result}, window="$__range")
        for result in labels.ACTIVITY_RESULTS
    }
    judged = f"({results['agreed']} + {results['differed']})"
    by_group = {
        side: LIVE.rate(input_streams.KNOWN_ACTIVITY_GROUPS, by=("group",), where={"of": side})
        for side in labels.ACTIVITY_SIDES
    }
    return [
        text(
            "What is replayed",
            "Why the replay of edgeinfer up sends what it does.",
            "`edgeinfer up` replays six people in turn who sit, stand up, walk, turn and sit down, with a phone in a "
            "**trouser pocket**, and knows what they did.\n\n"
            "The model was made for a phone at the **waist**. Recordings from there are not shipped, because the "
            "licence of UCI HAPT is uncertain; `docs/guides/train-your-own-model.md` says how to make them for "
            "yourself. So the *group* of the motif counts here (move, static, transition), not its name.",
            size=(6, 8),
        ),
        stat(
            "Model agrees",
            "Share of windows in which the most likely motif is of the group of what was done; what "
            "the model has no motif for is left out. Windows count whose sender gives an activity.",
            [Query(finite(f"{results['agreed']} / {judged}"), "agreed")],
            FieldConfig(unit="percentunit", decimals=0, no_value="no sender knows"),
            size=(4, 8),
        ),
        time_series(
            "What was done",
            "Windows per second by the group of what was really done, as the sender knows it; other is what the model "
            "has no motif for, such as turning.",
            [Query(by_group["done"], "{{group}}")],
            FieldConfig(unit=PER_SECOND, colors=GROUP_COLORS, no_value="no sender knows what is done"),
            size=(7, 8),
            stacked=True,
        ),
        time_series(
            "What the model said",
            "The same windows by the group of the motif that scored highest.",
            [Query(by_group["said"], "{{group}}")],
            FieldConfig(unit=PER_SECOND, colors=GROUP_COLORS, no_value="no sender knows what is done"),
            size=(7, 8),
            stacked=True,
        ),
    ]


def _sensors() -> list[Panel]:
    """Which stream has what problem of its sensor."""
    return [
        table(
            "What is wrong with which stream",
            "Problems of sensors now, twenty at most; the session is the first eight characters of its id. "
            "The console's page /sessions says more of it, and what to do to the sensor.",
            Query(LIVE.gauge(input_streams.STREAM_PROBLEM, by=("session", "role", "problem"))),
            FieldConfig(unit="none", no_value="no sensor has a problem"),
            columns={"session": "Session", "role": "Stream", "problem": "Problem"},
            size=(8, 7),
        ),
        time_series(
            "Streams with a problem",
            "How many streams show each problem; an absent magnetometer is allowed.",
            [Query(f"{LIVE.gauge(input_streams.STREAMS_WITH_PROBLEM, how='sum', by=('problem',))} > 0", "{{problem}}")],
            FieldConfig(unit=COUNT, decimals=0, no_value="no sensor has a problem"),
            size=(8, 7),
        ),
        time_series(
            "Irregular samples",
            "What was irregular in the samples of all streams, per second: gaps and samples missing in them, "
            "duplicates, reorderings, jumps of a sensor's clock, pauses.",
            [Query(LIVE.rate(input_streams.INPUT_EVENTS, by=("event",)), "{{event}}")],
            FieldConfig(unit=PER_SECOND),
            size=(8, 7),
            stacked=True,
        ),
    ]


def _timing() -> list[Panel]:
    return [
        time_series(
            "Sample rate",
            "Mean rate over the newest ten seconds of each stream: least, median and greatest. Windows are made from "
            "16 Hz on.",
            [Query(LIVE.gauge(input_streams.STREAM_RATE, by=("of",)), "{{of}}")],
            FieldConfig(unit="hertz", no_value="no samples"),
            size=(6, 7),
        ),
        time_series(
            "Jitter",
            "Spread of the steps between samples: least, median and greatest of the streams.",
            [Query(LIVE.gauge(input_streams.STREAM_JITTER, by=("of",)), "{{of}}")],
            FieldConfig(unit="s", no_value="no samples"),
            size=(6, 7),
        ),
        time_series(
            "Clock offset",
            "Distance between the gateway's clock and t of the newest sample as it arrived, for sensors whose t counts "
            "from 1970.",
            [Query(LIVE.gauge(input_streams.STREAM_CLOCK_OFFSET, by=("of",)), "{{of}}")],
            FieldConfig(unit="s", no_value="no t counts from 1970"),
            size=(6, 7),
        ),
        time_series(
            "Streams with samples",
            "Streams that got samples within the last minute.",
            [Query(LIVE.gauge(input_streams.STREAMS_RECEIVING, how="sum"), "streams")],
            FieldConfig(unit=COUNT, decimals=0),
            size=(6, 7),
        ),
    ]
