import os
from pathlib import Path

import pytest

from edgeinfer.stack import logfile


def test_a_log_within_its_size_stays_as_it_is(tmp_path: Path) -> None:
    log = tmp_path / "gateway.log"
    log.write_text("a line\n")

    assert not logfile.rotate(log, most_bytes=100)
    assert log.read_text() == "a line\n"


def test_the_writer_goes_on_at_the_start_of_a_log_that_was_cut(tmp_path: Path) -> None:
    log = tmp_path / "gateway.log"
    descriptor = logfile.open_for_append(log)
    os.write(descriptor, b"x" * 200)

    assert logfile.rotate(log, most_bytes=100)
    os.write(descriptor, b"new\n")
    os.close(descriptor)

    assert log.read_bytes() == b"new\n"
    assert (tmp_path / "gateway.log.1").read_bytes() == b"x" * 200


def test_only_so_many_older_parts_are_kept_the_newest_first(tmp_path: Path) -> None:
    log = tmp_path / "gateway.log"
    for number in range(5):
        log.write_text(f"part {number}")
        logfile.rotate(log, most_bytes=1, older_parts=3)

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
def test_the_last_words_are_an_error_with_its_hint_or_the_last_line(
    content: str, words: tuple[str, str], tmp_path: Path
) -> None:
    log = tmp_path / "gateway.log"
    log.write_text(content)

    assert logfile.last_words(log) == words
