"""Phones that stream into a store while its process is killed or its disk loses power, and what must be left.

A phone holds some samples back and sends them seconds later, alone or before newer ones, as one does whose uploads
overtake each other: what is killed or cut is a merge into the past as often as an upload in order.
"""

import asyncio
import os
import random
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from edgeinfer.errors import EdgeInferError, StorageError
from edgeinfer.gateway.durable_sessions import DurableSessions
from edgeinfer.gateway.samples import Batch, Sample, read_batch
from edgeinfer.gateway.store.writer import Durability
from tests.gateway.power_cut import Disk, PowerCutFiles
from tests.gateway.rigs import Clock
from tests.gateway.store_promises import LossError, Promises
from tests.gateway.stores import make_store
from tests.gateway.test_sessions import batch

PHONES = 8
_MAX_BYTES = 4 * 1024 * 1024  # small segments, so that the cuts and kills meet housekeeping as well
_STEP_SECONDS = 0.001
_MAX_LATE = 900  # samples: nine seconds, and the gateway merges what is at most ten older than the newest
# A killed process lives for a quarter of a second at most: it must have synced by then, for its event loop to write.
_KILLED_UNSYNCED_SECONDS = 0.02


@dataclass
class Sender:
    """What a phone sends next.

    Args:
        newest: number of the next sample that it measures.
        held_back: samples that it measured and has not sent, the oldest first.
    """

    chance: random.Random
    newest: int = 0
    held_back: list[range] = field(default_factory=list)

    def next_upload(self) -> tuple[list[int], bool]:
        """Numbers of samples, rising, and whether there are late ones among them."""
        self.held_back = [late for late in self.held_back if self.newest - late.start < _MAX_LATE]
        if self.held_back and self.chance.random() < 0.4:
            late = self.held_back.pop(self.chance.randrange(len(self.held_back)))
            return [*late, *(self._measure() if self.chance.random() < 0.5 else ())], True
        if self.chance.random() < 0.15:
            self.held_back.append(self._measure())
        return list(self._measure()), False

    def resent(self) -> list[int]:
        """Samples that the store has, which a phone sends again that lost an answer."""
        count = 0 if self.held_back else self.chance.choice([0, 0, 0, 10])
        return list(range(max(0, self.newest - count), self.newest))

    def _measure(self) -> range:
        count = self.chance.choice([1, 25, 25, 100])
        self.newest += count
        return range(self.newest - count, self.newest)


def batch_of(numbers: Sequence[int]) -> Batch:
    """Samples of these numbers, each of which differs from any other, as an upload of them is read."""
    return read_batch([Sample(*[number / 100] * 10) for number in numbers])


async def phone(store: DurableSessions, chance: random.Random, promises: Promises, now: object) -> None:
    """Sessions, one after another, until cancelled."""
    assert callable(now)
    while True:
        try:
            session = await store.start()
            promises.samples[session.id] = [(now(), 0)]
            sender, sent = Sender(chance), promises.sent.setdefault(session.id, [])
            for _ in range(chance.randint(5, 150)):
                resent = sender.resent()
                numbers, is_late = sender.next_upload()
                sent += numbers
                if is_late:
                    promises.merging.add(session.id)
                await store.append(session.id, "default", batch_of(numbers if is_late else [*resent, *numbers]))
                promises.merging.discard(session.id)
                promises.samples[session.id].append((now(), len(sent)))
                if chance.random() < 0.1:
                    await asyncio.sleep(0)
            promises.asked_to_end.add(session.id)
            await store.stop(session.id)
            promises.ended[session.id] = now()
        except EdgeInferError:
            await asyncio.sleep(0.001)


async def keep_house(store: DurableSessions) -> None:
    """Sweeps and health checks, far more often than in life."""
    while True:
        await asyncio.sleep(0.01)
        try:
            await store.expire()
            await store.check()
        except EdgeInferError:
            continue


# --- Power cuts


@dataclass(frozen=True)
class Cut:
    """What one cut met and cost.

    Args:
        lost_samples: acknowledged within the bound, and not there.
        merges: merges into the past that were being written.
    """

    steps: int
    lost_samples: int
    merges: int


