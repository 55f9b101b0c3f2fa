"""Who a chip is, from its own answer."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Identity:
    """A chip's answer to `identify()`; a field that the board leaves blank is empty.

    Args:
        architecture: "HAILO8", "HAILO8L", "HAILO10H"; the module's name is "Hailo-8" even on an 8L.
        board_name: such as "Hailo-8".
        firmware_version: such as "4.23.0".
        serial_number: of the module.
        part_number: of the module.
        product_name: of the module.
    """

    architecture: str
    board_name: str
    firmware_version: str
    serial_number: str
    part_number: str
    product_name: str

    @property
    def is_remote(self) -> bool:
        """Whether the chip is an accelerator with a system of its own, which lacks some readings."""
        return self.architecture.startswith(("HAILO10", "HAILO15"))


def read_identity(control: Any) -> Identity:
    """Read architecture, serial number and firmware version from a device.

    Raises:
        Exception: any of HailoRT's; a ValueError where the library does not know the chip's architecture.
    """
    identity = control.identify()
    firmware = identity.firmware_version
    return Identity(
        architecture=str(identity.device_architecture.name),
        board_name=_clean(identity.board_name),
        firmware_version=f"{firmware.major}.{firmware.minor}.{firmware.revision}",
        serial_number=_clean(identity.serial_number),
        part_number=_clean(identity.part_number),
        product_name=_clean(identity.product_name),
    )


def _clean(text: str) -> str:
    """The string without the NULs that fixed-width fields carry."""
    return str(text).rstrip("\x00").strip()
