"""Which requests are recorded, and their spans; nothing of OpenTelemetry is imported unless traces are switched on."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from time import perf_counter, time_ns
from typing import NamedTuple, Protocol

from prometheus_client import Counter

from edgeinfer.errors import SettingsError
from edgeinfer.installation import this_installation
from edgeinfer.settings import TraceSettings
from edgeinfer.web.trace_context import RequestTrace, TraceContext, new_span_id, new_trace_id, parse

SERVER, CLIENT, INTERNAL = "server", "client", "internal"
_NANOSECONDS = 1e9
_ERROR_STATUS = 500
# Less is what floating point leaves between two stages that meet.
_SHORTEST_SECONDS = 1e-7


@dataclass(frozen=True, slots=True)
class Span:
    """One span, in seconds of `perf_counter`.

    Args:
        name: of the stage or route.
        context: its own.
        parent_id: of the span that it belongs to, or empty.
        kind: `SERVER`, `CLIENT` or `INTERNAL`.
        started: when it began.
        ended: when it ended.
        is_remote_child: whether its parent is another process'.
        error: what failed, or empty.
        attributes: by the names of OpenTelemetry's conventions where they have one.
    """

    name: str
    context: TraceContext
    parent_id: str
    kind: str
    started: float
    ended: float
    is_remote_child: bool = False
    error: str = ""
    attributes: Mapping[str, str | float | int] = field(default_factory=dict)


class SpanExporter(Protocol):
    """Sends spans away, on a thread of its own; never waits and never raises."""

    def is_sampled(self, trace_id: str, parent: TraceContext | None) -> bool:
        """Whether a new request is recorded, by the sampler of the settings."""

    def export(self, spans: Sequence[Span], epoch_offset_ns: int) -> None:
        """Take the spans of a request.

        Args:
            spans: of one request.
            epoch_offset_ns: what to add to nanoseconds of `perf_counter` for those since the epoch.
        """

    def start(self) -> None:
        """Begin to send."""

    def close(self) -> None:
        """Send what waits, within a bounded time, and end."""


class RecordedTrace(RequestTrace):
    """A request that is recorded: its span, and one for each of its stages.

    Args:
        context: of its own span.
        parent: the caller's span; None where the trace begins here.
        started: when it arrived, in seconds of `perf_counter`.
    """

    is_recorded = True

    def __init__(self, context: TraceContext, parent: TraceContext | None, started: float) -> None:
        super().__init__(context)
        self._parent = parent
        self._started = started
        self._call: TraceContext | None = None
        self._stages: list[Span] = []
        self._below: list[Span] = []

    def call_headers(self) -> dict[str, str]:
        """The call gets a span of its own, which `add_call` completes."""
        self._call = self.context.child(is_sampled=True)
        return self._call.headers()

    def add(self, name: str, started: float, ended: float, **attributes: str | float) -> None:
        context = self.context.child(is_sampled=True)
        self._stages.append(Span(name, context, self.context.span_id, INTERNAL, started, ended, attributes=attributes))

    def add_call(self, sidecar: str, started: float, ended: float, inside_seconds: float | None, error: str) -> None:
        """The call, and the time on the network on both sides of what the sidecar accounts for."""
        call = self._call or self.context.child(is_sampled=True)
        self._call = None
        attributes = {"server.address": sidecar}
        self._stages.append(
            Span("sidecar", call, self.context.span_id, CLIENT, started, ended, error=error, attributes=attributes)
        )
        if inside_seconds is None:
            return
        # How it divides is not measured: the clocks of two machines differ by more than it takes.
        half = max(0.0, ended - started - inside_seconds) / 2
        for begin in (started, ended - half):
            context = call.child(is_sampled=True)
            estimated = {"edgeinfer.estimated": "half of the call without the sidecar's own time"}
            self._below.append(
                Span("network", context, call.span_id, INTERNAL, begin, begin + half, attributes=estimated)
            )

    def finish(self, name: str, ended: float, attributes: Mapping[str, str | float | int], error: str) -> list[Span]:
        """All spans; the time between the stages belongs to this process, and has spans as well, so that all add up."""
        own = Span(
            name,
            self.context,
            self._parent.span_id if self._parent is not None else "",
            SERVER,
            self._started,
            ended,
            is_remote_child=self._parent is not None,
            error=error,
            attributes=attributes,
        )
        self._stages.sort(key=lambda stage: stage.started)
        return [own, *self._stages, *self._between(ended), *self._below]

    def _between(self, ended: float) -> list[Span]:
        found, at = [], self._started
        for stage in [*self._stages, None]:
            until = ended if stage is None else stage.started
            if self._stages and until - at > _SHORTEST_SECONDS:
                name = "decode" if at == self._started else "postprocess" if stage is None else "handle"
                context = self.context.child(is_sampled=True)
                found.append(Span(name, context, self.context.span_id, INTERNAL, at, until))
            at = at if stage is None else max(at, stage.ended)
        return found


class Answered(NamedTuple):
    """What a request was and what became of it.

    Args:
        method: of HTTP.
        route: its template.
        status: of HTTP.
        request_id: in logs and exemplars.
    """

    method: str
    route: str
    status: int
    request_id: str


class Tracing:
    """Decides which requests are recorded, and hands their spans on.

    Args:
        exporter: that takes them.
    """

    def __init__(self, exporter: SpanExporter) -> None:
        self.exporter = exporter

    def begin(self, parent: bytes, state: bytes, started: float) -> RequestTrace:
        """The trace of a request; one that is not sampled passes the caller's on as it came.

        Args:
            parent: `traceparent`, or empty.
            state: `tracestate`, or empty.
            started: when the request arrived, in seconds of `perf_counter`.
        """
        caller = parse(parent, state)
        trace_id = caller.trace_id if caller is not None else new_trace_id()
        if not self.exporter.is_sampled(trace_id, caller):
            return RequestTrace(caller or TraceContext(trace_id, new_span_id(), is_sampled=False))
        own = TraceContext(trace_id, new_span_id(), is_sampled=True, state=caller.state if caller is not None else "")
        return RecordedTrace(own, caller, started)

    def finish(self, trace: RequestTrace, answered: "Answered", ended: float) -> None:
        """Hand on what was recorded of a request that ended now, in seconds of `perf_counter`."""
        if not isinstance(trace, RecordedTrace):
            return
        method, route, status, request_id = answered
        attributes: dict[str, str | float | int] = {
            "http.request.method": method,
            "http.route": route,
            "http.response.status_code": status,
            "edgeinfer.request_id": request_id,
        }
        error = str(status) if status >= _ERROR_STATUS else ""
        self.send(trace.finish(f"{method} {route}", ended, attributes, error))

    def send(self, spans: Sequence[Span]) -> None:
        offset = time_ns() - int(perf_counter() * _NANOSECONDS)
        self.exporter.export(spans, offset)


def make_tracing(settings: TraceSettings, service_name: str, spans: Counter) -> Tracing | None:
    """What the settings ask for; None where traces are off, and then nothing is imported.

    Args:
        settings: of the process.
        service_name: where OTEL_SERVICE_NAME does not name it.
        spans: counter with one label, the result.

    Raises:
        SettingsError: traces are on, and the OpenTelemetry SDK is not installed.
    """
    if not settings.traces_are_on:
        return None
    results = ("exported", "failed", "dropped")
    count: dict[str, Callable[[float], None]] = {result: spans.labels(result).inc for result in results}
    try:
        from edgeinfer.web.span_export import OtlpSpanExporter  # noqa: PLC0415 - 60 ms and 15 MB that nobody else pays
    except ImportError as failure:
        fault = f"traces are switched on, and the OpenTelemetry SDK is not installed ({failure})"
        remedy = (
            f"Install it: {this_installation().add_extra('traces')}; or unset OTEL_TRACES_EXPORTER and "
            "OTEL_EXPORTER_OTLP_ENDPOINT."
        )
        raise SettingsError("setting OTEL_TRACES_EXPORTER", fault, remedy) from failure
    return Tracing(OtlpSpanExporter(settings, settings.otel_service_name or service_name, count))
