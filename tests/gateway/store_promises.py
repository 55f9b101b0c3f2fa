"""What a store has acknowledged, and what must therefore be in it after a kill or a power cut."""

from dataclasses import dataclass, field

import numpy as np

from edgeinfer.gateway.durable_sessions import DurableSessions

_NEWEST, _SURELY_HELD = 2000, 1000


class LossError(AssertionError):
    """Something that was acknowledged is not there, or something is there that never was."""


@dataclass
class Promises:
    """What a store has acknowledged."""

    samples: dict[str, list[tuple[float, int]]] = field(default_factory=dict)
    """By session: (when, samples acknowledged by then)."""
    ended: dict[str, float] = field(default_factory=dict)
    asked_to_end: set[str] = field(default_factory=set)
    sent: dict[str, list[int]] = field(default_factory=dict)
    """By session: numbers of its samples in the order in which the store takes them, those under way at the end."""
    merging: set[str] = field(default_factory=set)
    """Sessions that are writing samples among those before."""
    written_by_loop: int = 0
    """Acknowledged uploads that the event loop wrote itself."""

    def copy(self) -> "Promises":
        samples = {session: list(acknowledged) for session, acknowledged in self.samples.items()}
        sent = {session: list(numbers) for session, numbers in self.sent.items()}
        return Promises(samples, dict(self.ended), set(self.asked_to_end), sent, set(self.merging))

    def prove(self, store: DurableSessions, until: float) -> int:
        """Compare the store with what was acknowledged by a time; returns the samples acknowledged later and lost."""
        lost_later = 0
        for session_id, acknowledged in self.samples.items():
            due = max((total for when, total in acknowledged if when <= until), default=-1)
            newest = max(total for _, total in acknowledged)
            session = store._table.find(session_id)
            if session is None:
                if due >= 0 and session_id not in self.asked_to_end:
                    raise LossError(f"session {session_id} with {due} acknowledged samples is gone")
                continue
            if self.ended.get(session_id, until + 1) <= until:
                raise LossError(f"session {session_id} has ended, and is back")
            stream = session.stream()
            self._prove_stream(session_id, stream.total, stream.times, stream.values, due)
            lost_later += max(0, newest - stream.total)
        return lost_later

    def _prove_stream(
        self,
        session_id: str,
        total: int,
        times: "np.ndarray[tuple[int], np.dtype[np.float64]]",
        values: "np.ndarray[tuple[int, int], np.dtype[np.float32]]",
        due: int,
    ) -> None:
        if total < due:
            raise LossError(f"session {session_id}: {due} samples are promised, {total} are there")
        if len(times) < min(due, _NEWEST):
            raise LossError(f"session {session_id}: of {due} promised samples {len(times)} of {total} are held")
        held = np.round(times * 100).astype(int)
        if (np.diff(held) <= 0).any():
            raise LossError(f"session {session_id}: what is served is not in the order of its times")
        if times.tolist() != (held / 100).tolist() or values[:, 5].tolist() != times.astype(np.float32).tolist():
            raise LossError(f"session {session_id}: what is served was never sent")
        taken = self.sent.get(session_id, [])[:total]
        if len(taken) < total or not set(held.tolist()) <= set(taken):
            raise LossError(f"session {session_id}: what is served was not sent by then")
        # Which of the older ones go first changes when housekeeping writes a stream again, by time.
        missing = set(taken[total - min(len(held), _SURELY_HELD) :]) - set(held.tolist())
        if missing:
            raise LossError(f"session {session_id}: {len(missing)} of the newest accepted samples are not there")
