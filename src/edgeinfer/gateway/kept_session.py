"""Where the store keeps the records of a session, as far as a restart would need them."""

import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from edgeinfer.gateway.placement import Piece
from edgeinfer.gateway.stream import NEWEST_SAMPLES
from edgeinfer.web.trace_context import current_trace


@dataclass(slots=True)
class KeptSession:
    """A session, and the segments that hold its records."""

    uuid: UUID
    started_ms: int
    segment: int
    streams: dict[str, deque[list[int]]] = field(default_factory=dict)
    """By role: [live segment, samples], oldest first, no more than cover the newest 2000."""

    def note(self, role: str, segment: int, samples: int) -> None:
        places = self.streams.setdefault(role, deque())
        if places and places[-1][0] == segment:
            places[-1][1] += samples
        else:
            places.append([segment, samples])
        if len(places) == 1:
            return
        spare = sum(count for _, count in places) - NEWEST_SAMPLES
        while spare >= places[0][1]:
            spare -= places.popleft()[1]

    def note_written(self, role: str, pieces: Sequence[Piece], segment: int, started: float) -> None:
        """Take note of where pieces were written, in a time that began at `started`."""
        trace = current_trace.get()
        if trace is not None:
            trace.add("store", started, time.perf_counter())
        for piece in pieces:
            self.note(role, segment, min(piece.batch.count, NEWEST_SAMPLES))

    def roles_in(self, segment: int) -> list[str]:
        """Streams that need a live segment or an older one."""
        return [role for role, places in self.streams.items() if places and places[0][0] <= segment]
