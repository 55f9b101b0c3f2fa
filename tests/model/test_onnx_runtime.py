"""ONNX Runtime sends nothing to its maker: the wheel of 1.32 does so by default."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from edgeinfer.model.card import default_folder
from edgeinfer.settings import prepare_onnxruntime

# A session makes the identifier of the machine as it begins; its thread is the one that sends.
RUN = """
import os, pathlib, sys, time
{first}
session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
deadline = time.monotonic() + float(sys.argv[2])
while time.monotonic() < deadline and not any(one.is_file() for one in pathlib.Path.home().rglob("*")):
    time.sleep(0.05)
"""


def identifiers(home: Path, first: str, seconds: float, **variables: str) -> list[str]:
    """What a process leaves of the machine's identifier in its home.

    It gets a person's environment and no other: the library sends nothing where a variable of a build server
    is set (`CI`, `GITHUB_ACTIONS`, `TF_BUILD` ...), and writes to `XDG_CACHE_HOME` where there is one.
    """
    model = default_folder() / "tcn_vae.onnx"
    subprocess.run(
        [sys.executable, "-c", RUN.format(first=first), str(model), str(seconds)],
        env={"PATH": os.environ["PATH"], "HOME": str(home), **variables},
        check=True,
    )
    return [path.name for path in home.rglob("*") if path.is_file()]


def test_a_session_leaves_no_identifier_of_the_machine(tmp_path: Path) -> None:
    assert identifiers(tmp_path, "from edgeinfer.backends.onnx import onnxruntime", 2) == []


def test_it_would_without_the_variable(tmp_path: Path) -> None:
    """If this fails, the library has changed its ways: look at what it does now."""
    assert "deviceid" in identifiers(tmp_path, "import onnxruntime", 20)


@pytest.mark.parametrize(("before", "after"), [({}, "1"), ({"ORT_DISABLE_TELEMETRY": "0"}, "0")])
def test_an_operator_may_set_it_otherwise(before: dict[str, str], after: str) -> None:
    prepare_onnxruntime(before)
    assert before == {"ORT_DISABLE_TELEMETRY": after}