async def cut_power(seed: int, durability: Durability, *, max_unsynced_seconds: float = 0.2) -> Cut:
    """Stream, lose power before a random operation of the disk, start again, and compare it with the promises.

    Time is the disk's: a millisecond for each of its operations, so that a bound is a bound on a busy machine too.

    Raises:
        LossError: something is lost that must not be.
    """
    chance = random.Random(seed)  # noqa: S311 - a moment to cut at
    disk = Disk()
    for _ in range(chance.choice([0, 0, 1])):  # a life before this one, ended well
        await _live(PowerCutFiles(disk, chance), chance, 200, durability, max_unsynced_seconds)
    files = PowerCutFiles(disk, chance)
    files.dies_at = files.steps + chance.randint(1, 1500)
    promises, died_at = await _live(files, chance, files.dies_at + 50, durability, max_unsynced_seconds)
    assert files.image is not None, "the power never went"
    after = make_store(PowerCutFiles(files.image, chance), Clock(died_at), max_bytes=_MAX_BYTES)
    after.open()
    try:
        lost = promises.prove(after, died_at - _bound_of(durability, max_unsynced_seconds))
        if durability == "full" and "lost at the start" in after.kind:
            raise LossError(f"nothing acknowledged is lost, and it says so: {after.kind}")
        await _prove_it_serves(after)
    finally:
        after.close()
    return Cut(files.dies_at, lost, len(promises.merging))


async def cut_past_the_bound(durability: Durability, *, max_unsynced_seconds: float = 0.2) -> None:
    """One batch on a quiet disk, the bound passes, and the cut keeps nothing that was not synced.

    Nothing here is by chance: a store that does not sync loses the batch each time. Under load, segments that are
    sealed soon hide a missing sync.

    Raises:
        LossError: something is lost that must not be.
    """
    disk, promises, clock = Disk(), Promises(), Clock(0.0)
    store = make_store(
        PowerCutFiles(disk, random.Random(0)),  # noqa: S311 - this cut leaves nothing to chance
        clock,
        durability=durability,
        max_unsynced_seconds=max_unsynced_seconds,
    )
    store.writer._clock = clock
    store.open()
    session = await store.start()
    await store.append(session.id, "default", batch(25))
    promises.samples[session.id] = [(clock.now, 25)]
    promises.sent[session.id] = list(range(25))
    clock.now += max_unsynced_seconds
    for _ in range(2):  # the writer syncs what is due after each answer: done at the latest before the second one
        await store.writer.do(lambda: None)
    image = disk.synced_alone()
    store.close()
    after = make_store(PowerCutFiles(image, random.Random(0)), clock)  # noqa: S311 - as above
    after.open()
    try:
        promises.prove(after, clock.now - _bound_of(durability, max_unsynced_seconds))
    finally:
        after.close()


def _bound_of(durability: Durability, max_unsynced_seconds: float) -> float:
    """Seconds before a cut in which acknowledged samples may be lost."""
    return {"full": 0.0, "bounded": max_unsynced_seconds, "normal": 1e9}[durability]


async def _prove_it_serves(store: DurableSessions) -> None:
    """A store that was full when the power went makes room first."""
    while True:
        try:
            session = await store.start()
            await store.append(session.id, "default", batch(25))
        except StorageError:
            await store.expire()
        else:
            return


async def _live(
    files: PowerCutFiles, chance: random.Random, until_step: int, durability: Durability, max_unsynced_seconds: float
) -> tuple[Promises, float]:
    """Stream until the disk has done so many operations; what was promised when the power went, and when that was."""

    def now() -> float:
        return files.steps * _STEP_SECONDS

    clock = Clock(0.0)
    store = make_store(
        files, clock, durability=durability, max_unsynced_seconds=max_unsynced_seconds, max_bytes=_MAX_BYTES
    )
    store.writer._clock = now
    promises, at_cut = Promises(), Promises()

    def on_cut() -> None:
        nonlocal at_cut
        at_cut = promises.copy()

    files.on_cut = on_cut
    store.open()
    phones = [asyncio.ensure_future(phone(store, chance, promises, now)) for _ in range(PHONES)]
    phones.append(asyncio.ensure_future(keep_house(store)))
    while files.steps < until_step:
        clock.now = now()
        await asyncio.sleep(0.0005)
    for one in phones:
        one.cancel()
    await asyncio.gather(*phones, return_exceptions=True)
    store.close()
    return at_cut, (files.dies_at or 0) * _STEP_SECONDS


