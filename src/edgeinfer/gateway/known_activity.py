"""What a sender knows was done while it measured: shown and counted next to what the model said, never used for it."""

import re
from collections import deque
from dataclasses import dataclass, field

from edgeinfer.errors import InvalidSamples
from edgeinfer.gateway.instruments import GatewayInstruments
from edgeinfer.model.card import Motif

ACTIVITY_PATTERN = r"^[a-z0-9_-]{1,32}$"
MIN_SHARE = 0.8
"""A window has the activity that covers so much of it, as the windows that the model was trained with."""
_activity = re.compile(ACTIVITY_PATTERN, re.ASCII)
_MAX_SPANS = 64
_CONTIGUOUS_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class _Span:
    start: float
    end: float
    activity: str


@dataclass(slots=True)
class KnownActivities:
    """The activities of a stream's newest samples, by their t."""

    spans: "deque[_Span]" = field(default_factory=lambda: deque(maxlen=_MAX_SPANS))

    def add(self, start: float, end: float, activity: str) -> None:
        """Samples of these times, in seconds, were measured during an activity."""
        if self.spans and self.spans[-1].activity == activity and abs(start - self.spans[-1].end) < _CONTIGUOUS_SECONDS:
            start = self.spans.pop().start
        self.spans.append(_Span(start, end, activity))

    def during(self, start: float, end: float) -> str:
        """The activity of most of a window, empty where none covers enough of it."""
        for span in reversed(self.spans):
            if min(end, span.end) - max(start, span.start) >= MIN_SHARE * (end - start):
                return span.activity
        return ""


def check_activity(activity: str) -> str:
    """The same activity; raises InvalidSamples if it is not a short token."""
    if activity and not _activity.fullmatch(activity):
        fault = "it is not a short token"
        raise InvalidSamples("activity", fault, f"Use a motif of the model, or what matches {ACTIVITY_PATTERN}.")
    return activity


class ActivityCounter:
    """Counts windows whose activity is known, by the motif groups of the model card.

    A group (move, static, transition) can be trusted in any mounting, the name of a motif only at the waist; motifs
    without a group count by their names.

    Args:
        motifs: of the card.
    """

    def __init__(self, motifs: tuple[Motif, ...], instruments: GatewayInstruments) -> None:
        self._groups = {motif.name: motif.group or motif.name for motif in motifs}
        self._groups |= {group: group for group in self._groups.values()}
        self._motifs = motifs
        self._by_result = instruments.known_activity
        self._by_group = instruments.known_activity_groups
        for group in sorted(set(self._groups.values())):
            self._by_group.labels("done", group)
            self._by_group.labels("said", group)

    def count(self, activity: str, top: int) -> None:
        """A window of this activity got this motif as the most likely one."""
        done, said = self._groups.get(activity), self._groups[self._motifs[top].name]
        result = "unknown_to_model" if done is None else "agreed" if done == said else "differed"
        self._by_result[result].inc()
        self._by_group.labels("done", done or "other").inc()
        self._by_group.labels("said", said).inc()
