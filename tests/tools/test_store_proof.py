"""The proof of the store in its quick form, and that it can fail."""

import asyncio
import random
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from edgeinfer.gateway.durable_sessions import DurableSessions
from edgeinfer.gateway.placement import Piece
from edgeinfer.gateway.store.log import SegmentLog
from edgeinfer.gateway.store.writer import Durability
from tests.gateway.power_cut import Disk, PowerCutFiles
from tests.gateway.store_load import cut_past_the_bound
from tests.gateway.store_promises import LossError
from tools.store_proof import prove_cuts


def test_some_kills_and_power_cuts_cost_no_more_than_they_may() -> None:
    argv = [sys.executable, "-m", "tools.store_proof", "--kills", "12", "--cuts", "18", "--seed", "4000"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    full = re.search(r"full +6 power cuts, (\d) of them while .* may be lost; 0 acknowledged samples", done.stdout)
    assert full, done.stdout
    assert int(full[1]) > 0, "no cut met a late sample"
    assert done.stdout.count("every acknowledged sample found") == 3
    by_loop = re.search(r"bounded +4 kills: .* ([\d,]+) uploads were written by the event loop", done.stdout)
    assert by_loop, done.stdout
    assert by_loop[1] != "0", "no kill met an upload that the event loop wrote"


@pytest.mark.parametrize("durability", ["full", "bounded"])
def test_a_store_that_forgets_to_sync_is_caught(monkeypatch: pytest.MonkeyPatch, durability: Durability) -> None:
    monkeypatch.setattr(SegmentLog, "sync", lambda _: None)
    with pytest.raises(LossError):
        asyncio.run(cut_past_the_bound(durability))
    with pytest.raises(LossError):
        prove_cuts(0, seed=1)


def test_a_store_that_forgets_which_samples_came_late_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    def record(store: DurableSessions, kept: Any, role: str, before: int, piece: Piece) -> bytes:
        return _record(store, kept, role, before, Piece(piece.batch))

    _record = DurableSessions._record
    monkeypatch.setattr(DurableSessions, "_record", record)
    with pytest.raises(LossError, match="order of its times"):
        prove_cuts(6, seed=4000)


@pytest.mark.parametrize("durability", ["full", "bounded", "normal"])
def test_a_store_that_syncs_passes_the_same_cut(durability: Durability) -> None:
    asyncio.run(cut_past_the_bound(durability))


def test_the_disk_keeps_what_was_synced_and_loses_some_of_the_rest() -> None:
    lost, kept = 0, 0
    for seed in range(60):
        files = PowerCutFiles(Disk(), random.Random(seed))  # noqa: S311 - what the cut leaves
        file = files.append_to("one")
        file.append(b"a" * 2000)
        file.sync()
        files.sync_names()
        file.append(b"b" * 2000)
        files.append_to("two")
        after = PowerCutFiles(files.cut(), random.Random(seed))  # noqa: S311 - what the cut leaves
        content = after.read("one")
        assert content[:2000] == b"a" * 2000
        lost += content[2000:] != b"b" * 2000
        kept += content[2000:] == b"b" * 2000
        assert set(after.sizes()) in ({"one"}, {"one", "two"})
    assert lost > 10
    assert kept > 5


def test_the_make_target_runs_it() -> None:
    assert "-m tools.store_proof $(ARGS)" in Path("Makefile").read_text()
