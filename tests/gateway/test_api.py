"""The API of the contract, with every field it names, over the whole application."""

from collections.abc import AsyncIterator

import httpx
import pytest

from tests.gateway import faulty_peer as peers
from tests.gateway.faulty_peer import peer
from tests.gateway.rigs import API, Rig, api, make_rig, samples


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    async with peer(peers.good) as sidecar:
        yield make_rig(sidecar.url)


@pytest.fixture
async def client(rig: Rig) -> AsyncIterator[httpx.AsyncClient]:
    async with api(rig) as client:
        yield client


async def start(client: httpx.AsyncClient) -> str:
    answer = await client.post(f"{API}/start")
    assert answer.status_code == 200
    session_id: str = answer.json()["sessionId"]
    return session_id


async def stream(client: httpx.AsyncClient, session_id: str, count: int, first: int = 0, **more: object) -> None:
    body = {"sessionId": session_id, "samples": samples(count, first), **more}
    answer = await client.put(f"{API}/stream", json=body)
    assert answer.status_code == 202, answer.text


async def test_a_session_from_start_to_stop(client: httpx.AsyncClient, rig: Rig) -> None:
    answer = await client.post(f"{API}/start", json={})
    assert answer.json().keys() >= {"sessionId", "status", "timestamp"}
    assert answer.json()["status"] == "started"
    session_id = answer.json()["sessionId"]
    for first in range(0, 150, 25):
        await stream(client, session_id, 25, first, windowStart=first / 100, windowEnd=(first + 24) / 100)
    answer = await client.post(f"{API}/stop", json={"sessionId": session_id})
    assert answer.status_code == 200
    document = answer.json()
    assert document["sessionId"] == session_id
    assert document["status"] == "stopped"
    assert document["totalSamples"] == 150
    assert document["duration_s"] >= 0
    assert "timestamp" in document
    assert rig.value("edgeinfer_samples_received_total") == 150
    assert rig.value("edgeinfer_sessions_active") == 0
    assert rig.value("edgeinfer_session_samples") == 0
    assert rig.counts("edgeinfer_sessions_ended_total", "reason") == {"stopped": 1}


async def test_motifs_are_twelve_sorted_by_score(client: httpx.AsyncClient, rig: Rig) -> None:
    session_id = await start(client)
    await stream(client, session_id, 100)
    answer = await client.get(f"{API}/motifs", params={"sessionId": session_id}, headers={"X-Request-Id": "ask-1"})
    document = answer.json()
    assert answer.status_code == 200
    assert answer.headers["x-request-id"] == "ask-1"
    assert document["sessionId"] == session_id
    assert document["topK"] == 12
    assert document["analysisWindowMs"] == 1000
    assert (document["source"], document["backend"]) == ("sidecar", "stub")
    assert "timestamp" in document
    motifs = document["motifs"]
    assert len(motifs) == 12
    assert [motif["score"] for motif in motifs] == sorted((motif["score"] for motif in motifs), reverse=True)
    assert sum(motif["score"] for motif in motifs) == pytest.approx(1)
    assert sorted(int(motif["id"].removeprefix("m")) for motif in motifs) == list(range(1, 13))
    first = motifs[0]
    assert first["id"] == "m1"
    assert first["description"] == rig.card.motifs[0].description
    assert first["confidence"] == pytest.approx(0.45 / 0.5)
    assert first["duration_ms"] == 1000
    assert motifs[1]["confidence"] == pytest.approx(0.05 / 0.5)
    assert {motif["duration_ms"] for motif in motifs[1:]} == {0}


async def test_time_of_a_motif_counts_each_moment_once(client: httpx.AsyncClient) -> None:
    session_id = await start(client)
    await stream(client, session_id, 100)
    await client.get(f"{API}/motifs", params={"sessionId": session_id})
    await client.get(f"{API}/motifs", params={"sessionId": session_id})
    await stream(client, session_id, 50, 100)
    answer = await client.get(f"{API}/motifs", params={"sessionId": session_id})
    assert answer.json()["motifs"][0]["duration_ms"] == 1500


async def test_motifs_need_a_whole_window(client: httpx.AsyncClient) -> None:
    session_id = await start(client)
    await stream(client, session_id, 99)
    answer = await client.get(f"{API}/motifs", params={"sessionId": session_id})
    assert (answer.status_code, answer.json()["error"]) == (409, "not_enough_samples")
    assert "99 samples" in answer.json()["message"]


