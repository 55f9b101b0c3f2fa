"""A compiled model on Hailo chips.

Each chip has several frames in flight; the rest of the model runs on the host.
"""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, perf_counter

import numpy as np
from numpy.typing import NDArray

from edgeinfer.backends.base import Description, Inference, Window
from edgeinfer.errors import BackendError, ModelFileError
from edgeinfer.hailort.chip_model import ChipNetwork
from edgeinfer.hailort.compatibility import check_before_open, check_content
from edgeinfer.hailort.driver import read_driver_facts
from edgeinfer.hailort.hef import HefFile, check_architecture, check_hef
from edgeinfer.hailort.identity import Identity, read_identity
from edgeinfer.hailort.layout import Layout, LayoutChoice, choose_layout
from edgeinfer.hailort.library import Library, load_library
from edgeinfer.hailort.roles import check_inputs, find_roles
from edgeinfer.hailort.session import SessionOver, again
from edgeinfer.model.card import ModelCard
from edgeinfer.model.processing import make_mount, make_scale, softmax, turn
from edgeinfer.settings import SidecarSettings

Array = NDArray[np.float32]
KIND = "hailo"
_log = logging.getLogger(__name__)
_FIRST_WAIT_SECONDS, _MAX_WAIT_SECONDS = 1.0, 30.0
# HailoRT's own timeouts end far below this; waiting longer for a busy chip gains nothing.
_MAX_TURN_SECONDS = 5.0
# A frame waits in the library's queue for those before it, and its timeout already runs.
_QUEUE_SHARE_OF_TIMEOUT = 0.5
# Weight of the newest frame in the mean time that the chip takes for one.
_NEWEST = 0.1


def create(card: ModelCard, settings: SidecarSettings) -> "HailortBackend":
    """The backend that the settings describe.

    Raises:
        ModelFileError: the HEF is missing, damaged or not the card's; raised before anything is served.
        SettingsError: HailoRT and numpy do not fit.
    """
    backend = HailortBackend(
        card,
        settings.hef_path,
        device_ids=tuple(part.strip() for part in settings.hailo_devices.split(",") if part.strip()),
        layout=settings.hef_layout,
        timeout_ms=settings.hailo_timeout_ms,
        max_in_flight=settings.hailo_frames_in_flight,
        expected_chips=len(read_driver_facts().nodes),
    )
    backend.check()
    return backend


def start_thread(action: Callable[[], None]) -> None:
    """Run an action in a thread of its own and return at once."""
    threading.Thread(target=action, name="hailo-reopen", daemon=True).start()


@dataclass(slots=True, eq=False)
class _Chip:
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


