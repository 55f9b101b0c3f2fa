"""`edgeinfer load-test`: what is wrong with its options is said before the first request, and not after the last."""

import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from edgeinfer.cli.load_test import create
from edgeinfer.errors import DataFolderError

NOBODY = "http://127.0.0.1:1"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--gateway", "notaurl"], "is not an address"),
        (["--gateway", "http://127.0.0.1:port"], "is not an address"),
        (["--prometheus", "localhost:9090"], "is not an address"),
        (["--watch", "gateway"], "names no process that runs"),
        (["--watch", f"={os.getpid()}"], "names no process that runs"),
        (["--watch", "gateway=4194305"], "names no process that runs"),
        (["--gateway", NOBODY, "--own-stack"], "names what is loaded"),
        (["--gateway", NOBODY, "--data-folder", "x"], "names what is loaded"),
    ],
)
def test_options_that_cannot_be_meant_are_refused(options: list[str], said: str) -> None:
    result = CliRunner().invoke(create(), options)
    assert result.exit_code == 2
    assert said in result.stderr


def test_a_folder_that_cannot_hold_the_report_is_refused_before_the_run(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    result = CliRunner().invoke(create(), ["--gateway", NOBODY, "--report", str(tmp_path / "file" / "report")])
    assert isinstance(result.exception, DataFolderError)
    assert "cannot be created" in result.exception.fault
