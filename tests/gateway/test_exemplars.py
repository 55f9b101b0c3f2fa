import logging
import re

import pytest

from edgeinfer.gateway.exemplars import ExemplarSampler
from edgeinfer.metrics.exposition import expose
from tests.gateway import faulty_peer as peers
from tests.gateway.faulty_peer import peer
from tests.gateway.rigs import API, Clock, a_window, api, make_rig, running, samples

OPEN_METRICS = "application/openmetrics-text; version=1.0.0"


def test_one_call_per_bucket_is_picked_every_few_seconds() -> None:
    clock = Clock()
    calls = ExemplarSampler((0.01, 0.1), clock, interval_seconds=5)
    assert [calls.is_due(seconds) for seconds in (0.001, 0.005, 0.05, 0.06, 3.0, 4.0)] == [
        True, False, True, False, True, False,
    ]  # fmt: skip
    clock.now += 5
    assert calls.is_due(0.01)
    assert not calls.is_due(0.002)


def test_failures_are_logged_up_to_a_rate_and_the_rest_is_counted(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    calls = ExemplarSampler((0.1,), clock, failures_per_second=3)
    for number in range(10):
        calls.report_failure(f"r{number}", "process", "timeout", "late")
    clock.now += 1
    calls.report_failure("last", "process", "timeout", "late")
    lines = [vars(record) for record in caplog.records]
    assert [line["request_id"] for line in lines] == ["r0", "r1", "r2", "last"]
    assert lines[-1]["failures_not_logged"] == 7


async def test_each_exemplar_leads_to_exactly_one_log_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "edgeinfer.gateway.exemplars")
    clock = Clock()
    async with peer(peers.good) as sidecar:
        rig = make_rig(sidecar.url, clock=clock)
        async with running(rig) as service:
            service._calls._interval = 5.0
            for number in range(20):
                await service.analyze_imu_window(a_window(), "process", f"call-{number}")
                clock.now += 0.5
    text = expose(rig.registry, accept=OPEN_METRICS, compress=False).body.decode()
    in_buckets = set(re.findall(r'hailo_inference_duration_seconds_bucket.*# \{request_id="(call-\d+)"\}', text))
    logged = [vars(record)["request_id"] for record in caplog.records if record.message == "inference"]
    assert in_buckets
    assert in_buckets <= set(logged)
    assert len(logged) == len(set(logged)) <= 3


async def test_the_callers_id_is_in_exemplar_log_and_answer(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "edgeinfer.gateway.exemplars")
    async with peer(peers.good) as sidecar:
        rig = make_rig(sidecar.url)
        async with api(rig) as client:
            answer = await client.post(
                f"{API}/process", json={"samples": samples(100)}, headers={"X-Request-Id": "phone-42"}
            )
            scrape = (await client.get("/metrics", headers={"Accept": OPEN_METRICS})).text
    assert answer.headers["x-request-id"] == "phone-42"
    assert '# {request_id="phone-42"}' in scrape
    assert "phone-42" in [vars(record).get("request_id") for record in caplog.records]
    assert any(b"x-request-id: phone-42" in head.lower() for head in sidecar.heads)
