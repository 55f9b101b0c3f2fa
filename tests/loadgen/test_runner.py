from collections.abc import AsyncIterator

import aiohttp
import pytest

from edgeinfer.loadgen.client import GatewayClient
from edgeinfer.loadgen.profile import Profile
from edgeinfer.loadgen.records import Records
from edgeinfer.loadgen.runner import Runner
from edgeinfer.loadgen.sample_source import SampleSource
from edgeinfer.loadgen.schedule import Operation, process_schedule, session_schedule
from edgeinfer.recordings.reader import load_recording
from tests.loadgen.fake_gateway import FakeGateway, serving

PROFILE = Profile("test", users=3, seconds=1.5, speed=4)


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session:
        yield session


def a_runner(http: aiohttp.ClientSession, url: str) -> Runner:
    return Runner(GatewayClient(http, url), [SampleSource(load_recording("walking-upper-leg"), loop=True)])


async def test_everything_that_is_due_is_sent_once(http: aiohttp.ClientSession) -> None:
    gateway, records = FakeGateway(), Records()
    async with serving(gateway) as url:
        run = await a_runner(http, url).run(PROFILE, records.append)
    for operation in Operation:
        due = sum(
            due.operation is operation
            for user in range(3)
            for due in (*session_schedule(PROFILE, user), *process_schedule(PROFILE, user))
        )
        assert gateway.calls[operation.value] == due == len(records.of(operation))
    assert not records.failures()
    assert [account.lost for account in run.sessions] == [0, 0, 0]
    assert sum(account.acknowledged for account in run.sessions) == gateway.calls["stream"] * 25


async def test_a_gateway_that_is_away_fails_every_request_by_class(http: aiohttp.ClientSession) -> None:
    records = Records()
    run = await a_runner(http, "http://127.0.0.1:9").run(PROFILE, records.append)
    assert set(records.failures()) == {"connection_error", "no_session"}
    assert not any(record.is_success for record in records)
    assert run.sessions == []


async def test_a_session_that_the_gateway_forgot_is_begun_again(http: aiohttp.ClientSession) -> None:
    gateway, records = FakeGateway(refuse=[]), Records()

    def forget_once(record: object) -> None:
        records.append(record)  # type: ignore[arg-type]  # the runner hands over records only
        if len(records) == 20:
            gateway.sessions.clear()

    async with serving(gateway) as url:
        run = await a_runner(http, url).run(PROFILE, forget_once)
    assert records.failures()["unknown_session"] >= 1
    assert len(run.sessions) > 3
    assert gateway.calls["start"] == len(records.of(Operation.START))


async def test_refusals_are_counted_with_their_class_and_status(http: aiohttp.ClientSession) -> None:
    gateway, records = FakeGateway(refuse=[(503, "overloaded")] * 2), Records()
    async with serving(gateway) as url:
        await a_runner(http, url).run(PROFILE, records.append)
    assert records.failures()["overloaded"] == 2
    assert {record.status for record in records if record.failure == "overloaded"} == {503}
