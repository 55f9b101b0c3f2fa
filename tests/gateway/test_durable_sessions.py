"""What was accepted survives a killed process; a full disk accepts nothing and serves on."""

import asyncio
import json
import os
import random
import resource
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edgeinfer.errors import DataFolderError, StoppedSession, StorageError
from edgeinfer.gateway.store.records import Archived, RecordKind, scan
from tests.gateway.rigs import API, Clock, api, make_rig, samples
from tests.gateway.stores import durable, make_store
from tests.gateway.test_sessions import batch

WRITER = """
import asyncio, sys
from pathlib import Path
from tests.gateway.stores import make_store
from tests.gateway.test_sessions import batch

async def main():
    store = make_store(Path(sys.argv[1]))
    store.open()
    async def phone():
        session = await store.start()
        for first in range(0, 10**9, 25):
            await store.append(session.id, "default", batch(25, first))
            print(session.id, first + 25, flush=True)
    await asyncio.gather(*(phone() for _ in range(8)))

asyncio.run(main())
"""


@pytest.mark.parametrize("seed", range(3))
def test_a_killed_process_loses_no_acknowledged_sample(tmp_path: Path, seed: int) -> None:
    patience = random.Random(seed).uniform(0.02, 0.4)  # noqa: S311 - a moment to kill at
    with subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        first_line = writer.stdout.readline()
        assert first_line
        os.set_blocking(writer.stdout.fileno(), True)
        timer = subprocess.Popen(["sleep", str(patience)])
        timer.wait()
        writer.send_signal(signal.SIGKILL)
        lines = [first_line, *writer.stdout.read().splitlines(keepends=True)]
    acknowledged: dict[str, int] = {}
    for line in lines:
        if line.endswith("\n"):
            session_id, count = line.split()
            acknowledged[session_id] = max(acknowledged.get(session_id, 0), int(count))
    store = make_store(tmp_path)
    store.open()
    try:
        for session_id, least in acknowledged.items():
            stream = store.get(session_id).stream()
            assert stream.total >= least
            assert stream.total - least <= 25, "one batch may be stored without its answer having gone out"
            assert len(stream) == min(2000, stream.total)
            assert stream.newest_seconds == pytest.approx((stream.total - 1) / 100)
    finally:
        store.close()
    assert len(acknowledged) == 8


async def test_sessions_continue_after_a_restart(tmp_path: Path) -> None:
    clock = Clock()
    before = make_store(tmp_path, clock)
    before.open()
    session, stopped = await before.start(), await before.start()
    for first in range(0, 6000, 50):
        await before.append(session.id, "dog", batch(50, first))
    await before.append(session.id, "handler", batch(30))
    await before.stop(stopped.id)
    held = before.get(session.id).stream("dog")
    before.close()
    clock.now += 10
    after = make_store(tmp_path, clock)
    after.open()
    restored = after.get(session.id)
    assert restored.stream("dog").times.tolist() == held.times.tolist()
    assert (restored.stream("dog").values == held.values).all()
    assert restored.total_samples == 6030
    assert restored.stream().role == "handler"
    with pytest.raises(StoppedSession, match="stopped"):
        after.get(stopped.id)
    again = await after.append(session.id, "dog", batch(50, 5950))
    assert (again.accepted, again.known) == (0, 50)
    await after.append(session.id, "dog", batch(50, 6000))
    assert (await after.stop(session.id)).duration_seconds == pytest.approx(10)
    after.close()


async def test_the_files_keep_little_more_than_the_newest(tmp_path: Path) -> None:
    store = make_store(tmp_path, max_bytes=4 * 1024 * 1024)
    store.open()
    session = await store.start()
    for first in range(0, 200_000, 500):
        await store.append(session.id, "default", batch(500, first))
    await store.expire()
    assert files_bytes(tmp_path) < 8 * 128 * 1024
    store.close()
    after = make_store(tmp_path)
    after.open()
    assert after.get(session.id).stream().times.tolist() == (np.arange(198_000, 200_000) / 100).tolist()
    assert after.get(session.id).total_samples == 200_000
    after.close()


def files_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("*.log"))


