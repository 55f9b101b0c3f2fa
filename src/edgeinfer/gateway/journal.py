"""A SQLite file that one thread writes: what arrives together shares one commit."""

import asyncio
import contextlib
import logging
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

from edgeinfer.errors import DataFolderError, Overloaded, StorageError

_log = logging.getLogger(__name__)
FILE_NAME = "sessions.sqlite3"
_JOBS_PER_COMMIT = 256
_WAITING_JOBS = 2048
_COMMITS_PER_MEASURE = 16
_WAL_BYTES = 16 * 1024 * 1024
_SCHEMA = """
CREATE TABLE IF NOT EXISTS sessions (
    id TEXT PRIMARY KEY,
    started_at REAL NOT NULL,
    ended_at REAL,
    reason TEXT
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS batches (
    session TEXT NOT NULL,
    role TEXT NOT NULL,
    number INTEGER NOT NULL,
    total INTEGER NOT NULL,
    samples BLOB NOT NULL,
    PRIMARY KEY (session, role, number)
);
CREATE INDEX IF NOT EXISTS sessions_ended ON sessions (ended_at) WHERE ended_at IS NOT NULL;
CREATE TABLE IF NOT EXISTS checks (id INTEGER PRIMARY KEY, count INTEGER NOT NULL);
INSERT OR IGNORE INTO checks VALUES (1, 0);
"""

Statement = tuple[str, Sequence[Any]]


@dataclass(frozen=True, slots=True)
class _Job:
    statements: Sequence[Statement]
    loop: asyncio.AbstractEventLoop
    done: "asyncio.Future[None]"


class Journal:
    """Writes statements, each call's whole or not at all.

    With `normal`, a commit is in the operating system's hands when `write` returns: a killed process
    loses nothing, a power cut may lose what was not synced yet, and the file stays sound. With `full`,
    it is on the disk.

    Args:
        folder: where the file is; made if it is not there.
        synchronous: "normal" or "full".
        max_bytes: largest size of the file.
    """

    def __init__(self, folder: Path, *, synchronous: str = "normal", max_bytes: int = 512 * 1024 * 1024) -> None:
        self._folder = folder
        self._synchronous = synchronous
        self._max_bytes = max_bytes
        self._connection: sqlite3.Connection | None = None
        self._thread: Thread | None = None
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self.commits = 0
        self.writes = 0
        self.fill = 0.0
        """Share of the largest size that is in use, as of some commits ago."""

    @property
    def kind(self) -> str:
        """What keeps the data, in words."""
        return f"{self._folder / FILE_NAME} (synchronous {self._synchronous})"

    def open(self) -> sqlite3.Connection:
        """Open the file, and give a connection for reading it before the first write; blocks.

        Raises:
            DataFolderError: the folder cannot be written, or the file is locked, full or no database of ours.
        """
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._connection = self._connect()
        except OSError as failure:
            raise _unusable(self._folder, failure.strerror or str(failure)) from failure
        except sqlite3.Error as failure:
            raise _unusable(self._folder, _REASONS.get(str(failure), str(failure))) from failure
        self._thread = Thread(target=self._run, args=(self._connection,), name="journal", daemon=True)
        self._thread.start()
        return self._connection

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._folder / FILE_NAME, timeout=1.0, isolation_level=None, check_same_thread=False
        )
        try:
            # One process owns the file: no shared memory file, and a second gateway is told at once.
            connection.execute("PRAGMA locking_mode=EXCLUSIVE")
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute(f"PRAGMA synchronous={self._synchronous.upper()}")
            connection.execute(f"PRAGMA journal_size_limit={_WAL_BYTES}")
            (page_bytes,) = connection.execute("PRAGMA page_size").fetchone()
            connection.execute(f"PRAGMA max_page_count={self._max_bytes // page_bytes}")
            connection.executescript(_SCHEMA)
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    async def write(self, statements: Sequence[Statement]) -> None:
        """Commit statements together with what others write at this moment.

        Raises:
            Overloaded: too many writes wait.
            StorageError: nothing of it was kept.
        """
        if self._thread is None:
            raise StorageError("sessions", "the gateway is stopping", "Send it again to the next one.")
        if self._jobs.qsize() >= _WAITING_JOBS:
            raise Overloaded("sessions", "too many writes wait for the disk", "Try again in a second.")
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        self._jobs.put(_Job(statements, loop, done))
        await done

    def _run(self, connection: sqlite3.Connection) -> None:
        while (job := self._jobs.get()) is not None:
            jobs = [job]
            is_last = False
            with contextlib.suppress(Empty):
                while len(jobs) < _JOBS_PER_COMMIT:
                    following = self._jobs.get_nowait()
                    if following is None:
                        is_last = True
                        break
                    jobs.append(following)
            _answer(jobs, self._commit(connection, jobs))
            if is_last:
                return

    def _commit(self, connection: sqlite3.Connection, jobs: list[_Job]) -> StorageError | None:
        try:
            connection.execute("BEGIN IMMEDIATE")
            for job in jobs:
                for sql, values in job.statements:
                    connection.execute(sql, values)
            connection.execute("COMMIT")
        except sqlite3.Error as failure:
            with contextlib.suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
            _log.error("samples could not be stored", extra={"fault": str(failure), "writes": len(jobs)})
            return _full(self._folder, failure)
        self.commits += 1
        self.writes += len(jobs)
        if self.commits % _COMMITS_PER_MEASURE == 1:
            self.fill = _measure_fill(connection)
        return None

    def close(self) -> None:
        """Finish what waits and close the file; blocks; safe to call twice."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._jobs.put(None)
            thread.join()
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


def _measure_fill(connection: sqlite3.Connection) -> float:
    pages, free, limit = (
        connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("page_count", "freelist_count", "max_page_count")
    )
    return float((pages - free) / limit)


def _answer(jobs: list[_Job], failure: StorageError | None) -> None:
    def answer() -> None:
        for job in jobs:
            if job.done.done():
                continue
            if failure is None:
                job.done.set_result(None)
            else:
                job.done.set_exception(failure)

    # A loop that was closed meanwhile has nobody left who waits.
    with contextlib.suppress(RuntimeError):
        jobs[0].loop.call_soon_threadsafe(answer)


_REASONS = {
    "database is locked": "another gateway uses it",
    "file is not a database": f"{FILE_NAME} in it is damaged or not ours",
    "database disk image is malformed": f"{FILE_NAME} in it is damaged",
    "database or disk is full": "the disk is full",
}


def _unusable(folder: Path, fault: str) -> DataFolderError:
    remedy = "Name another folder with EDGEINFER_GATEWAY_DATA_FOLDER, or mend this one."
    return DataFolderError(f"data folder {folder}", fault, remedy)


def _full(folder: Path, failure: sqlite3.Error) -> StorageError:
    fault = f"they could not be stored in {folder} ({failure}); none was accepted"
    remedy = "Make room on the disk or raise EDGEINFER_GATEWAY_STORE_MEGABYTES, then send them again."
    return StorageError("samples", fault, remedy)
