from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeinfer.loadgen.profile import Objective, Profile
from edgeinfer.loadgen.records import Records, RequestRecord, quantile
from edgeinfer.loadgen.report import summarize
from edgeinfer.loadgen.runner import Run, SessionAccount
from edgeinfer.loadgen.schedule import Operation
from edgeinfer.loadgen.stress import find_knee, is_past_knee, step_of
from edgeinfer.loadgen.text import as_text

OBJECTIVE = Objective()


def a_record(due: float = 0.0, latency: float = 0.01, failure: str = "", **given: Any) -> RequestRecord:
    values: dict[str, Any] = {
        "operation": Operation.MOTIFS,
        "due": due,
        "sent": due,
        "done": due + latency,
        "lag": 0.0,
        "status": 503 if failure else 200,
        "failure": failure,
        "source": "" if failure else "sidecar",
    }
    return RequestRecord(**{**values, **given})


def summary_of(records: list[RequestRecord], **given: Any) -> dict[str, Any]:
    run = Run(Profile("test", users=1, seconds=10), Records().append, seconds=10.0, **given)
    return summarize(run, Records(records), OBJECTIVE)


@given(st.lists(st.floats(0, 1000), min_size=1), st.floats(0.001, 1))
def test_a_quantile_is_a_value_that_the_share_does_not_exceed(values: list[float], share: float) -> None:
    ordered = sorted(values)
    found = quantile(ordered, share)
    assert found in ordered
    assert sum(value <= found for value in ordered) >= share * len(ordered) - 1e-6
    assert sum(value < found for value in ordered) < share * len(ordered)


def test_latency_counts_from_when_a_request_was_due_not_from_when_it_was_sent() -> None:
    late = a_record(due=1.0, latency=2.0, sent=2.9)
    summary = summary_of([late])
    assert summary["all"]["latency_ms"]["p50"] == 2000
    assert summary["all"]["service_ms"]["p50"] == 100


def test_promises_are_broken_by_slow_answers() -> None:
    fast = [a_record(latency=0.05) for _ in range(94)]
    slow = [a_record(latency=0.2) for _ in range(6)]
    assert summary_of(fast)["passed"]
    assert not summary_of(fast + slow)["passed"]


def test_promises_are_broken_by_failures_of_any_class() -> None:
    good = [a_record() for _ in range(94)]
    bad = [a_record(failure="overloaded") for _ in range(6)]
    summary = summary_of(good + bad)
    assert not summary["passed"]
    assert summary["failures"] == {"overloaded": 6}


def test_an_answer_from_the_fallback_counts_as_answered_and_is_shown() -> None:
    summary = summary_of([a_record(source="fallback") for _ in range(3)] + [a_record()])
    assert summary["passed"]
    assert summary["sources"] == {"fallback": 3, "sidecar": 1}
    assert sum(entry["fallback"] for entry in summary["distribution"]) == 3


def test_a_run_without_any_answer_passes_nothing() -> None:
    assert not summary_of([])["passed"]
    assert not summary_of([a_record(failure="timeout", status=0)])["passed"]


def test_the_generator_says_when_it_was_the_bottleneck() -> None:
    late = [a_record(lag=0.03) for _ in range(100)]
    assert summary_of(late)["generator"]["is_bottleneck"]
    assert "GENERATOR WAS THE BOTTLENECK" in as_text(a_document(summary_of(late)))
    assert summary_of([a_record()], cpu_seconds=9.5)["generator"]["is_bottleneck"]
    assert not summary_of([a_record()], cpu_seconds=1.0)["generator"]["is_bottleneck"]


def test_lost_samples_are_those_acknowledged_that_the_gateway_does_not_know() -> None:
    accounts = [
        SessionAccount("a", acknowledged=500, according_to_gateway=500),
        SessionAccount("b", acknowledged=500, according_to_gateway=475),
        SessionAccount("c", acknowledged=500, unanswered=25, according_to_gateway=525),
        SessionAccount("never stopped", acknowledged=75),
    ]
    samples = summary_of([a_record()], sessions=accounts)["samples"]
    assert samples["lost"] == 25
    assert samples["acknowledged"] == 1575
    assert samples["sessions_stopped"] == 3


def a_document(summary: dict[str, Any]) -> dict[str, Any]:
    return {
        "profile": "test",
        "gateway": "http://127.0.0.1:8080",
        "began": "2026-11-24T00:00:00+00:00",
        "run": summary,
        "prometheus": None,
        "passed": summary["passed"],
    }


def a_step(users: int, *, passed: bool) -> dict[str, Any]:
    summary = summary_of([a_record(latency=0.01 if passed else 0.3) for _ in range(users)])
    return step_of({**summary, "users": users, "goodput_per_second": summary["offered_per_second"]})


def test_the_knee_is_the_last_step_that_passed() -> None:
    steps = [a_step(5, passed=True), a_step(10, passed=False), a_step(20, passed=True), a_step(30, passed=False)]
    assert not is_past_knee(steps)
    steps.append(a_step(45, passed=False))
    assert is_past_knee(steps)
    knee = find_knee(steps)
    assert knee is not None
    assert knee["users"] == 20


def test_a_step_that_cannot_keep_up_has_failed_though_its_answers_are_quick() -> None:
    summary = summary_of([a_record()])
    assert not step_of({**summary, "offered_per_second": 100.0, "goodput_per_second": 80.0})["passed"]


@pytest.mark.parametrize("kind", ["single", "stress", "empty"])
def test_the_text_says_how_each_kind_of_run_went(kind: str) -> None:
    records = [a_record(due=i / 10, failure="" if i % 7 else "timeout") for i in range(100 if kind != "empty" else 0)]
    document = a_document(summary_of(records))
    expected = ["BROKEN"] if kind == "empty" else ["failed with timeout: 15", "BROKEN", "85.00%"]
    if kind == "stress":
        del document["run"]
        steps = [a_step(5, passed=True), a_step(10, passed=False)]
        document |= {"steps": steps, "knee": steps[0], "objective": {"p95_ms": 100.0}}
        expected = ["knee: 5 users", "broken"]
    text = as_text(orjson.loads(orjson.dumps(document)))
    assert [words for words in expected if words not in text] == []
    assert "nan" not in text
