"""What the session store writes, and what its retention costs the phones.

    python -m benchmarks.store_cost writes     bytes per sample and per phone and day, in each durability
    python -m benchmarks.store_cost retention  400 MB of ended sessions go while eight phones stream
    python -m benchmarks.store_cost sqlite     the same records in SQLite, for the choice between both

A phone sends 100 samples a second, in PUTs of 25 or of one. `written` is what the store passed to the kernel's write,
`to the disk` what the kernel counts as dirtied pages on their way there (`write_bytes` of /proc/self/io): a page that
is synced and appended to again counts twice. What the file system's journal adds is in neither.
"""

import argparse
import asyncio
import multiprocessing
import sqlite3
import statistics
import tempfile
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from edgeinfer.gateway.durable_sessions import DurableSessions
from edgeinfer.gateway.instruments import GatewayInstruments
from edgeinfer.gateway.samples import Batch
from edgeinfer.gateway.sessions import SessionTable
from edgeinfer.gateway.store.files import DiskFiles
from edgeinfer.metrics.registry import new_registry

_HERTZ = 100
_SAMPLE_BYTES = 44
_SAMPLES_A_DAY = 86_400 * _HERTZ
_MEGABYTE = 1024 * 1024


def make_store(folder: Path, **settings: Any) -> DurableSessions:
    """A store as the gateway makes it."""
    instruments = GatewayInstruments(new_registry(), motifs=("a",), sidecars=())
    return DurableSessions(SessionTable(instruments.sessions), DiskFiles(folder), instruments.store, **settings)


def batch(count: int, first: int) -> Batch:
    """A batch of `count` zero samples at 100 Hz, from index `first` on."""
    times = np.arange(first, first + count) / _HERTZ
    return Batch(times, np.zeros((count, 9), np.float32))


def written() -> tuple[int, int]:
    """Bytes that this process wrote, and bytes of pages that it sent to the disk."""
    counters = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
    return int(counters["wchar"]), int(counters["write_bytes"])


async def _phone(store: DurableSessions, per_put: int, seconds: float, waits: list[float]) -> None:
    session = await store.start()
    started = time.perf_counter()
    for first in range(0, int(seconds * _HERTZ), per_put):
        await asyncio.sleep(max(0.0, started + first / _HERTZ - time.perf_counter()))
        before = time.perf_counter()
        await store.append(session.id, "default", batch(per_put, first))
        waits.append(time.perf_counter() - before)


def _measure_writes(durability: str, per_put: int, phones: int, seconds: float) -> str:
    async def run(folder: Path) -> tuple[int, int]:
        store = make_store(folder, durability=durability)
        store.open()
        await _phone(store, per_put, 1.0, [])  # the first segment, the manifest, the reserve
        before = written()
        await asyncio.gather(*(_phone(store, per_put, seconds, []) for _ in range(phones)))
        store.close()
        after = written()
        return after[0] - before[0], after[1] - before[1]

    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        asked, dirtied = asyncio.run(run(Path(folder)))
    samples = phones * seconds * _HERTZ
    return (
        f"{durability:8} {phones} phone{'s' * (phones > 1):1} PUTs of {per_put:2}: "
        f"{asked / samples:6.1f} bytes a sample written, {dirtied / samples:7.1f} to the disk; "
        f"a phone and day {asked / samples * _SAMPLES_A_DAY / 1e9:6.2f} GB, "
        f"{dirtied / samples * _SAMPLES_A_DAY / 1e9:6.2f} GB to the disk"
    )


def measure_writes(seconds: float) -> None:
    """Each durability in a process of its own, all at the same time: phones keep their pace."""
    cases = [
        (durability, per_put, phones, seconds)
        for durability in ("normal", "bounded", "full")
        for per_put in (25, 1)
        for phones in (1, 8)
    ]
    with multiprocessing.Pool(len(cases)) as pool:
        for line in pool.starmap(_measure_writes, cases):
            print(line, flush=True)


async def _fill(folder: Path, megabytes: int) -> None:
    """SessionEnd sessions, of two streams each, until there are enough."""
    store = make_store(folder, durability="normal", max_bytes=1024 * _MEGABYTE)
    store.open()
    while store.log.bytes_of("archive") < megabytes * _MEGABYTE:
        session = await store.start()
        for role in ("dog", "handler"):
            await store.append(session.id, role, batch(2000, 0))
        await store.stop(session.id)
    store.close()


