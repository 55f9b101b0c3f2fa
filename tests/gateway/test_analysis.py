"""An analysis by a sidecar: what is sent, what is counted, what the fallback and the limits do."""

import asyncio
import threading

import orjson
import pytest

from edgeinfer.errors import NotReady, Overloaded
from tests.gateway import faulty_peer as peers
from tests.gateway.faulty_peer import Exchange, peer
from tests.gateway.rigs import SmallModel, a_window, make_rig, running


async def test_an_answer_of_the_sidecar_is_counted_to_the_sample() -> None:
    async with peer(peers.good) as sidecar:
        rig = make_rig(sidecar.url)
        async with running(rig) as service:
            for _ in range(3):
                analysis = await service.analyze_imu_window(a_window(), "process", "r1")
    assert (analysis.source, analysis.backend, analysis.outputs.top) == ("sidecar", "stub", 0)
    assert rig.value("hailo_inference_requests_total", operation="process", status="success") == 3
    assert rig.value("hailo_samples_processed_total", metric="samples_processed") == 300
    assert rig.value("hailo_samples_processed_total", metric="latent_vectors") == 3
    assert rig.value("hailo_samples_processed_total", metric="motif_predictions") == 3
    assert rig.value("hailo_motif_top_total", motif="0") == 3
    assert rig.value("hailo_motif_confidence_ratio_count") == 3
    assert rig.value("hailo_latent_l2_norm_sum") == pytest.approx(3 * 2.0)
    assert rig.value("edgeinfer_network_duration_seconds_count") == 3
    assert rig.counts("edgeinfer_analyses_total", "source") == {"sidecar": 3}
    assert rig.value("edgeinfer_sidecar_in_flight", sidecar=f"127.0.0.1:{sidecar.port}") == 0
    assert rig.errors == {}
    assert len(rig.drift.buffer) == 3


async def test_dimensions_are_absent_before_the_first_answer() -> None:
    async with peer(peers.good) as sidecar:
        rig = make_rig(sidecar.url)
        assert rig.value("hailo_model_output_dimensions", output="latent") is None
        async with running(rig) as service:
            await service.analyze_imu_window(a_window(), "process", "r1")
    assert rig.value("hailo_model_output_dimensions", output="latent") == 64
    assert rig.value("hailo_model_output_dimensions", output="motif_scores") == 12


async def test_a_window_travels_as_3600_bytes_with_its_request_id() -> None:
    window = a_window(7)
    async with peer(peers.good) as sidecar:
        rig = make_rig(sidecar.url)
        async with running(rig) as service:
            await service.analyze_imu_window(window, "process", "my-id")
    assert sidecar.bodies == [window.tobytes()]
    assert len(sidecar.bodies[0]) == 3600
    head = sidecar.heads[0].lower()
    assert b"content-type: application/octet-stream\r\n" in head
    assert b"accept: application/octet-stream\r\n" in head
    assert b"x-request-id: my-id\r\n" in head


async def test_a_sidecar_that_speaks_json_only_is_asked_in_json() -> None:
    window = a_window(7)
    async with peer(peers.good_json) as sidecar:
        rig = make_rig(sidecar.url, encoding="json")
        async with running(rig) as service:
            analysis = await service.analyze_imu_window(window, "process", "r")
    assert orjson.loads(sidecar.bodies[0])["x"][0] == pytest.approx(window[0].tolist())
    assert (analysis.source, analysis.backend) == ("sidecar", "hailo")
    assert rig.value("edgeinfer_network_duration_seconds_count") == 0


async def test_connections_are_kept() -> None:
    connections = 0

    async def count_connections(exchange: Exchange) -> None:
        nonlocal connections
        connections += not hasattr(exchange.writer, "_seen")
        exchange.writer._seen = True  # type: ignore[attr-defined]  # a mark on the connection
        await peers.good(exchange)

    async with peer(count_connections) as sidecar:
        rig = make_rig(sidecar.url)
        async with running(rig) as service:
            for _ in range(10):
                await service.analyze_imu_window(a_window(), "process", "r")
    assert connections == 1
    assert rig.errors == {}


async def test_a_retry_asks_again_and_each_call_is_counted() -> None:
    answers = iter([peers.internal_error, peers.truncated_json, peers.good])

    async def third_time_lucky(exchange: Exchange) -> None:
        await next(answers)(exchange)

    async with peer(third_time_lucky) as sidecar:
        rig = make_rig(sidecar.url, retries=2)
        async with running(rig) as service:
            assert (await service.analyze_imu_window(a_window(), "process", "r")).source == "sidecar"
    assert rig.errors == {"http_5xx": 1, "malformed_response": 1}
    assert rig.value("edgeinfer_sidecar_retries_total") == 2
    assert rig.value("hailo_inference_requests_total", operation="process", status="failure") == 2
    assert rig.value("hailo_inference_requests_total", operation="process", status="success") == 1
    assert rig.counts("edgeinfer_analyses_total", "source") == {"sidecar": 1}


