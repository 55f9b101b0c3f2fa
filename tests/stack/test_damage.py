"""Setting aside: moved, written down, never deleted."""

import os
from pathlib import Path

import pytest

from edgeinfer.stack.damage import Damage, SetAside, lying_aside, set_aside
from edgeinfer.stack.folder import DataFolder, prepare

NOON = 1_795_953_600.0  # 2026-11-29 12:00:00 UTC


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    return prepare(tmp_path / "data")


def noon() -> float:
    return NOON


def test_a_file_is_moved_and_what_can_be_kept_takes_its_place(folder: DataFolder) -> None:
    silences = folder.alertmanager / "silences"
    silences.write_bytes(b"good BAD")
    (done,) = set_aside(folder, [Damage("alertmanager", silences, "is bad", "a silence", lambda: b"good ")], noon)

    assert silences.read_bytes() == b"good "
    assert silences.stat().st_mode & 0o777 == 0o600
    assert done == SetAside(
        "alertmanager",
        "alertmanager/silences",
        "damaged/20261129T120000Z/alertmanager/silences",
        "is bad",
        "a silence",
    )
    assert (folder.root / done.moved_to).read_bytes() == b"good BAD"
    assert lying_aside(folder) == [done]


def test_a_whole_block_is_moved_as_it_is(folder: DataFolder) -> None:
    block = folder.prometheus / "01M8MD4GA6YBQC0SR45392HKX8"
    block.mkdir()
    (block / "index").write_bytes(b"zeros")
    set_aside(folder, [Damage("prometheus", block, "is bad", "hours")], noon)

    assert not block.exists()
    moved = folder.damaged / "20261129T120000Z" / "prometheus" / block.name
    assert (moved / "index").read_bytes() == b"zeros"


def test_a_clock_that_gives_one_time_twice_overwrites_nothing(folder: DataFolder) -> None:
    for content in (b"first", b"second"):
        (folder.alertmanager / "nflog").write_bytes(content)
        set_aside(folder, [Damage("alertmanager", folder.alertmanager / "nflog", "is bad", "x")], noon)

    kept = sorted(path.read_bytes() for path in folder.damaged.rglob("nflog"))
    assert kept == [b"first", b"second"]
    assert len(lying_aside(folder)) == 2


def test_what_is_missing_is_written_down_and_an_empty_one_takes_its_place(folder: DataFolder) -> None:
    gap = folder.prometheus / "wal" / "00000003"
    gap.parent.mkdir()
    (done,) = set_aside(folder, [Damage("prometheus", gap, "is missing", "hours", bytes)], noon)

    assert (done.moved_to, gap.read_bytes()) == ("", b"")


def test_what_a_person_removed_lies_there_no_more(folder: DataFolder) -> None:
    (folder.alertmanager / "nflog").write_bytes(b"x")
    (done,) = set_aside(folder, [Damage("alertmanager", folder.alertmanager / "nflog", "is bad", "x")], noon)
    (folder.root / done.moved_to).unlink()

    assert lying_aside(folder) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root moves everything")
def test_what_cannot_be_moved_is_not_reported_as_moved(folder: DataFolder) -> None:
    (folder.alertmanager / "nflog").write_bytes(b"x")
    folder.alertmanager.chmod(0o500)
    assert set_aside(folder, [Damage("alertmanager", folder.alertmanager / "nflog", "is bad", "x")], noon) == []
    folder.alertmanager.chmod(0o700)


def test_nothing_damaged_makes_no_folder(folder: DataFolder) -> None:
    assert set_aside(folder, [], noon) == []
    assert not folder.damaged.exists()


def test_a_list_that_was_damaged_itself_hides_no_other(folder: DataFolder) -> None:
    (folder.alertmanager / "nflog").write_bytes(b"x")
    set_aside(folder, [Damage("alertmanager", folder.alertmanager / "nflog", "is bad", "x")], noon)
    (folder.damaged / "20200101T000000Z").mkdir()
    (folder.damaged / "20200101T000000Z" / "what.json").write_bytes(bytes(50))

    assert len(lying_aside(folder)) == 1