async def _stream(
    folder: Path, seconds: float, *, durability: Any, retention_seconds: float
) -> tuple[list[float], float, int]:
    """Waits of eight phones, how long a sweep took, and the bytes that it removed."""
    store = make_store(folder, durability=durability, max_bytes=1024 * _MEGABYTE, retention_seconds=retention_seconds)
    store.open()
    waits: list[float] = []
    before, sweeping = store.log.bytes_of("archive"), 0.0

    async def sweep() -> None:
        nonlocal sweeping
        # Where nothing is dropped the sweep still checks the archive, as it does in life.
        while store.archive.unread or (retention_seconds == 0 and store.log.sealed("archive")):
            started = time.perf_counter()
            await store.expire()
            sweeping += time.perf_counter() - started
            await asyncio.sleep(0.05)

    await asyncio.gather(*(_phone(store, 25, seconds, waits) for _ in range(8)), sweep())
    removed = before - store.log.bytes_of("archive")
    store.close()
    return waits, sweeping, removed


def measure_retention(megabytes: int, seconds: float) -> None:
    """The waits of eight phones without a sweep and with one that removes everything.

    With `bounded` a PUT may wait for a sync, sweep or not; `normal` shows what the sweep alone costs.
    """
    for durability in ("normal", "bounded"):
        _measure_retention(megabytes, seconds, durability)


def _measure_retention(megabytes: int, seconds: float, durability: str) -> None:
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        asyncio.run(_fill(Path(folder), megabytes))
        for name, retention_seconds in (("without", 1e9), ("with", 0.0)):
            waits, sweeping, removed = asyncio.run(
                _stream(Path(folder), seconds, durability=durability, retention_seconds=retention_seconds)
            )
            waits.sort()
            print(
                f"{durability:8} {name:7} the removal: PUT p50 {statistics.median(waits) * 1000:.2f} ms, "
                f"p99 {waits[len(waits) * 99 // 100] * 1000:.2f} ms, "
                f"slowest {waits[-1] * 1000:.2f} ms in {len(waits)}; "
                f"{removed / 1e6:.0f} MB removed in sweeps of {sweeping:.2f} s",
                flush=True,
            )


def measure_sqlite(commits: int) -> None:
    """The same batches as rows of SQLite, appended by rowid, old ones deleted in portions, with a checksum each."""
    for page_bytes, checkpoint_pages in ((4096, 1000), (1024, 4000), (512, 8000)):
        for per_put in (25, 1):
            with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
                asked = _write_rows(Path(folder) / "rows", page_bytes, checkpoint_pages, per_put, commits)
            print(f"SQLite, pages of {page_bytes}, PUTs of {per_put:2}: {asked:.1f} bytes a sample written", flush=True)


def _write_rows(path: Path, page_bytes: int, checkpoint_pages: int, per_put: int, commits: int) -> float:
    connection = sqlite3.connect(path, isolation_level=None)
    for pragma in (
        f"page_size={page_bytes}",
        "locking_mode=EXCLUSIVE",
        "journal_mode=WAL",
        "synchronous=NORMAL",
        f"wal_autocheckpoint={checkpoint_pages}",
    ):
        connection.execute(f"PRAGMA {pragma}")
    connection.execute("CREATE TABLE batches (id INTEGER PRIMARY KEY, stream INT, total INT, crc INT, samples BLOB)")
    content = np.random.default_rng(1).bytes(_SAMPLE_BYTES * per_put)
    before = written()[0]
    for number in range(commits):
        connection.execute("BEGIN IMMEDIATE")
        row = (1, number, zlib.crc32(content), content)
        connection.execute("INSERT INTO batches (stream, total, crc, samples) VALUES (?, ?, ?, ?)", row)
        if number % 100 == 99:
            connection.execute("DELETE FROM batches WHERE id < ?", (number - 100,))
        connection.execute("COMMIT")
    connection.close()
    return (written()[0] - before) / commits / per_put


def main() -> None:
    """Run one of the three parts and print its figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=["writes", "retention", "sqlite"])
    parser.add_argument("--seconds", type=float, default=30.0, help="of streaming (default %(default)s)")
    parser.add_argument("--megabytes", type=int, default=400, help="to remove (default %(default)s)")
    arguments = parser.parse_args()
    parts: dict[str, Callable[[], None]] = {
        "writes": lambda: measure_writes(arguments.seconds),
        "retention": lambda: measure_retention(arguments.megabytes, arguments.seconds),
        "sqlite": lambda: measure_sqlite(3000),
    }
    parts[arguments.part]()


if __name__ == "__main__":
    main()
