"""Streams that heal, over the API and through restarts: late, doubled, on a clock that jumps, at other rates."""

import asyncio
import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeinfer.errors import StorageError
from edgeinfer.gateway.durable_sessions import DurableSessions
from edgeinfer.gateway.samples import Batch
from edgeinfer.gateway.store.layout import LIVE
from edgeinfer.gateway.store.records import RecordKind
from edgeinfer.gateway.stream import NEWEST_SAMPLES, Stream
from tests.gateway.power_cut import Disk, PowerCutFiles
from tests.gateway.rigs import API, Clock, Rig, api, make_rig, samples
from tests.gateway.stores import make_store
from tests.gateway.test_durable_sessions import live_kinds
from tests.gateway.test_placement import batch, seconds, uploads


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def rig(clock: Clock) -> Rig:
    return make_rig(table={"clock": clock, "wall": clock})


@pytest.fixture
async def client(rig: Rig) -> AsyncIterator[httpx.AsyncClient]:
    async with api(rig) as client:
        yield client


@pytest.fixture
async def session_id(client: httpx.AsyncClient) -> str:
    answer: str = (await client.post(f"{API}/start")).json()["sessionId"]
    return answer


def at(rate: float, count: int, start: float = 0.0) -> list[dict[str, Any]]:
    return [{**one, "t": round(start + index / rate, 6)} for index, one in enumerate(samples(count))]


