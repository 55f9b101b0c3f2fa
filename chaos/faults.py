"""What can go wrong on the way between gateway and sidecar: plain data, and what it does to an answer."""

import gzip
import re
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

import orjson

_FLOAT_BYTES = 4
_DROPPED_VALUES = 3
_LATENT = 64
_WILD_SERIES = 3500
# Name, labels and value of a sample; comments begin with #.
_SAMPLE = re.compile(r'^([^#\s{]+(?:\{(?:"(?:[^"\\]|\\.)*"|[^}"])*\})? \S+)')


class FaultKind(StrEnum):
    """What the proxy does to a request or to its answer."""

    NONE = "none"
    LATENCY = "latency"  # every answer late by `seconds`
    JITTER = "jitter"  # every answer late by a random time up to `seconds`
    RESET = "reset"  # the connection is reset once the request has arrived
    HALF_OPEN = "half_open"  # the request is read and never answered
    SLOW_BYTES = "slow_bytes"  # one byte of the answer every `seconds`
    STATUS = "status"  # an error status in place of the answer
    BROKEN_OFF = "broken_off"  # half of the promised bytes, then the end of the connection
    TRUNCATED = "truncated"  # a body cut in half that claims to be whole
    MALFORMED = "malformed"  # a page of HTML with status 200
    WRONG_DIMENSIONS = "wrong_dimensions"  # well-formed, with values missing
    NOT_A_NUMBER = "not_a_number"  # well-formed, with NaN in it
    UNSURE = "unsure"  # well-formed, with every score alike
    ELSEWHERE = "elsewhere"  # another sidecar answers, whose counters are not read
    WILD_LABEL = "wild_label"  # metrics in which a label takes thousands of values
    READINGS = "readings"  # metrics that say what `readings` say
    LATE_TIMES = "late_times"  # metrics with explicit timestamps, every other answer `seconds` behind


