"""The model on the CPU with ONNX Runtime: real results on any machine."""

import os
import re
from collections.abc import Callable, Sequence
from time import perf_counter

import numpy as np

from edgeinfer.backends.base import Description, Inference, Window
from edgeinfer.errors import BackendError, ModelFileError
from edgeinfer.model.card import ModelCard
from edgeinfer.model.onnx_runtime import onnxruntime
from edgeinfer.model.processing import make_mount, make_scale, softmax, turn
from edgeinfer.settings import SidecarSettings

__all__ = [
    "OnnxBackend",
]

KIND = "cpu"
# Windows of one run at most; the pool asks for what suits the machine.
_MAX_BATCH = 64
# How far a window's outputs may move in a batch: kernels may add in another order for a larger one.
_BATCH_TOLERANCE = 1e-5
_NO_MEMORY = re.compile(r"bad_alloc|allocate memory|out of memory", re.IGNORECASE)


def create(card: ModelCard, settings: SidecarSettings) -> "OnnxBackend":
    """The backend that the settings describe, opened: what does not fit ends the start, in 5 ms.

    Raises:
        ModelFileError: the file is missing, damaged, or not the graph that the card describes.
    """
    backend = OnnxBackend(card, settings.model_variant)
    backend.open()
    return backend


class OnnxBackend:
    """Answers windows with one ONNX Runtime session that all threads share.

    Each call computes on the thread that makes it: ONNX Runtime's own threads would spin between calls and
    take twice the CPU time for the same rate (docs/concepts/performance.md).

    Args:
        card: of the model.
        variant: the card's file to run, "cpu" or "cpu_int8".
        threads: how many threads may call at once; one per core if not given.
        load: makes a session from the file's content.
    """

    def __init__(
        self,
        card: ModelCard,
        variant: str = "cpu",
        *,
        threads: int | None = None,
        load: Callable[[bytes], onnxruntime.InferenceSession] | None = None,
    ) -> None:
        self._load = load or _load
        self._card = card
        self._file = card.file(variant)
        self._scale = make_scale(card.normalization) if self._file.input == "normalized" else None
        self._mount = make_mount(card.mount_rotation)
        self._temperature = card.temperature if self._file.scores == "logits" else None
        self._outputs = [self._file.latent_tensor.name, self._file.scores_tensor.name]
        self._threads = threads or len(os.sched_getaffinity(0))
        self._session: onnxruntime.InferenceSession | None = None
        self._max_batch = 1

    @property
    def parallelism(self) -> int:
        """One thread per core that this process may use, unless set otherwise."""
        return self._threads

    @property
    def is_cpu_bound(self) -> bool:
        """ONNX Runtime computes on the calling thread."""
        return True

    @property
    def max_batch(self) -> int:
        """1 where the graph's batch axis is fixed, or where windows of one run change each other's outputs."""
        return self._max_batch

    def open(self) -> Description:
        """Read the file, prove that it is the card's, and run one window.

        Raises:
            ModelFileError: the file is missing, damaged, or not the graph that the card describes.
            BackendError: not enough memory, which may be available later.
        """
        content = self._file.read()
        try:
            self._session = self._load(content)
        except Exception as failure:
            # ONNX Runtime's exceptions share no base class but this one, and lack of memory has no class at all.
            if isinstance(failure, MemoryError) or _NO_MEMORY.search(str(failure)):
                remedy = "Free memory, or raise the limit; it is tried again."
                fault = f"there is no memory to load it ({_first_line(failure)})"
                raise BackendError("the model", fault, remedy, error_class="memory_allocation_error") from failure
            raise self._unfit(f"cannot be loaded by ONNX Runtime ({_first_line(failure)})") from failure
        self._prove()
        self._max_batch = _MAX_BATCH if self._can_batch() else 1
        return Description(
            kind=KIND,
            device=f"cpu x{self.parallelism}",
            runtime=f"onnxruntime {onnxruntime.__version__}",
            model_name=self._card.name,
            model_version=self._card.version,
            model_sha256=self._file.sha256,
            latent_dimensions=self._card.latent_size,
            motif_count=len(self._card.motifs),
        )

    def infer(self, window: Window) -> Inference:
        """Answer one window.

        Raises:
            BackendError: the backend is not open, or ONNX Runtime failed.
        """
        return self._run(window[np.newaxis])[0]

    def infer_batch(self, windows: Sequence[Window]) -> list[Inference]:
        """Answer windows in one run; each has the time of the whole, for which its caller waits.

        Raises:
            BackendError: the backend is not open, or ONNX Runtime failed.
        """
        return self._run(np.stack(windows))

    def _run(self, windows: Window) -> list[Inference]:
        """Answer windows (batch, length, channels)."""
        session = self._session
        if session is None:
            raise BackendError("the CPU backend", "is not open", "Wait until it is ready.", error_class="misuse")
        started = perf_counter()
        prepared = turn(windows, self._mount)
        if self._scale is not None:
            prepared = self._scale.apply(prepared)
        executing = perf_counter()
        latents, scores = self._execute(session, prepared)
        executed = perf_counter()
        if self._temperature is not None:
            scores = softmax(scores, self._temperature)
        batch = len(windows)
        times = executing - started, executed - executing, perf_counter() - executed
        pairs = zip(latents.reshape(batch, -1), scores.reshape(batch, -1), strict=True)
        return [Inference(latent, motif_scores, *times, batch) for latent, motif_scores in pairs]

    def close(self) -> None:
        """Release the session and its memory; safe to call twice."""
        self._session = None

    def _execute(self, session: onnxruntime.InferenceSession, prepared: Window) -> tuple[Window, Window]:
        try:
            latent, scores = session.run(self._outputs, {self._file.input_tensor.name: prepared})
        except MemoryError as failure:
            fault, remedy = "there is no memory left for it", "Free memory or run fewer workers."
            raise BackendError("the model", fault, remedy, error_class="memory_allocation_error") from failure
        except Exception as failure:
            # As above: no narrower base class.
            fault, remedy = (
                f"ONNX Runtime failed ({_first_line(failure)})",
                "See the log for the window that caused it.",
            )
            raise BackendError("the model", fault, remedy, error_class="execution_failed") from failure
        return latent, scores

    def _prove(self) -> None:
        """Run one window, so that a graph of the wrong shape fails at start and not at the first request."""
        length, channels = self._card.window.length, len(self._card.window.channels)
        try:
            inference = self.infer(np.zeros((length, channels), np.float32))
        except BackendError as failure:
            self.close()
            raise self._unfit(f"does not take a window of {length} x {channels} ({failure.fault})") from failure
        found = (inference.latent.size, inference.motif_scores.size)
        wanted = (self._card.latent_size, len(self._card.motifs))
        if found != wanted:
            self.close()
            raise self._unfit(f"answers {found[0]} latents and {found[1]} scores where the card says {wanted}")

    def _can_batch(self) -> bool:
        """Whether two windows that differ get in one run what each gets alone; a graph may mix or refuse them."""
        if isinstance(self._file.input_tensor.shape[0], int):
            return False
        noise = np.random.default_rng(1)
        shape = (self._card.window.length, len(self._card.window.channels))
        windows = [noise.normal(0, spread, shape).astype(np.float32) for spread in (1.0, 20.0)]
        try:
            together = self.infer_batch(windows)
        except BackendError:
            return False
        return all(_is_same(self.infer(window), one) for window, one in zip(windows, together, strict=True))

    def _unfit(self, fault: str) -> ModelFileError:
        return ModelFileError(str(self._file.path), fault, "Give the file that belongs to the card.")


def _is_same(alone: Inference, batched: Inference) -> bool:
    pairs = ((alone.latent, batched.latent), (alone.motif_scores, batched.motif_scores))
    return all(
        one.shape == other.shape and np.allclose(one, other, rtol=_BATCH_TOLERANCE, atol=_BATCH_TOLERANCE)
        for one, other in pairs
    )


def _load(content: bytes) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(content, _options(), providers=["CPUExecutionProvider"])


def _options() -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    return options


def _first_line(failure: Exception) -> str:
    return (str(failure).splitlines() or [type(failure).__name__])[0]
