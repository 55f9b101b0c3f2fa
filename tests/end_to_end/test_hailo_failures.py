"""A gateway and a sidecar on a faked chip, as real processes, while each failure of HailoRT is injected in turn."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.end_to_end.hailo_pair import Pair, difference, until

pytestmark = pytest.mark.end_to_end

# Call, status and the class that has to be counted: once.
FAILURES = [
    ("run_async", 82, "backpressure"),
    ("run_async", 6, "misuse"),
    ("run_async", 3, "memory_allocation_error"),
    ("run_async", 48, "unsupported_feature"),
    ("run_async", 26, "hef_invalid"),
    ("wait_for_async_ready", 4, "timeout"),
    ("job.wait", 4, "timeout"),
    ("completion", 4, "timeout"),
    ("completion", 8, "execution_failed"),
    ("completion", 87, "timeout"),
    ("completion", 18, "execution_failed"),
    ("completion", 63, "communication_closed"),
    ("run_async", 62, "communication_closed"),
    ("run_async", 36, "hailort_init_failure"),
    ("run_async", 76, "version_mismatch"),
    ("run_async", 97, "device_in_use"),
]
# With four frames in flight: how many calls go well before this one, and how many of the four the chip answers.
IN_FLIGHT = [
    ("completion", 4, 1, "timeout", 1),
    ("completion", 8, 0, "execution_failed", 0),
    ("completion", 18, 2, "execution_failed", 2),
    ("completion", 87, 3, "timeout", 3),
    ("completion", 62, 1, "communication_closed", 1),
    ("completion", 63, 1, "communication_closed", 1),
    ("job.wait", 4, 1, "timeout", 3),
    ("wait_for_async_ready", 4, 3, "timeout", 3),
    ("run_async", 82, 3, "backpressure", 0),
    ("run_async", 6, 3, "misuse", 0),
]


@pytest.fixture(params=["4.23.0", "5.2.0"])
def pair(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Pair]:
    running = Pair(tmp_path, request.param)
    yield running
    running.close()


def test_each_failure_is_counted_once_answered_by_fallback_and_recovered_without_a_restart(pair: Pair) -> None:
    pair.until_served()
    for number, (call, code, error_class) in enumerate(FAILURES):
        before = pair.counted()
        pair.script(inject=[[call, code, 1]])
        answer = pair.process(number)
        case = f"{call} {code}"
        assert (answer["source"], answer["backend"]) == ("fallback", "cpu"), case
        assert len(answer["latent"]) == 64, case
        pair.until_served()
        moved = {name: value - before.get(name, 0.0) for name, value in pair.counted().items()}
        assert {name: value for name, value in moved.items() if value} == {error_class: 1.0}, case
    assert [process.poll() for process in pair.processes] == [None, None]


def test_with_four_in_flight_each_failure_is_counted_once_and_costs_no_window_its_answer(pair: Pair) -> None:
    pair.until_served()
    for call, code, after, error_class, answered in IN_FLIGHT:
        before = pair.counted()
        pair.script(chip={"latency_seconds": 0.4, "overlap": 8}, inject=[[call, code, 1, after]])
        with ThreadPoolExecutor(4) as callers:
            answers = list(callers.map(pair.process, range(4)))
        pair.script(chip={"latency_seconds": 0.0}, heal=True)
        case = f"{call} {code} after {after}"
        by = Counter(answer["source"] for answer in answers)
        assert (by["sidecar"], by["fallback"]) == (answered, 4 - answered), case
        # The chip's network is the CPU's here: whoever answered a window, it is the same answer.
        pair.until_served()
        for number, answer in enumerate(answers):
            assert difference(answer, pair.process(number)) < 1e-3, case
        moved = {name: value - before.get(name, 0.0) for name, value in pair.counted().items()}
        assert {name: value for name, value in moved.items() if value} == {error_class: 1.0}, case
    assert [process.poll() for process in pair.processes] == [None, None]


def test_an_unplugged_chip_is_replaced_by_the_cpu_and_taken_back_when_it_returns(pair: Pair) -> None:
    pair.until_served()
    served = pair.process(1)
    assert (served["source"], served["backend"]) == ("sidecar", "hailo")
    pair.script(chip={"present": False})
    until(lambda: pair.process(1)["source"] == "fallback")
    fallback = pair.process(1)
    # The same model on the CPU: not invented numbers.
    assert difference(served, fallback) < 1e-3
    pair.script(chip={"present": True})
    pair.until_served()
