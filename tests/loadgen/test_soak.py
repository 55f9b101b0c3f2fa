from collections.abc import Mapping
from dataclasses import dataclass
from os import getpid

import pytest

from edgeinfer.loadgen.profile import Objective, Profile
from edgeinfer.loadgen.records import RequestRecord
from edgeinfer.loadgen.runner import Run
from edgeinfer.loadgen.schedule import Operation
from edgeinfer.loadgen.soak import ProcessUsage, Soak, look_at
from edgeinfer.loadgen.text import as_text


@dataclass
class Growing:
    """A process that is seen to grow."""

    bytes_per_look: int = 0
    files_per_look: int = 0
    looks: int = 0

    def __call__(self) -> Mapping[str, ProcessUsage]:
        self.looks += 1
        return {
            "gateway": ProcessUsage(10**8 + self.looks * self.bytes_per_look, 20 + self.looks * self.files_per_look)
        }


def soaked(look: Growing, minutes: int = 60, latency: float = 0.01) -> tuple[Soak, Run]:
    soak = Soak(look)
    for second in range(minutes * 60):
        soak(RequestRecord(Operation.MOTIFS, second, second, second + latency, 0.0, 200, "", "sidecar"))
    return soak, Run(Profile("soak", users=1, seconds=minutes * 60.0), soak)


def test_each_minute_has_its_own_entry_and_no_record_is_kept() -> None:
    soak, run = soaked(Growing())
    document = soak.as_document(run, Objective())
    assert [entry["requests"] for entry in document["minutes"]] == [60] * 60
    assert document["minutes"][0]["p99_ms"] == pytest.approx(10)
    assert document["passed"]


def test_memory_that_grows_in_the_second_half_is_a_leak() -> None:
    soak, run = soaked(Growing(bytes_per_look=100_000))
    document = soak.as_document(run, Objective())
    assert document["growth"]["gateway"]["resident_bytes_per_hour"] == 6_000_000
    assert not document["passed"]


def test_files_that_stay_open_are_a_leak() -> None:
    soak, run = soaked(Growing(files_per_look=1))
    assert not soak.as_document(run, Objective())["passed"]


def test_slow_minutes_break_the_promise() -> None:
    soak, run = soaked(Growing(), latency=0.2)
    assert not soak.as_document(run, Objective())["passed"]


def test_a_process_that_is_gone_is_absent() -> None:
    readings = look_at({"self": getpid(), "gone": 2**22 + 1})
    assert list(readings) == ["self"]
    assert readings["self"].resident_bytes > 10**6


def test_the_text_shows_each_verdict_in_its_unit() -> None:
    soak, run = soaked(Growing(bytes_per_look=100_000, files_per_look=1))
    document = {"profile": "soak", "gateway": "g", "began": "b", "users": 1, "soak": soak.as_document(run, Objective())}
    text = as_text({**document, "passed": False})
    for reported in ("10.0 ms", "100.00%", " bytes (at most", " files (at most"):
        assert reported in text, reported
