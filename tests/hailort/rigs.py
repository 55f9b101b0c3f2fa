"""A machine with chips, a network on disk and the backend upon them."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeinfer.backends.hailort import HailortBackend
from edgeinfer.hailort.library import Library, load_library
from edgeinfer.model.card import ModelCard, default_folder, load_card
from tests.fakes.hailo_platform.build import importer
from tests.fakes.hailo_platform.hef import write_hef
from tests.fakes.hailo_platform.machine import Machine

VERSIONS = ("4.23.0", "5.2.0")


class Clock:
    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


def at_once(action: Callable[[], None]) -> None:
    """In place of a thread: a chip is opened again before the call continues."""
    action()


def shipped_card() -> ModelCard:
    return load_card(default_folder())


@dataclass
class Rig:
    """A backend on a faked machine, with its clock."""

    machine: Machine
    hef: Path
    clock: Clock
    backend: HailortBackend

    def library(self) -> Library:
        return load_library(importer(self.machine))


def build_rig(machine: Machine, folder: Path, *, hef: dict[str, Any] | None = None, **given: Any) -> Rig:
    """A rig whose network is compiled for the machine's first chip by default."""
    path = write_hef(folder / "net.hef", **{"architecture": machine.chip.architecture, **(hef or {})})
    clock = Clock()
    load = importer(machine)
    options = {"timeout_ms": 1000, "clock": clock, "start": at_once, **given}
    backend = HailortBackend(shipped_card(), path, load=lambda: load_library(load), **options)
    return Rig(machine, path, clock, backend)