async def test_synchrony_of_one_stream_has_no_confidence(client: httpx.AsyncClient) -> None:
    session_id = await start(client)
    await stream(client, session_id, 300)
    document = (await client.get(f"{API}/synchrony", params={"sessionId": session_id})).json()
    assert document["confidence"] == 0
    assert document["r"] == 0
    assert document["lag_ms"] == 0
    assert document.keys() >= {"sessionId", "window_ms", "timestamp"}


async def test_two_roles_are_two_streams_that_synchrony_compares(client: httpx.AsyncClient) -> None:
    session_id = await start(client)
    moving = [dict(one, ax=9.81 + (index * index * 7919 % 1009) / 500) for index, one in enumerate(samples(300))]
    for role in ("dog", "handler"):
        body = {"sessionId": session_id, "samples": moving, "role": role}
        assert (await client.put(f"{API}/stream", json=body)).status_code == 202
    document = (await client.get(f"{API}/synchrony", params={"sessionId": session_id})).json()
    assert document["r"] == pytest.approx(1)
    assert document["lag_ms"] == 0
    assert document["window_ms"] == 3000
    assert document["confidence"] > 0.99
    assert document["roles"] == ["dog", "handler"]


async def test_process_answers_with_the_newest_hundred(client: httpx.AsyncClient, rig: Rig) -> None:
    answer = await client.post(f"{API}/process", json={"samples": samples(130)})
    document = answer.json()
    assert answer.status_code == 200
    assert len(document["latent"]) == 64
    assert len(document["motif_scores"]) == 12
    assert (document["source"], document["backend"]) == ("sidecar", "stub")
    assert rig.value("hailo_samples_processed_total", metric="samples_processed") == 100


async def test_a_session_keeps_its_newest_two_thousand(client: httpx.AsyncClient, rig: Rig) -> None:
    session_id = await start(client)
    for first in range(0, 2600, 650):
        await stream(client, session_id, 650, first)
    assert rig.value("edgeinfer_session_samples") == 2000
    assert rig.store.get(session_id).stream().times[0] == pytest.approx(6.0)
    answer = await client.post(f"{API}/stop", json={"sessionId": session_id})
    assert answer.json()["totalSamples"] == 2600


async def test_health_by_accept_and_without_a_body(client: httpx.AsyncClient) -> None:
    text = await client.get("/healthz")
    assert (text.status_code, text.text) == (200, "OK")
    document = await client.get("/healthz", headers={"Accept": "application/json"})
    assert document.json()["status"] == "healthy"
    head = await client.head("/healthz")
    assert (head.status_code, head.content) == (200, b"")


async def test_detailed_health_names_every_check(client: httpx.AsyncClient) -> None:
    document = (await client.get("/health/detailed")).json()
    assert document.keys() >= {"status", "timestamp", "version", "uptime", "checks"}
    assert document["checks"].keys() == {"service", "hailo_backend", "inference_capability", "system_resources"}
    for check in document["checks"].values():
        assert check.keys() >= {"status", "message", "latency_ms", "last_checked"}
    assert "memory" in document["checks"]["service"]["message"]
    assert "sidecar (stub)" in document["checks"]["inference_capability"]["message"]


async def test_every_route_is_a_template_in_the_metrics(client: httpx.AsyncClient, rig: Rig) -> None:
    await client.get(f"{API}/motifs?sessionId=secret-one")
    await client.get("/nowhere/secret-two")
    await client.request("BREW", "/healthz")
    endpoints = rig.counts("edgeinfer_http_requests_total", "endpoint")
    assert f"{API}/motifs" in endpoints
    assert endpoints["unmatched"] >= 1
    assert not any("secret" in endpoint for endpoint in endpoints)
    assert rig.counts("edgeinfer_http_requests_total", "method").keys() <= {"GET", "HEAD", "POST", "PUT", "OTHER"}


async def test_the_caller_sees_the_request_id_of_every_answer(client: httpx.AsyncClient) -> None:
    answer = await client.get(f"{API}/motifs?sessionId=none", headers={"X-Request-Id": "mine"})
    assert answer.headers["x-request-id"] == "mine"
    forged = await client.get("/healthz", headers={"X-Request-Id": 'x" evil{}'})
    assert forged.headers["x-request-id"] != 'x" evil{}'
