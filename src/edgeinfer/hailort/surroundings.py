"""What this machine calls the chip's parts and who holds them: looked at when a failure has to be explained."""

import os
from dataclasses import dataclass
from pathlib import Path

from edgeinfer.hailort.driver import DriverNames, driver_names, read_driver_facts
from edgeinfer.hailort.holders import holders_of

_HELD = (73, 74)  # DEVICE_IN_USE and OUT_OF_PHYSICAL_DEVICES


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Names for messages whose commands people copy and run.

    Args:
        names: of module, node and udev rule.
        holders: the processes that hold the chip's node open, in words; empty if not looked up.
    """

    names: DriverNames = DriverNames()  # noqa: RUF009  # frozen
    holders: str = ""


def look_around(code: int | None, root: Path = Path("/")) -> Surroundings:
    """Read the names, and the holders if the status says that another process holds the chip.

    Args:
        code: status of the failure.
        root: below which the kernel's folders lie.
    """
    try:
        facts = read_driver_facts(root)
        names = driver_names(facts, root)
    except OSError:  # the usual names explain a failure well enough
        return Surroundings()
    if code not in _HELD:
        return Surroundings(names)
    nodes = [Path("/") / node.path.relative_to(root) for node in facts.nodes]
    held = holders_of(nodes, root / "proc", but=os.getpid())
    # The holder has exited in the meantime: there is no process to name.
    return Surroundings(names, str(held) if held.found or not held.is_whole else "")
