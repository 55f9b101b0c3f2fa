"""Answers of the API: what the core found, as the fields of the contract."""

from datetime import UTC, datetime
from functools import lru_cache
from time import time_ns
from typing import Any

import msgspec
import orjson
from starlette.responses import Response

from edgeinfer.gateway.analysis import Analysis
from edgeinfer.gateway.health import HealthMonitor
from edgeinfer.gateway.motifs import MotifFinding, Motifs
from edgeinfer.gateway.resampling import WindowSource, seen_of
from edgeinfer.gateway.sessions import Session, SessionEnd, Stored
from edgeinfer.gateway.stream import Stream
from edgeinfer.gateway.synchrony import Synchrony

# The answer to most requests, in the order of the contract. Its texts need no escapes: an id under which a session was
# found, and a role that matches ROLE_PATTERN.
_ACCEPTED = (
    b'{"sessionId":"%b","status":"accepted","accepted":%d,"skipped":%d,"late":%d,"clock_jumps":%d,"newest_t":%b,'
    b'"retry":false,"role":"%b","heldSamples":%d,"totalSamples":%d,"timestamp":"%b"}'
)


class Document(msgspec.Struct, frozen=True):
    """An answer in JSON, before it is one of ASGI.

    Args:
        body: as it is sent.
        status: of HTTP.
    """

    body: bytes
    status: int = 200


def document(content: dict[str, Any], status: int = 200) -> Document:
    """A document written by orjson, numpy arrays included."""
    return Document(orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY), status)


def as_response(answer: Document) -> Response:
    """The same as an answer of ASGI."""
    return Response(answer.body, answer.status, media_type="application/json")


class JsonAnswer(Response):
    """A document written by orjson, numpy arrays included."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        return orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY)


@lru_cache(maxsize=1)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def now() -> str:
    """The time as it is in answers: ISO 8601, UTC, milliseconds."""
    seconds, milliseconds = divmod(time_ns() // 1_000_000, 1000)
    return f"{_second(seconds)}.{milliseconds:03d}Z"


def started(session: Session) -> JsonAnswer:
    return JsonAnswer({"sessionId": session.id, "status": "started", "timestamp": now()})


def accepted(session_id: str, stored: Stored) -> Document:
    """Answer 202 to PUT /stream: how many samples were taken, skipped as known, or merged late."""
    stream, held = stored.stream, len(stored.stream)
    body = _ACCEPTED % (
        session_id.encode(),
        stored.accepted,
        stored.known,
        stored.late,
        stored.clock_jumps,
        orjson.dumps(stream.newest_seconds if held else None),
        stream.role.encode(),
        held,
        stream.total,
        now().encode(),
    )
    return Document(body, 202)


def stopped(ended: SessionEnd) -> JsonAnswer:
    document = {
        "sessionId": ended.id,
        "status": "stopped",
        "duration_s": round(ended.duration_seconds, 3),
        "totalSamples": ended.total_samples,
        "timestamp": now(),
    }
    return JsonAnswer(document)


def _made_from(source: WindowSource, age_seconds: float | None = None) -> dict[str, Any]:
    """What a window was made from; without an age where nobody knows it."""
    made = {**seen_of(source), "interpolated": round(source.interpolated, 4)}
    return made if age_seconds is None else {**made, "newest_age_ms": round(1000 * age_seconds)}


def processed(analysis: Analysis, source: WindowSource, request_id: str) -> Document:
    content = {
        "latent": analysis.outputs.latent,
        "motif_scores": analysis.outputs.scores,
        "source": analysis.source,
        "backend": analysis.backend,
        "analysisWindowMs": round(1000 * source.span_seconds),
        "windowEnd": source.end,
        "window": _made_from(source),
        "requestId": request_id,
        "timestamp": now(),
    }
    return document(content)


def motifs(session_id: str, stream: Stream, found: Motifs, age_seconds: float | None, request_id: str) -> Document:
    """Answer to GET /motifs: each motif with its score, and what the window was made from."""
    content = {
        "sessionId": session_id,
        "topK": len(found.diagnostics),
        "motifs": [_motif(diagnostic) for diagnostic in found.diagnostics],
        "timestamp": now(),
        "analysisWindowMs": round(1000 * found.window.span_seconds),
        "windowEnd": found.window.end,
        "window": _made_from(found.window, age_seconds),
        "role": stream.role,
        "source": found.analysis.source,
        "backend": found.analysis.backend,
        "requestId": request_id,
    }
    return document(content | {"activity": found.activity} if found.activity else content)


def _motif(found: MotifFinding) -> dict[str, Any]:
    motif = found.motif
    return {
        "id": f"m{found.index + 1}",
        "score": found.score,
        "confidence": found.confidence,
        "duration_ms": round(1000 * found.duration_seconds),
        "description": motif.description or motif.name,
        "name": motif.name,
    }


def synchrony(session: Session, found: Synchrony) -> Document:
    """Answer to GET /synchrony: the comparison, or why there is none."""
    content = {
        "sessionId": session.id,
        "r": found.r,
        "lag_ms": round(1000 * found.lag_seconds),
        "window_ms": round(1000 * found.window_seconds),
        "confidence": found.confidence,
        "leader": found.leader,
        "reason": found.reason or None,
        "message": found.fault or None,
        "roles": list(session.streams),
        "timestamp": now(),
    }
    return document(content)


def health(monitor: HealthMonitor, version: str, uptime_seconds: float) -> dict[str, Any]:
    """Answer to GET /health/detailed: 200 for OK and DEGRADED, 503 otherwise."""
    return {
        "status": monitor.status,
        "timestamp": now(),
        "version": version,
        "uptime": round(uptime_seconds, 3),
        "checks": {
            name: {
                "status": result.status,
                "message": result.message,
                "latency_ms": round(1000 * result.latency_seconds, 3),
                "last_checked": result.last_checked.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            }
            for name, result in monitor.results.items()
        },
    }
