"""Each class of error, provoked by a real faulty peer, is counted exactly once."""

import pytest

from edgeinfer.errors import NotReady
from tests.gateway import faulty_peer as peers
from tests.gateway.faulty_peer import Behaviour, peer
from tests.gateway.rigs import a_window, make_rig, running

CASES: list[tuple[Behaviour, str, str]] = [
    (peers.silent, "timeout", ""),
    (peers.slow_bytes, "timeout", ""),
    (peers.reset, "connection_error", ""),
    (peers.hang_up, "connection_error", ""),
    (peers.not_found, "http_4xx", ""),
    (peers.internal_error, "http_5xx", ""),
    (peers.busy, "http_5xx", ""),
    (peers.redirect, "unknown_error", ""),
    (peers.truncated_json, "malformed_response", ""),
    (peers.nested_json, "malformed_response", ""),
    (peers.not_text, "malformed_response", ""),
    (peers.cut_off, "malformed_response", ""),
    (peers.not_http, "malformed_response", ""),
    (peers.odd_bytes, "malformed_response", ""),
    (peers.too_long, "malformed_response", ""),
    (peers.missing_field, "malformed_response", ""),
    (peers.not_an_object, "malformed_response", ""),
    (peers.short_latent, "malformed_response", "latent_shape"),
    (peers.short_scores, "malformed_response", "motif_shape"),
    (peers.nan_binary, "decode_error", "not_finite"),
    (peers.nan_json, "decode_error", "not_finite"),
    (peers.null_json, "decode_error", "not_finite"),
    (peers.huge_json, "decode_error", "not_finite"),
    (peers.negative_score, "decode_error", "score_range"),
    (peers.scores_of_two, "decode_error", "score_sum"),
]


@pytest.mark.parametrize(("behaviour", "error_type", "check"), CASES, ids=lambda case: getattr(case, "__name__", case))
async def test_each_fault_is_counted_once_in_its_class(behaviour: Behaviour, error_type: str, check: str) -> None:
    async with peer(behaviour) as sidecar:
        rig = make_rig(sidecar.url, timeout_seconds=0.2 if error_type == "timeout" else 5.0)
        async with running(rig) as service:
            analysis = await service.analyze_imu_window(a_window(), "process", "r1")
        assert rig.errors == {error_type: 1}
        assert rig.counts("hailo_output_contract_violations_total", "check") == ({check: 1} if check else {})
        assert rig.value("hailo_inference_requests_total", operation="process", status="failure") == 1
        assert rig.value("hailo_inference_requests_total", operation="process", status="success") == 0
        assert rig.value("hailo_inference_duration_seconds_count", operation="process") == 1
        assert sidecar.requests["/infer"] == 1
    assert analysis.source == "fallback"
    assert analysis.backend == "cpu"
    assert rig.counts("edgeinfer_fallbacks_total", "reason") == {error_type: 1}
    assert rig.value("hailo_samples_processed_total", metric="samples_processed") == 0


async def test_nobody_listening_is_a_connection_error() -> None:
    rig = make_rig("http://127.0.0.1:1/infer")
    async with running(rig) as service:
        await service.analyze_imu_window(a_window(), "motifs", "r1")
    assert rig.errors == {"connection_error": 1}
    assert rig.value("hailo_inference_requests_total", operation="motifs", status="failure") == 1


async def test_open_circuit_is_a_class_of_its_own_and_no_call() -> None:
    rig = make_rig("http://127.0.0.1:1/infer", circuit_failures=2)
    async with running(rig) as service:
        for _ in range(5):
            assert (await service.analyze_imu_window(a_window(), "process", "r")).source == "fallback"
    assert rig.errors == {"connection_error": 2, "circuit_open": 3}
    assert rig.value("hailo_inference_requests_total", operation="process", status="failure") == 5
    assert rig.value("hailo_inference_duration_seconds_count", operation="process") == 2
    assert rig.value("edgeinfer_circuit_state", sidecar="127.0.0.1:1", state="open") == 1
    assert rig.value("edgeinfer_circuit_state", sidecar="127.0.0.1:1", state="closed") == 0


async def test_a_transport_that_breaks_unexpectedly_still_finds_the_fallback() -> None:
    async with peer(peers.good) as sidecar:
        rig = make_rig(sidecar.url)

        async def surprise(*_: object) -> None:
            raise ZeroDivisionError("nobody thought of this")

        rig.service.balancer.members[0].client._transport.post = surprise  # type: ignore[assignment,method-assign]  # the seam is read-only by design
        async with running(rig) as service:
            assert (await service.analyze_imu_window(a_window(), "process", "r")).source == "fallback"
    assert rig.errors == {"unknown_error": 1}


async def test_both_failing_is_counted_as_answered_by_none() -> None:
    rig = make_rig("http://127.0.0.1:1/infer")
    async with running(rig) as service:
        assert service.fallback is not None
        rig.model.fails_to_infer = True
        with pytest.raises(NotReady, match="fallback"):
            await service.analyze_imu_window(a_window(), "process", "r")
    assert rig.counts("edgeinfer_analyses_total", "source") == {"none": 1}
    assert rig.counts("edgeinfer_fallbacks_total", "reason") == {}
