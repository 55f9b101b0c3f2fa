"""A path with an umlaut can be printed, and passed on, in every locale."""

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from edgeinfer.cli._streams import make_printable, utf8_command

PATH = "/data/Meßdaten/\udcff"


@pytest.mark.parametrize(
    ("encoding", "written"),
    [
        ("latin-1", "/data/Meßdaten/".encode("latin-1") + rb"\udcff"),
        ("utf-8", "/data/Meßdaten/".encode() + b"\xff"),
    ],
)
def test_every_character_is_written(encoding: str, written: bytes) -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding)
    make_printable([stream])
    stream.write(PATH)
    stream.flush()
    assert raw.getvalue() == written


def test_the_locale_c_is_left_for_utf_8_once() -> None:
    began = ["python3", "-m", "edgeinfer", "top"]
    command = utf8_command("ascii", began, {"LC_ALL": "C"})
    assert command == ([sys.executable, "-m", "edgeinfer", "top"], {"LC_ALL": "C", "PYTHONUTF8": "1"})
    assert utf8_command("ascii", began, command[1]) is None
    assert utf8_command("utf-8", began, {}) is None


def test_an_error_names_a_path_with_an_umlaut_in_the_locale_c(tmp_path: Path) -> None:
    folder = tmp_path / "Meßdaten"
    folder.write_text("a file where a folder should be")
    environment = os.environ | {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    command = [sys.executable, "-m", "edgeinfer", "down", "--data-folder", str(folder)]
    ended = subprocess.run(command, env=environment, capture_output=True, check=False)
    assert "Meßdaten".encode() in ended.stderr
    assert b"Traceback" not in ended.stderr