class HailortBackend:
    """Answers windows on Hailo chips through HailoRT's InferModel.

    Each chip has as many frames in flight as there are callers, limited by its queue and by the timeout.
    A chip that fails recovers in the background: its network is configured again at once, and a lost chip
    is reopened with growing delays while the others keep serving.

    Args:
        card: of the model; its `device` variant says what the host has to do around the network.
        hef_path: the compiled network; the card's variant `hef` if not given.
        device_ids: the chips to use; every chip that a scan finds if empty.
        layout: of the window in the network's input; found from its shape by "auto".
        timeout_ms: for a frame to be taken, and again for it to come back.
        max_in_flight: frames at once on each chip, if its queue takes as many.
        expected_chips: how many threads to be ready for, before `open` counts the chips.
        load: imports the HailoRT library.
        clock: monotonic seconds.
        start: how the reopening of a chip is started in the background.
    """

    def __init__(  # noqa: PLR0913  # three settings and three seams, by name
        self,
        card: ModelCard,
        hef_path: Path | None,
        *,
        device_ids: tuple[str, ...] = (),
        layout: LayoutChoice = "auto",
        timeout_ms: int = 700,
        max_in_flight: int = 8,
        expected_chips: int = 1,
        load: Callable[[], Library] = load_library,
        clock: Callable[[], float] = monotonic,
        start: Callable[[Callable[[], None]], None] = start_thread,
    ) -> None:
        self._card = card
        self._hef_path = hef_path
        self._device_ids = device_ids
        self._layout_choice = layout
        self._timeout_ms = timeout_ms
        self._max_in_flight = max_in_flight
        self._expected_chips = expected_chips
        self._load = load
        self._clock = clock
        self._start = start
        self._file = card.files["hef"] if "hef" in card.files else card.file("device")
        self._scale = make_scale(card.normalization) if self._file.input == "normalized" else None
        self._mount = make_mount(card.mount_rotation)
        self._hef: HefFile | None = None
        self._chips: list[_Chip] = []
        self._turn = threading.Condition()
        self._layout = Layout((), is_channel_major=False, was_chosen=False)
        self._latent_at = self._scores_at = 0

    @property
    def parallelism(self) -> int:
        """A thread for each frame that the chips take; before `open`, one for each chip named or expected."""
        depths = sum(self._max_on(chip) for chip in self._chips)
        return depths or len(self._device_ids) or max(1, self._expected_chips)

    @property
    def is_cpu_bound(self) -> bool:
        """False: a thread that waits for the chip uses no core."""
        return False

    def open(self) -> Description:
        """Check the HEF, take the chips and run one window on each.

        Raises:
            ModelFileError: the HEF or the card cannot be used with this chip.
            SettingsError: HailoRT and numpy do not fit.
            BackendError: no chip can be opened; with the class of the first chip's failure.
        """
        self.close()
        hef = self.checked_hef()
        library = self._load()
        parsed = check_before_open(library, hef, self._card, self._layout_choice)
        ids = self._device_ids or self._scanned(library)
        identities = [_identity(library, device_id) for device_id in ids]
        for identity in identities:
            if identity is not None:
                check_architecture(hef, identity.architecture)
        self._open_chips(library, hef, ids)
        _log.info(
            "the HEF is the card's network",
            extra={"hef": hef.described(), "sha256": hef.sha256, "bottleneck_fps": parsed.bottleneck_fps},
        )
        return self._description(library, hef, ids, identities)

    def infer(self, window: Window) -> Inference:
        """Answer one window on a chip that takes one more frame.

        Raises:
            BackendError: with the class of the failure.
        """
        started = perf_counter()
        buffer = self._preprocessed(window)
        preprocessed = perf_counter()
        outputs, in_flight = self._run(buffer)
        executed = perf_counter()
        latent = outputs[self._latent_at].reshape(-1)
        scores = self._scores(outputs[self._scores_at].reshape(-1))
        return Inference(
            latent=latent,
            motif_scores=scores,
            preprocess_seconds=preprocessed - started,
            execute_seconds=executed - preprocessed,
            postprocess_seconds=perf_counter() - executed,
            frames_in_flight=in_flight,
        )

    def close(self) -> None:
        """Release every chip; frames in flight are awaited, and fail if they do not come back."""
        with self._turn:
            chips, self._chips = self._chips, []
            self._turn.notify_all()
        for chip in chips:
            self._wait_until_idle(chip)
            chip.network.close()

    def check(self) -> None:
        """Check everything that needs no chip; a HailoRT that does not load is left to `open`, which is tried again.

        Raises:
            ModelFileError: the HEF cannot be used.
            SettingsError: HailoRT and numpy do not fit.
        """
        hef = self.checked_hef()
        try:
            library = self._load()
        except BackendError:
            return
        check_before_open(library, hef, self._card, self._layout_choice)

    def checked_hef(self) -> HefFile:
        """Read the HEF and check what needs no chip.

        Raises:
            ModelFileError: it cannot be used.
        """
        path = self._hef_path or (self._file.path if "hef" in self._card.files else None)
        if path is None:
            raise ModelFileError("HEF_PATH", "is not set", "Set it to the compiled model (HEF) for the Hailo chip.")
        hef = check_hef(path)
        check_content(hef, self._card)
        return hef

    def _scanned(self, library: Library) -> tuple[str, ...]:
        ids = tuple(library.scan()) if library.scan_count() else ()
        if not ids:
            remedy = "Run 'edgeinfer doctor': it checks chip, driver and library."
            raise BackendError("HailoRT", "its scan finds no device", remedy, error_class="device_not_found")
        return ids

    def _open_chips(self, library: Library, hef: HefFile, ids: tuple[str, ...]) -> None:
        self._hef = hef
        chips = [_Chip(self._network(library, device_id, hef.content, alone=len(ids) == 1)) for device_id in ids]
        for chip in chips:
            self._open_chip(chip)
        failures = [chip.last_failure for chip in chips if chip.last_failure is not None]
        if len(failures) == len(chips):
            raise failures[0]
        with self._turn:
            self._chips = chips

    def _network(self, library: Library, device_id: str, content: bytes, *, alone: bool) -> ChipNetwork:
        # VDevices of one group in a process share a device, so each chip of several has a group of its own.
        group_id = "SHARED" if alone else f"SHARED-{device_id}"
        return ChipNetwork(library, device_id, content, group_id=group_id, timeout_ms=self._timeout_ms)

    def _open_chip(self, chip: _Chip) -> bool:
        """Open one chip and run a window; a failure is recorded on it, unless it would be the same on every chip."""
        try:
            chip.network.open()
            self._settle(chip)
            # A ramp: the output of a constant window may be constant, which the frame's check takes for unwritten.
            shape, size = chip.network.input.shape, chip.network.input.size
            _, chip.seconds_per_frame = chip.network.run(np.linspace(-1, 1, size, dtype=np.float32).reshape(shape))
        except BackendError as failure:
            chip.network.close()
            self._note(chip, failure)
            self._postpone(chip, failure)
            return False
        return True

    def _settle(self, chip: _Chip) -> None:
        """Find out how the network's edges and the model's meet."""
        network = chip.network
        choice = self._layout_choice
        if choice == "auto" and self._hef is not None:
            choice = self._hef.manifest.layout
        try:
            check_inputs(network.inputs)
            self._layout = choose_layout(network.input.shape, choice)
            self._latent_at, self._scores_at = find_roles(network.outputs, self._card)
        except ModelFileError:
            network.close()
            raise
        _log_layout(self._layout, network.device_id)

    def _preprocessed(self, window: Window) -> Array:
        """The window as the network takes it, in an array of its own: HailoRT reads it while the next is prepared."""
        if not self._chips:
            raise self._why_none()
        values = turn(window, self._mount)
        buffer = np.empty(self._layout.shape, np.float32)
        self._layout.fill(values if self._scale is None else self._scale.apply(values), buffer)
        return buffer

    def _run(self, buffer: Array) -> tuple[list[Array], int]:
        """The outputs of one frame, and how many were in flight with it."""
        deadline = self._clock() + _MAX_TURN_SECONDS
        while True:
            chip, in_flight = self._take(deadline)
            try:
                return self._run_on(chip, buffer), in_flight
            except SessionOver:
                continue  # another's failure came between; this window has not been tried yet

    def _run_on(self, chip: _Chip, buffer: Array) -> list[Array]:
        answered = None
        try:
            started = perf_counter()
            outputs, seconds = chip.network.run(buffer)
            answered = started, started + seconds
        except BackendError as failure:
            self._note(chip, failure, was_reported=True)
            raise
        finally:
            self._give_back(chip, answered)
        return outputs

    def _scores(self, values: Array) -> Array:
        if self._file.scores == "logits":
            return softmax(values, self._card.temperature)
        # Eight bits seldom sum to one exactly.
        positive: Array = np.maximum(values, np.float32(0.0))
        positive /= positive.sum()
        return positive

    def _take(self, deadline: float) -> tuple[_Chip, int]:
        """A chip that takes one more frame, and how many are on it then."""
        with self._turn:
            while True:
                self._reopen_what_is_due()
                free = [chip for chip in self._chips if chip.is_ready and chip.in_flight < self._max_on(chip)]
                if free:
                    chip = min(free, key=lambda chip: chip.in_flight)
                    chip.in_flight += 1
                    return chip, chip.in_flight
                is_late = self._clock() >= deadline
                # A chip that is being configured or opened again at this moment is worth waiting for.
                hopeful = [chip for chip in self._chips if chip.network.is_open or (chip.is_recovering and not is_late)]
                if not hopeful:
                    raise self._why_none()
                if is_late:
                    remedy = "Send fewer windows at once."
                    raise BackendError("the chips", "are all busy", remedy, error_class="backpressure")
                # Not without a timeout: `due_at` and the deadline pass without a notification.
                self._turn.wait(0.1)

    def _max_on(self, chip: _Chip) -> int:
        """Frames at once: as many as the settings and the queue allow, and as complete well within their timeout."""
        seconds = chip.seconds_per_frame
        in_time = int(_QUEUE_SHARE_OF_TIMEOUT * self._timeout_ms / 1000 / seconds) if seconds else 1
        return max(1, min(self._max_in_flight, chip.network.queue_size, in_time))

    def _why_none(self) -> BackendError:
        """The failure of a chip, preferably one that was not reported yet."""
        for chip in sorted(self._chips, key=lambda chip: chip.was_reported):
            last = chip.last_failure
            if last is not None:
                repeated, chip.was_reported = chip.was_reported, True
                return again(last) if repeated else last
        return BackendError("the backend", "is not open", "Open it first.", error_class="misuse")

    def _reopen_what_is_due(self) -> None:
        for chip in self._chips:
            if not chip.network.is_open and not chip.is_recovering and self._clock() >= chip.due_at:
                chip.is_recovering = True
                self._start(lambda chip=chip: self._reopen(chip))  # type: ignore[misc]  # binds the loop's chip

    def _reopen(self, chip: _Chip) -> None:
        try:
            if self._open_chip(chip):
                _log.info("a chip has recovered", extra={"device_id": chip.network.device_id})
        finally:
            self._end_recovery(chip)

    def _recover(self, chip: _Chip) -> None:
        """Configure the network again after a failure, when all frames in flight have completed."""
        failure = chip.last_failure
        try:
            chip.network.recover()
            if not chip.network.is_open and failure is not None:
                self._postpone(chip, failure)
        finally:
            self._end_recovery(chip)

    def _end_recovery(self, chip: _Chip) -> None:
        with self._turn:
            chip.is_recovering = False
            self._turn.notify_all()

    def _note(self, chip: _Chip, failure: BackendError, *, was_reported: bool = False) -> None:
        with self._turn:
            chip.last_failure, chip.was_reported = failure, was_reported

    def _postpone(self, chip: _Chip, failure: BackendError) -> None:
        """Set when to open the chip again, later after each failure in a row."""
        with self._turn:
            wait = min(_FIRST_WAIT_SECONDS * 2**chip.failures, _MAX_WAIT_SECONDS)
            chip.failures += 1
            chip.due_at = self._clock() + wait
        _log.warning(
            "a chip is lost and will be opened again",
            extra={"device_id": chip.network.device_id, "error_class": failure.error_class, "wait_seconds": wait},
        )

    def _give_back(self, chip: _Chip, answered: tuple[float, float] | None) -> None:
        """End a thread's turn; the last to leave a network that has failed has it recovered."""
        with self._turn:
            chip.in_flight -= 1
            if answered is not None:
                chip.answered(*answered)
                if not chip.network.has_failed:
                    chip.failures, chip.last_failure = 0, None
            must_recover = chip.network.has_failed and chip.in_flight == 0 and not chip.is_recovering
            chip.is_recovering = chip.is_recovering or must_recover
            self._turn.notify_all()
        # Outside of the lock: configuring is slow, and callers must be able to use the other chips.
        if must_recover:
            self._start(lambda: self._recover(chip))

    def _wait_until_idle(self, chip: _Chip) -> None:
        with self._turn:
            is_idle = self._turn.wait_for(
                lambda: chip.in_flight == 0 and not chip.is_recovering, timeout=_MAX_TURN_SECONDS
            )
        if not is_idle:
            # HailoRT ends what is in flight with a failure when the network is left: no window waits forever.
            _log.warning("a chip is closed with frames in flight", extra={"device_id": chip.network.device_id})

    def _description(
        self, library: Library, hef: HefFile, ids: tuple[str, ...], identities: list[Identity | None]
    ) -> Description:
        names = [
            f"{device_id} {identity.architecture}" if identity else device_id
            for device_id, identity in zip(ids, identities, strict=True)
        ]
        return Description(
            kind=KIND,
            device=", ".join(names),
            runtime=f"hailort {library.version}",
            model_name=self._card.name,
            model_version=self._card.version,
            model_sha256=hef.sha256,
            latent_dimensions=self._card.latent_size,
            motif_count=len(self._card.motifs),
        )


def _identity(library: Library, device_id: str) -> Identity | None:
    """Who the chip is, or None: opening it as a device may fail where inference works."""
    try:
        with library.platform.Device(device_id) as device:
            return read_identity(device.control)
    except Exception as failure:  # noqa: BLE001  # Device() leaks an exception that derives from nothing narrower
        _log.info("the chip's identity cannot be read", extra={"device_id": device_id, "failure": repr(failure)})
        return None


def _log_layout(layout: Layout, device_id: str) -> None:
    extra = {
        "device_id": device_id,
        "input_shape": layout.shape,
        "layout": "channel_major" if layout.is_channel_major else "time_major",
    }
    if layout.was_chosen:
        _log.warning("the layout of the input is ambiguous; set EDGEINFER_HEF_LAYOUT", extra=extra)
    else:
        _log.info("layout of the window in the model's input", extra=extra)
