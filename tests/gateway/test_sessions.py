"""Sessions within their bounds, for both stores; what only the files promise is in test_durable_sessions."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeinfer.errors import InvalidSamples, StoppedSession, UnknownSession
from edgeinfer.gateway.durable_sessions import DurableSessions
from edgeinfer.gateway.instruments import GatewayInstruments, StoreInstruments
from edgeinfer.gateway.samples import Batch
from edgeinfer.gateway.sessions import MemorySessions, SessionStore, SessionTable
from edgeinfer.gateway.store.files import DiskFiles
from edgeinfer.gateway.stream import Stream
from edgeinfer.metrics.registry import new_registry
from tests.gateway.rigs import Clock

Make = Callable[[SessionTable], SessionStore]


def batch(count: int, first: int = 0) -> Batch:
    times = np.arange(first, first + count) / 100
    return Batch(times, np.repeat(times[:, None], 9, axis=1).astype(np.float32))


def back_and_forth() -> Batch:
    times = np.array([0.0, 20.0] * 100) + np.arange(200.0)
    return Batch(times, np.zeros((200, 9), np.float32))


def store_instruments() -> StoreInstruments:
    return GatewayInstruments(new_registry(), motifs=("a",), sidecars=()).store


@pytest.fixture(params=["memory", "durable"])
def make_store(request: pytest.FixtureRequest, tmp_path: Path) -> Make:
    if request.param == "memory":
        return MemorySessions
    return lambda table: DurableSessions(table, DiskFiles(tmp_path), store_instruments())


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def store(make_store: Make, clock: Clock) -> AsyncIterator[SessionStore]:
    instruments = GatewayInstruments(new_registry(), motifs=("a",), sidecars=())
    store = make_store(SessionTable(instruments.sessions, max_sessions=3, idle_seconds=60, clock=clock))
    store.open()
    yield store
    store.close()


async def test_samples_are_there_after_each_append(store: SessionStore) -> None:
    session = await store.start()
    for first in range(0, 100, 25):
        stream = (await store.append(session.id, "default", batch(25, first))).stream
    assert len(stream) == stream.total == 100
    window, source = stream.window()
    assert window[:, 0] == pytest.approx(np.arange(100) / 100)
    assert (source.samples, source.interpolated) == (100, 0.0)


async def test_one_session_more_evicts_the_one_silent_longest(store: SessionStore, clock: Clock) -> None:
    sessions = [await store.start() for _ in range(3)]
    clock.now += 1
    await store.append(sessions[0].id, "default", batch(5))
    await store.start()
    assert store.get(sessions[0].id).total_samples == 5
    with pytest.raises(StoppedSession, match="evicted"):
        store.get(sessions[1].id)


async def test_silent_sessions_expire_and_others_stay(store: SessionStore, clock: Clock) -> None:
    silent, talking = await store.start(), await store.start()
    clock.now += 59
    await store.append(talking.id, "default", batch(5))
    clock.now += 2
    await store.expire()
    with pytest.raises(StoppedSession, match="expired"):
        store.get(silent.id)
    assert store.get(talking.id).total_samples == 5


async def test_a_stopped_session_shows_its_length_and_takes_no_more(store: SessionStore, clock: Clock) -> None:
    session = await store.start()
    await store.append(session.id, "dog", batch(30))
    await store.append(session.id, "handler", batch(20))
    clock.now += 12.5
    ended = await store.stop(session.id)
    assert ended.total_samples == 50
    assert ended.duration_seconds == pytest.approx(12.5)
    with pytest.raises(StoppedSession):
        await store.append(session.id, "dog", batch(5, 30))
    with pytest.raises(StoppedSession):
        await store.stop(session.id)
    with pytest.raises(UnknownSession):
        await store.stop("nobody")


async def test_requests_side_by_side_are_checked_against_each_other(store: SessionStore) -> None:
    session = await store.start()
    outcomes = await asyncio.gather(*(store.append(session.id, "default", batch(25)) for _ in range(8)))
    assert sorted((outcome.accepted, outcome.known) for outcome in outcomes) == [*7 * [(0, 25)], (25, 0)]
    assert store.get(session.id).total_samples == 25


async def test_a_refused_batch_leaves_no_trace(store: SessionStore) -> None:
    session = await store.start()
    await store.append(session.id, "default", batch(50))
    with pytest.raises(InvalidSamples, match="go back"):
        await store.append(session.id, "default", back_and_forth())
    with pytest.raises(InvalidSamples):
        await store.append(session.id, "NOT A ROLE", batch(5))
    assert store.get(session.id).total_samples == 50
    assert list(store.get(session.id).streams) == ["default"]


@given(st.lists(st.integers(0, 900), max_size=12))
@settings(deadline=None)
def test_a_stream_always_holds_exactly_the_newest_two_thousand(counts: list[int]) -> None:
    stream, sent = Stream("default"), 0
    for count in counts:
        stream.append(batch(count, sent))
        sent += count
    first = max(0, sent - 2000)
    assert stream.total == sent
    assert stream.times.tolist() == (np.arange(first, sent) / 100).tolist()
    assert stream.values[:, 8].tolist() == (np.arange(first, sent) / 100).astype(np.float32).tolist()


def test_memory_of_a_stream_is_bounded() -> None:
    stream = Stream("default")
    for first in range(0, 100_000, 25):
        stream.append(batch(25, first))
    assert stream._values.nbytes + stream._times.nbytes < 3000 * 44
