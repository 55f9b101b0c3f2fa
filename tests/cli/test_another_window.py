"""A model of another window than the services cut is refused by every program that reads its card, in one wording."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from edgeinfer.cli.main import main
from edgeinfer.model.card import default_folder
from edgeinfer.stack.ports import PortPool

_CONFIGURATION_ERROR = 78
OTHERS: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "length": (
        lambda window: window.update(length=200),
        "window.length must be 100, got 200: no service cuts another window",
    ),
    "rate": (
        lambda window: window.update(rate_hz=50),
        "window.rate_hz must be 100, got 50.0: resample inside the graph",
    ),
    "channels": (
        lambda window: window.update(channels=window["channels"][::-1]),
        "window.channels must be ['ax', 'ay'",
    ),
}
PROGRAMS: dict[str, tuple[tuple[str, ...], int]] = {
    "gateway": (("gateway", "--port", "PORT"), _CONFIGURATION_ERROR),
    "sidecar": (("sidecar", "--port", "PORT"), _CONFIGURATION_ERROR),
    "stub": (("sidecar", "--port", "PORT", "--backend", "stub"), _CONFIGURATION_ERROR),
    "parity": (("parity",), _CONFIGURATION_ERROR),
    "drift": (("drift", "learn"), _CONFIGURATION_ERROR),
    "doctor": (("doctor", "--only", "model"), 1),
    "trial": (("doctor", "--model", "FOLDER"), 1),
    "foreign": (("doctor", "--sidecar", "http://127.0.0.1:PORT/infer"), _CONFIGURATION_ERROR),
}


CASES = [*((program, "length") for program in PROGRAMS), ("gateway", "rate"), ("sidecar", "channels")]
# These are started as they are: what they set up before they read the card is for the whole process.
SERVICES = ("gateway", "sidecar", "stub")


@dataclass(frozen=True, slots=True)
class Ended:
    """What a command said, and with which status it ended."""

    status: int
    says: str


def started(arguments: Sequence[str], environment: dict[str, str]) -> Ended:
    command = [sys.executable, "-m", "edgeinfer", *arguments]
    done = subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True, timeout=60, check=False
    )
    return Ended(done.returncode, done.stdout + done.stderr)


@pytest.fixture
def called(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[[Sequence[str], dict[str, str]], Ended]:
    """Calls the command line in this process."""

    def call(arguments: Sequence[str], environment: dict[str, str]) -> Ended:
        monkeypatch.setattr(sys, "argv", ["edgeinfer", *arguments])
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return Ended(int(ended.value.code or 0), said.out + said.err)

    return call


@pytest.mark.parametrize(("program", "what"), CASES)
def test_another_window_is_refused_at_once(
    program: str, what: str, tmp_path: Path, called: Callable[[Sequence[str], dict[str, str]], Ended]
) -> None:
    change, words = OTHERS[what]
    folder = Path(shutil.copytree(default_folder(), tmp_path / "model"))
    card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    change(card["window"])
    (folder / "card.json").write_text(json.dumps(card), encoding="utf-8")
    argv, status = PROGRAMS[program]
    named = {"PORT": str(PortPool().take(1)[0]), "FOLDER": str(folder)}
    given = [one.replace("PORT", named["PORT"]).replace("FOLDER", named["FOLDER"]) for one in argv]
    environment = {"EDGEINFER_MODEL_FOLDER": str(folder), "HOME": str(tmp_path), "COLUMNS": "300"}
    ended = (started if program in SERVICES else called)(given, environment)
    assert words in ended.says
    assert "docs/guides/bring-your-own-model.md" in ended.says
    assert ended.status == status, ended.says
