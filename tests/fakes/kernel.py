"""The kernel's folders of a machine with a Hailo chip, written below a root."""

from pathlib import Path

BDF = "0001:01:00.0"
_SPEEDS = {1: "2.5 GT/s PCIe", 2: "5.0 GT/s PCIe", 3: "8.0 GT/s PCIe", 4: "16.0 GT/s PCIe"}


def write_kernel(  # each is a fact of the machine
    root: Path,
    *,
    device: str = "0x2864",
    module: str | None = "hailo_pci",
    version: str = "4.23.0",
    bound: bool = True,
    node: bool = True,
    driver_5_3: bool = False,
    firmware_word: str | None = None,
    links: tuple[str, str, str] | None = None,
) -> Path:
    """Write what the driver shows; `driver_5_3` moves the class folder as that version did.

    A `firmware_word` makes the machine a Raspberry Pi. `links` are the PCIe link now, at most by the chip and at most
    by its port, each as "8.0 GT/s PCIe x4"; without them the kernel says nothing of it.
    """
    pci = root / "sys/bus/pci/devices" / BDF
    pci.parent.mkdir(parents=True)
    behind_port = root / "sys/devices/pci0001:00/0001:00:00.0" / BDF
    behind_port.mkdir(parents=True)
    pci.symlink_to(behind_port)
    for folder, which, link in zip(
        (pci, pci, behind_port.parent), ("current", "max", "max"), links or (), strict=False
    ):
        speed, _, width = link.rpartition(" x")
        (folder / f"{which}_link_speed").write_text(speed + "\n")
        (folder / f"{which}_link_width").write_text(width + "\n")
    (pci / "vendor").write_text("0x1e60\n")
    (pci / "device").write_text(device + "\n")
    nvme = root / "sys/bus/pci/devices/0000:01:00.0"
    nvme.mkdir()
    (nvme / "vendor").write_text("0x144d\n")
    (root / "sys/class").mkdir(parents=True, exist_ok=True)
    (root / "dev").mkdir()
    if firmware_word is not None:
        firmware = root / "sys/devices/platform/soc/soc:firmware"
        firmware.mkdir(parents=True)
        (firmware / "get_throttled").write_text(firmware_word + "\n")
    if module is None:
        return root
    folder = root / "sys/module" / module
    folder.mkdir(parents=True)
    (folder / "version").write_text(version + "\n")
    if bound:
        driver = root / "sys/bus/pci/drivers" / module
        driver.mkdir(parents=True)
        (pci / "driver").symlink_to(driver)
    if node:
        name = "h1x-0" if driver_5_3 else "hailo0"
        entry = root / "sys/class" / ("hailo1x" if driver_5_3 else "hailo_chardev") / name
        entry.mkdir(parents=True)
        if driver_5_3:
            (entry / "device_id").write_text(BDF)
        else:
            (entry / "board_location").write_text(BDF)
            (entry / "device_id").write_text("1e60:2864\n")
        (root / "dev" / name).touch()
    return root


def hold(root: Path, pid: int, node: str, command: bytes) -> None:
    """Let a process have a node open, as its links in /proc say."""
    files = root / f"proc/{pid}/fd"
    files.mkdir(parents=True)
    (files / "0").symlink_to("/dev/null")
    (files / "5").symlink_to(node)
    (files.parent / "cmdline").write_bytes(command)


def write_link(root: Path, *, current: tuple[int, int], device: tuple[int, int], slot: tuple[int, int] | None) -> None:
    """Write the PCIe link of the chip, each end as (generation, lanes); a slot of None says nothing of itself."""
    chip = (root / "sys/bus/pci/devices" / BDF).resolve()
    _write_speed(chip, "current", *current)
    _write_speed(chip, "max", *device)
    if slot is not None:
        _write_speed(chip.parent, "max", *slot)


def _write_speed(folder: Path, which: str, generation: int, lanes: int) -> None:
    (folder / f"{which}_link_speed").write_text(_SPEEDS.get(generation, "Unknown") + "\n")
    (folder / f"{which}_link_width").write_text(f"{lanes}\n")
