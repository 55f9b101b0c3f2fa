"""A compiled model on Hailo chips.

Each chip has several frames in flight; the rest of the model runs on the host.
"""

import logging
from collections.abc import Callable
from pathlib import Path
from time import monotonic, perf_counter

import numpy as np
from numpy.typing import NDArray

from edgeinfer.backends.base import Description, Inference, Window
from edgeinfer.errors import BackendError, ModelFileError
from edgeinfer.hailort.chip_model import ChipNetwork
from edgeinfer.hailort.chip_pool import ChipPool, start_thread
from edgeinfer.hailort.chip_state import ChipState, identity_of, log_layout
from edgeinfer.hailort.compatibility import check_before_open, check_content
from edgeinfer.hailort.driver import read_driver_facts
from edgeinfer.hailort.hef import HefFile, check_architecture, check_hef
from edgeinfer.hailort.identity import Identity
from edgeinfer.hailort.layout import Layout, LayoutChoice, choose_layout
from edgeinfer.hailort.library import Library, load_library
from edgeinfer.hailort.roles import check_inputs, find_roles
from edgeinfer.model.card import ModelCard
from edgeinfer.model.processing import make_mount, make_scale, softmax, turn
from edgeinfer.settings import SidecarSettings

Array = NDArray[np.float32]
KIND = "hailo"
_log = logging.getLogger(__name__)


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
        self._expected_chips = expected_chips
        self._load = load
        self._file = card.files["hef"] if "hef" in card.files else card.file("device")
        self._scale = make_scale(card.normalization) if self._file.input == "normalized" else None
        self._mount = make_mount(card.mount_rotation)
        self._hef: HefFile | None = None
        self._pool = ChipPool(
            self._open_chip, timeout_ms=timeout_ms, max_in_flight=max_in_flight, clock=clock, start=start
        )
        self._layout = Layout((), is_channel_major=False, was_chosen=False)
        self._latent_at = self._scores_at = 0

    @property
    def parallelism(self) -> int:
        """A thread for each frame that the chips take; before `open`, one for each chip named or expected."""
        return self._pool.depth or len(self._device_ids) or max(1, self._expected_chips)

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
        identities = [identity_of(library, device_id) for device_id in ids]
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
        outputs, in_flight = self._pool.run(buffer)
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
        self._pool.close()

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
        chips = [ChipState(self._network(library, device_id, hef.content, alone=len(ids) == 1)) for device_id in ids]
        for chip in chips:
            self._open_chip(chip)
        failures = [chip.last_failure for chip in chips if chip.last_failure is not None]
        if len(failures) == len(chips):
            raise failures[0]
        self._pool.serve(chips)

    def _network(self, library: Library, device_id: str, content: bytes, *, alone: bool) -> ChipNetwork:
        # VDevices of one group in a process share a device, so each chip of several has a group of its own.
        group_id = "SHARED" if alone else f"SHARED-{device_id}"
        return ChipNetwork(library, device_id, content, group_id=group_id, timeout_ms=self._timeout_ms)

    def _open_chip(self, chip: ChipState) -> bool:
        """Open one chip and run a window; a failure is recorded on it, unless it would be the same on every chip."""
        try:
            chip.network.open()
            self._settle(chip)
            # A ramp: the output of a constant window may be constant, which the frame's check takes for unwritten.
            shape, size = chip.network.input.shape, chip.network.input.size
            _, chip.seconds_per_frame = chip.network.run(np.linspace(-1, 1, size, dtype=np.float32).reshape(shape))
        except BackendError as failure:
            chip.network.close()
            self._pool.note(chip, failure)
            self._pool.postpone(chip, failure)
            return False
        return True

    def _settle(self, chip: ChipState) -> None:
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
        log_layout(self._layout, network.device_id)

    def _preprocessed(self, window: Window) -> Array:
        """The window as the network takes it, in an array of its own: HailoRT reads it while the next is prepared."""
        if not self._pool.chips:
            raise self._pool.failure()
        values = turn(window, self._mount)
        buffer = np.empty(self._layout.shape, np.float32)
        self._layout.fill(values if self._scale is None else self._scale.apply(values), buffer)
        return buffer

    def _scores(self, values: Array) -> Array:
        if self._file.scores == "logits":
            return softmax(values, self._card.temperature)
        # Eight bits seldom sum to one exactly.
        positive: Array = np.maximum(values, np.float32(0.0))
        positive /= positive.sum()
        return positive

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
