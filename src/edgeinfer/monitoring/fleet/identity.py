"""Under which name a device is known: from its hardware if that has a number, so that cloned cards differ."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from edgeinfer.errors import SettingsError

_SERIAL = "proc/device-tree/serial-number"
_MACHINE_ID = "etc/machine-id"
_LENGTH = 12


@dataclass(frozen=True, slots=True)
class Identity:
    """The labels that distinguish this device's series from another's.

    Args:
        site: where it is installed; alerts are grouped by it.
        device: unique in the fleet.
    """

    site: str
    device: str

    @property
    def labels(self) -> dict[str, str]:
        """As Prometheus takes them for `external_labels`."""
        return {"site": self.site, "device": self.device}


def identity(site: str = "", device: str = "", root: Path = Path("/")) -> Identity:
    """What was named, else the name that the machine's own numbers give.

    Two machines made from one image share the machine id, so the dashboard's serial number comes first.
    Neither leaves the machine: the name is a hash.

    Args:
        site: as named, or empty for "default".
        device: as named, or empty.
        root: below which the kernel's and the system's files lie.

    Raises:
        SettingsError: no name was given and the machine has no number; one invented here would be another's too.
    """
    return Identity(site or "default", device or f"edge-{_number(root)}")


def _number(root: Path) -> str:
    for path in (root / _SERIAL, root / _MACHINE_ID):
        try:
            content = path.read_bytes().strip(b"\0\n ")
        except OSError:
            continue
        if content:
            return hashlib.sha256(b"edgeinfer:" + content).hexdigest()[:_LENGTH]
    raise SettingsError(
        "the name of this device",
        f"/{_SERIAL} and /{_MACHINE_ID} have none",
        "Give one that no other device of the fleet has: --device NAME.",
    )
