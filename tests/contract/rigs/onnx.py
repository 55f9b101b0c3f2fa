"""The backend `onnx` with each variant of the model."""

from collections.abc import Callable
from pathlib import Path

from edgeinfer.backends.base import Backend
from edgeinfer.backends.onnx import OnnxBackend
from edgeinfer.model.card import default_folder, load_card


def rigs() -> dict[str, Callable[[Path], Backend]]:
    """By title: what makes the backend in a folder."""
    card = load_card(default_folder())
    return {"onnx": lambda _: OnnxBackend(card), "onnx int8": lambda _: OnnxBackend(card, "cpu_int8")}
