"""A model of another window than the services cut is refused by every program that reads its card, in one wording."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

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
EDGEINFER = ("-m", "edgeinfer")
PROGRAMS: dict[str, tuple[tuple[str, ...], int]] = {
    "gateway": ((*EDGEINFER, "gateway", "--port", "PORT"), _CONFIGURATION_ERROR),
    "sidecar": ((*EDGEINFER, "sidecar", "--port", "PORT"), _CONFIGURATION_ERROR),
    "stub": ((*EDGEINFER, "sidecar", "--port", "PORT", "--backend", "stub"), _CONFIGURATION_ERROR),
    "parity": ((*EDGEINFER, "parity"), _CONFIGURATION_ERROR),
    "drift": ((*EDGEINFER, "drift", "learn"), _CONFIGURATION_ERROR),
    "doctor": ((*EDGEINFER, "doctor", "--only", "model"), 1),
    "trial": ((*EDGEINFER, "doctor", "--model", "FOLDER"), 1),
    "foreign": ((*EDGEINFER, "doctor", "--sidecar", "http://127.0.0.1:PORT/infer"), _CONFIGURATION_ERROR),
}


CASES = [*((program, "length") for program in PROGRAMS), ("gateway", "rate"), ("sidecar", "channels")]


@pytest.mark.parametrize(("program", "what"), CASES)
def test_another_window_is_refused_at_once(program: str, what: str, tmp_path: Path) -> None:
    change, words = OTHERS[what]
    folder = Path(shutil.copytree(default_folder(), tmp_path / "model"))
    card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    change(card["window"])
    (folder / "card.json").write_text(json.dumps(card), encoding="utf-8")
    argv, status = PROGRAMS[program]
    named = {"PORT": str(PortPool().take(1)[0]), "FOLDER": str(folder)}
    given = [one.replace("PORT", named["PORT"]).replace("FOLDER", named["FOLDER"]) for one in argv]
    environment = {**os.environ, "EDGEINFER_MODEL_FOLDER": str(folder), "HOME": str(tmp_path), "COLUMNS": "300"}
    done = subprocess.run(
        [sys.executable, *given], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert words in done.stdout + done.stderr
    assert "docs/guides/bring-your-own-model.md" in done.stdout + done.stderr
    assert done.returncode == status, done.stderr
