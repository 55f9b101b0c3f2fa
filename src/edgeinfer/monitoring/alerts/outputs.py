"""Alerts on the model's outputs: drift, falling confidence, one motif for everything."""

from edgeinfer.catalog import model_output
from edgeinfer.catalog.metric import Metric
from edgeinfer.monitoring.alerts.alert import Alert, Runbook, RunbookStep, Severity
from edgeinfer.monitoring.alerts.rule_test import RuleCase, RuleTest, Values, gauge
from edgeinfer.monitoring.promql import Queries
from edgeinfer.monitoring.recording import CONFIDENCE, MOTIF_SHARE, REQUESTS
from edgeinfer.monitoring.thresholds import (
    CONFIDENCE_DROP_FACTOR,
    DRIFT_LARGE,
    DRIFT_WINDOW_WINDOWS,
    MOTIF_COLLAPSE_SHARE,
    TRAFFIC_GUARD_PER_SECOND,
)

_GATEWAY = 'job="edge-infer", instance="gateway:8080"'
_LABELS = {"job": "edge-infer", "instance": "gateway:8080"}
_JOB = '{job="edge-infer"}'
_DAY = 86_400
_Q = Queries("5m", {})

_BOOK = Runbook(
    meaning="The model's inputs or outputs differ clearly from its training data.",
    impact="Results may be plausible but wrong; no other alert detects this.",
    diagnosis=(
        RunbookStep(
            "Dashboard 'Hailo Sidecar', rows 'Model output' and 'Drift': was the change sudden or gradual?",
            {
                "sudden, with a deploy annotation": "roll back to the previous model or app.",
                "sudden, without one": "the input changed: a new app, sensor or placement; continue.",
                "gradual": "new users or movements: collect recordings, and plan a retraining.",
            },
        ),
        RunbookStep(
            "Is the input in the right units? Check one session's samples: at rest, |a| is 9.8 m/s².",
            {
                "about 1": "the phone sends g instead of m/s².",
                "gyroscope in the hundreds": "it sends degrees instead of radians per second.",
                "correct": "the movements are new.",
            },
        ),
        RunbookStep(
            "Which model answers?",
            {
                "`hef_sha256` or `config_version` is not the one you deployed": (
                    "restore the right one, and restart the sidecar."
                ),
                "it is": "the deployment is correct.",
            },
            command="curl -s localhost:9000/status",
        ),
    ),
)


_DRIFT_BOOK = Runbook(
    meaning="The answers of the last day look clearly different from what was learned as normal at this site "
    "(from the population of the model card where EDGEINFER_GATEWAY_DRIFT_BASELINE says so).",
    impact="Results may be plausible and wrong: the sensor, the animal's or person's habits, or the model changed.",
    diagnosis=(
        RunbookStep(
            "Which dimensions and motifs moved, and from which baseline of which date?",
            {
                "one motif gave way to another": "compare with what happened: another person, an illness, a holiday.",
                "all dimensions moved together": "the input changed: check the sensor next.",
                "the baseline is older than a known change": "what is new is normal: take the last step.",
            },
            command="edgeinfer drift show --data-folder FOLDER",
        ),
        _BOOK.diagnosis[1],
        _BOOK.diagnosis[2],
        RunbookStep(
            "The change is real and is to stay: is what the window holds now normal?",
            {
                "yes": "run `edgeinfer drift learn --data-folder FOLDER`; the gateway judges by it within seconds.",
                "no": "leave the baseline as it is; the alert ends when a day of answers looks normal again.",
            },
        ),
    ),
)


def create() -> list[Alert]:
    """The entries that rules, runbooks and rule tests are generated from."""
    return [
        _drift("HailoLatentDrift", model_output.LATENT_DRIFT, "The latent vectors"),
        _drift("HailoMotifDrift", model_output.MOTIF_DRIFT, "The motif shares"),
        _confidence_low(),
        _motif_collapse(),
    ]


def _drift(name: str, metric: Metric, what: str) -> Alert:
    by = ("job", "instance")
    score, window = (f"{entry.name}{{{_GATEWAY}}}" for entry in (metric, model_output.DRIFT_WINDOW))

    def lives(value: float, windows: float) -> dict[str, Values]:
        return {score: gauge((value, 3000)), window: gauge((windows, 3600))}

    return Alert(
        name=name,
        provoked_by="foreign-signal",
        expression=f"{_Q.gauge(metric, by=by)} > {DRIFT_LARGE}\n"
        f"and {_Q.gauge(model_output.DRIFT_WINDOW, by=by)} > {DRIFT_WINDOW_WINDOWS}",
        for_="30m",
        severity=Severity.WARNING,
        service="edge-infer",
        signal="output",
        summary=f"{what} have drifted from what is normal at this site",
        description="Population stability index {{ $value | humanize }}; "
        f"above {DRIFT_LARGE} counts as a large shift.",
        runbook=_DRIFT_BOOK,
        rule_test=RuleTest(
            series={score: gauge((0.26, 3000), (0.1, 600)), window: gauge((600, 3600))},
            pending_at=1740,
            firing_at=1920,
            resolved_at=3120,
            labels=_LABELS,
            expected_description="Population stability index 0.26; above 0.25 counts as a large shift.".replace(
                "0.26", "260m"
            ),
            interval_seconds=60,
        ),
        negative_cases=(
            RuleCase(why="exactly at the threshold", series=lives(0.25, 600), at=2900),
            RuleCase(why="too few answers", series=lives(0.5, 500), at=2900),
        ),
    )


