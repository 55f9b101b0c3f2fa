"""Whatever a power cut or a failing card does to the store's files: it starts, serves, and says what is lost."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import numpy as np
import pytest

from edgeinfer.diagnostics import Verdict
from edgeinfer.errors import StoppedSession, StorageError, UnknownSession
from edgeinfer.gateway.durable_sessions import DurableSessions
from edgeinfer.gateway.store.inspection import inspect_store
from edgeinfer.gateway.store.records import RecordKind, encode, scan
from tests.gateway.rigs import API, Clock, api, make_rig, samples
from tests.gateway.stores import durable, make_store
from tests.gateway.test_sessions import batch

BATCHES = 60


def flip(data: bytes) -> bytes:
    """One bit of a byte in the middle."""
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 4]) + data[middle + 1 :]


DAMAGES: dict[str, Callable[[bytes], bytes | None]] = {
    "missing": lambda _: None,
    "empty": lambda _: b"",
    "cut": lambda data: data[: len(data) * 2 // 3],
    "zeros": lambda data: bytes(len(data)),
    "garbage": lambda data: np.random.default_rng(1).bytes(len(data)),
    "flipped": flip,
    "head smashed": lambda data: b"\xff" * 16 + data[16:],
    "zeros inside": lambda data: data[: len(data) // 3] + bytes(len(data) // 3) + data[2 * (len(data) // 3) :],
}
FILES = ("live-00000001.log", "live-00000002.log", "archive-00000001.log", "manifest.json")


async def fill(store: DurableSessions, clock: Clock | None = None) -> list[str]:
    """Two sessions under way and three that ended, in two live segments."""
    for _ in range(3):
        ended = await store.start()
        await store.append(ended.id, "default", batch(100))
        await store.stop(ended.id)
    sessions = [await store.start() for _ in range(2)]
    for index in range(BATCHES):
        for session in sessions:
            await store.append(session.id, "default", batch(25, 25 * index))
        if index == BATCHES // 2:
            await store.writer.do(lambda: store.log.seal("live"))
        if index == 5 * BATCHES // 6:
            await store.writer.sync()
            if clock is not None:
                clock.now += 1
    return [session.id for session in sessions]


def damage(path: Path, how: Callable[[bytes], bytes | None]) -> None:
    content = how(path.read_bytes())
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)


def set_aside(folder: Path) -> list[set[str]]:
    return [{path.name for path in one.iterdir()} for one in folder.glob("damaged/*")]


def prove_true(store: DurableSessions, sessions: list[str]) -> int:
    """What is served is a run of what was sent, without a hole; returns how many sessions are whole."""
    whole = 0
    for session_id in sessions:
        try:
            session = store.get(session_id)
        except UnknownSession:
            continue
        for stream in session.streams.values():
            first = stream.total - len(stream)
            assert stream.times.tolist() == (np.arange(first, stream.total) / 100).tolist()
            assert stream.values[:, 3].tolist() == (np.arange(first, stream.total) / 100).astype(np.float32).tolist()
        whole += session.total_samples == session.held_samples == 25 * BATCHES
    return whole


@pytest.mark.parametrize("how", DAMAGES)
@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("was_stopped", [True, False], ids=["stopped", "killed"])
async def test_a_damaged_file_is_set_aside_and_said(tmp_path: Path, name: str, how: str, *, was_stopped: bool) -> None:
    clock = Clock()
    before = make_store(tmp_path, clock)
    before.open()
    sessions = await fill(before, clock)
    if was_stopped:
        before.close()
    else:
        await before.writer.sync()
        before.writer.close()  # what a kill leaves: synced files, and a manifest that calls them open
        before._files.close()
    damage(tmp_path / name, DAMAGES[how])
    inspected = inspect_store(tmp_path)

    after = make_store(tmp_path, clock)
    after.open()
    whole = prove_true(after, sessions)
    # What a kill may leave at the end of a newest file is cut off and said; whatever else is set aside.
    is_torn = not was_stopped and how == "cut" and name not in {"live-00000001.log", "manifest.json"}
    said = "were no whole record: cut off" if is_torn else "lost at the start"
    assert said in after.kind
    assert name in after.kind
    assert any(name in diagnostic.message for diagnostic in inspected), "the doctor does not see it"
    assert (Verdict.NOTE if is_torn else Verdict.BROKEN) in {diagnostic.verdict for diagnostic in inspected}
    assert set_aside(tmp_path) == ([] if is_torn else [{"report.txt"} | ({name} if how != "missing" else set())])
    if name.startswith(("archive", "manifest")):
        assert whole == 2, "sessions under way were lost, and their files are well"
    for session_id in sessions:
        try:
            stream = after.get(session_id).stream()
        except UnknownSession:
            continue
        await after.append(session_id, "default", batch(25, stream.total))
    await after.expire()
    assert await after.check() == ""
    after.close()

    again = make_store(tmp_path, clock)
    again.open()
    assert "at the start" not in again.kind, "the same damage is found twice"
    prove_true(again, sessions)
    again.close()
    assert {diagnostic.verdict for diagnostic in inspect_store(tmp_path)} <= {Verdict.OK, Verdict.NOTE}


async def test_a_flipped_byte_costs_one_batch_and_what_is_older_in_its_stream(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    store.open()
    sessions = await fill(store)
    store.close()
    path = tmp_path / "live-00000002.log"
    data = path.read_bytes()
    third = data.index(b"\xe1IR\x01", 3000)
    path.write_bytes(data[: third + 200] + bytes([data[third + 200] ^ 1]) + data[third + 201 :])
    after = make_store(tmp_path)
    after.open()
    assert prove_true(after, sessions) == 1
    held = sorted(after.get(session_id).held_samples for session_id in sessions)
    assert 0 < held[0] < held[1]
    assert "1 of them without older samples (25 samples are known to be lost)" in after.kind
    after.close()


async def test_bit_rot_in_an_old_archive_is_found_while_the_gateway_runs(tmp_path: Path) -> None:
    clock = Clock()
    store = make_store(tmp_path, clock)
    store.open()
    ids = []
    for _ in range(3):
        session = await store.start()
        ids.append(session.id)
        await store.append(session.id, "default", batch(50))
        await store.stop(session.id)
        await store.writer.do(lambda: store.log.seal("archive"))
    store.close()
    damage(tmp_path / "archive-00000001.log", flip)
    after = make_store(tmp_path, clock)
    after.open()
    assert "lost" not in after.kind, "the start read the whole archive"
    await after.expire()
    assert "archive-00000001.log" in after.kind
    assert "only sessions that had ended are touched" in after.kind
    assert after._files.count_set_aside() == 1
    after.close()


async def test_an_emptied_folder_with_its_manifest_is_said(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    store.open()
    await fill(store)
    store.close()
    for name in FILES[:-1]:
        damage(tmp_path / name, DAMAGES["missing"])
    after = make_store(tmp_path)
    after.open()
    assert "live-00000001.log: it is missing" in after.kind
    assert "0 sessions continue" in after.kind
    after.close()


def test_a_new_folder_is_no_loss(tmp_path: Path) -> None:
    store = make_store(tmp_path / "new")
    store.open()
    assert "lost" not in store.kind
    store.close()
    assert inspect_store(tmp_path / "new") == []


async def test_a_moved_or_deleted_file_takes_no_more_samples(tmp_path: Path) -> None:
    rig = make_rig(store=durable(tmp_path / "data"))
    async with api(rig) as client:
        session_id = (await client.post(f"{API}/start")).json()["sessionId"]
        body = {"sessionId": session_id, "samples": samples(25)}
        assert (await client.put(f"{API}/stream", json=body)).status_code == 202
        (tmp_path / "data").rename(tmp_path / "moved")
        body = {"sessionId": session_id, "samples": samples(25, 25)}
        refused = await client.put(f"{API}/stream", json=body)
        assert refused.status_code == 507
        assert "moved, replaced or deleted" in refused.json()["message"]
        assert "Restart the gateway" in refused.json()["remedy"]
        await rig.health.run_once()
        assert (await client.get("/healthz")).status_code == 503
        (tmp_path / "moved").rename(tmp_path / "data")
        assert (await client.put(f"{API}/stream", json=body)).status_code == 202
        await rig.health.run_once()
        assert (await client.get("/healthz")).status_code == 200


async def test_files_and_folders_are_private_from_their_first_moment(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        store = make_store(tmp_path / "data")
        store.open()
        await fill(store)
        assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700
        assert {path.stat().st_mode & 0o777 for path in (tmp_path / "data").iterdir()} == {0o600}
        store.close()
        damage(tmp_path / "data" / "live-00000001.log", flip)
        again = make_store(tmp_path / "data")
        again.open()
        again.close()
    finally:
        os.umask(before)
    everything = list((tmp_path / "data").rglob("*"))
    assert {path.stat().st_mode & 0o777 for path in everything if path.is_dir()} == {0o700}
    assert {path.stat().st_mode & 0o777 for path in everything if path.is_file()} == {0o600}


async def test_a_session_begun_before_the_clock_was_set_has_its_true_length(tmp_path: Path) -> None:
    clock, wall = Clock(), Clock(0.0)
    store = make_store(tmp_path, clock, wall=wall)
    store.open()
    session, ended = await store.start(), await store.start()
    await store.stop(ended.id)
    store.close()
    wall.now = 1_795_971_147.9  # the network answered
    clock.now += 30
    after = make_store(tmp_path, clock, wall=wall)
    after.open()
    clock.now += 12
    assert (await after.stop(session.id)).duration_seconds == pytest.approx(42, abs=0.01)
    clock.now += 99 - 42
    await after.expire()
    assert len(archived_ids(tmp_path)) == 2, "an end stamped 1970 is dropped at once"
    after.close()


async def test_an_end_stamped_in_the_future_is_not_kept_forever(tmp_path: Path) -> None:
    clock, wall = Clock(), Clock(4_000_000_000.0)
    store = make_store(tmp_path, clock, wall=wall)
    store.open()
    session = await store.start()
    await store.append(session.id, "default", batch(5))
    await store.stop(session.id)
    wall.now = 1_700_000_000.0
    clock.now += 101
    await store.expire()
    assert archived_ids(tmp_path) == []
    store.close()


async def test_after_a_boot_the_time_continues_from_the_newest_record(tmp_path: Path) -> None:
    clock = Clock(5000.0)
    store = make_store(tmp_path, clock)
    store.open()
    session = await store.start()
    clock.now += 60
    await store.append(session.id, "default", batch(25))
    store.close()
    clock.now = 12.0  # since the new boot
    after = make_store(tmp_path, clock, boot=UUID(int=2))
    after.open()
    clock.now += 5
    assert (await after.stop(session.id)).duration_seconds == pytest.approx(65, abs=0.01)
    after.close()


def archived_ids(folder: Path) -> list[bytes]:
    records = [record for path in folder.glob("archive-*.log") for record in scan(path.read_bytes()).records]
    return [bytes(record.payload[:16]) for record in records if record.kind == RecordKind.ARCHIVED]


async def test_one_who_stops_waiting_leaves_its_stream_whole(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    store.open()
    session = await store.start()
    for first in range(0, 500, 25):
        waiting = asyncio.ensure_future(store.append(session.id, "default", batch(25, first)))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        total = store.get(session.id).total_samples
        stream = (await store.append(session.id, "default", batch(25, total))).stream
        assert stream.total == store.get(session.id).total_samples
    expected = store.get(session.id).total_samples
    stopping = asyncio.ensure_future(store.stop(session.id))
    await asyncio.sleep(0)
    stopping.cancel()
    await asyncio.gather(stopping, return_exceptions=True)
    other = await store.start()  # after the end, in the order of the files
    store.close()
    after = make_store(tmp_path)
    after.open()
    with pytest.raises(StoppedSession):
        after.get(session.id)
    assert after.get(other.id).total_samples == 0
    assert expected == 500
    after.close()


def test_records_are_found_behind_any_damage() -> None:
    records = [encode(RecordKind.PROBE, index, bytes([index]) * (index * 7)) for index in range(40)]
    data = b"".join(records)
    for place in range(0, len(data), 13):
        found = scan(data[:place] + b"\xe1IR" + data[place + 3 :])
        assert len(found.records) >= len(records) - 2
        times = [record.time_ms for record in found.records]
        assert times == sorted(times)
    assert scan(data).damaged == []
    assert scan(b"").records == []


async def test_a_job_that_fails_fails_alone(tmp_path: Path) -> None:
    store = make_store(tmp_path, max_bytes=1024 * 1024)
    store.open()
    sessions = [await store.start() for _ in range(16)]
    outcomes = await asyncio.gather(
        *(store.append(session.id, "default", batch(2000)) for session in sessions),
        *(store.append(sessions[0].id, "handler", batch(1, index)) for index in range(8)),
        return_exceptions=True,
    )
    refused = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    assert all(isinstance(outcome, StorageError) for outcome in refused)
    assert 0 < len(refused) < len(sessions)
    assert store.get(sessions[0].id).stream("handler").total == 8
    store.close()


@pytest.mark.parametrize("content", [b"", b"\xe1IR\x01\x06"], ids=["empty", "half a head"])
async def test_a_segment_that_a_kill_left_without_a_record_is_no_damage(tmp_path: Path, content: bytes) -> None:
    store = make_store(tmp_path)
    store.open()
    sessions = await fill(store)
    store.close()
    (tmp_path / "live-00000003.log").write_bytes(content)
    (tmp_path / "archive-00000002.log").write_bytes(content)
    for _ in range(3):  # starts that end before anything is written
        after = make_store(tmp_path)
        after.open()
        assert "at the start" not in after.kind
        assert prove_true(after, sessions) == 2
        after.close()
    assert [diagnostic.verdict for diagnostic in inspect_store(tmp_path)] == [Verdict.OK]


async def test_a_file_cut_between_two_records_after_a_clean_stop_is_said(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    store.open()
    sessions = await fill(store)
    store.close()
    path = tmp_path / "live-00000002.log"
    data = path.read_bytes()
    path.write_bytes(data[: scan(data).records[-4].place])
    after = make_store(tmp_path)
    after.open()
    assert "bytes where" in after.kind, "whole records are gone without a word"
    prove_true(after, sessions)
    after.close()
