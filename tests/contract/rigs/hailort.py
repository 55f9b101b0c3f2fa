"""The backend `hailort` on both lines of a faked HailoRT."""

from collections.abc import Callable
from pathlib import Path

from edgeinfer.backends.base import Backend
from tests.fakes.hailo_platform.machine import Machine
from tests.hailort.rigs import build_rig


def rigs() -> dict[str, Callable[[Path], Backend]]:
    """By title: what makes the backend in a folder."""
    return {
        "hailort 4": lambda folder: build_rig(Machine("4.23.0"), folder).backend,
        "hailort 5": lambda folder: build_rig(Machine("5.2.0"), folder).backend,
    }