def _confidence_low() -> Alert:
    now = f"{CONFIDENCE.name}{_JOB}"
    busy = f"{REQUESTS.name}{_JOB}"
    count = f"count by (job) (count by (job, motif) ({_Q.select(model_output.MOTIF_INFO)}))"

    def motifs(number: int, seconds: int) -> dict[str, Values]:
        names = [f"m{index}" for index in range(number)]
        return {
            f'{model_output.MOTIF_INFO.name}{{{_GATEWAY}, motif="{name}", name="{name}"}}': gauge((1, seconds))
            for name in names
        }

    def lives(before: float, after: float, requests: float, number: int = 2) -> dict[str, Values]:
        known = motifs(number, 39_600)
        return {now: gauge((before, 36_000), (after, 3600)), busy: gauge((requests, 39_600)), **known}

    return Alert(
        name="HailoMotifConfidenceLow",
        provoked_by="unsure",
        # A model that knows nothing gives every motif the same score, so what counts is how far above that the
        # week was; the week ends an hour ago, so that a service without a past has nothing to be compared with.
        expression=f"{CONFIDENCE.name} < {CONFIDENCE_DROP_FACTOR} * avg_over_time({CONFIDENCE.name}[7d] offset 1h)\n"
        f"+ on (job) {1 - CONFIDENCE_DROP_FACTOR} / {count}\n"
        f"and {REQUESTS.name} > {TRAFFIC_GUARD_PER_SECOND}",
        for_="30m",
        severity=Severity.WARNING,
        service="edge-infer",
        signal="output",
        summary="The model's confidence has dropped compared with the last week",
        description="Mean score of the top motif {{ $value | humanizePercentage }} over the last hour, "
        "less than half as far above chance as in the last week as recorded.",
        runbook=_BOOK,
        rule_test=RuleTest(
            series={
                now: gauge((0.8, 36_000), (0.64, 3600), (0.8, 3600)),
                busy: gauge((0.12, 43_200)),
                **motifs(2, 43_200),
            },
            pending_at=36_000 + 1500,
            firing_at=36_000 + 2400,
            resolved_at=36_000 + 4500,
            labels={"job": "edge-infer"},
            expected_description="Mean score of the top motif 64% over the last hour, "
            "less than half as far above chance as in the last week as recorded.",
            interval_seconds=900,
        ),
        negative_cases=(
            RuleCase(why="lower, by less than half", series=lives(0.8, 0.66, 2), at=38_700),
            RuleCase(
                why="new: no week to compare with",
                series={now: gauge((0.9, 900), (0.55, 2700)), busy: gauge((2, 3600)), **motifs(2, 3600)},
                at=3500,
            ),
            RuleCase(why="a handful of requests", series=lives(0.8, 0.55, TRAFFIC_GUARD_PER_SECOND), at=38_700),
            RuleCase(why="seldom sure, as in the week before", series=lives(0.45, 0.44, 2, number=12), at=38_700),
        ),
        positive_cases=(
            RuleCase(why="all motifs alike", series=lives(0.45, 0.09, 2, number=12), at=38_700),
            RuleCase(
                why="what was more than a week ago does not count",
                series={
                    now: gauge((0.52, 3 * _DAY), (0.8, 7 * _DAY + 7200), (0.62, 3600)),
                    busy: gauge((2, 10 * _DAY + 10_800)),
                    **motifs(2, 10 * _DAY + 10_800),
                },
                at=10 * _DAY + 9900,
            ),
        ),
    )


def _motif_collapse() -> Alert:
    share, other = (f'{MOTIF_SHARE.name}{{job="edge-infer", motif="{motif}"}}' for motif in ("m3", "m5"))
    busy = f"{REQUESTS.name}{_JOB}"

    def lives(value: float, requests: float) -> dict[str, Values]:
        return {share: gauge((value, 3600)), other: gauge((1 - value, 3600)), busy: gauge((requests, 3600))}

    return Alert(
        name="HailoMotifCollapse",
        provoked_by="unsure",
        expression=f"{MOTIF_SHARE.name} > {MOTIF_COLLAPSE_SHARE}\n"
        f"and on (job) {REQUESTS.name} > {TRAFFIC_GUARD_PER_SECOND}",
        for_="30m",
        severity=Severity.WARNING,
        service="edge-infer",
        signal="output",
        summary="The model assigns nearly every window the motif {{ $labels.motif }}",
        description="{{ $value | humanizePercentage }} of the last hour's windows were {{ $labels.motif }}.",
        runbook=_BOOK,
        rule_test=RuleTest(
            series={share: gauge((0.96, 3000), (0.4, 600)), busy: gauge((0.12, 3600))},
            pending_at=1740,
            firing_at=1920,
            resolved_at=3120,
            labels={"job": "edge-infer", "motif": "m3"},
            expected_description="96% of the last hour's windows were m3.",
            interval_seconds=60,
        ),
        negative_cases=(
            RuleCase(why="exactly at the threshold", series=lives(0.95, 2), at=2900),
            RuleCase(why="a handful of requests", series=lives(0.99, TRAFFIC_GUARD_PER_SECOND), at=2900),
        ),
    )
