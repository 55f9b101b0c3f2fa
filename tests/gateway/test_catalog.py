"""What the gateway exposes is what the catalog says, both ways."""

from pathlib import Path
from time import time

import numpy as np

from edgeinfer.catalog.all import metrics_of
from edgeinfer.catalog.metric import Metric, MetricKind, Owner
from edgeinfer.gateway.drift import learn
from edgeinfer.gateway.drift_files import drift_files_of
from tests.gateway import faulty_peer as peers
from tests.gateway.faulty_peer import peer
from tests.gateway.rigs import API, Rig, api, make_rig, samples

CATALOG = {metric.name: metric for metric in metrics_of(Owner.GATEWAY)}


def families(rig: Rig) -> dict[str, list[dict[str, str]]]:
    """Exposed families under their catalog names, with the labels of their series."""
    found = {}
    for family in rig.registry.collect():
        name = family.name + "_total" if family.type == "counter" else family.name
        found[name] = [sample.labels for sample in family.samples if not sample.name.endswith("_created")]
    return found


async def exercised(rig: Rig, folder: Path) -> None:
    """Use every route once, so that every open label has a value."""
    async with api(rig) as client:
        session_id = (await client.post(f"{API}/start")).json()["sessionId"]
        await client.put(f"{API}/stream", json={"sessionId": session_id, "samples": samples(100)})
        await client.get(f"{API}/motifs", params={"sessionId": session_id})
        await client.post(f"{API}/process", json={"samples": samples(100)})
        now = time()
        bad = [one | {"t": now + one["t"], "ax": 0.1, "ay": 0.0, "az": 1.0} for one in samples(200)]
        await client.put(f"{API}/stream", json={"sessionId": session_id, "samples": bad})
        rig.quality.step()
        await client.post(f"{API}/stop", json={"sessionId": session_id})
        rig.drift.step(np.zeros((500, 64), np.float32), np.zeros(500, np.int64))
        files = drift_files_of(folder, rig.card)
        assert files is not None
        assert rig.drift.recent is not None
        files.write_baseline(learn(rig.drift.recent, 1.0))
        rig.drift.step(np.zeros((500, 64), np.float32), np.zeros(500, np.int64))


async def test_scrape_and_catalog_agree_both_ways(tmp_path: Path) -> None:
    async with peer(peers.good) as sidecar:
        rig = make_rig(sidecar.url, durable_folder=tmp_path)
        await exercised(rig, tmp_path)
        found = families(rig)
    exposed = {name for name, series in found.items() if series}
    assert exposed == set(CATALOG)
    for name, series in found.items():
        for labels in series:
            check_labels(CATALOG[name], labels)


def check_labels(metric: Metric, labels: dict[str, str]) -> None:
    given = {
        name: value for name, value in labels.items() if not (name == "le" and metric.kind is MetricKind.HISTOGRAM)
    }
    assert set(given) == set(metric.label_names)
    for label in metric.labels:
        assert not label.is_closed or given[label.name] in label.values


def test_every_closed_combination_stands_at_zero_from_the_start() -> None:
    rig = make_rig("http://127.0.0.1:1/infer")
    for metric in CATALOG.values():
        if metric.sensor or metric.kind is MetricKind.INFO:
            continue
        for combination in metric.closed_combinations():
            labels = dict(zip(metric.label_names, combination, strict=True))
            suffix = "_count" if metric.kind is MetricKind.HISTOGRAM else ""
            assert rig.registry.get_sample_value(metric.name + suffix, labels) == 0, metric.name


def test_per_sidecar_and_per_motif_series_stand_from_the_start() -> None:
    rig = make_rig("http://127.0.0.1:1/infer")
    assert rig.value("edgeinfer_sidecar_requests_total", sidecar="127.0.0.1:1", status="failure") == 0
    assert rig.value("edgeinfer_circuit_state", sidecar="127.0.0.1:1", state="closed") == 1
    assert rig.value("edgeinfer_circuit_state", sidecar="127.0.0.1:1", state="open") == 0
    assert rig.value("hailo_motif_top_total", motif="11") == 0
    assert rig.value("hailo_motif_info", motif="0", name=rig.card.motif_names[0]) == 1


def test_readings_are_absent_at_the_start() -> None:
    rig = make_rig()
    found = families(rig)
    assert [name for name, metric in CATALOG.items() if metric.sensor and found.get(name)] == []
