"""The damage to a testbed's monitoring files is the one that is asked for, and is put right again."""

import asyncio
import json
import resource
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from chaos.actions.action import Process
from chaos.actions.monitoring_files import (
    AddDamagedBlocks,
    DamageLog,
    DamageSegment,
    DamageSilences,
    RefuseWrites,
    RemoveStateFolder,
    with_other_chunks,
    without_index,
)
from edgeinfer.stack.alertmanager_files import find_damage
from edgeinfer.stack.folder import DataFolder
from tests.chaos.fake_testbed import USERS, FakeTestbed

SEGMENT = b"\x01" * 10_000


@dataclass
class TestbedWithFiles(FakeTestbed):
    """One server that is a sleeping process, and is gone once it was killed."""

    __test__ = False
    process: subprocess.Popen[bytes] = field(
        default_factory=lambda: subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    )
    is_process: Process = Process.PROMETHEUS
    said: list[str] = field(default_factory=list)

    def pid_of(self, process: Process) -> int | None:
        assert process is self.is_process
        return self.process.pid if self.process.poll() is None else None

    def hold_down(self, process: Process) -> None:
        self.said.append(f"hold {process}")

    def let_up(self, process: Process) -> None:
        self.said.append(f"up {process}")

    async def await_prometheus(self) -> None:
        self.said.append("ready")


@pytest.fixture
def testbed(tmp_path: Path) -> Iterator[TestbedWithFiles]:
    for name in ("000", "001", "002"):
        path = tmp_path / "prometheus" / "wal" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(SEGMENT)
    (tmp_path / "alertmanager").mkdir()
    (tmp_path / "alertmanager" / "silences").write_text("kept")
    promtool = tmp_path / "promtool"
    # What the real one leaves: a folder of one block.
    promtool.write_text(
        '#!/bin/sh\n[ "$1 $2 $3" = "tsdb create-blocks-from openmetrics" ] && [ -s "$4" ] || exit 2\n'
        'mkdir -p "$5/X/chunks"; echo index > "$5/X/index"; printf %032d 0 > "$5/X/chunks/000001"\n'
        'echo \'{"ulid": "X", "compaction": {"level": 1, "sources": ["X"]}}\' > "$5/X/meta.json"\n'
    )
    promtool.chmod(0o755)
    made = TestbedWithFiles(folder=DataFolder(tmp_path), promtool=promtool)
    yield made
    made.process.kill()
    made.process.wait()


def blocks(folder: Path) -> list[Path]:
    return sorted((folder / "prometheus").glob("01J*"))


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def test_a_block_loses_its_index_and_goes_in_the_end(testbed: TestbedWithFiles, tmp_path: Path) -> None:
    async with AddDamagedBlocks(1, without_index).applied(testbed, USERS):
        [block] = blocks(tmp_path)
        assert not (block / "index").exists()
        assert json.loads((block / "meta.json").read_text())["ulid"] == block.name
    assert blocks(tmp_path) == []
    assert names(tmp_path) == ["alertmanager", "prometheus", "promtool"]


async def test_two_blocks_of_one_time_have_other_chunks_behind_a_whole_header(
    testbed: TestbedWithFiles, tmp_path: Path
) -> None:
    async with AddDamagedBlocks(2, with_other_chunks).applied(testbed, USERS):
        found = blocks(tmp_path)
        assert len(found) == 2
        for block in found:
            assert (block / "index").exists()
            assert (block / "chunks" / "000001").read_bytes() == b"0" * 16 + b"e" * 16
    assert blocks(tmp_path) == []


async def test_a_segment_that_is_not_written_now_gets_other_bytes_and_the_log_is_repaired_by_a_restart(
    testbed: TestbedWithFiles, tmp_path: Path
) -> None:
    async with DamageSegment().applied(testbed, USERS):
        log = tmp_path / "prometheus" / "wal"
        assert [(log / name).read_bytes() == SEGMENT for name in ("000", "001", "002")] == [False, True, True]
        assert (log / "000").stat().st_size == len(SEGMENT)
        assert testbed.process.poll() is None
    assert testbed.process.wait() < 0
    assert testbed.said == ["up prometheus", "ready"]


async def test_a_log_is_damaged_between_the_end_and_the_start(testbed: TestbedWithFiles, tmp_path: Path) -> None:
    async with DamageLog().applied(testbed, USERS):
        assert testbed.process.poll() is not None
        assert testbed.said == ["hold prometheus", "up prometheus", "ready"]
        assert any(path.read_bytes() != SEGMENT for path in (tmp_path / "prometheus" / "wal").iterdir())
    assert testbed.said == ["hold prometheus", "up prometheus", "ready"]


async def test_writes_are_refused_now_and_then_and_in_the_end_never(testbed: TestbedWithFiles) -> None:
    def limit() -> int:
        return resource.prlimit(testbed.process.pid, resource.RLIMIT_FSIZE)[0]

    before = limit()
    async with RefuseWrites().applied(testbed, USERS):
        for wanted in (1, before, 1):
            async with asyncio.timeout(30):
                while limit() != wanted:  # noqa: ASYNC110 - another process' limit has no event
                    await asyncio.sleep(0.02)
    assert testbed.said == ["up prometheus", "ready"]


async def test_the_folder_of_the_state_is_gone_and_comes_back(testbed: TestbedWithFiles, tmp_path: Path) -> None:
    async with RemoveStateFolder().applied(testbed, USERS):
        assert not (tmp_path / "alertmanager").exists()
    assert (tmp_path / "alertmanager" / "silences").read_text() == "kept"


async def test_silences_get_bytes_that_nobody_can_read_and_what_was_set_aside_goes_in_the_end(
    testbed: TestbedWithFiles, tmp_path: Path
) -> None:
    testbed.is_process = Process.ALERTMANAGER
    silences = tmp_path / "alertmanager" / "silences"
    async with DamageSilences().applied(testbed, USERS):
        assert testbed.process.poll() is not None
        assert testbed.said == ["hold alertmanager", "up alertmanager"]
        assert [one.path for one in find_damage(tmp_path / "alertmanager", {})] == [silences]
        aside = tmp_path / "damaged" / "20260101T000000Z" / "alertmanager"
        aside.mkdir(parents=True)
        silences.rename(aside / "silences")
        silences.write_text("new")
    assert silences.read_text() == "new"
    assert not (tmp_path / "damaged").exists()


async def test_silences_that_nothing_has_set_aside_do_not_stay_damaged(
    testbed: TestbedWithFiles, tmp_path: Path
) -> None:
    testbed.is_process = Process.ALERTMANAGER
    async with DamageSilences().applied(testbed, USERS):
        pass
    assert not (tmp_path / "alertmanager" / "silences").exists()
