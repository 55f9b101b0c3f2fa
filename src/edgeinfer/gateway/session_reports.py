"""What the gateway says about sessions: one with all that is known, the list of them, and those that ended lately.

Who knows the eight characters that alerts name may read about a session; who knows its whole id may use it as well. So
nothing here answers with more of an id than was asked for.
"""

import logging
import zlib
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic, time
from typing import Any

import orjson

from edgeinfer.errors import StoppedSession
from edgeinfer.gateway.input_quality import QualityWatch
from edgeinfer.gateway.session_answer import describe_session, iso_time, summarize_session
from edgeinfer.gateway.sessions import SHORT_ID, Session
from edgeinfer.model.card import Motif

_MAX_ENDED = 100
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _EndedSession:
    summary: dict[str, Any]
    compressed: bytes


class SessionReports:
    """Describes sessions under way, and keeps the last description of those that ended lately, in memory.

    Args:
        sessions: all sessions under way.
        quality: judges their streams.
        motifs: of the model card.
        clock: monotonic seconds, as in the sessions.
        wall: seconds since 1970.
    """

    def __init__(
        self,
        sessions: Callable[[], list[Session]],
        quality: QualityWatch,
        motifs: tuple[Motif, ...],
        *,
        clock: Callable[[], float] = monotonic,
        wall: Callable[[], float] = time,
    ) -> None:
        self._sessions = sessions
        self._quality = quality
        self._motifs = motifs
        self._clock = clock
        self._wall = wall
        self._ended: OrderedDict[str, _EndedSession] = OrderedDict()

    def find(self, session_id: str) -> Session | None:
        """The session under way of an id, or of the eight characters that alerts name.

        Raises:
            StoppedSession: it ended lately; its field `lastKnown` has what was known at its end.
        """
        for session in self._sessions():
            if _is_named(session.id, session_id):
                return session
        ended = next((id_ for id_ in reversed(self._ended) if _is_named(id_, session_id)), None)
        if ended is None:
            return None
        last_known = orjson.loads(zlib.decompress(self._ended[ended].compressed)) | {"sessionId": session_id}
        fault = f"it was {last_known['endReason']}"
        raise StoppedSession("session", fault, "lastKnown has its end.", fields={"lastKnown": last_known})

    def describe(self, session: Session) -> dict[str, Any]:
        """Everything that is known about a session under way."""
        return describe_session(session, self._quality, self._motifs, self._clock())

    def listed(self, limit: int) -> dict[str, Any]:
        """The sessions under way and those that ended lately, the newest first, no more than `limit` of each."""
        sessions = sorted(self._sessions(), key=lambda session: -session.started_at)
        now = self._clock()
        return {
            "total": len(sessions),
            "sessions": [summarize_session(session, self._quality, self._motifs, now) for session in sessions[:limit]],
            "ended": [ended.summary for ended in reversed(self._ended.values())][:limit],
        }

    def remember_end(self, session: Session, reason: str) -> None:
        """Keep what is known about a session that ends; one that never had samples leaves nothing to keep."""
        if not session.streams:
            return
        end = {"endedAt": iso_time(self._wall()), "endReason": reason}
        try:
            document = self.describe(session) | end
            summary = summarize_session(session, self._quality, self._motifs, self._clock()) | end
        except Exception:  # noqa: BLE001 - a session ends, whatever its samples are
            _log.exception("a session that ended could not be described")
            return
        summary.pop("newest_age_ms")  # as of a moment that is over
        self._ended[session.id] = _EndedSession(summary, zlib.compress(orjson.dumps(document), 1))
        if len(self._ended) > _MAX_ENDED:
            self._ended.popitem(last=False)


def _is_named(session_id: str, given: str) -> bool:
    return session_id == given or (len(given) == SHORT_ID and session_id.startswith(given))
