import asyncio
import random
from collections.abc import AsyncIterator

import aiohttp
import orjson
import pytest

from edgeinfer.loadgen.client import GatewayClient
from edgeinfer.loadgen.phone import Phone, Tally
from edgeinfer.loadgen.sample_source import SampleSource
from edgeinfer.recordings.reader import load_recording
from tests.loadgen.fake_gateway import FakeGateway, serving

FAST = 500.0


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session:
        yield session


def a_feed(*, loop: bool = False) -> SampleSource:
    return SampleSource(load_recording("walking-upper-leg"), loop=loop)


def a_phone(http: aiohttp.ClientSession, url: str, tally: Tally, feed: SampleSource | None = None) -> Phone:
    return Phone(GatewayClient(http, url), feed or a_feed(), tally, speed=FAST, jitter=random.Random(1))  # noqa: S311 - repeatable


async def until_sent(tally: Tally, samples: int) -> None:
    while tally.samples < samples:  # noqa: ASYNC110 - a tally does not notify when it grows
        await asyncio.sleep(0.001)


async def test_every_sample_of_a_recording_arrives_once_and_in_order(http: aiohttp.ClientSession) -> None:
    gateway, tally = FakeGateway(), Tally()
    async with serving(gateway) as url:
        await a_phone(http, url, tally).run()
    [stored] = gateway.stopped.values()
    assert stored == [index / 100 for index in range(2926)]
    assert (tally.samples, tally.stored_samples, tally.sessions) == (2926, 2926, 1)


async def test_windows_do_not_overlap_and_are_counted_by_source(http: aiohttp.ClientSession) -> None:
    gateway, tally = FakeGateway(source="fallback"), Tally()
    async with serving(gateway) as url:
        await a_phone(http, url, tally).run()
    assert gateway.asked_at == list(range(100, 2901, 100))
    assert tally.windows == {"fallback": 29}
    assert tally.synchrony == 2


async def test_a_batch_whose_answer_was_lost_is_counted_once(http: aiohttp.ClientSession) -> None:
    gateway, tally = FakeGateway(hang_up_after_storing=1), Tally()
    async with serving(gateway) as url:
        await a_phone(http, url, tally).run()
    assert tally.duplicates == 1
    assert (tally.samples, tally.stored_samples) == (2926, 2926)


async def test_a_gateway_that_refuses_for_a_while_loses_nothing(http: aiohttp.ClientSession) -> None:
    gateway, tally = (
        FakeGateway(refuse=[(503, "overloaded"), (507, "storage_error")], hang_up_before_reading=1),
        Tally(),
    )
    async with serving(gateway) as url:
        await a_phone(http, url, tally).run()
    assert tally.stored_samples == 2926
    assert tally.retries == 3
    assert tally.failures["overloaded"] == tally.failures["storage_error"] == tally.failures["connection_error"] == 1


async def test_a_gateway_that_starts_late_gets_everything(http: aiohttp.ClientSession) -> None:
    async with serving(FakeGateway()) as url:
        port = int(url.rsplit(":", 1)[1])
    tally = Tally()
    run = asyncio.create_task(a_phone(http, url, tally).run())
    await asyncio.sleep(0.3)
    assert not tally.is_connected
    async with serving(FakeGateway(), port):
        await run
    assert tally.stored_samples == 2926


async def test_a_session_that_the_gateway_forgot_is_begun_again(http: aiohttp.ClientSession) -> None:
    gateway, tally = FakeGateway(), Tally()
    async with serving(gateway) as url:
        run = asyncio.create_task(a_phone(http, url, tally).run())
        await until_sent(tally, 1000)
        lost = sum(len(times) for times in gateway.sessions.values())
        gateway.sessions.clear()
        await run
    assert tally.sessions == 2
    assert tally.samples == 2926
    assert tally.stored_samples == 2926 - lost


async def test_a_phone_asked_to_stop_ends_its_session_and_shows_what_it_had_sent(http: aiohttp.ClientSession) -> None:
    gateway, tally = FakeGateway(), Tally()
    async with serving(gateway) as url:
        phone = a_phone(http, url, tally, a_feed(loop=True))
        run = asyncio.create_task(phone.run())
        await until_sent(tally, 6000)
        phone.stop()
        await run
    assert not gateway.sessions
    [stored] = gateway.stopped.values()
    assert len(stored) == tally.samples == tally.stored_samples
    assert stored == sorted(stored)


async def test_the_end_of_a_session_is_reported_until_the_gateway_has_heard_it(http: aiohttp.ClientSession) -> None:
    gateway, tally = FakeGateway(hang_up_before_stopping=2), Tally()
    async with serving(gateway) as url:
        await a_phone(http, url, tally).run()
    assert tally.failures["connection_error"] == 2
    assert tally.stored_samples == tally.samples > 0


async def test_a_phone_asked_to_stop_while_the_gateway_is_away_ends_at_once(http: aiohttp.ClientSession) -> None:
    tally = Tally()
    phone = a_phone(http, "http://127.0.0.1:9", tally, a_feed(loop=True))
    run = asyncio.create_task(phone.run())
    await asyncio.sleep(0.5)
    phone.stop()
    await asyncio.wait_for(run, 2)
    assert tally.samples == 0
    assert 0 < tally.unsent_samples <= 242 * 25


def test_time_continues_to_grow_where_a_recording_begins_again() -> None:
    feed = a_feed(loop=True)
    batch = feed.cut(2920, 25)
    samples = orjson.loads(batch.samples)
    assert [sample["t"] for sample in samples] == [pytest.approx((2920 + i) / 100) for i in range(25)]
    first = orjson.loads(feed.cut(0, 1).samples)[0]
    assert {**samples[6], "t": 0.0} == {**first, "t": 0.0}


def test_a_recording_that_is_not_looped_ends_with_a_shorter_batch() -> None:
    counts = [batch.count for batch in a_feed().batches()]
    assert counts == [25] * 117 + [1]


async def test_what_was_done_is_sent_and_counted_next_to_what_the_model_said(http: aiohttp.ClientSession) -> None:
    gateway, tally = FakeGateway(), Tally()
    feed = SampleSource(load_recording("pocket-person-3"))
    async with serving(gateway) as url:
        await a_phone(http, url, tally, feed).run()
    assert set(gateway.activities) == {"sitting", "sit_to_stand", "walking", "turning", "stand_to_sit"}
    assert tally.activities.total() == len(gateway.asked_at)
    by_activity = tally.as_document()["windows_by_activity"]
    assert by_activity["walking"] == {"walking": tally.activities["walking", "walking"]}
    assert tally.activities["walking", "walking"] > 10
