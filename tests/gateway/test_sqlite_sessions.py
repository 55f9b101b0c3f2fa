"""What was accepted survives a killed process; a full disk accepts nothing and serves on."""

import asyncio
import json
import os
import random
import resource
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from edgeinfer.errors import DataFolderError, DuplicateSamples, StoppedSession, StorageError
from edgeinfer.gateway.instruments import GatewayInstruments
from edgeinfer.gateway.journal import FILE_NAME, Journal
from edgeinfer.gateway.sessions import SessionTable
from edgeinfer.gateway.sqlite_sessions import SqliteSessions
from edgeinfer.metrics.registry import new_registry
from tests.gateway.rigs import API, Clock, api, make_rig, samples
from tests.gateway.test_sessions import batch

WRITER = """
import asyncio, sys
from pathlib import Path
from edgeinfer.gateway.instruments import GatewayInstruments
from edgeinfer.gateway.journal import Journal
from edgeinfer.gateway.sessions import SessionTable
from edgeinfer.gateway.sqlite_sessions import SqliteSessions
from edgeinfer.metrics.registry import new_registry
from tests.gateway.test_sessions import batch

async def main():
    instruments = GatewayInstruments(new_registry(), motifs=("a",), sidecars=())
    store = SqliteSessions(SessionTable(instruments.sessions), Journal(Path(sys.argv[1])))
    store.open()
    async def phone():
        session = await store.start()
        for first in range(0, 10**9, 25):
            await store.append(session.id, "default", batch(25, first))
            print(session.id, first + 25, flush=True)
    await asyncio.gather(*(phone() for _ in range(8)))

asyncio.run(main())
"""


def make_store(folder: Path, clock: Clock | None = None, **journal: object) -> SqliteSessions:
    clock = clock or Clock()
    instruments = GatewayInstruments(new_registry(), motifs=("a",), sidecars=())
    table = SessionTable(instruments.sessions, clock=clock, wall=clock)
    return SqliteSessions(table, Journal(folder, **journal), retention_seconds=100, wall=clock)  # type: ignore[arg-type]  # as the test names them


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


async def test_sessions_go_on_after_a_restart(tmp_path: Path) -> None:
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
    with pytest.raises(DuplicateSamples):
        await after.append(session.id, "dog", batch(50, 5950))
    await after.append(session.id, "dog", batch(50, 6000))
    assert (await after.stop(session.id)).duration_seconds == pytest.approx(10)
    after.close()


async def test_the_file_keeps_little_more_than_the_newest(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    store.open()
    session = await store.start()
    for first in range(0, 20_000, 25):
        await store.append(session.id, "default", batch(25, first))
    store.close()
    with sqlite3.connect(tmp_path / FILE_NAME) as reading:
        (rows,) = reading.execute("SELECT count(*) FROM batches").fetchone()
    reading.close()
    assert 80 <= rows <= 101


async def test_what_arrives_together_shares_commits(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.open()
    await asyncio.gather(*(journal.write([("UPDATE checks SET count = count + 1", ())]) for _ in range(200)))
    journal.close()
    assert journal.writes == 200
    assert journal.commits < 100


async def test_a_write_is_whole_or_not_at_all(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    connection = journal.open()
    with pytest.raises(StorageError, match="none was accepted"):
        await journal.write([("UPDATE checks SET count = 77", ()), ("INSERT INTO nowhere VALUES (1)", ())])
    assert connection.execute("SELECT count FROM checks").fetchone() == (0,)
    await journal.write([("UPDATE checks SET count = 5", ())])
    journal.close()


async def test_ended_sessions_leave_the_file_after_their_time(tmp_path: Path) -> None:
    clock = Clock()
    store = make_store(tmp_path, clock)
    store.open()
    session = await store.start()
    await store.append(session.id, "default", batch(25))
    await store.stop(session.id)
    clock.now += 99
    await store.expire()
    assert rows(store) == (1, 1)
    clock.now += 2
    await store.expire()
    assert rows(store) == (0, 0)
    store.close()


def rows(store: SqliteSessions) -> tuple[int, int]:
    connection = store._journal._connection
    assert connection is not None
    (sessions,) = connection.execute("SELECT count(*) FROM sessions").fetchone()
    (batches,) = connection.execute("SELECT count(*) FROM batches").fetchone()
    return sessions, batches


async def test_a_full_store_refuses_with_507_and_serves_on(tmp_path: Path) -> None:
    def full_soon(table: SessionTable) -> SqliteSessions:
        return SqliteSessions(table, Journal(tmp_path, max_bytes=1024 * 1024), retention_seconds=1e6)

    rig = make_rig(store=full_soon)
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
        # The oldest that ended makes room, without waiting for its time.
        await client.post(f"{API}/stop", json={"sessionId": sessions[0]})
        rig.store._journal.fill = 1.0  # type: ignore[attr-defined]  # measured now and then; here it is known
        await rig.store.expire()
        again = await client.put(f"{API}/stream", json={"sessionId": sessions[1], "samples": samples(500, 2000)})
        assert again.status_code == 202


async def test_a_disk_without_room_is_the_same_to_a_phone(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    store.open()
    session = await store.start()
    await store.append(session.id, "default", batch(25))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    size = (tmp_path / f"{FILE_NAME}-wal").stat().st_size
    previous = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        with pytest.raises(StorageError):
            await store.append(session.id, "default", batch(2000, 25))
        with pytest.raises(StorageError):
            await store.check()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, previous)
    assert store.get(session.id).total_samples == 25
    await store.append(session.id, "default", batch(2000, 25))
    assert store.get(session.id).total_samples == 2025
    store.close()


def test_a_folder_in_use_is_told(tmp_path: Path) -> None:
    first, second = make_store(tmp_path), make_store(tmp_path)
    first.open()
    try:
        with pytest.raises(DataFolderError, match="another gateway"):
            second.open()
    finally:
        first.close()
        second.close()


def test_a_damaged_file_is_told(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes(b"this is no database" * 1000)
    with pytest.raises(DataFolderError, match="damaged or not ours"):
        make_store(tmp_path).open()


def test_a_folder_that_is_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(DataFolderError, match="taken"):
        make_store(tmp_path / "taken").open()


async def test_health_says_where_sessions_are_kept(tmp_path: Path) -> None:
    rig = make_rig(store=lambda table: SqliteSessions(table, Journal(tmp_path)))
    async with api(rig) as client:
        document = json.loads((await client.get("/health/detailed")).content)
    assert str(tmp_path) in document["checks"]["service"]["message"]
    assert "synchronous normal" in document["checks"]["service"]["message"]


async def test_a_store_that_is_closed_refuses(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    store.open()
    session = await store.start()
    store.close()
    store.close()
    with pytest.raises(StorageError, match="stopping"):
        await store.append(session.id, "default", batch(25))