async def put(client: httpx.AsyncClient, session_id: str, upload: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    answer = await client.put(f"{API}/stream", json={"sessionId": session_id, "samples": upload, **more})
    assert answer.status_code == 202, answer.text
    document: dict[str, Any] = answer.json()
    return document


async def ask(client: httpx.AsyncClient, session_id: str, what: str = "motifs") -> httpx.Response:
    return await client.get(f"{API}/{what}", params={"sessionId": session_id})


async def test_the_202_counts_what_is_new_known_and_late(client: httpx.AsyncClient, session_id: str) -> None:
    await put(client, session_id, samples(25))
    assert (await put(client, session_id, samples(50)))["skipped"] == 25
    again = await put(client, session_id, samples(25))
    assert (again["accepted"], again["skipped"], again["retry"], again["newest_t"]) == (0, 25, False, 0.49)
    await put(client, session_id, samples(25, 75))
    late = await put(client, session_id, samples(25, 50))
    assert (late["accepted"], late["skipped"], late["late"], late["newest_t"]) == (25, 0, 25, 0.99)
    assert late["totalSamples"] == late["heldSamples"] == 100
    assert (await ask(client, session_id)).json()["window"]["interpolated"] == 0


async def test_a_jump_of_the_clock_is_stated_and_costs_one_second(
    client: httpx.AsyncClient, session_id: str, clock: Clock
) -> None:
    await put(client, session_id, at(100, 100, 1.7e9))
    clock.now += 0.25
    assert (await put(client, session_id, at(100, 25, 1.8e9)))["clock_jumps"] == 1
    refused = await ask(client, session_id)
    assert (refused.status_code, refused.json()["reason"]) == (409, "new_segment")
    assert refused.json()["newest_t"] == pytest.approx(1.8e9 + 0.24)
    await put(client, session_id, at(100, 75, 1.8e9 + 0.25))
    assert (await ask(client, session_id)).status_code == 200


@pytest.mark.parametrize(("rate", "span", "share"), [(25, 1040, 0.75), (50, 1020, 0.5), (200, 995, 0.0)])
async def test_another_rate_is_resampled_and_stated(
    client: httpx.AsyncClient, session_id: str, rate: int, span: int, share: float, clock: Clock
) -> None:
    await put(client, session_id, at(rate, 3 * rate))
    clock.now += 2.5
    document = (await ask(client, session_id)).json()
    assert document["analysisWindowMs"] == span
    window = document["window"]
    assert window["rate_hz"] == pytest.approx(rate, abs=0.01)
    assert window["interpolated"] == pytest.approx(share, abs=0.011)
    assert window["newest_age_ms"] == 2500
    processed = (await client.post(f"{API}/process", json={"samples": at(rate, 3 * rate)})).json()
    assert processed["window"] == {name: value for name, value in window.items() if name != "newest_age_ms"}


@pytest.mark.parametrize(
    ("upload", "error", "reason"),
    [
        (at(10, 100), "unusable_window", "rate"),
        (at(100, 100) + at(100, 50, 1.2), "unusable_window", "hole"),
        (at(100, 100) + at(100, 50, 600), "not_enough_samples", "new_segment"),
        (at(200, 150), "not_enough_samples", "too_short"),
    ],
)
async def test_what_makes_no_window_says_why_and_what_was_seen(
    client: httpx.AsyncClient, session_id: str, upload: list[dict[str, Any]], error: str, reason: str
) -> None:
    await put(client, session_id, upload)
    answer = await ask(client, session_id)
    document = answer.json()
    assert (answer.status_code, document["error"], document["reason"], document["retry"]) == (409, error, reason, True)
    assert document["newest_t"] == upload[-1]["t"]
    assert document["seen"]["samples"] > 0


async def test_milliseconds_one_sample_at_a_time_are_named_when_asked(
    client: httpx.AsyncClient, session_id: str
) -> None:
    for index in range(20):
        await put(client, session_id, [{**samples(1)[0], "t": 5000.0 + 20 * index}])
    document = (await ask(client, session_id)).json()
    assert (document["error"], document["reason"], document["unit"]) == ("unusable_window", "unit", "milliseconds")


async def test_a_process_request_with_a_hole_is_refused_with_what_was_seen(client: httpx.AsyncClient) -> None:
    answer = await client.post(f"{API}/process", json={"samples": at(100, 100) + at(100, 50, 1.2)})
    assert (answer.status_code, answer.json()["error"], answer.json()["reason"]) == (409, "unusable_window", "hole")
    assert answer.json()["seen"]["longest_hole_ms"] == 210
    answer = await client.post(f"{API}/process", json={"samples": [*at(100, 100), *at(100, 20, 0.5)]})
    assert (answer.status_code, answer.json()["error"]) == (422, "invalid_samples")


async def test_an_empty_upload_hides_no_stream_and_takes_no_role(client: httpx.AsyncClient, session_id: str) -> None:
    await put(client, session_id, samples(150), role="dog")
    empty = await put(client, session_id, [])
    assert (empty["accepted"], empty["newest_t"]) == (0, None)
    assert (await ask(client, session_id)).json()["role"] == "dog"
    await put(client, session_id, samples(150), role="handler")
    await put(client, session_id, [], role="third")
    assert (await ask(client, session_id, "synchrony")).json()["roles"] == ["dog", "handler"]


# --- Through restarts


def same(first: Stream, second: Stream) -> None:
    assert first.total == second.total
    assert first.times.tolist() == second.times.tolist()
    assert first.values.tolist() == second.values.tolist()
    assert first.segment_length == second.segment_length


async def reopened(store: DurableSessions, place: Any, session_id: str) -> None:
    """Hold the stream of a store against that of another one on the same files."""
    stream = store.get(session_id).stream()
    store.close()
    after = make_store(place)
    after.open()
    try:
        same(after.get(session_id).stream(), stream)
        assert after.kind.count("lost") == 0
    finally:
        after.close()


async def test_late_and_jumping_samples_are_the_same_after_a_restart(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    store.open()
    session = await store.start()
    for first in (0, 0.5, 0.25, 0.25, 1000, 1000.5, 1000.25, 3, 3.5, 3.25):
        await store.append(session.id, "default", batch(seconds(first, 25)))
    await store.append(session.id, "default", batch([*seconds(3.4, 20), *seconds(9, 20), *seconds(5, 20)]))
    assert RecordKind.LATE in live_kinds(tmp_path)
    assert store.get(session.id).total_samples == 265
    await reopened(store, tmp_path, session.id)


@pytest.mark.parametrize("seed", range(3))
async def test_the_newest_two_thousand_are_the_same_after_a_restart_whatever_their_order(
    tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)  # noqa: S311 - an order of uploads
    store = make_store(tmp_path, max_bytes=4 * 1024 * 1024)
    store.open()
    session = await store.start()
    order = sorted(range(400), key=lambda index: index + chance.uniform(0, 20))
    for count, index in enumerate(order):
        start = 0.1 * index + (500 if index > 250 else 0)
        await store.append(session.id, "default", batch(seconds(start, 10 + chance.choice([0, 0, 5]))))
        if count % 50 == 0:
            await store.writer.do(lambda: store.log.seal("live"))
            await store.expire()
    stream = store.get(session.id).stream()
    assert stream.total > NEWEST_SAMPLES == len(stream)
    await reopened(store, tmp_path, session.id)


@given(uploads(), st.integers(0, 60))
@settings(deadline=None, max_examples=40)
def test_any_sequence_of_uploads_is_the_same_after_a_restart_in_its_middle(sequence: list[Batch], cut: int) -> None:
    async def play() -> None:
        disk = PowerCutFiles(Disk(), random.Random(0))  # noqa: S311 - nothing is left to chance
        whole, store = Stream("default"), make_store(disk)
        store.open()
        session = await store.start()
        for number, upload in enumerate(sequence):
            if number == cut:
                store.close()
                store = make_store(disk)
                store.open()
            stored = await store.append(session.id, "default", upload)
            placement = whole.place(upload)
            whole.accept(placement.pieces, 0.0, 0.0)
            assert (stored.accepted, stored.known) == (placement.accepted, placement.known)
        if whole.total:
            same(store.get(session.id).stream(), whole)
        store.close()

    asyncio.run(play())


async def test_what_housekeeping_wrote_again_goes_in_the_order_in_which_it_was_written() -> None:
    disk = PowerCutFiles(Disk(), random.Random(0))  # noqa: S311 - nothing is left to chance
    store = make_store(disk)
    store.open()
    session = await store.start()
    for upload in (seconds(0, 1000), seconds(10.5, 500), seconds(10, 50)):
        await store.append(session.id, "default", batch(upload))
    await store._move(session.id, store._kept[session.id], store.log.current(LIVE))
    await store.append(session.id, "default", batch(seconds(15.5, 1600)))
    await reopened(store, disk, session.id)


async def test_an_upload_of_more_than_a_stream_holds_is_the_same_after_a_restart(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    store.open()
    session = await store.start()
    await store.append(session.id, "default", batch(seconds(100, 100)))
    dense = batch(np.round(95 + np.arange(2500) / 500, 6))
    stored = await store.append(session.id, "default", dense)
    assert (stored.accepted, stored.late) == (2500, 2500)
    await store.append(session.id, "default", batch(seconds(101, 5)))
    await reopened(store, tmp_path, session.id)


async def test_a_write_that_fails_leaves_a_late_upload_to_be_sent_again() -> None:
    disk = PowerCutFiles(Disk(), random.Random(0))  # noqa: S311 - nothing is left to chance
    store = make_store(disk)
    store.open()
    session = await store.start()
    for first in (0, 0.5):
        await store.append(session.id, "default", batch(seconds(first, 25)))
    disk.free_bytes = 0
    upload = batch(seconds(0.25, 75))
    with pytest.raises(StorageError):
        await store.append(session.id, "default", upload)
    assert store.get(session.id).total_samples == 50
    disk.free_bytes = 1 << 40
    stored = await store.append(session.id, "default", upload)
    assert (stored.accepted, stored.known, stored.late) == (50, 25, 25)
    await reopened(store, disk, session.id)


async def test_the_time_of_a_motif_begins_again_when_the_clock_goes_back(
    client: httpx.AsyncClient, session_id: str
) -> None:
    for start in (1.7e9, 1.7e9 + 1, 5000.0):
        await put(client, session_id, at(100, 100, start))
        top = (await ask(client, session_id)).json()["motifs"][0]
    assert top["duration_ms"] == 1000
