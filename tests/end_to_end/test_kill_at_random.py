"""The gateway is killed again and again while phones stream; then every acknowledged sample is looked for."""

import asyncio
import random
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import aiohttp
import pytest

from edgeinfer.gateway.store.files import DiskFiles
from edgeinfer.gateway.store.records import Archived, RecordKind, scan
from edgeinfer.gateway.store.recovery import recover
from edgeinfer.loadgen.client import GatewayClient
from edgeinfer.loadgen.phone import Phone, Tally
from edgeinfer.loadgen.sample_source import SampleSource
from edgeinfer.recordings.reader import list_recordings, load_recording
from tests.end_to_end.service_process import ServiceProcess

pytestmark = [pytest.mark.end_to_end, pytest.mark.timeout(240)]

PHONES = 8
SAMPLES = 1500  # the store keeps at least 2000 of each stream, so that all of these can be counted
KILLS = 6


async def test_every_acknowledged_sample_is_there_after_the_gateway_was_killed_at_random(tmp_path: Path) -> None:
    gateway = ServiceProcess(
        *("gateway", "--backend-url", "http://127.0.0.1:9/infer", "--data-folder", str(tmp_path / "data")),
        log=tmp_path / "gateway.log",
    )
    tallies = [Tally() for _ in range(PHONES)]
    with gateway:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as http:
            phones = [
                Phone(GatewayClient(http, gateway.url), feed, tally, buffered_batches=1000)
                for feed, tally in zip(some_feeds(), tallies, strict=True)
            ]
            streaming = asyncio.gather(*(phone.run() for phone in phones))
            await kill_and_start_again(gateway)
            await streaming
    total = Tally()
    for tally in tallies:
        assert tally.samples == SAMPLES, "a phone gave up on samples"
        # A kill between the end of a session and its answer hides the count; the file below is counted in any case.
        is_known = not tally.failures["stopped_session"]
        assert tally.stored_samples == SAMPLES * is_known, "the gateway counts other samples than it acknowledged"
        assert tally.sessions == 1, "a session was forgotten"
        total.failures += tally.failures
    assert total.failures["connection_error"] > 0, "no kill hit a request under way: the test proves nothing"
    assert stored_samples(tmp_path / "data") == sorted(sent_times() for _ in range(PHONES))


async def kill_and_start_again(gateway: ServiceProcess) -> None:
    chance = random.Random()  # noqa: S311 - no two runs kill at the same moments
    for _ in range(KILLS):
        await asyncio.sleep(chance.uniform(0.3, 1.8))
        await asyncio.to_thread(gateway.kill)
        gateway.start()
        await asyncio.to_thread(gateway.await_ready)


def some_feeds() -> list[SampleSource]:
    feeds = []
    for info in list_recordings()[:PHONES]:
        recording = load_recording(info.name)
        feeds.append(SampleSource(replace(recording, samples=recording.samples[:SAMPLES])))
    return feeds


def sent_times() -> list[float]:
    return [round(index / 100, 6) for index in range(SAMPLES)]


def stored_samples(folder: Path) -> list[list[float]]:
    """Times of the newest samples of each session, under way or ended, in the order in which they were stored."""
    sessions: dict[UUID, list[float]] = {}
    for path in sorted(folder.glob("archive-*.log")):
        for record in scan(path.read_bytes()).records:
            if record.kind == RecordKind.ARCHIVED:
                archived = Archived.decode(record)
                sessions[archived.session] = [t for _, _, batch in archived.streams for t in batch.times.round(6)]
    for uuid, session in recover(DiskFiles(folder)).sessions.items():
        parts = [part.batch for stream in session.streams.values() for part in stream.parts]
        sessions[uuid] = [t for batch in parts for t in batch.times.round(6)]
    return sorted(sessions.values())
