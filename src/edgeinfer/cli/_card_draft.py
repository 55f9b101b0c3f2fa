"""A card to begin with: what an ONNX file says of itself, and what a few windows through it show."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeinfer.errors import ModelFileError
from edgeinfer.model.onnx_runtime import onnxruntime
from edgeinfer.model.window import CHANNEL_UNITS, CHANNELS, WINDOW_LENGTH, WINDOW_RATE_HZ

_TRIED_WINDOWS = 8
_SCORES_SUM_TOLERANCE = 1e-3
_SCORE_WORDS = ("score", "logit", "motif", "prob", "class")
_BATCHED, _DEVICE = ("batch", WINDOW_LENGTH, len(CHANNELS)), (1, len(CHANNELS), 1, WINDOW_LENGTH)
_SHAPES = f"[batch, {WINDOW_LENGTH}, {len(CHANNELS)}] or {list(_DEVICE)}"

Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class _Output:
    """One output of the graph for a few windows, (windows, size)."""

    name: str
    shape: list[Any]
    values: Array


def draft_card(path: Path) -> dict[str, Any]:
    """A card that describes an ONNX file, with motifs that have numbers for names.

    Raises:
        ModelFileError: the file is not a graph that takes a window and gives a latent vector and scores.
    """
    content, session = _open(path)
    inputs = session.get_inputs()
    if len(inputs) != 1:
        raise _unfit(path, f"has {len(inputs)} inputs, not one")
    is_device = _is_device(path, inputs[0].shape)
    latent, scores = _latent_and_scores(path, _run(path, session, inputs[0].name, is_device=is_device))
    sums = scores.values.sum(axis=1)
    is_scores = bool(np.abs(sums - 1).max() < _SCORES_SUM_TOLERANCE and scores.values.min() >= 0)
    entry = {
        "file": path.name,
        "sha256": hashlib.sha256(content).hexdigest(),
        "size_bytes": len(content),
        "input": "normalized" if is_device else "raw",
        "scores": "scores" if is_scores else "logits",
        "input_tensor": {"name": inputs[0].name, "shape": list(_DEVICE if is_device else _BATCHED)},
        "latent_tensor": {"name": latent.name, "shape": _shape(latent.shape)},
        "scores_tensor": {"name": scores.name, "shape": _shape(scores.shape)},
    }
    return {
        "name": path.stem.replace("_", "-"),
        "version": "0.1.0",
        "files": {"device" if is_device else "cpu": entry},
        "window": {
            "length": WINDOW_LENGTH,
            "rate_hz": WINDOW_RATE_HZ,
            "channels": list(CHANNELS),
            "units": list(CHANNEL_UNITS),
        },
        "latent_size": latent.values.shape[1],
        "normalization": {"mean": [0.0] * len(CHANNELS), "std": [1.0] * len(CHANNELS)},
        "temperature": 1.0,
        "motifs": [{"name": f"motif_{index:02}"} for index in range(scores.values.shape[1])],
    }


def _open(path: Path) -> tuple[bytes, onnxruntime.InferenceSession]:
    try:
        content = path.read_bytes()
    except OSError as failure:
        raise _unfit(path, f"cannot be read: {failure.strerror or failure}") from failure
    try:
        return content, onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    except Exception as failure:  # ONNX Runtime's exceptions share no narrower base class
        raise _unfit(path, f"is not a graph that ONNX Runtime loads ({_first_line(failure)})") from failure


def _is_device(path: Path, shape: list[Any]) -> bool:
    if len(shape) == len(_BATCHED) and shape[1:] == list(_BATCHED[1:]):
        return False
    if shape == list(_DEVICE):
        return True
    raise _unfit(path, f"takes {shape}, not {_SHAPES}")


def _run(path: Path, session: onnxruntime.InferenceSession, name: str, *, is_device: bool) -> list[_Output]:
    windows = np.random.default_rng(0).normal(size=(_TRIED_WINDOWS, *_BATCHED[1:])).astype(np.float32)
    outputs = session.get_outputs()
    try:
        answers = [
            session.run(None, {name: window.T[None, :, None] if is_device else window[None]}) for window in windows
        ]
    except Exception as failure:  # as above
        raise _unfit(path, f"does not answer a window ({_first_line(failure)})") from failure
    return [
        _Output(output.name, output.shape, np.stack([np.ravel(answer[place]) for answer in answers]))
        for place, output in enumerate(outputs)
    ]


def _latent_and_scores(path: Path, outputs: list[_Output]) -> tuple[_Output, _Output]:
    if len(outputs) != 2:  # noqa: PLR2004 - a latent vector and scores
        raise _unfit(path, f"has {len(outputs)} outputs, not a latent vector and motif scores")
    named = [any(word in output.name.lower() for word in _SCORE_WORDS) for output in outputs]
    if sum(named) == 1:
        return outputs[named.index(False)], outputs[named.index(True)]
    first, second = outputs
    if first.values.shape[1] == second.values.shape[1]:
        raise _unfit(path, "has two outputs of one size, and neither name says which holds the scores")
    return (first, second) if first.values.shape[1] > second.values.shape[1] else (second, first)


def _shape(shape: list[Any]) -> list[Any]:
    return [one if isinstance(one, int) else "batch" for one in shape]


def _first_line(failure: Exception) -> str:
    return (str(failure).strip() or type(failure).__name__).splitlines()[0][:200]


def _unfit(path: Path, fault: str) -> ModelFileError:
    return ModelFileError(
        str(path), fault, f"Export a graph that takes {_SHAPES} and gives a latent vector and scores."
    )
