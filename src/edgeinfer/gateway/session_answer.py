"""The answer about one session: since when, its streams with their input quality, motif timeline and synchrony."""

from collections import Counter
from datetime import UTC, datetime
from typing import Any

from edgeinfer.catalog.sensor import SENSOR_NOTES, SENSOR_REMEDIES
from edgeinfer.gateway.input_quality import QualityWatch
from edgeinfer.gateway.sessions import Session
from edgeinfer.gateway.stream import Stream
from edgeinfer.gateway.synchrony import PAIR, measure_session
from edgeinfer.model.card import Motif


def describe_session(session: Session, quality: QualityWatch, motifs: tuple[Motif, ...], now: float) -> dict[str, Any]:
    """What is known about a session.

    Args:
        session: under way.
        quality: judges its streams.
        motifs: of the model card.
        now: monotonic seconds.
    """
    started = datetime.fromtimestamp(session.started_at, UTC)
    return {
        "sessionId": session.id,
        "startedAt": started.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "duration_s": round(max(0.0, now - session.started), 3),
        "totalSamples": session.total_samples,
        "heldSamples": session.held_samples,
        "streams": [
            {
                "role": stream.role,
                "totalSamples": stream.total,
                "quality": _quality(stream, quality.problems_of(session, stream), now),
                "windows": dict(Counter(window.source for window in stream.timeline)),
                "timeline": [
                    {
                        "windowEnd": window.end,
                        "motif": motifs[window.top].name,
                        "source": window.source,
                        **({"activity": window.activity} if window.activity else {}),
                    }
                    for window in stream.timeline
                ],
            }
            for stream in session.streams.values()
        ],
        "synchrony": _synchrony(session),
    }


def _quality(stream: Stream, problems: tuple[str, ...], now: float) -> dict[str, Any]:
    account, timing = stream.account, stream.timing
    arrived, offset = account.newest_arrived, account.clock_offset_seconds
    remedies = SENSOR_REMEDIES | SENSOR_NOTES
    return {
        "problems": [{"problem": problem, "remedy": remedies[problem]} for problem in problems],
        "rate_hz": None if timing is None else round(timing.rate_hz, 2),
        "jitter_ms": None if timing is None else round(1000 * timing.jitter_seconds, 2),
        "clock_offset_s": None if offset is None else round(offset, 3),
        "newest_age_ms": None if arrived is None else round(1000 * max(0.0, now - arrived)),
        "accepted": account.accepted,
        "gaps": account.gaps,
        "longest_gap_ms": round(1000 * account.longest_gap_seconds),
        "dropped": account.dropped,
        "duplicates": account.duplicates,
        "reordered": account.reordered,
        "pauses": account.pauses,
        "clock_jumps": account.clock_jumps,
    }


def _synchrony(session: Session) -> dict[str, Any] | None:
    if len(session.streams) != PAIR:
        return None
    found = measure_session(session)
    return {
        "r": found.r,
        "lag_ms": round(1000 * found.lag_seconds),
        "confidence": found.confidence,
        "reason": found.reason or None,
    }
