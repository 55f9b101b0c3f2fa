"""Buffered metrics show at every scrape what the client's own would."""

import threading

import numpy as np
import pytest
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.openmetrics.exposition import generate_latest

from edgeinfer.metrics.buffered import BufferedCounter, BufferedHistogram

BOUNDS = (0.001, 0.01, 0.1)


def shown(registry: CollectorRegistry) -> dict[str, float]:
    """Of all samples but the time of creation."""
    samples = (sample for family in registry.collect() for sample in family.samples)
    return {
        f"{one.name}{sorted(one.labels.items())}": one.value for one in samples if not one.name.endswith("_created")
    }


@pytest.mark.parametrize("count", [0, 1, 511, 512, 513, 3000])
def test_it_shows_what_the_original_shows(count: int) -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    buffered = BufferedHistogram("a", "A.", ["stage"], buckets=BOUNDS, registry=ours)
    original = Histogram("a", "A.", ["stage"], buckets=BOUNDS, registry=theirs)
    values = np.random.default_rng(1).choice([0.0, 0.001, 0.0011, 0.01, 0.05, 0.1, 0.100001, 9.0], count).tolist()
    for number, value in enumerate(values):
        for histogram in (buffered, original):
            histogram.labels("odd" if number % 2 else "even").observe(value)

    assert shown(ours) == pytest.approx(shown(theirs))


def test_every_scrape_counts_each_value_once() -> None:
    registry = CollectorRegistry()
    histogram = BufferedHistogram("a", "A.", buckets=BOUNDS, registry=registry)
    for total in range(1, 5):
        histogram.observe(0.005)
        assert registry.get_sample_value("a_count") == total
        assert registry.get_sample_value("a_bucket", {"le": "0.01"}) == total
        assert registry.get_sample_value("a_bucket", {"le": "0.001"}) == 0


def test_an_exemplar_is_shown() -> None:
    registry = CollectorRegistry()
    histogram = BufferedHistogram("a", "A.", buckets=BOUNDS, registry=registry)
    histogram.observe(0.005, {"trace_id": "f00"})
    histogram.observe(0.005)

    text = generate_latest(registry).decode()  # type: ignore[no-untyped-call]  # untyped in its package
    assert 'a_bucket{le="0.01"} 2.0 # {trace_id="f00"} 0.005' in text


def test_labels_must_be_given_as_in_the_original() -> None:
    histogram = BufferedHistogram("a", "A.", ["stage"], buckets=BOUNDS, registry=CollectorRegistry())
    with pytest.raises(ValueError, match="label"):
        histogram.observe(1.0)


def test_threads_lose_no_value_while_others_scrape() -> None:
    registry = CollectorRegistry()
    histogram = BufferedHistogram("a", "A.", buckets=BOUNDS, registry=registry)
    has_ended = threading.Event()

    def observe() -> None:
        for _ in range(5000):
            histogram.observe(0.05)

    def scrape() -> None:
        while not has_ended.is_set():
            registry.get_sample_value("a_count")

    observers = [threading.Thread(target=observe) for _ in range(4)]
    scraper = threading.Thread(target=scrape)
    for thread in (*observers, scraper):
        thread.start()
    for thread in observers:
        thread.join()
    has_ended.set()
    scraper.join()

    assert registry.get_sample_value("a_count") == 20000
    assert registry.get_sample_value("a_sum") == pytest.approx(1000)


def test_nothing_is_counted_while_a_scrape_reads() -> None:
    """Else it could show a value in the sum and in no bucket."""
    registry = CollectorRegistry()
    histogram = BufferedHistogram("a", "A.", buckets=BOUNDS, registry=registry)
    first, was_held = histogram._buckets[0], []
    read = first.get

    def watched() -> float:
        was_held.append(histogram._counting.locked())
        return float(read())

    first.get = watched
    shown(registry)
    assert was_held == [True]


def test_what_nobody_scrapes_is_counted_before_it_grows() -> None:
    histogram = BufferedHistogram("a", "A.", buckets=BOUNDS, registry=CollectorRegistry())
    for _ in range(100_000):
        histogram.observe(0.05)
    assert len(histogram._pending) < 600


def test_a_counter_shows_what_the_original_shows() -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    counters = [BufferedCounter("a", "A.", ["kind"], registry=ours), Counter("a", "A.", ["kind"], registry=theirs)]
    for number in range(3000):
        for counter in counters:
            counter.labels("odd" if number % 2 else "even").inc(1 if number % 3 else 0.5)
        if number % 700 == 0:
            assert shown(ours) == pytest.approx(shown(theirs))
    assert shown(ours) == pytest.approx(shown(theirs))


def test_a_counter_refuses_what_the_original_refuses() -> None:
    registry = CollectorRegistry()
    with pytest.raises(ValueError, match="label"):
        BufferedCounter("a", "A.", ["kind"], registry=registry).inc()
    counter = BufferedCounter("b", "B.", registry=registry)
    with pytest.raises(ValueError, match="non-negative"):
        counter.inc(-1)
    assert registry.get_sample_value("b_total") == 0


def test_a_counter_shows_an_exemplar() -> None:
    registry = CollectorRegistry()
    counter = BufferedCounter("a", "A.", registry=registry)
    counter.inc()
    counter.inc(1, {"trace_id": "f00"})
    text = generate_latest(registry).decode()  # type: ignore[no-untyped-call]  # untyped in its package
    assert 'a_total 2.0 # {trace_id="f00"} 1.0' in text


def test_threads_lose_no_increment_while_others_scrape() -> None:
    registry = CollectorRegistry()
    counter = BufferedCounter("a", "A.", registry=registry)

    def count() -> None:
        for _ in range(5000):
            counter.inc()

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    seen = [registry.get_sample_value("a_total") or 0.0 for _ in range(200)]
    for thread in threads:
        thread.join()

    assert seen == sorted(seen)
    assert registry.get_sample_value("a_total") == 20000
    assert not counter._pending


def test_a_counter_that_nobody_scrapes_does_not_grow() -> None:
    counter = BufferedCounter("a", "A.", registry=CollectorRegistry())
    for _ in range(100_000):
        counter.inc()
    assert len(counter._pending) < 600
