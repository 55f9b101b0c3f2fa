"""Spans to an OTLP collector, by OpenTelemetry's SDK: the only module that imports it."""

import logging
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from time import monotonic

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter as SdkExporter
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    TraceState,
    set_span_in_context,
)

from edgeinfer.logs import LogLimiter
from edgeinfer.settings import TraceSettings
from edgeinfer.web.trace_context import TraceContext
from edgeinfer.web.tracing import CLIENT, INTERNAL, SERVER, Span

_log = logging.getLogger(__name__)
_KINDS = {SERVER: SpanKind.SERVER, CLIENT: SpanKind.CLIENT, INTERNAL: SpanKind.INTERNAL}
_SCOPE = InstrumentationScope("edgeinfer")
_CLOSE_SECONDS = 2.0
Batch = tuple[Sequence[Span], int]


class OtlpSpanExporter:
    """Keeps a bounded number of spans, and sends them in batches from a thread of its own.

    What cannot wait is dropped, and what the collector does not take is lost: requests never wait for it. The sampler,
    the endpoint, headers, timeout and compression are those of the OTEL_* variables, which the SDK reads.

    Args:
        settings: of the queue.
        service_name: of the resource.
        count: by result, takes a number of spans.
        exporter: sends; the SDK's over HTTP if not given.
    """

    def __init__(
        self,
        settings: TraceSettings,
        service_name: str,
        count: Mapping[str, Callable[[float], None]],
        exporter: SdkExporter | None = None,
    ) -> None:
        self._resource = Resource.create({"service.name": service_name})
        self._sampler = TracerProvider(resource=self._resource, shutdown_on_exit=False).sampler
        self._exporter = exporter or OTLPSpanExporter()
        self._max_spans = settings.otel_bsp_max_queue_size
        self._batch_spans = settings.otel_bsp_max_export_batch_size
        self._delay_seconds = settings.otel_bsp_schedule_delay / 1000
        self._count = count
        self._batches: deque[Batch] = deque()
        self._waiting = 0
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._ends = False
        self._thread: threading.Thread | None = None
        self._limiter = LogLimiter()
        # The SDK reports each failed batch with a traceback; what matters of it is counted and reported here.
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)

    def is_sampled(self, trace_id: str, parent: TraceContext | None) -> bool:
        context = None
        if parent is not None:
            context = set_span_in_context(NonRecordingSpan(_span_context(parent, is_remote=True)))
        decision = self._sampler.should_sample(context, int(trace_id, 16), "request").decision
        return decision is Decision.RECORD_AND_SAMPLE

    def export(self, spans: Sequence[Span], epoch_offset_ns: int) -> None:
        """Take spans, or drop them where too many wait."""
        with self._lock:
            if self._waiting + len(spans) > self._max_spans:
                self._count["dropped"](len(spans))
                return
            self._waiting += len(spans)
            self._batches.append((spans, epoch_offset_ns))
            is_full = self._waiting >= self._batch_spans
        if is_full:
            self._wake.set()

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="spans", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Send what waits; a collector that does not answer costs two seconds at most."""
        self._ends = True
        self._wake.set()
        thread = self._thread
        if thread is not None:
            ends = monotonic() + _CLOSE_SECONDS
            thread.join(_CLOSE_SECONDS / 2)
            self._exporter.shutdown()  # ends its waits between two tries
            thread.join(max(0.0, ends - monotonic()))
        with self._lock:
            self._count["dropped"](self._waiting)
            self._waiting = 0
            self._batches.clear()

    def _run(self) -> None:
        while True:
            self._wake.wait(self._delay_seconds)
            self._wake.clear()
            while batch := self._take():
                self._send(batch)
            if self._ends:
                return

    def _take(self) -> list[Batch]:
        taken, size = [], 0
        with self._lock:
            while self._batches and size < self._batch_spans:
                taken.append(self._batches.popleft())
                size += len(taken[-1][0])
            self._waiting -= size
        return taken

    def _send(self, batches: list[Batch]) -> None:
        spans = [self._readable(span, offset) for spans, offset in batches for span in spans]
        try:
            result = self._exporter.export(spans)
        except Exception as failure:  # noqa: BLE001 - whatever a collector provokes, the service continues
            fault = f"{type(failure).__name__}: {failure}"
        else:
            fault = "" if result is SpanExportResult.SUCCESS else "it did not take them"
        self._count["failed" if fault else "exported"](len(spans))
        if fault and self._limiter.is_due("collector", fault):
            _log.warning("spans could not be exported", extra={"fault": fault, "spans": len(spans)})
        elif not fault and self._limiter.forget("collector"):
            _log.info("spans are exported again")

    def _readable(self, span: Span, offset: int) -> ReadableSpan:
        context = _span_context(span.context, is_remote=False)
        parent = None
        if span.parent_id:
            of_parent = TraceContext(span.context.trace_id, span.parent_id, is_sampled=True)
            parent = _span_context(of_parent, is_remote=span.is_remote_child)
        return ReadableSpan(
            span.name,
            context,
            parent,
            self._resource,
            dict(span.attributes) | ({"error.type": span.error} if span.error else {}),
            kind=_KINDS[span.kind],
            status=Status(StatusCode.ERROR) if span.error else Status(StatusCode.UNSET),
            start_time=int(span.started * 1e9) + offset,
            end_time=int(span.ended * 1e9) + offset,
            instrumentation_scope=_SCOPE,
        )


def _span_context(context: TraceContext, *, is_remote: bool) -> SpanContext:
    flags = TraceFlags(TraceFlags.SAMPLED if context.is_sampled else TraceFlags.DEFAULT)
    state = TraceState.from_header([context.state]) if context.state else None
    return SpanContext(int(context.trace_id, 16), int(context.span_id, 16), is_remote, flags, state)
