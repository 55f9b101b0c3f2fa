"""The status line of a run, rewritten while it lasts."""

from collections import Counter, deque
from dataclasses import dataclass, field

from edgeinfer.loadgen.profile import Profile
from edgeinfer.loadgen.records import RequestRecord, quantile

_RECENT_SECONDS = 5.0


@dataclass(slots=True)
class Progress:
    """Remembers the newest records for one line of text."""

    profile: Profile
    requests: int = 0
    failed: int = 0
    sources: Counter[str] = field(default_factory=Counter)
    _recent: deque[RequestRecord] = field(default_factory=deque)

    def __call__(self, record: RequestRecord) -> None:
        self.requests += 1
        self.failed += not record.is_success
        if record.source:
            self.sources[record.source] += 1
        self._recent.append(record)
        while self._recent[0].done < record.done - _RECENT_SECONDS:
            self._recent.popleft()

    def line(self) -> str:
        """Time, rate, p95 of the last seconds, failures and sources."""
        if not self._recent:
            return f"{self.profile.users} users: nothing answered yet"
        now = self._recent[-1].done
        ordered = sorted(record.latency for record in self._recent if record.is_success)
        p95 = f"{quantile(ordered, 0.95) * 1000:.1f} ms" if ordered else "none"
        rate = len(self._recent) / max(min(now, _RECENT_SECONDS), 0.1)
        sources = ", ".join(f"{count} {source}" for source, count in sorted(self.sources.items(), reverse=True))
        return (
            f"{self.profile.users} users, {now:.0f} of {self.profile.seconds:.0f} s: {rate:.0f} requests/s,"
            f" p95 {p95}, {self.failed} failed; analyses: {sources or 'none'}"
        )
