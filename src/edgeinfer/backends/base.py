"""What a backend is: it opens a model, answers windows, and closes."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Protocol, runtime_checkable

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgeinfer.errors import InvalidOutput

__all__ = [
    "Backend",
    "BatchBackend",
    "Description",
    "Inference",
    "Window",
    "check_inference",
]

Window = NDArray[np.float32]
"""One IMU window in contract units: (100, 9), C-contiguous, ax ay az gx gy gz mx my mz."""


@dataclass(frozen=True, slots=True)
class Description:
    """What computes the answers.

    Args:
        kind: "hailo", "cpu" or "stub".
        device: what it runs on, such as "cpu x2" or "0001:01:00.0 HAILO8".
        runtime: library and version, such as "onnxruntime 1.32.0".
        model_name: from the card.
        model_version: from the card.
        model_sha256: of the file that is loaded.
        latent_dimensions: length of the latent vector.
        motif_count: number of motif scores.
    """

    kind: str
    device: str
    runtime: str
    model_name: str
    model_version: str
    model_sha256: str
    latent_dimensions: int
    motif_count: int


class Inference(msgspec.Struct):
    """The answer to one window and the time of its stages.

    Args:
        latent: (latent_dimensions,) float32.
        motif_scores: (motif_count,) float32, each in [0, 1], summing to 1 unless the card says otherwise.
        preprocess_seconds: mount rotation, normalization, layout.
        execute_seconds: the network itself, with the wait for a device that is busy or recovering.
        postprocess_seconds: scores from logits and the like.
        batch_size: windows computed together with this one.
        frames_in_flight: with the device when this one was submitted, itself included; None without a device.
    """

    latent: NDArray[np.float32]
    motif_scores: NDArray[np.float32]
    preprocess_seconds: float
    execute_seconds: float
    postprocess_seconds: float
    batch_size: int = 1
    frames_in_flight: int | None = None


def check_inference(inference: Inference, latent_dimensions: int, motif_count: int) -> None:
    """Raise InvalidOutput unless an answer has these sizes, is float32, and holds nothing but finite numbers.

    A return of `infer` does not prove an answer: every caller runs this check before it uses one.
    """
    latent, scores = inference.latent, inference.motif_scores
    if (latent.size, scores.size) != (latent_dimensions, motif_count):
        fault = f"it has {latent.size} latents and {scores.size} scores"
        raise InvalidOutput("the model's output", fault, "Compare the model file with its card.")
    # Answers travel as the bytes that they are.
    if latent.dtype != np.float32 or scores.dtype != np.float32:
        fault = f"its latents are {latent.dtype} and its scores {scores.dtype}, and not float32"
        raise InvalidOutput("the model's output", fault, "Convert them in the backend.")
    # One infinity or NaN anywhere shows in these sums, at a fraction of the cost of looking at each value.
    if not isfinite(latent.dot(latent) + scores.dot(scores)):
        raise InvalidOutput("the model's output", "it is not finite", "Check the model file and the device.")


class Backend(Protocol):
    """Answers windows; the constructor does no I/O.

    `open`, `infer` and `close` block and are called from worker threads, `infer` from up to
    `parallelism` of them at once.
    """

    @property
    def parallelism(self) -> int:
        """How many threads may call `infer` at once; may change when the device is opened."""

    @property
    def is_cpu_bound(self) -> bool:
        """Whether `infer` computes on the thread that calls it all the time, and never waits for a device."""

    def open(self) -> Description:
        """Load the model and make it ready.

        Raises:
            ModelFileError: the file or its card cannot be used.
            BackendError: the runtime or the device failed.
        """

    def infer(self, window: Window) -> Inference:
        """Answer one window.

        Raises:
            BackendError: with the class of the failure. A backend recovers by itself where it can; the caller
                retries, with growing waits after a failure that lost the device.
        """

    def close(self) -> None:
        """Release the device and memory; safe to call twice and after a failure."""


@runtime_checkable
class BatchBackend(Backend, Protocol):
    """A backend that computes several windows in one run; whoever has not these two members computes one at a time."""

    @property
    def max_batch(self) -> int:
        """How many windows one run may take; 1 where the model allows no more. Known once it is open."""

    def infer_batch(self, windows: Sequence[Window]) -> list[Inference]:
        """Answer at most `max_batch` windows in one run, each as if it were alone; called like `infer`.

        Raises:
            BackendError: the run failed. It says nothing of the single windows: the caller runs each by itself.
        """
