"""A recording as a phone would send it: batches of JSON samples whose time only grows."""

from collections.abc import Iterator
from dataclasses import dataclass

import orjson

from edgeinfer.model.window import CHANNELS, WINDOW_LENGTH
from edgeinfer.recordings.reader import Recording

WINDOW_SAMPLES = WINDOW_LENGTH
BATCH_SAMPLES = 25
_DIGITS = 5  # a phone's sensor has 16 bits over its range: five decimals keep all of them


@dataclass(frozen=True, slots=True)
class Batch:
    """Consecutive samples of one stream.

    Args:
        first_index: position of the first sample since the feed began.
        count: samples in the batch.
        samples: the JSON list of them.
        start_seconds: time of the first sample.
        end_seconds: time of the last sample.
        activity: what was done during most of them, or empty where nobody knows.
    """

    first_index: int
    count: int
    samples: bytes
    start_seconds: float
    end_seconds: float
    activity: str = ""

    def as_stream_body(self, session_id: str, role: str | None = None) -> bytes:
        """The JSON body of PUT /api/v1/analysis/stream; times in seconds."""
        return b'{"sessionId":%s,%s%s"windowStart":%.6f,"windowEnd":%.6f,"samples":%s}' % (
            orjson.dumps(session_id),
            b'"role":%s,' % orjson.dumps(role) if role else b"",
            b'"activity":%s,' % orjson.dumps(self.activity) if self.activity else b"",
            self.start_seconds,
            self.end_seconds,
            self.samples,
        )

    def as_process_body(self) -> bytes:
        """The JSON body of POST /api/v1/analysis/process, which takes no session."""
        return b'{"samples":%s}' % self.samples


class SampleSource:
    """Encodes a recording once and cuts batches from it, again from its start where it is looped.

    Args:
        recording: what to send.
        loop: whether to begin again at the end; time keeps growing.
        batch_samples: samples of each batch; a divisor of 100 lets windows end with a batch.
    """

    def __init__(self, recording: Recording, *, loop: bool = False, batch_samples: int = BATCH_SAMPLES) -> None:
        self._rows = [_encode_row(row) for row in recording.samples.tolist()]
        self._recording = recording
        self._loop = loop
        self.batch_samples = batch_samples
        self.rate_hz = recording.rate_hz
        self.name = recording.info.name

    @property
    def sample_count(self) -> int | None:
        """Samples in all, or None where the feed never ends."""
        return None if self._loop else len(self._rows)

    def cut(self, first_index: int, count: int) -> Batch:
        """The samples from an index on, fewer at the end of a recording that is not looped."""
        if not self._loop:
            count = max(0, min(count, len(self._rows) - first_index))
        indices = range(first_index, first_index + count)
        rows = (b'{"t":%.6f,%s' % (i / self.rate_hz, self._rows[i % len(self._rows)]) for i in indices)
        last = max(first_index, first_index + count - 1)
        activity = self._recording.activity_of(first_index % len(self._rows), count)
        samples = b"[%s]" % b",".join(rows)
        return Batch(first_index, count, samples, first_index / self.rate_hz, last / self.rate_hz, activity)

    def batches(self, first_index: int = 0) -> Iterator[Batch]:
        """All batches from an index on."""
        while (batch := self.cut(first_index, self.batch_samples)).count:
            yield batch
            first_index += batch.count


def _encode_row(row: list[float]) -> bytes:
    return (
        b",".join(
            b'"%s":%s' % (channel.encode(), repr(round(value, _DIGITS)).encode())
            for channel, value in zip(CHANNELS, row, strict=True)
        )
        + b"}"
    )
