"""The numbers of a real session arrive in a real Prometheus and add up, also when processes are killed."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from edgeinfer.recordings.reader import load_recording
from tests.end_to_end.running_stack import RunningStack, kill, lives, until

pytestmark = pytest.mark.end_to_end

_RATE_WINDOW_SECONDS = 30  # that of the live line

_NAMES = ("ax", "ay", "az", "gx", "gy", "gz", "mx", "my", "mz")


def samples(count: int, first: int = 0) -> list[dict[str, float]]:
    recording = load_recording("walking-upper-leg")
    rows = recording.samples[first : first + count].tolist()
    return [
        {"t": (first + number) / recording.rate_hz, **dict(zip(_NAMES, row, strict=True))}
        for number, row in enumerate(rows)
    ]


WINDOW = {"samples": samples(100)}


# What one phone does below: five batches of 50 samples, three questions for motifs, seven whole windows.
SENT = {
    "edgeinfer_samples_received_total": 250,
    'hailo_inference_requests_total{operation="process",status="success"}': 7,
    'hailo_inference_requests_total{operation="motifs",status="success"}': 3,
    "hailo_inference_duration_seconds_count": 10,
    'hailo_samples_processed_total{metric="samples_processed"}': 1000,
    'hailo_samples_processed_total{metric="latent_vectors"}': 10,
    'hailo_samples_processed_total{metric="motif_predictions"}': 10,
    'edgeinfer_analyses_total{source="sidecar"}': 10,
}
EPISODE = (
    'edgeinfer_analyses_total{source="sidecar"}',
    'edgeinfer_analyses_total{source="fallback"}',
    "edgeinfer_fallbacks_total",
    'hailo_inference_requests_total{status="success"}',
    'hailo_inference_requests_total{status="failure"}',
    "hailo_inference_errors_total",
    'hailo_samples_processed_total{metric="samples_processed"}',
)


def session_of_250_samples(stack: RunningStack) -> str:
    status, started = stack.ask("POST", "/api/v1/analysis/start", {})
    assert status == 200
    session: str = started["sessionId"]
    for first in range(0, 250, 50):
        batch = samples(50, first)
        times = {"windowStart": batch[0]["t"], "windowEnd": batch[-1]["t"]}
        assert stack.ask("PUT", "/api/v1/analysis/stream", {"sessionId": session, "samples": batch, **times})[0] == 202
    return session


class Phone:
    """Asks for an analysis ten times a second and remembers every answer, until it is asked to stop."""

    def __init__(self, stack: RunningStack) -> None:
        self.answers: list[tuple[int, Any]] = []
        self._stack = stack
        self._stopped = threading.Event()
        self._started = time.monotonic()

    @property
    def seconds(self) -> float:
        """Since it was made."""
        return time.monotonic() - self._started

    @property
    def rate(self) -> float:
        """Answers per second since it was made."""
        return len(self.answers) / self.seconds

    @contextmanager
    def asking(self) -> Iterator[None]:
        thread = threading.Thread(target=self._ask)
        thread.start()
        try:
            yield
        finally:
            self._stopped.set()
            thread.join()

    @property
    def sources(self) -> list[str]:
        return [answer["source"] if status == 200 else f"status {status}" for status, answer in list(self.answers)]

    def _ask(self) -> None:
        while not self._stopped.wait(0.1):
            self.answers.append(self._stack.ask("POST", "/api/v1/analysis/process", WINDOW))


def test_what_was_sent_is_what_prometheus_counts_to_the_sample(stack: RunningStack) -> None:
    before = {selector: stack.exported(selector) for selector in SENT}
    session = session_of_250_samples(stack)
    for _ in range(3):
        status, answer = stack.ask("GET", f"/api/v1/analysis/motifs?sessionId={session}")
        assert (status, answer["source"], answer["backend"]) == (200, "sidecar", "cpu")
    for _ in range(7):
        status, answer = stack.ask("POST", "/api/v1/analysis/process", WINDOW)
        assert (status, answer["source"], len(answer["latent"])) == (200, "sidecar", 64)
    assert stack.ask("POST", "/api/v1/analysis/stop", {"sessionId": session})[1]["totalSamples"] == 250

    for selector, count in SENT.items():
        stack.await_query(f"sum({selector})", {(): before[selector] + count})


def test_every_job_is_scraped(stack: RunningStack) -> None:
    jobs = ("alertmanager", "edge-infer", "hailo-inference", "prometheus")
    stack.await_query("count by (job) (up == 1)", {(job,): 1.0 for job in jobs})
    assert stack.query('count(scrape_samples_scraped{job="edge-infer"} > 100)') == {(): 1.0}


def test_prometheus_hands_its_alerts_to_our_alertmanager(stack: RunningStack) -> None:
    def receivers() -> list[str]:
        _, answer = stack.ask("GET", "/api/v1/alertmanagers", service="prometheus")
        return [active["url"] for active in answer["data"]["activeAlertmanagers"]] if answer else []

    assert until(lambda: receivers() == [stack.addresses["alertmanager"] + "/api/v2/alerts"], 15), receivers()


def test_the_rules_that_are_shipped_are_loaded(stack: RunningStack) -> None:
    _, answer = stack.ask("GET", "/api/v1/rules", service="prometheus")
    unhealthy = [rule["name"] for group in answer["data"]["groups"] for rule in group["rules"] if rule.get("lastError")]
    assert unhealthy == []


def test_a_killed_sidecar_costs_no_request_and_the_episode_adds_up(stack: RunningStack) -> None:
    before = {selector: stack.exported(selector) for selector in EPISODE}
    phone = Phone(stack)
    first = stack.pids()["sidecar-1"]
    with phone.asking():
        assert until(lambda: len(phone.answers) >= 10, 20)
        kill(first)
        assert until(lambda: "fallback" in phone.sources, 20), phone.sources
        stack.await_event("crashed", process="sidecar-1")
        stack.await_event("ready", process="sidecar-1")
        assert until(lambda: phone.sources[-3:] == ["sidecar"] * 3, 30), phone.sources

    assert {status for status, _ in phone.answers} == {200}
    sources = Counter(phone.sources)
    assert set(sources) == {"sidecar", "fallback"}
    assert {answer["backend"] for _, answer in phone.answers if answer["source"] == "fallback"} == {"cpu"}
    answered, fell_back = sources["sidecar"], sources["fallback"]
    counts = (answered, fell_back, fell_back, answered, fell_back, fell_back, 100 * answered)
    for selector, count in zip(EPISODE, counts, strict=True):
        stack.await_query(f"sum({selector})", {(): before[selector] + count})
    errors = stack.query("sum by (error_type) (hailo_inference_errors_total) > 0")
    assert {kind for (kind,) in errors} <= {"connection_error", "circuit_open", "timeout", "http_5xx"}
    assert stack.pids()["sidecar-1"] != first


@pytest.mark.parametrize("name", ["alertmanager", "console", "prometheus"])
def test_a_killed_process_comes_back(name: str, stack: RunningStack) -> None:
    others = {other: pid for other, pid in stack.pids().items() if other != name}
    kill(stack.pids()[name])
    stack.await_event("crashed", process=name)
    stack.await_event("ready", process=name)

    assert {other: pid for other, pid in stack.pids().items() if other != name} == others
    assert all(lives(pid) for pid in stack.pids().values())


def test_a_killed_gateway_comes_back_with_the_samples_that_it_had_accepted(stack: RunningStack) -> None:
    session = session_of_250_samples(stack)
    kill(stack.pids()["gateway"])
    stack.await_event("crashed", process="gateway")
    stack.await_event("ready", process="gateway")

    status, stopped = stack.ask("POST", "/api/v1/analysis/stop", {"sessionId": session})
    assert (status, stopped.get("totalSamples")) == (200, 250)


@pytest.mark.timeout(240)
def test_the_rate_that_was_sent_is_the_rate_that_is_shown(stack: RunningStack) -> None:
    phone = Phone(stack)
    with phone.asking():
        # A window of half a minute is full of this phone after half a minute; one late scrape may come between.
        assert until(lambda: phone.seconds > _RATE_WINDOW_SECONDS, 40)
        assert until(lambda: shown_rate(stack) == near(phone.rate), 30, pause=0.5), (shown_rate(stack), phone.rate)
        assert until(lambda: request_rate(stack) == near(phone.rate), 30, pause=0), (stack.events[-1], phone.rate)

    live = stack.events[-1]
    assert live["answers"]
    assert set(live["source_ratios"]) <= {"sidecar", "fallback"}


def near(rate: float) -> object:
    return pytest.approx(rate, rel=0.15)


def shown_rate(stack: RunningStack) -> float | None:
    """Calls to sidecars per second, as any panel would ask for them."""
    return stack.query(f"sum(rate(hailo_inference_requests_total[{_RATE_WINDOW_SECONDS}s]))").get(())


def request_rate(stack: RunningStack) -> float | None:
    """Analyses per second in the next live line."""
    rate: float | None = stack.await_new_event("status")["requests_per_second"]
    return rate
