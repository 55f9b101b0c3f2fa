"""Lines as Prometheus and Alertmanager log them when they do not start."""

from pathlib import Path

import pytest

from edgeinfer.stack.server_words import blamed_path, is_about_storage

_BLOCK = "01M8MD4GA6YBQC0SR45392HKX8"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / _BLOCK).mkdir()
    (tmp_path / "wal").mkdir()
    (tmp_path / "wal" / "00000003").touch()
    (tmp_path / "nflog").touch()
    return tmp_path


@pytest.mark.parametrize(
    ("line", "blamed"),
    [
        # Prometheus 2.42 and 2.53 (logfmt)
        ('level=error err="opening storage failed: open block {}/01M8MD4GA6YBQC0SR45392HKX8: unexpected EOF"', _BLOCK),
        (
            'level=error err="opening storage failed: invalid magic {}/01M8MD4GA6YBQC0SR45392HKX8/index"',
            _BLOCK,
        ),
        ('err="opening storage failed: repair corrupted WAL: {}/wal/00000003: checksum mismatch"', "wal/00000003"),
        # Prometheus 3.x (slog)
        ('level=ERROR msg="Fatal error" err="opening storage failed: {}/wal/00000003: unexpected EOF"', "wal/00000003"),
        # Alertmanager 0.25 and 0.28
        ('level=error component=nflog msg="error loading snapshot" file={}/nflog err="unexpected EOF"', "nflog"),
    ],
)
def test_the_file_that_a_server_blames_is_found(line: str, blamed: str, folder: Path) -> None:
    assert blamed_path(["an earlier line", line.format(folder), "see you next time"], folder) == folder / blamed


def test_a_path_elsewhere_or_one_that_is_not_there_is_never_blamed(folder: Path) -> None:
    lines = [
        'err="opening storage failed: unexpected EOF /etc/passwd"',
        f'err="corrupt {folder}/gone"',
        "corrupt {folder}",
    ]
    assert blamed_path(lines, folder) is None
    assert blamed_path([f"corrupt {folder}/../nflog"], folder / "wal") is None


@pytest.mark.parametrize(
    "line",
    [
        'err="opening storage failed: write {}/wal/00000003: no space left on device"',
        'err="error loading config from {}/nflog: unexpected EOF"',
        'err="listen tcp 127.0.0.1:9090: bind: address already in use" {}/wal/00000003',
        'err="opening storage failed: open {}/wal/00000003: permission denied"',
        'err="opening storage failed: open {}/wal/00000003: too many open files"',
    ],
)
def test_what_is_no_damage_moves_nothing_away(line: str, folder: Path) -> None:
    said = [line.format(folder)]
    assert not is_about_storage(said)
    assert blamed_path(said, folder) is None
