"""What lay there, against what lies there: only what cannot have gone in another way is missing."""

import json
from pathlib import Path

import pytest

from edgeinfer.stack.folder import DataFolder, prepare
from edgeinfer.stack.inventory import find_missing, take

_OLD, _NEW, _BOTH = (f"01M8MD4GA6YBQC0SR45392HK{end}" for end in ("X7", "X8", "X9"))


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    folder = prepare(tmp_path / "data")
    block(folder, _OLD, 0, 7_200_000)
    block(folder, _NEW, 7_200_000, 14_400_000)
    (folder.prometheus / "wal").mkdir()
    for number in (3, 4):
        (folder.prometheus / "wal" / f"{number:08d}").write_bytes(bytes(100))
    (folder.alertmanager / "silences").write_bytes(b"content")
    (folder.alertmanager / "nflog").write_bytes(b"")
    return folder


def block(folder: DataFolder, name: str, begin: int, end: int, sources: tuple[str, ...] = ()) -> None:
    place = folder.prometheus / name
    place.mkdir()
    meta = {"ulid": name, "minTime": begin, "maxTime": end, "version": 1, "compaction": {"sources": sources or [name]}}
    (place / "meta.json").write_text(json.dumps(meta))


def remove(path: Path) -> None:
    for file in path.iterdir() if path.is_dir() else ():
        file.unlink()
    path.rmdir() if path.is_dir() else path.unlink()


@pytest.mark.parametrize("is_final", [True, False])
def test_where_nothing_changed_nothing_is_missing(*, is_final: bool, folder: DataFolder) -> None:
    assert find_missing(folder, take(folder, is_final=is_final)) == []


@pytest.mark.parametrize("is_final", [True, False])
def test_a_block_that_vanished_is_missing_with_its_hours(*, is_final: bool, folder: DataFolder) -> None:
    known = take(folder, is_final=is_final)
    remove(folder.prometheus / _NEW)

    (found,) = find_missing(folder, known)

    assert (found.path.name, found.fault) == (_NEW, "is missing")
    assert found.lost == "measurements from 1970-01-01 02:00 UTC to 1970-01-01 04:00 UTC"


def test_a_block_that_went_into_a_larger_one_is_not_missing(folder: DataFolder) -> None:
    known = take(folder, is_final=False)
    for name in (_OLD, _NEW):
        remove(folder.prometheus / name)
    block(folder, _BOTH, 0, 14_400_000, (_OLD, _NEW))

    assert find_missing(folder, known) == []


def test_the_oldest_block_goes_by_its_age_while_everything_runs_and_not_while_it_rests(folder: DataFolder) -> None:
    running, ended = take(folder, is_final=False), take(folder, is_final=True)
    remove(folder.prometheus / _OLD)

    assert find_missing(folder, running) == []
    assert [one.path.name for one in find_missing(folder, ended)] == [_OLD]


@pytest.mark.parametrize("is_final", [True, False])
def test_the_newest_segment_of_the_log_never_goes_back(*, is_final: bool, folder: DataFolder) -> None:
    known = take(folder, is_final=is_final)
    (folder.prometheus / "wal" / "00000004").unlink()

    assert [(one.path.name, one.fault) for one in find_missing(folder, known)] == [("00000004", "is missing")]


def test_segments_that_were_dropped_while_it_ran_are_not_missing(folder: DataFolder) -> None:
    known = take(folder, is_final=False)
    for number in (3, 4):
        (folder.prometheus / "wal" / f"{number:08d}").unlink()
    (folder.prometheus / "wal" / "00000005").touch()

    assert find_missing(folder, known) == []


@pytest.mark.parametrize("is_final", [True, False])
@pytest.mark.parametrize("content", [None, b""])
def test_silences_that_vanished_are_said(content: bytes | None, *, is_final: bool, folder: DataFolder) -> None:
    known = take(folder, is_final=is_final)
    silences = folder.alertmanager / "silences"
    silences.unlink()
    if content is not None:
        silences.write_bytes(content)

    (found,) = find_missing(folder, known)

    assert found.part == "alertmanager"
    assert "silenced" in found.lost


def test_silences_that_expired_while_it_ran_are_not_missing(folder: DataFolder) -> None:
    known = take(folder, is_final=False)
    (folder.alertmanager / "silences").write_bytes(b"less")
    assert find_missing(folder, known) == []


def test_a_file_that_is_shorter_than_it_was_when_everything_ended_stays_and_is_said(folder: DataFolder) -> None:
    known = take(folder, is_final=True)
    (folder.prometheus / "wal" / "00000003").write_bytes(bytes(60))

    (found,) = find_missing(folder, known)

    assert (found.fault, found.stays) == ("has 60 of 100 bytes", True)


@pytest.mark.parametrize("number", [3, 4])
def test_a_segment_that_shrank_is_said_after_a_kill_too_because_it_only_grows(number: int, folder: DataFolder) -> None:
    known = take(folder, is_final=False)
    (folder.prometheus / "wal" / f"{number:08d}").write_bytes(b"")

    (found,) = find_missing(folder, known)

    assert (found.path.name, found.fault) == (f"{number:08d}", "has 0 of 100 bytes")
