"""ONNX Runtime, imported in this one place, because its telemetry can only be switched off before that."""

from edgeinfer.settings import prepare_onnxruntime

prepare_onnxruntime()

import onnxruntime as onnxruntime  # noqa: E402, PLC0414, TID251 - after the line above, here alone, for others
