"""A chip in service: its frames in flight, its recovery, and what it reports of itself when it is opened."""

import logging
from dataclasses import dataclass

from edgeinfer.errors import BackendError
from edgeinfer.hailort.chip_model import ChipNetwork
from edgeinfer.hailort.identity import Identity, read_identity
from edgeinfer.hailort.layout import Layout
from edgeinfer.hailort.library import Library

_log = logging.getLogger(__name__)
# Weight of the newest frame in the mean time that the chip takes for one.
_NEWEST = 0.1


@dataclass(slots=True, eq=False)
class ChipState:
    """A chip, its frames in flight and its recovery; read and written under the backend's lock.

        open ──frame fails──▶ failed ──last frame leaves──▶ recovering ──configured──▶ open
         ▲                                                   │ chip lost, or failed again
         └──────────opened────── reopening ◀──due_at── lost ◀┘
                                     └──failed, wait doubled──▶ lost

    Only `open` takes windows. `recovering` and `reopening` run in a thread of their own with `is_recovering` set, so
    that no second thread touches the chip; callers wait for them, and fail at once if every chip is `lost`.

    Args:
        network: on the chip.
        in_flight: windows that threads have with it.
        is_recovering: whether it is being configured or opened again.
        failures: times in a row that it could not be opened.
        due_at: when to open it again.
        last_failure: None once it has answered again.
        was_reported: whether a caller got the last failure.
        seconds_per_frame: mean time from one answer to the next while it has work.
        answered_at: when the last answer came, by `perf_counter`.
    """

    network: ChipNetwork
    in_flight: int = 0
    is_recovering: bool = False
    failures: int = 0
    due_at: float = 0.0
    last_failure: BackendError | None = None
    was_reported: bool = False
    seconds_per_frame: float = 0.0
    answered_at: float = 0.0

    @property
    def is_ready(self) -> bool:
        """Whether this chip takes windows: configured, without a failure, and not recovering."""
        return self.network.is_open and not self.network.has_failed and not self.is_recovering

    def answered(self, started: float, ended: float) -> None:
        """Note an answer: the chip was at work since it began, or since the answer before."""
        seconds = ended - max(started, self.answered_at)
        self.answered_at = max(self.answered_at, ended)
        before = self.seconds_per_frame
        self.seconds_per_frame = before + _NEWEST * (seconds - before) if before else seconds


def identity_of(library: Library, device_id: str) -> Identity | None:
    """Who the chip is, or None: opening it as a device may fail where inference works."""
    try:
        with library.platform.Device(device_id) as device:
            return read_identity(device.control)
    except Exception as failure:  # noqa: BLE001  # Device() leaks an exception that derives from nothing narrower
        _log.info("the chip's identity cannot be read", extra={"device_id": device_id, "failure": repr(failure)})
        return None


def log_layout(layout: Layout, device_id: str) -> None:
    """Say which layout of the window was taken, and warn where the shape left it open."""
    extra = {
        "device_id": device_id,
        "input_shape": layout.shape,
        "layout": "channel_major" if layout.is_channel_major else "time_major",
    }
    if layout.was_chosen:
        _log.warning("the layout of the input is ambiguous; set EDGEINFER_HEF_LAYOUT", extra=extra)
    else:
        _log.info("layout of the window in the model's input", extra=extra)
