import os
from pathlib import Path

import pytest

from edgeinfer.diagnosis.places import find_stack, process_of
from edgeinfer.monitoring.causes.commands import Way
from edgeinfer.settings import StackSettings
from edgeinfer.stack import lock, state_file
from edgeinfer.stack.folder import DataFolder, prepare

SETTINGS = StackSettings.from_environment({})


def recorded(root: Path) -> DataFolder:
    folder = prepare(root)
    record = state_file.StackRecord(
        pid=os.getpid(),
        addresses={"gateway": "http://127.0.0.1:21790", "sidecar-1": "http://127.0.0.1:21791"},
        processes=(state_file.Running("gateway", 7, 1.0),),
        members=(
            state_file.MemberState("gateway", "ready"),
            state_file.MemberState("sidecar-1", "backing_off", 5, "ended with 1", 4),
        ),
    )
    state_file.write(folder.record, record)
    return folder


def test_a_run_that_is_under_way_is_read_from_its_record(tmp_path: Path) -> None:
    folder = recorded(tmp_path)
    with lock.hold(folder.lock):
        stack = find_stack(SETTINGS, tmp_path)
    assert stack.way is Way.UP
    assert (stack.url("gateway"), stack.pid("gateway"), stack.pid("sidecar")) == ("http://127.0.0.1:21790", 7, None)
    [sidecar] = [place for place in stack.places if place.process == "sidecar"]
    assert sidecar.is_looping
    assert sidecar.log == folder.logs / "sidecar-1.log"
    assert stack.unseen == ()


def test_a_record_of_a_run_that_has_ended_is_not_taken_for_one_that_continues(tmp_path: Path) -> None:
    recorded(tmp_path)
    stack = find_stack(SETTINGS, tmp_path, units=tmp_path / "none")
    assert stack.url("gateway").endswith(":8080")
    assert stack.pid("gateway") is None


def test_units_of_systemd_say_how_it_runs(tmp_path: Path) -> None:
    units = tmp_path / "units"
    units.mkdir()
    (units / "edgeinfer-gateway.service").touch()
    assert find_stack(SETTINGS, tmp_path / "data", units=units).way is Way.SYSTEMD


@pytest.mark.parametrize("content", ["{}", "no json", '{"pid": "of another version"}'])
def test_a_data_folder_of_another_version_is_said(tmp_path: Path, content: str) -> None:
    folder = prepare(tmp_path)
    folder.record.write_text(content, encoding="utf-8")
    with lock.hold(folder.lock):
        stack = find_stack(SETTINGS, tmp_path, units=tmp_path / "none")
    assert any("not of this version" in text for text in stack.unseen)
    assert stack.is_foreign


def test_a_folder_that_is_not_there_is_no_failure(tmp_path: Path) -> None:
    assert find_stack(SETTINGS, tmp_path / "none", units=tmp_path / "none").places


def test_sidecars_share_a_process_and_the_replay_is_none() -> None:
    assert [process_of(name) for name in ("sidecar-2", "gateway", "replay")] == ["sidecar", "gateway", ""]
