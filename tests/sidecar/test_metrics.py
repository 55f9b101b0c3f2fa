"""The scrape of the sidecar and the catalog name the same metrics."""

import gzip

from prometheus_client.parser import text_string_to_metric_families

from edgeinfer.catalog.all import metrics_of
from edgeinfer.catalog.metric import MetricKind, Owner
from edgeinfer.collectors.run import Collectors, Runner, run_metrics
from edgeinfer.collectors.system import METRICS, SystemCollector
from edgeinfer.metrics.readings import readings
from tests.sidecar.rig import Rig, ToyBackend, running, window

# Of the process itself, from prometheus_client; the catalog names what is ours.
FOREIGN = ("process_", "python_")


def scraped(rig: Rig) -> dict[str, str]:
    text = rig.client.get("/metrics", headers={"accept": "text/plain"}).text
    return {family.name: family.type for family in text_string_to_metric_families(text)}


def collect_twice(rig: Rig) -> None:
    """The machine's readings, as the process's collectors would have them after two runs."""
    collector = SystemCollector(readings(METRICS, rig.registry))
    metrics = run_metrics(rig.registry)
    Collectors([], metrics)
    for _ in range(2):
        assert Runner(collector, metrics).run()


def test_the_scrape_and_the_catalog_name_the_same_metrics() -> None:
    with running(ToyBackend()) as rig:
        collect_twice(rig)
        rig.client.post("/infer", json={"x": window()})
        exported = {name for name in scraped(rig) if not name.startswith(FOREIGN)}
    catalogued = {metric.name.removesuffix("_total") for metric in metrics_of(Owner.SIDECAR)}
    assert exported == catalogued


def test_each_metric_is_of_the_kind_that_the_catalog_says() -> None:
    with running(ToyBackend()) as rig:
        collect_twice(rig)
        kinds = scraped(rig)
    for metric in metrics_of(Owner.SIDECAR):
        expected = "gauge" if metric.kind is MetricKind.INFO else metric.kind.value
        assert kinds[metric.name.removesuffix("_total")] == expected, metric.name


def test_every_closed_combination_is_there_before_the_first_request() -> None:
    with running(ToyBackend(), ready=False) as rig:
        for metric in metrics_of(Owner.SIDECAR):
            if metric.sensor or metric.kind is MetricKind.INFO or not metric.labels:
                continue
            for combination in metric.closed_combinations():
                labels = dict(zip(metric.label_names, combination, strict=True))
                suffix = "_count" if metric.kind is MetricKind.HISTOGRAM else ""
                assert rig.value(metric.name + suffix, **labels) == 0, (metric.name, labels)


def test_the_runtime_says_what_computes() -> None:
    with running(ToyBackend()) as rig:
        assert rig.value("hailo_runtime_info", backend="cpu", device="toy", runtime="toy 1") == 1
        sizes = {"latent_dimensions": "64", "motifs": "12"}
        assert rig.value("hailo_model_info", name="toy", version="1", sha256="0" * 64, **sizes) == 1


def test_a_scrape_is_small_and_can_be_compressed() -> None:
    with running(ToyBackend()) as rig:
        for _ in range(20):
            rig.client.post("/infer", json={"x": window()})
        plain = rig.client.get("/metrics", headers={"accept-encoding": "identity"})
        packed = rig.client.get("/metrics", headers={"accept-encoding": "gzip"})
    assert packed.headers["content-encoding"] == "gzip"
    assert len(gzip.compress(plain.content, 1)) < 4096
    assert plain.headers["content-type"].startswith("text/plain")


def test_open_metrics_is_spoken_when_asked_for() -> None:
    with running(ToyBackend()) as rig:
        answer = rig.client.get("/metrics", headers={"accept": "application/openmetrics-text; version=1.0.0"})
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    assert answer.text.rstrip().endswith("# EOF")
