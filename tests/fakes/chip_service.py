"""Runs a command of ours on a machine with a faked Hailo chip, whose state follows a file.

`python -m tests.fakes.chip_service sidecar --port 9000` with FAKE_CHIP_STATE naming the file; its text is a key of
`STATES`, and an empty or missing file is a chip that is well.
"""

import os
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from types import SimpleNamespace

from tests.fakes.hailo_platform.build import modules
from tests.fakes.hailo_platform.hef import write_hef
from tests.fakes.hailo_platform.machine import Chip, Machine
from tests.fakes.hailo_platform.monitor_files import DeviceUse, NetworkUse, encode, write

STATE_VARIABLE = "FAKE_CHIP_STATE"
FOLDER_VARIABLE = "EDGEINFER_EXPORTER_MONITOR_FOLDER"
_LOOK_SECONDS = 0.1
_OUT_OF_FIRMWARE_MEMORY = 71
_DRIVER_OPERATION_FAILED = 36
_TIMEOUT = 4
_COMMUNICATION_CLOSED = 62
_KEPT = ("listeners", "owner", "owner_group", "owners", "open_devices", "control_calls", "sample_count")


def _hot(machine: Machine) -> None:
    machine.chip.ts0 = machine.chip.ts1 = 97.0


def _critical(machine: Machine) -> None:
    machine.chip.ts0, machine.chip.zone = 106.0, 1


def _throttled(machine: Machine) -> None:
    machine.chip.zone, machine.chip.requested_temperature_clock = 1, 200_000_000


def _stream_abort(machine: Machine) -> None:
    machine.chip.ts0, machine.chip.zone, machine.chip.streams_closed = 121.0, 2, True
    machine.notify(machine.chip, "HEALTH_MONITOR_DATAFLOW_SHUTDOWN")


def _overcurrent(machine: Machine) -> None:
    machine.chip.overcurrent_zone, machine.chip.requested_overcurrent_clock = 1, 200_000_000


def _damaged(machine: Machine) -> None:
    clusters = SimpleNamespace(cluster_error=1)
    name = "HEALTH_MONITOR_LCU_ECC_UNCORRECTABLE_ERROR"
    machine.notify(machine.chip, name, health_monitor_lcu_ecc_error_notification=clusters)


def _watchdog(machine: Machine) -> None:
    machine.chip.previous_states = (0, 1)


def _vanished(machine: Machine) -> None:
    machine.chip.present = False


def _stuck(machine: Machine) -> None:
    machine.chip.stuck = True


def _out_of_memory(machine: Machine) -> None:
    machine.inject("wait_for_async_ready", _OUT_OF_FIRMWARE_MEMORY, None)


def _refused(machine: Machine) -> None:
    machine.inject("control.get_chip_temperature", _COMMUNICATION_CLOSED, None)
    machine.inject("Device", _DRIVER_OPERATION_FAILED, None)


def _silent_sensor(machine: Machine) -> None:
    machine.inject("control.get_chip_temperature", _TIMEOUT, None)


def _busy(machine: Machine) -> None:
    machine.chip.busy_share, machine.chip.latency_seconds = 97.0, 0.02


def _metered(machine: Machine) -> None:
    machine.chip.current_monitoring = True


STATES: dict[str, Callable[[Machine], None]] = {
    "metered": _metered,
    "hot": _hot,
    "critical": _critical,
    "throttled": _throttled,
    "stream-abort": _stream_abort,
    "overcurrent": _overcurrent,
    "damaged": _damaged,
    "watchdog": _watchdog,
    "vanished": _vanished,
    "stuck": _stuck,
    "out-of-memory": _out_of_memory,
    "refused": _refused,
    "silent-sensor": _silent_sensor,
    "busy": _busy,
}


def become(machine: Machine, state: str) -> None:
    """Make the chip well, then put it into a state."""
    well = Chip()
    for one in fields(Chip):
        if one.name not in _KEPT:
            setattr(machine.chip, one.name, getattr(well, one.name))
    machine.heal()
    if state:
        STATES[state](machine)


def write_monitor(machine: Machine, folder: Path) -> None:
    """What the owner of a chip writes each second with HAILO_MONITOR=1; it takes its file away when it stops."""
    share = machine.chip.busy_share
    if not share:
        (folder / f"{os.getpid()}aB3dE6").unlink(missing_ok=True)
        return
    uses = [DeviceUse(machine.chip.device_id, share)]
    write(folder, encode(str(os.getpid()), [NetworkUse("tcn_vae", 900.0, share)], uses))


def follow(machine: Machine, path: Path, folder: Path | None) -> None:
    """Do what the file says, whenever it says something else; write monitor files where this process owns the chip."""
    state = ""
    while True:
        said = path.read_text().strip() if path.exists() else ""
        if said != state:
            state = said
            become(machine, state)
        if folder:
            write_monitor(machine, folder)
        time.sleep(_LOOK_SECONDS)


def main() -> None:
    """Fake the library, then be the command."""
    machine = Machine()
    sys.modules.update(modules(machine))
    path = Path(os.environ[STATE_VARIABLE])
    is_owner = sys.argv[1:2] == ["sidecar"]
    folder = Path(os.environ[FOLDER_VARIABLE]) if is_owner and FOLDER_VARIABLE in os.environ else None
    hef = Path(os.environ.get("HEF_PATH", path.parent / "net.hef"))
    if not hef.exists():
        write_hef(hef, architecture=machine.chip.architecture)
    threading.Thread(target=follow, args=(machine, path, folder), daemon=True).start()
    from edgeinfer.cli.main import main as command  # noqa: PLC0415 - after the library is faked

    command()


if __name__ == "__main__":
    main()
