"""What a run does about damage, and what it says."""

from pathlib import Path

import pytest

from edgeinfer.stack import state_file
from edgeinfer.stack.events import EventKind
from edgeinfer.stack.folder import DataFolder, prepare
from edgeinfer.stack.inspection import inspect_monitoring
from edgeinfer.stack.inventory import take
from edgeinfer.stack.member import Member, ProcessState
from edgeinfer.stack.plan import ProcessSpec, Stage
from edgeinfer.stack.repair import Repairs
from tests.stack.recorded_events import RecordedEvents


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    return prepare(tmp_path / "data")


@pytest.fixture
def repairs(folder: DataFolder, reported: RecordedEvents) -> Repairs:
    return Repairs(folder, reported, lambda: 1_795_953_600.0)


def crashed(folder: DataFolder, name: str, words: str, state: ProcessState = ProcessState.STARTING) -> Member:
    log = folder.logs / f"{name}.log"
    log.write_text("an earlier run: unexpected EOF\n")
    begin = log.stat().st_size
    with log.open("a") as file:
        file.write(words + "\n")
    member = Member(ProcessSpec(name=name, argv=(name,), stage=Stage.SERVICES), log, state)
    member.log_begin = begin
    return member


def test_damage_is_set_aside_and_said_once_with_what_is_lost(
    repairs: Repairs, folder: DataFolder, reported: RecordedEvents
) -> None:
    (folder.alertmanager / "silences").write_bytes(b"garbage")
    folder.record.write_bytes(bytes(100))
    repairs.look_at_records()
    repairs.look_at_records()

    said = reported.messages(EventKind.DAMAGED)
    assert len(said) == 2
    assert said[1] == (
        "damaged: alertmanager/silences is damaged from byte 0 of 7 on; "
        "set aside in damaged/20261129T120000Z/alertmanager/silences. "
        "Lost: the damaged silences, and those behind them: what they silenced notifies again"
    )
    assert (folder.alertmanager / "silences").read_bytes() == b""
    assert [one.part for one in repairs.done] == ["stack", "alertmanager"]


def test_the_doctor_says_the_same_and_changes_nothing(folder: DataFolder) -> None:
    silences = folder.alertmanager / "silences"
    silences.write_bytes(b"garbage")

    (found,) = inspect_monitoring(folder.root)

    assert found.message.startswith(f"{silences} is damaged from byte 0 of 7 on; lost: the damaged silences")
    assert "sets it aside" in found.remedy
    assert silences.read_bytes() == b"garbage"


def test_a_file_that_a_server_blames_is_set_aside(
    repairs: Repairs, folder: DataFolder, reported: RecordedEvents
) -> None:
    odd = folder.alertmanager / "odd"
    odd.touch()
    member = crashed(folder, "alertmanager", f'err="open {odd}: unexpected EOF"')

    assert repairs.before_restart(member)
    assert not odd.exists()
    assert "is refused by its server" in reported.messages(EventKind.DAMAGED)[0]


def test_where_no_file_is_named_the_whole_folder_is_set_aside(repairs: Repairs, folder: DataFolder) -> None:
    for name in ("one", "two"):
        (folder.alertmanager / name).write_text("kept")

    assert repairs.before_restart(crashed(folder, "alertmanager", "panic: corrupt snapshot"))
    assert list(folder.alertmanager.iterdir()) == []
    moved = [path for path in folder.damaged.rglob("*") if path.is_file() and path.read_text() == "kept"]
    assert sorted(path.name for path in moved) == ["one", "two"]


@pytest.mark.parametrize(
    ("name", "words", "state"),
    [
        ("alertmanager", "no space left on device: silences", ProcessState.STARTING),
        ("alertmanager", "killed", ProcessState.STARTING),
        ("alertmanager", "unexpected EOF", ProcessState.READY),
        ("gateway", "unexpected EOF", ProcessState.STARTING),
    ],
)
def test_a_crash_that_is_no_damage_moves_nothing(
    name: str, words: str, state: ProcessState, repairs: Repairs, folder: DataFolder
) -> None:
    (folder.alertmanager / "one").touch()
    assert not repairs.before_restart(crashed(folder, name, words, state))
    assert (folder.alertmanager / "one").exists()


def test_what_is_lost_since_the_last_run_is_said_by_its_record(
    repairs: Repairs, folder: DataFolder, reported: RecordedEvents
) -> None:
    (folder.alertmanager / "nflog").write_bytes(b"x")
    known = take(folder, is_final=True)
    state_file.write(folder.record, state_file.StackRecord(1, {}, (), inventory=known))
    (folder.alertmanager / "nflog").unlink()

    repairs.look_at_records()

    assert (
        "alertmanager/nflog is missing. Lost: which notifications went out" in reported.messages(EventKind.DAMAGED)[0]
    )