# --- Kills


def kill_once(folder: Path, seed: int, durability: Durability, promises: Promises) -> None:
    """Run a store in a forked process, kill it at a random moment, and add to what was promised.

    A pipe takes each acknowledgement as one line of less than PIPE_BUF bytes: whole or not at all.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        try:
            asyncio.run(_stream_and_report(folder, seed, durability, writing))
        finally:
            os._exit(1)
    os.close(writing)
    time.sleep(random.Random(seed).uniform(0.0, 0.25))  # noqa: S311 - a moment to kill at
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with os.fdopen(reading, "r") as lines:
        for line in lines:
            session_id, what, *numbers = line.split()
            if what == "ending":
                promises.asked_to_end.add(session_id)
            elif what == "ended":
                promises.ended[session_id] = 0.0
            elif what == "sends":
                known = promises.sent.setdefault(session_id, [])
                del known[int(numbers[0]) :]  # what the life before had under way, and did not store
                known += (int(number) for number in numbers[1:])
            else:
                promises.samples.setdefault(session_id, []).append((0.0, int(what)))
                promises.written_by_loop += numbers == ["loop"]


async def _stream_and_report(folder: Path, seed: int, durability: Durability, writing: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - sizes of batches
    store = make_store(
        folder, durability=durability, max_unsynced_seconds=_KILLED_UNSYNCED_SECONDS, max_bytes=_MAX_BYTES
    )
    store.open()

    def say(session_id: str, *what: object) -> None:
        os.write(writing, f"{session_id} {' '.join(map(str, what))}\n".encode())

    living = [session for session in store._table._sessions.values() if chance.random() < 0.3]

    async def stream() -> None:
        session = living.pop() if living else await store.start()
        while True:
            newest = session.stream().newest_seconds
            sender = Sender(chance, 0 if newest < 0 else round(100 * newest) + 1)
            for _ in range(chance.randint(2, 60)):
                numbers, _ = sender.next_upload()
                say(session.id, "sends", session.stream().total, *numbers)
                upload = batch_of(numbers)
                try:
                    written = store.append_now(session.id, "default", upload)
                    if written is None:
                        await store.append(session.id, "default", upload)
                except EdgeInferError:
                    break
                say(session.id, session.stream().total, "thread" if written is None else "loop")
            if chance.random() < 0.5:
                say(session.id, "ending")
                try:
                    await store.stop(session.id)
                except EdgeInferError:
                    continue
                else:
                    say(session.id, "ended")
                finally:
                    session = await store.start()

    await asyncio.gather(*(stream() for _ in range(PHONES)), keep_house(store))


def kill_at_random(folder: Path, kills: int, seed: int, durability: Durability = "normal") -> tuple[int, int]:
    """Kill a store again and again, and look for everything that it acknowledged after each kill.

    Returns:
        Samples that were acknowledged and found, and uploads that the event loop wrote itself.

    Raises:
        LossError: something is lost.
    """
    promises, found, by_loop = Promises(), 0, 0
    for index in range(kills):
        kill_once(folder, seed + index, durability, promises)
        store = make_store(folder, max_bytes=_MAX_BYTES)
        store.open()
        try:
            promises.prove(store, 1.0)
            if "lost at the start" in store.kind:
                raise LossError(f"a kill damages nothing: {store.kind}")
            sent = {id_: numbers for id_, numbers in promises.sent.items() if store._table.find(id_)}
        finally:
            store.close()
        found += sum(max(total for _, total in acknowledged) for acknowledged in promises.samples.values())
        by_loop += promises.written_by_loop
        for session_id in promises.asked_to_end:  # proved, and not needed for the next
            promises.samples.pop(session_id, None)
        promises = Promises({id_: [max(said)] for id_, said in promises.samples.items()}, sent=sent)
    return found, by_loop
