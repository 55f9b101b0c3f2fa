"""The documents about a session: in short for the list, and since when, its streams and synchrony for its own."""

from collections import Counter
from datetime import UTC, datetime
from typing import Any

from edgeinfer.catalog.sensor import SENSOR_NOTES, SENSOR_REMEDIES
from edgeinfer.gateway.input_quality import QualityWatch
from edgeinfer.gateway.sessions import SHORT_ID, Session
from edgeinfer.gateway.stream import Stream, TimelineEntry
from edgeinfer.gateway.stream_account import Hole
from edgeinfer.gateway.synchrony import PAIR, measure_session
from edgeinfer.model.card import Motif


def iso_time(seconds: float) -> str:
    """Seconds since 1970 as they are in answers: ISO 8601, UTC, milliseconds."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def summarize_session(session: Session, quality: QualityWatch, motifs: tuple[Motif, ...], now: float) -> dict[str, Any]:
    """A session as one entry of the list, without the id that lets one send to it, ask it and stop it.

    Its problems are those of the newest judgement, which is seconds old.

    Args:
        session: under way, or about to end.
        quality: judges its streams.
        motifs: of the model card.
        now: monotonic seconds.
    """
    ages = [_age_ms(stream, now) for stream in session.streams.values()]
    known = [age for age in ages if age is not None]
    return {
        "session": session.id[:SHORT_ID],
        **_times(session, now),
        "totalSamples": session.total_samples,
        "newest_age_ms": min(known) if known else None,
        "streams": [
            {
                "role": stream.role,
                "problems": list(quality.judged(session, stream)),
                "windows": _by_source(stream),
                "motif": motifs[stream.timeline[-1].top].name if stream.timeline else None,
            }
            for stream in session.streams.values()
        ],
    }


def describe_session(session: Session, quality: QualityWatch, motifs: tuple[Motif, ...], now: float) -> dict[str, Any]:
    """What is known about a session.

    Args:
        session: under way, or about to end.
        quality: judges its streams.
        motifs: of the model card.
        now: monotonic seconds.
    """
    return {
        "sessionId": session.id,
        **_times(session, now),
        "totalSamples": session.total_samples,
        "heldSamples": session.held_samples,
        "streams": [
            {
                "role": stream.role,
                "totalSamples": stream.total,
                "quality": _quality(stream, quality.problems_of(session, stream), now),
                "windows": _by_source(stream),
                "timeline": [_window(window, motifs) for window in stream.timeline],
                "holes": [_hole(hole) for hole in stream.account.holes],
            }
            for stream in session.streams.values()
        ],
        "synchrony": _synchrony(session),
    }


def _times(session: Session, now: float) -> dict[str, Any]:
    """Since when it is, and since when its counts, timeline and activities are known: they do not outlive a run."""
    known_since = session.started_at if session.restored_at is None else session.restored_at
    return {
        "startedAt": iso_time(session.started_at),
        "countedSince": iso_time(known_since),
        "duration_s": round(max(0.0, now - session.started), 3),
    }


def _by_source(stream: Stream) -> dict[str, int]:
    return dict(Counter(window.source for window in stream.timeline))


def _window(window: TimelineEntry, motifs: tuple[Motif, ...]) -> dict[str, Any]:
    return {
        "windowEnd": window.end,
        "answeredAt": iso_time(window.answered_at),
        "motif": motifs[window.top].name,
        "source": window.source,
        **({"activity": window.activity} if window.activity else {}),
    }


def _hole(hole: Hole) -> dict[str, Any]:
    return {
        "kind": hole.kind,
        "from_t": hole.start,
        "to_t": hole.end,
        "duration_ms": round(1000 * (hole.end - hole.start)),
        "endedAt": iso_time(hole.at),
    }


def _age_ms(stream: Stream, now: float) -> int | None:
    arrived = stream.account.newest_arrived
    return None if arrived is None else round(1000 * max(0.0, now - arrived))


def _quality(stream: Stream, problems: tuple[str, ...], now: float) -> dict[str, Any]:
    account, timing = stream.account, stream.timing
    offset = account.clock_offset_seconds
    remedies = SENSOR_REMEDIES | SENSOR_NOTES
    return {
        "problems": [{"problem": problem, "remedy": remedies[problem]} for problem in problems],
        "rate_hz": None if timing is None else round(timing.rate_hz, 2),
        "jitter_ms": None if timing is None else round(1000 * timing.jitter_seconds, 2),
        "clock_offset_s": None if offset is None else round(offset, 3),
        "newest_age_ms": _age_ms(stream, now),
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
        "leader": found.leader,
        "reason": found.reason or None,
        "message": found.fault or None,
    }
