"""Metrics of the export of traces: one for each process that makes spans."""

from edgeinfer.catalog.metric import Label, Metric, MetricKind, Owner

_RESULT = Label("result", ("exported", "failed", "dropped"))
_HELP = (
    "by what became of them: exported, refused by the collector or lost on the way to it (failed), or dropped because "
    "too many waited."
)

GATEWAY_SPANS = Metric(
    name="edgeinfer_trace_spans_total",
    kind=MetricKind.COUNTER,
    unit="events",
    help=f"Spans of the gateway, {_HELP}",
    owners=(Owner.GATEWAY,),
    labels=(_RESULT,),
)
SIDECAR_SPANS = Metric(
    name="hailo_trace_spans_total",
    kind=MetricKind.COUNTER,
    unit="events",
    help=f"Spans of the sidecar, {_HELP}",
    owners=(Owner.SIDECAR,),
    labels=(_RESULT,),
)
