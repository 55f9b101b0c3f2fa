"""The bytes of a scrape: the format and the compression that the scraper accepts."""

import gzip

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as plain

from edgeinfer.catalog import sidecar
from edgeinfer.metrics.exposition import expose
from edgeinfer.metrics.instruments import counter, histogram
from edgeinfer.metrics.registry import new_registry

OPENMETRICS = "application/openmetrics-text;version=1.0.0"


@pytest.fixture
def registry() -> CollectorRegistry:
    registry = new_registry()
    counter(sidecar.INFERENCES, registry).labels("success").inc(3)
    histogram(sidecar.STAGE_DURATION, registry).labels("queue").observe(0.1, {"request_id": "abc"})
    return registry


def test_a_plain_scrape_is_the_old_text(registry: CollectorRegistry) -> None:
    scraped = expose(registry, accept="", compress=False)
    assert scraped.content_type.startswith("text/plain")
    assert scraped.content_encoding == ""
    values = {
        s.labels["status"]: s.value for f in plain(scraped.body.decode()) for s in f.samples if "status" in s.labels
    }
    assert values["success"] == 3


def test_openmetrics_carries_exemplars(registry: CollectorRegistry) -> None:
    scraped = expose(registry, accept=OPENMETRICS, compress=False)
    assert scraped.content_type.startswith("application/openmetrics-text")
    families = openmetrics(scraped.body.decode())  # type: ignore[no-untyped-call]  # untyped in its package
    exemplars = [sample.exemplar for family in families for sample in family.samples if sample.exemplar]
    assert [exemplar.labels for exemplar in exemplars] == [{"request_id": "abc"}]


@pytest.mark.parametrize("accepted", ["gzip", "deflate, GZIP", "gzip;q=0.5"])
def test_a_packed_scrape_holds_the_same(registry: CollectorRegistry, accepted: str) -> None:
    packed = expose(registry, accept=OPENMETRICS, compress=True)
    assert packed.content_encoding == "gzip"
    assert gzip.decompress(packed.body) == expose(registry, accept=OPENMETRICS, compress=False).body
