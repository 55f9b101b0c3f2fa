"""One compiled network on one chip: opened, run by several threads, recovered after a failure, closed in order."""

import logging
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeinfer.errors import BackendError
from edgeinfer.hailort.edge import Edge
from edgeinfer.hailort.failures import Circumstances, Doing, as_backend_error, code_of
from edgeinfer.hailort.library import Library
from edgeinfer.hailort.session import STREAM_ABORT, Session, SessionOver
from edgeinfer.hailort.surroundings import Surroundings, look_around

Array = NDArray[np.float32]
_log = logging.getLogger(__name__)

# After these the chip itself has to be opened again; configuring would only fail or hang.
_CHIP_IS_LOST = ("communication_closed", "device_not_found", "hailort_init_failure", "version_mismatch")


class ChipNetwork:
    """A network on one chip; `run` may be called by `queue_size` threads at once.

    The first failure ends the session of the configured network. What is in flight then comes back, right or
    failed; after that `recover` configures the network again, and until then nothing new is run.
    `open`, `recover` and `close` are called by one thread at a time.

    Args:
        library: the loaded HailoRT.
        device_id: the chip's address.
        hef: content of the compiled network; bytes, so that what runs is what was checked.
        group_id: VDevices of one group in this process share a chip.
        timeout_ms: for the queue to take a frame, and again for the frame to complete.
    """

    def __init__(self, library: Library, device_id: str, hef: bytes, *, group_id: str, timeout_ms: int) -> None:
        self._library = library
        self.device_id = device_id
        self._hef = hef
        self._group_id = group_id
        self._timeout_ms = timeout_ms
        self._vdevice: Any = None
        self._model: Any = None
        self._session: Session | None = None
        self._failed_before = False
        self.inputs: tuple[Edge, ...] = ()
        self.outputs: tuple[Edge, ...] = ()
        self.queue_size = 1

    @property
    def input(self) -> Edge:
        """The one input; `inputs` has to be looked at first."""
        return self.inputs[0]

    @property
    def is_open(self) -> bool:
        """Whether the network is configured on the chip, be it in a session that has failed."""
        return self._session is not None

    @property
    def has_failed(self) -> bool:
        """Whether `recover` is due once no frame is under way."""
        session = self._session
        return session is not None and session.failure is not None

    def open(self) -> None:
        """Take the chip and load the network.

        Raises:
            BackendError: with the class of the failure; nothing is left open.
        """
        try:
            self._take_chip()
            self._load()
        except BackendError:
            self.close()
            raise

    def run(self, window: Array) -> tuple[list[Array], float]:
        """Run one frame: an input of `input.shape` to the outputs in the order of `outputs`, and the seconds.

        Raises:
            BackendError: with the class of this frame's failure; repeated where another's failure took it along.
            SessionOver: it was not submitted, because the network had failed or was closed in the meantime.
        """
        session = self._session
        if session is None:
            raise SessionOver
        _check(window, self.input)
        started = perf_counter()
        outputs = session.run(window)
        self._failed_before = False
        return outputs, perf_counter() - started

    def recover(self) -> None:
        """Configure again on the chip that is held; give the chip up where that cannot help. Leaves no frame behind.

        A pipeline that fails twice in a row does not recover by configuring it again.
        """
        failure = self._session.failure if self._session is not None else None
        if failure is None:
            return
        if failure.error_class in _CHIP_IS_LOST or self._failed_before:
            self.close()
            return
        self._failed_before = True
        self._reconfigure()

    def close(self) -> None:
        """Release in order: configured network, model, chip. Safe to call twice and after a failure."""
        self._leave()
        self._model = None
        vdevice, self._vdevice = self._vdevice, None
        if vdevice is not None:
            _quietly(vdevice.release, "release the chip")

    def _take_chip(self) -> None:
        platform = self._library.platform
        try:
            params = platform.VDevice.create_params()
            # 4.x defaults to no scheduler and 5.x to round robin, so it is always set. Ids go into the
            # parameters: given together with them, both lines drop the parameters.
            params.scheduling_algorithm = platform.HailoSchedulingAlgorithm.ROUND_ROBIN
            params.group_id = self._group_id
            params.device_ids = [self.device_id]
            self._vdevice = platform.VDevice(params)
        except Exception as failure:
            raise self._as_backend_error(failure, Doing.OPENING) from failure

    def _load(self) -> None:
        try:
            self._model = self._vdevice.create_infer_model(self._hef)
            self._model.set_batch_size(1)
            for edge in (*self._model.inputs, *self._model.outputs):
                # HailoRT quantizes and dequantizes then; it has to be set before configure.
                edge.set_format_type(self._library.platform.FormatType.FLOAT32)
            self.inputs = tuple(_edge(given) for given in self._model.inputs)
            self.outputs = tuple(_edge(output) for output in self._model.outputs)
            self._configure()
        except Exception as failure:
            raise self._as_backend_error(failure, Doing.CONFIGURING) from failure

    def _configure(self) -> None:
        configured = self._model.configure()
        self._session = Session(
            configured,
            self.inputs,
            self.outputs,
            timeout_ms=self._timeout_ms,
            explain=lambda failure: self._as_backend_error(failure, Doing.RUNNING),
        )
        self.queue_size = self._session.queue_size

    def _reconfigure(self) -> None:
        self._leave()
        try:
            self._configure()
        except Exception as failure:  # noqa: BLE001  # after any error the chip has to be opened again
            _log.warning(
                "the network cannot be configured again; the chip is given up until it is opened again",
                extra={"device_id": self.device_id, "status": code_of(failure), "failure": str(failure)},
            )
            self.close()

    def _leave(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            _quietly(session.close, "leave the network")

    def _as_backend_error(self, failure: Exception, doing: Doing) -> BackendError:
        found = self._library.scan_count() if doing is Doing.OPENING else None
        hot = code_of(failure) == STREAM_ABORT and is_hot(self._library, self.device_id)
        around = Surroundings() if doing is Doing.RUNNING else look_around(code_of(failure), self._library.root)
        now = Circumstances(doing, devices_found=found, by_id=True, is_hot=hot, surroundings=around)
        return as_backend_error(failure, now, f"device {self.device_id}")


def is_hot(library: Library, device_id: str) -> bool:
    """Whether the chip reports its red zone or red limit; False if it does not answer.

    A Hailo-10H offers neither zone nor limits, and a call to one that hangs would hold the interpreter for 10 s.
    """
    if library.is_remote:
        return False
    try:
        with library.platform.Device(device_id) as device:
            health = device.control._get_health_information()  # noqa: SLF001  # private, and present in every tag
            temperature = device.control.get_chip_temperature()
            hottest = max(temperature.ts0_temperature, temperature.ts1_temperature)
            return bool(health.current_temperature_zone >= 2 or hottest >= health.red_temperature_threshold)  # noqa: PLR2004  # red
    except Exception:  # noqa: BLE001  # a chip that does not answer has not reported that it is hot
        return False


def _check(window: Array, edge: Edge) -> None:
    """HailoRT checks bytes only, and answers a wrong size by shutting the network down."""
    if window.dtype != np.float32 or window.shape != edge.shape or not window.flags.c_contiguous:
        raise BackendError(
            f"input {edge.name}",
            f"is {window.dtype} {window.shape} where float32 {edge.shape} in C order is due",
            "This is a fault in EdgeInfer: please report it.",
            error_class="misuse",
        )


def _edge(stream: Any) -> Edge:
    return Edge(str(stream.name), tuple(int(size) for size in stream.shape))


def _quietly(action: Any, what: str) -> None:
    try:
        action()
    except Exception as failure:  # noqa: BLE001  # closing continues after a failed step
        _log.info("could not %s", what, extra={"failure": str(failure), "status": code_of(failure)})
