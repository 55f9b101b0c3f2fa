import errno
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edgeinfer.stack import logfile


def test_a_log_within_its_size_stays_as_it_is(tmp_path: Path) -> None:
    log = tmp_path / "gateway.log"
    log.write_text("a line\n")

    assert not logfile.rotate(log, max_bytes=100)
    assert log.read_text() == "a line\n"


def test_the_writer_continues_at_the_start_of_a_log_that_was_cut(tmp_path: Path) -> None:
    log = tmp_path / "gateway.log"
    descriptor = logfile.open_for_append(log)
    os.write(descriptor, b"x" * 200)

    assert logfile.rotate(log, max_bytes=100)
    os.write(descriptor, b"new\n")
    os.close(descriptor)

    assert log.read_bytes() == b"new\n"
    assert (tmp_path / "gateway.log.1").read_bytes() == b"x" * 200


def test_only_so_many_older_parts_are_kept_the_newest_first(tmp_path: Path) -> None:
    log = tmp_path / "gateway.log"
    for number in range(5):
        log.write_text(f"part {number}")
        logfile.rotate(log, max_bytes=1, older_parts=3)

    parts = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert parts == {
        "gateway.log": "",
        "gateway.log.1": "part 4",
        "gateway.log.2": "part 3",
        "gateway.log.3": "part 2",
    }


def test_the_tail_is_the_last_lines_that_say_something(tmp_path: Path) -> None:
    log = tmp_path / "gateway.log"
    log.write_text("one\ntwo\n\nthree\n\n")

    assert logfile.tail(log, lines=2) == ["two", "three"]
    assert logfile.tail(tmp_path / "none.log") == []


def test_the_tail_of_a_huge_log_reads_only_its_end(tmp_path: Path) -> None:
    log = tmp_path / "gateway.log"
    log.write_text("".join(f"line {number}\n" for number in range(100_000)))

    assert logfile.tail(log, lines=1) == ["line 99999"]


def test_a_log_that_is_not_there_is_not_rotated(tmp_path: Path) -> None:
    assert not logfile.rotate(tmp_path / "none.log")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("start\nerror: card.json: is missing.\nhint: Name another.\n", ("card.json: is missing.", "Name another.")),
        ("hint: not ours\nlast\n", ("last", "")),
        ("only\n", ("only", "")),
        ('{"level": "info", "message": "lives", "pid": 7}\n', ("lives", "")),
        ('{"message": "no model", "fault": "a.onnx: is gone."}\n', ("no model: a.onnx: is gone.", "")),
        ('{"level": "info"}\n', ('{"level": "info"}', "")),
        ("[1]\n", ("[1]", "")),
        ("", ("", "")),
    ],
)
def test_the_last_output_are_an_error_with_its_hint_or_the_last_line(
    content: str, words: tuple[str, str], tmp_path: Path
) -> None:
    log = tmp_path / "gateway.log"
    log.write_text(content)

    assert logfile.last_output(log) == words


def failing_copy(*_: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_without_room_for_a_copy_the_log_is_cut_to_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logfile, "_copy_end", failing_copy)
    log = tmp_path / "gateway.log"
    (tmp_path / "gateway.log.1").write_text("older")
    descriptor = logfile.open_for_append(log)
    os.write(descriptor, b"".join(b"line %d\n" % number for number in range(300_000)))

    assert logfile.rotate(log, max_bytes=1_000_000)
    os.write(descriptor, b"new\n")
    os.close(descriptor)

    kept = log.read_text().splitlines()
    assert kept[-2:] == ["line 299999", "new"]
    assert kept[0].startswith("line "), "it begins with a whole line"
    assert log.stat().st_size <= logfile.TAIL_BYTES + 10
    assert [path.name for path in tmp_path.iterdir()] == ["gateway.log"]


def test_a_disk_full_to_the_last_byte_does_not_let_a_log_grow(tmp_path: Path) -> None:
    """The limit of a process's files stands for the disk: the copy fails in the middle, with part of it written."""
    program = """
import os, resource, signal, sys
from pathlib import Path
from edgeinfer.stack import logfile
log = Path(sys.argv[1])
log.write_bytes(b"x" * 99 + b"\\n" + b"y" * 2_500_000)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
assert logfile.rotate(log, max_bytes=2_000_000)
"""
    subprocess.run([sys.executable, "-c", program, tmp_path / "log"], check=True)

    assert (tmp_path / "log").stat().st_size <= logfile.TAIL_BYTES
    assert [path.name for path in tmp_path.iterdir()] == ["log"], "no half of a copy is left"


def test_all_logs_together_are_bounded_and_the_oldest_parts_go_first(tmp_path: Path) -> None:
    logs = [tmp_path / "a.log", tmp_path / "b.log"]
    for moment, name in enumerate(("a.log.2", "b.log.1", "a.log.1", "a.log", "b.log")):
        (tmp_path / name).write_bytes(bytes(100))
        os.utime(tmp_path / name, (moment, moment))

    logfile.bound_all(logs, max_bytes=350)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.log", "a.log.1", "b.log"]
    logfile.bound_all(logs, max_bytes=1)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.log", "b.log"]


def test_a_log_in_a_folder_that_vanished_is_made_again_for_this_user_alone(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "gateway.log"
    os.close(logfile.open_for_append(log))

    assert log.stat().st_mode & 0o777 == 0o600
    assert log.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a file without a name cannot be reached")
def test_a_log_that_was_removed_is_bounded_nevertheless(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-c", "print('x' * 5000, flush=True); input()"], stdout=output, stdin=subprocess.PIPE
        )
    while log.stat().st_size < 5000:
        time.sleep(0.01)
    log.unlink()

    logfile.bound_lost(process.pid, max_bytes=10_000)
    kept = Path(f"/proc/{process.pid}/fd/1").stat().st_size
    logfile.bound_lost(process.pid, max_bytes=1000)
    cut = Path(f"/proc/{process.pid}/fd/1").stat().st_size
    process.communicate(b"\n")

    assert (kept, cut) == (5001, 0)