@dataclass(frozen=True, slots=True)
class FaultyReading:
    """The value that a metric reports instead of the one that was read.

    Args:
        series: as it is exported, with its labels.
        value: the reported value.
        falls_by: by how much each answer is lower than the one before.
    """

    series: str
    value: float
    falls_by: float = 0.0


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault.

    Args:
        kind: what happens.
        seconds: how late or how slow.
        status: the status of STATUS.
        share: of the requests that it happens to.
        only_infer: whether health checks pass unharmed.
        readings: those of READINGS.
    """

    kind: FaultKind
    seconds: float = 0.0
    status: int = 0
    share: float = 1.0
    only_infer: bool = True
    readings: tuple[FaultyReading, ...] = ()


NO_FAULT = Fault(FaultKind.NONE)


@dataclass(frozen=True, slots=True)
class Message:
    """An HTTP answer as it goes over the wire, without its length header.

    Args:
        status_line: such as "HTTP/1.1 200 OK".
        headers: names in lower case.
        body: whole.
    """

    status_line: str
    headers: dict[str, str]
    body: bytes

    @property
    def is_json(self) -> bool:
        """Whether the body claims to be JSON."""
        return "json" in self.headers.get("content-type", "")

    @property
    def is_ok(self) -> bool:
        """Whether its status is 200; no other status counts as success here."""
        return " 200 " in f"{self.status_line} "

    def with_body(self, body: bytes, content_type: str | None = None) -> "Message":
        """The same answer with another body."""
        headers = {**self.headers, "content-type": content_type} if content_type else self.headers
        return Message(self.status_line, headers, body)


def refusal(status: int) -> Message:
    """What a sidecar answers that cannot."""
    document = {"error": "injected", "status": status, "message": "This failure was injected.", "remedy": "Wait."}
    headers = {"content-type": "application/json"}
    if status == 503:  # noqa: PLR2004 - Service Unavailable carries Retry-After
        headers["retry-after"] = "1"
    return Message(f"HTTP/1.1 {status} Injected", headers, orjson.dumps(document))


def corrupt(fault: Fault, answer: Message, turn: int = 0, now: float = 0.0) -> Message:
    """The answer as this fault leaves it; faults of time and connection leave it alone.

    Args:
        fault: what happens.
        answer: as the sidecar gave it.
        turn: how many answers the fault has happened to before.
        now: seconds of the wall clock.
    """
    if fault.kind is FaultKind.LATE_TIMES:
        return _with_times(answer, now - (fault.seconds if turn % 2 else 0.0))
    if fault.kind is FaultKind.READINGS:
        return _with_readings(answer, {one.series: one.value - one.falls_by * turn for one in fault.readings})
    corruption = _CORRUPTIONS.get(fault.kind)
    return corruption(answer) if corruption else answer


def _truncate(answer: Message) -> Message:
    return answer.with_body(answer.body[: len(answer.body) // 2 - 1])


def _put_page(answer: Message) -> Message:
    return answer.with_body(b"<html><body>Bad gateway</body></html>", "text/html")


def _shorten(answer: Message) -> bytes:
    if not answer.is_json:
        return answer.body[: -_FLOAT_BYTES * _DROPPED_VALUES]
    document = orjson.loads(answer.body)
    document["motif_scores"] = document["motif_scores"][:-_DROPPED_VALUES]
    return orjson.dumps(document)


def _put_nan(answer: Message) -> bytes:
    if not answer.is_json:
        return struct.pack("<f", float("nan")) + answer.body[_FLOAT_BYTES:]
    document = orjson.loads(answer.body)
    document["latent"][0] = None
    # JSON knows no NaN, yet several writers produce it.
    return orjson.dumps(document).replace(b"[null,", b"[NaN,", 1)


def _level(answer: Message) -> bytes:
    if not answer.is_json:
        count = (len(answer.body) - _FLOAT_BYTES * _LATENT) // _FLOAT_BYTES
        return answer.body[: _FLOAT_BYTES * _LATENT] + struct.pack(f"<{count}f", *[1 / count] * count)
    document = orjson.loads(answer.body)
    count = len(document["motif_scores"])
    return orjson.dumps({**document, "motif_scores": [1 / count] * count})


def _unzipped(answer: Message) -> Message:
    if answer.headers.get("content-encoding") != "gzip":
        return answer
    headers = {name: value for name, value in answer.headers.items() if name != "content-encoding"}
    return Message(answer.status_line, headers, gzip.decompress(answer.body))


def _with_wild_label(answer: Message) -> Message:
    plain = _unzipped(answer)
    wild = b"".join(b'wild{caller="%d"} 1\n' % number for number in range(_WILD_SERIES))
    end = b"# EOF\n" if "openmetrics" in plain.headers.get("content-type", "") else b""
    return plain.with_body(plain.body.removesuffix(b"# EOF\n") + b"# TYPE wild gauge\n" + wild + end)


def _with_readings(answer: Message, readings: Mapping[str, float]) -> Message:
    plain = _unzipped(answer)
    lines = (_with_reading(line, readings) for line in plain.body.decode().splitlines())
    return plain.with_body("".join(f"{line}\n" for line in lines).encode())


def _with_reading(line: str, readings: Mapping[str, float]) -> str:
    series, _, _ = line.rpartition(" ")
    return f"{series} {readings[series]}" if series in readings else line


def _with_times(answer: Message, seconds: float) -> Message:
    """Each sample with its own time: milliseconds in Prometheus' text, seconds in OpenMetrics, before an exemplar."""
    plain = _unzipped(answer)
    is_open = "openmetrics" in plain.headers.get("content-type", "")
    time = f"{seconds:.3f}" if is_open else f"{seconds * 1000:.0f}"
    lines = (_SAMPLE.sub(rf"\g<1> {time}", line) for line in plain.body.decode().splitlines())
    return plain.with_body("".join(f"{line}\n" for line in lines).encode())


_CORRUPTIONS: Mapping[FaultKind, Callable[[Message], Message]] = {
    FaultKind.TRUNCATED: _truncate,
    FaultKind.MALFORMED: _put_page,
    FaultKind.WRONG_DIMENSIONS: lambda answer: answer.with_body(_shorten(answer)),
    FaultKind.NOT_A_NUMBER: lambda answer: answer.with_body(_put_nan(answer)),
    FaultKind.UNSURE: lambda answer: answer.with_body(_level(answer)),
    FaultKind.WILD_LABEL: _with_wild_label,
}