async def test_what_arrives_together_shares_commits(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    store.open()
    await asyncio.gather(*(store.start() for _ in range(200)))
    store.close()
    assert store.writer.writes == 200
    assert store.writer.commits < 100


async def test_ended_sessions_leave_the_files_after_their_time_and_no_sooner(tmp_path: Path) -> None:
    clock = Clock()
    store = make_store(tmp_path, clock)
    store.open()
    session = await store.start()
    await store.append(session.id, "default", batch(25))
    await store.stop(session.id)
    clock.now += 99
    await store.expire()
    assert archived(tmp_path) == [session.id]
    clock.now += 2
    await store.expire()
    assert archived(tmp_path) == []
    assert not [kind for kind in live_kinds(tmp_path) if kind == RecordKind.BATCH], (
        "its samples are in the live files still"
    )
    store.close()


def archived(folder: Path) -> list[str]:
    """Ids of the sessions in the archive."""
    return [
        str(Archived.decode(record).session)
        for path in sorted(folder.glob("archive-*.log"))
        for record in scan(path.read_bytes()).records
        if record.kind == RecordKind.ARCHIVED
    ]


def live_kinds(folder: Path) -> list[int]:
    return [record.kind for path in folder.glob("live-*.log") for record in scan(path.read_bytes()).records]


async def test_a_full_store_refuses_with_507_and_serves_on(tmp_path: Path) -> None:
    rig = make_rig(store=durable(tmp_path, max_bytes=1024 * 1024, retention_seconds=1e6))
    async with api(rig) as client:
        sessions, refused = [], None
        while refused is None:
            started = await client.post(f"{API}/start")
            if started.status_code != 200:
                refused = started
                break
            sessions.append(started.json()["sessionId"])
            sent = await client.put(f"{API}/stream", json={"sessionId": sessions[-1], "samples": samples(2000)})
            if sent.status_code != 202:
                refused = sent
        assert (refused.status_code, refused.json()["error"]) == (507, "storage_error")
        assert "none was accepted" in refused.json()["message"]
        assert rig.store.get(sessions[-1]).total_samples in {0, 2000}
        assert rig.store.get(sessions[0]).total_samples == 2000
        assert (await client.get(f"{API}/motifs", params={"sessionId": sessions[0]})).status_code == 200
        assert (await client.get("/metrics")).status_code == 200
        await rig.health.run_once()
        assert rig.health.results["service"].status == "degraded", "refused writes are not seen"
        for first in range(2000, 100_000, 25):
            body = {"sessionId": sessions[0], "samples": samples(25, first)}
            if (await client.put(f"{API}/stream", json=body)).status_code == 507:
                break
        await rig.health.run_once()
        assert rig.health.results["service"].status == "unhealthy", "health is easier than the work"
        assert (await client.get("/healthz")).status_code == 503
        # One that ended makes room, without waiting for its time.
        stopped = await client.post(f"{API}/stop", json={"sessionId": sessions[0]})
        assert stopped.status_code == 200, "a full store lets no session end"
        await rig.store.expire()
        again = await client.put(f"{API}/stream", json={"sessionId": sessions[1], "samples": samples(500, 2000)})
        assert again.status_code == 202
        await rig.health.run_once()
        assert rig.health.results["service"].status == "healthy"
        assert "before their time" in rig.health.results["service"].message


async def test_a_disk_without_room_is_the_same_to_a_phone_and_lets_sessions_end(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    store.open()
    session, other = await store.start(), await store.start()
    await store.append(session.id, "default", batch(25))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    size = (tmp_path / "live-00000001.log").stat().st_size
    previous = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    # Room for the end of a session, as its reserve gives it, and for no batch.
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 64, hard))
    try:
        with pytest.raises(StorageError):
            await store.append(session.id, "default", batch(2000, 25))
        with pytest.raises(StorageError):
            await store.check()
        assert (await store.stop(other.id)).reason == "stopped"
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, previous)
    assert store.get(session.id).total_samples == 25
    await store.append(session.id, "default", batch(2000, 25))
    assert store.get(session.id).total_samples == 2025
    store.close()
    after = make_store(tmp_path)
    after.open()
    assert after.get(session.id).total_samples == 2025
    with pytest.raises(StoppedSession):
        after.get(other.id)
    assert "lost" not in after.kind, "what a full disk cut off counts as damage"
    after.close()


def test_a_folder_in_use_is_reported(tmp_path: Path) -> None:
    first, second = make_store(tmp_path), make_store(tmp_path)
    first.open()
    try:
        with pytest.raises(DataFolderError, match="another gateway"):
            second.open()
    finally:
        first.close()
        second.close()


def test_a_folder_that_is_a_file_is_reported(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(DataFolderError, match="taken"):
        make_store(tmp_path / "taken").open()


async def test_health_says_where_sessions_are_kept(tmp_path: Path) -> None:
    rig = make_rig(store=durable(tmp_path))
    async with api(rig) as client:
        document = json.loads((await client.get("/health/detailed")).content)
    assert str(tmp_path) in document["checks"]["service"]["message"]
    assert "bounded: on the disk within 1000 ms" in document["checks"]["service"]["message"]


async def test_a_store_that_is_closed_refuses(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    store.open()
    session = await store.start()
    store.close()
    store.close()
    with pytest.raises(StorageError, match="stopping"):
        await store.append(session.id, "default", batch(25))
