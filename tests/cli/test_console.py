"""The console's diagnosis knows how its own stack runs, and gives the commands for that."""

import os
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from edgeinfer.cli.console import own_stack
from edgeinfer.monitoring.causes.commands import Way
from edgeinfer.stack import lock, state_file
from edgeinfer.stack.folder import DataFolder


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EDGEINFER_DATA_FOLDER", str(tmp_path))
    return tmp_path


@pytest.fixture
def running(folder: Path) -> Iterator[int]:
    """A run whose sidecar is this process; nothing listens at its address."""
    sidecar = state_file.Running("sidecar-1", os.getpid(), 0.0)
    record = state_file.StackRecord(os.getpid(), {"sidecar-1": "http://127.0.0.1:9"}, (sidecar,))
    with lock.hold(DataFolder(folder).lock):
        state_file.write(DataFolder(folder).record, record)
        yield os.getpid()


async def test_a_process_of_the_run_is_restarted_by_its_pid(running: int) -> None:
    stack = own_stack()
    assert (stack.way, stack.pids()) == (Way.UP, {})
    async with aiohttp.ClientSession() as http:
        facts = await stack.look(http)
    assert facts.found["sidecar.process"].value == "running"
    assert stack.pids()["sidecar"] == running


def test_in_a_container_the_commands_are_those_of_compose(folder: Path) -> None:
    marker = folder / "dockerenv"
    marker.touch()
    assert own_stack(marker).way is Way.COMPOSE
    with lock.hold(DataFolder(folder).lock):  # by a run of 'edgeinfer up' in it
        assert own_stack(marker).way is Way.UP
