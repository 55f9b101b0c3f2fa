"""Answers that are written from a pattern: the same document as the one that a JSON writer makes."""

from datetime import datetime, timedelta
from time import time

import numpy as np
import orjson
import pytest

from edgeinfer.gateway import answers
from edgeinfer.gateway.samples import Batch
from edgeinfer.gateway.sessions import Stored
from edgeinfer.gateway.stream import Stream

SESSION = "7bf48c73-b65c-4f4b-bfaa-9ea5465c09d2"


@pytest.mark.parametrize("newest", [None, 0.0, -1.5, 1000.24, 1.8e9 + 0.01, 1e12, 1e-7])
def test_what_was_accepted_is_written_as_a_json_writer_writes_it(newest: float | None) -> None:
    stream = Stream("left-wrist_2", total=7)
    if newest is not None:
        stream.append(Batch(np.array([newest - 1, newest]), np.zeros((2, 9), np.float32)))
    answer = answers.accepted(SESSION, Stored(stream, 2, 1, 3, 4))
    document = orjson.loads(answer.body)
    assert document == {
        "sessionId": SESSION,
        "status": "accepted",
        "accepted": 2,
        "skipped": 1,
        "late": 3,
        "clock_jumps": 4,
        "newest_t": newest,
        "retry": False,
        "role": "left-wrist_2",
        "heldSamples": 0 if newest is None else 2,
        "totalSamples": stream.total,
        "timestamp": document["timestamp"],
    }
    assert answer.body == orjson.dumps(document)
    assert answer.status == 202


def test_the_time_of_an_answer_is_that_of_the_clock_to_the_millisecond() -> None:
    before = time()
    written = answers.now()
    after = time()
    assert written.endswith("Z")
    assert len(written) == len("2026-11-30T18:40:37.394Z")
    at = datetime.fromisoformat(written)
    assert at.utcoffset() == timedelta(0)
    assert int(before * 1000) / 1000 <= at.timestamp() <= after


@pytest.mark.parametrize("nanoseconds", [0, 999_999, 1_000_000_000 - 1, 1_700_000_000_123_999_999])
def test_parts_of_a_millisecond_are_left_out(monkeypatch: pytest.MonkeyPatch, nanoseconds: int) -> None:
    monkeypatch.setattr(answers, "time_ns", lambda: nanoseconds)
    milliseconds = nanoseconds // 1_000_000
    assert datetime.fromisoformat(answers.now()) == datetime.fromisoformat("1970-01-01T00:00:00Z") + timedelta(
        milliseconds=milliseconds
    )
