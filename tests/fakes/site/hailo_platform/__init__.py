"""The fake as an importable package, for real processes: put its parent folder on PYTHONPATH.

`FAKE_HAILO` names a JSON file that is read again whenever it changes:
`{"version": "4.23.0", "chip": {"ts0": 61.5}, "inject": [["run_async", 82, 1, 0]], "delay": [["Device", 30.7]],
"notify": [["DEBUG", {}]]}`.
`"knows_numpy_2": false` is a library as Hailo builds it until 5.1.0.
What was applied last is reported by its key `change`, in a file next to it that ends in `.applied`.
"""

import importlib
import json
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).resolve().parents[4]))
build = importlib.import_module("tests.fakes.hailo_platform.build")
world = importlib.import_module("tests.fakes.hailo_platform.machine")


def _read(path: Path) -> dict[str, Any]:
    try:
        document: dict[str, Any] = json.loads(path.read_text())
    except (OSError, ValueError):  # not there yet, or half written
        return {}
    return document


def _apply(machine: Any, document: dict[str, Any]) -> None:
    for name, value in document.get("chip", {}).items():
        setattr(machine.chip, name, value)
    if document.get("heal"):
        machine.heal()
    for knob in document.get("inject", []):
        machine.inject(*knob)
    for call, seconds in document.get("delay", []):
        machine.delay(call, seconds)
    for name, body in document.get("notify", []):
        bodies = {part: type("Body", (), fields) for part, fields in body.items()}
        machine.notify(machine.chip, name, **bodies)


def _follow(machine: Any, path: Path) -> None:
    seen = _read(path)
    while True:
        time.sleep(0.05)
        found = _read(path)
        if found and found != seen:
            seen = found
            _apply(machine, found)
            path.with_suffix(".applied").write_text(str(found.get("change", "")))


_path = Path(os.environ.get("FAKE_HAILO", os.devnull))
_document = _read(_path)
_machine = world.Machine(_document.get("version", "4.23.0"))
_machine.knows_numpy_2 = _document.get("knows_numpy_2", True)
_apply(_machine, _document)
sys.modules.update(build.modules(_machine))
threading.Thread(target=_follow, args=(_machine, _path), daemon=True).start()