async def test_a_refusal_is_not_retried() -> None:
    async with peer(peers.not_found) as sidecar:
        rig = make_rig(sidecar.url, retries=3)
        async with running(rig) as service:
            await service.analyze_imu_window(a_window(), "process", "r")
    assert sidecar.requests["/infer"] == 1


async def test_retries_end_with_the_time_budget() -> None:
    async with peer(peers.silent) as sidecar:
        rig = make_rig(sidecar.url, retries=5, timeout_seconds=0.2)
        async with running(rig) as service:
            before = asyncio.get_running_loop().time()
            await service.analyze_imu_window(a_window(), "process", "r")
            assert asyncio.get_running_loop().time() - before < 5 * 0.2
    assert sidecar.requests["/infer"] == 1


async def test_without_a_sidecar_the_fallback_answers_and_says_why() -> None:
    rig = make_rig()
    async with running(rig) as service:
        analysis = await service.analyze_imu_window(a_window(), "motifs", "r")
    assert (analysis.source, analysis.backend) == ("fallback", "cpu")
    assert rig.counts("edgeinfer_fallbacks_total", "reason") == {"no_sidecar_configured": 1}
    assert rig.value("edgeinfer_fallback_duration_seconds_count") == 1
    assert rig.value("hailo_motif_confidence_ratio_count") == 0
    assert rig.errors == {}


async def test_a_fallback_that_is_switched_off_is_said() -> None:
    rig = make_rig("http://127.0.0.1:1/infer", has_fallback=False)
    async with running(rig) as service:
        with pytest.raises(NotReady, match="switched off"):
            await service.analyze_imu_window(a_window(), "process", "r")
    assert rig.counts("edgeinfer_analyses_total", "source") == {"none": 1}


async def test_a_fallback_whose_model_is_missing_is_said_and_tried_again() -> None:
    model = SmallModel(fails_to_open=True)
    rig = make_rig(model=model)
    async with running(rig) as service:
        with pytest.raises(NotReady, match="cannot be loaded"):
            await service.analyze_imu_window(a_window(), "process", "r")
        model.fails_to_open = False
        assert service.fallback is not None
        service.fallback.start()
        assert (await service.analyze_imu_window(a_window(), "process", "r")).source == "fallback"


async def test_analyses_beyond_the_limit_are_shed() -> None:
    async with peer(peers.silent) as sidecar:
        rig = make_rig(sidecar.url, max_in_flight=2, timeout_seconds=0.3)
        async with running(rig) as service:
            under_way = [asyncio.create_task(service.analyze_imu_window(a_window(), "process", "r")) for _ in range(2)]
            await asyncio.sleep(0.05)
            with pytest.raises(Overloaded) as shed:
                await service.analyze_imu_window(a_window(), "process", "r")
            assert shed.value.retry_after_seconds == 1
            assert {one.source for one in await asyncio.gather(*under_way)} == {"fallback"}
    assert rig.counts("edgeinfer_analyses_total", "source") == {"fallback": 2, "none": 1}


async def test_the_fallback_lets_only_so_many_wait() -> None:
    gate = threading.Event()
    rig = make_rig(model=SmallModel(wait=lambda: None))
    async with running(rig) as service:
        await service.analyze_imu_window(a_window(), "process", "r")
        rig.model.wait = lambda: assert_true(gate.wait(10))
        tasks = [asyncio.create_task(service.analyze_imu_window(a_window(), "process", "r")) for _ in range(40)]
        await asyncio.sleep(0.05)
        gate.set()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert sum(isinstance(outcome, Overloaded) for outcome in outcomes) == 40 - 17


def assert_true(value: bool) -> None:  # noqa: FBT001 - a test's own word
    assert value


async def test_a_probe_is_counted_nowhere_but_teaches_the_circuit() -> None:
    async with peer(peers.good) as sidecar:
        rig = make_rig(sidecar.url)
        async with running(rig) as service:
            assert (await service.probe(a_window())).source == "sidecar"
    assert rig.value("hailo_inference_requests_total", operation="process", status="success") == 0
    assert rig.value("hailo_samples_processed_total", metric="samples_processed") == 0
    assert rig.counts("edgeinfer_sidecar_requests_total", "status") == {}
