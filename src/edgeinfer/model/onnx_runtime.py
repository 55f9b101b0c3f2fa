"""ONNX Runtime, imported in this one place, because its telemetry can only be switched off before that."""

from edgeinfer.settings import prepare_onnxruntime

prepare_onnxruntime()

import onnxruntime  # noqa: E402, TID251 - after the line above, and here alone

__all__ = ["onnxruntime"]
