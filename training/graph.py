"""Writes the encoder and head as ONNX, node by node, with batch normalization folded into the weights.

Writing the nodes ourselves, in place of tracing, keeps the device graph to four kinds of operation
and makes the file the same for the same weights.
"""

# ruff: noqa: TID253  (torch is what this folder is for)

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from training.dataset import FloatArray
from training.network import CHANNELS, LATENT, ResidualBlock
from training.train import TrainedRun

Shapes = Mapping[str, Sequence[int | str]]

LENGTH = 100
OPSET = 17
IR_VERSION = 8
"""Old enough for ONNX Runtime since 1.13 and for the Hailo compiler's parser."""


@dataclass(slots=True)
class _Builder:
    """Collects nodes and constants; each method adds one operation and returns its output's name."""

    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: list[onnx.TensorProto] = field(default_factory=list)

    def constant(self, name: str, value: np.ndarray) -> str:
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def add(self, operation: str, inputs: list[str], output: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(operation, inputs, [output], name=output, **attributes))
        return output

    def convolution(self, x: str, name: str, layer: nn.Conv2d, norm: nn.BatchNorm2d | None = None) -> str:
        weight, bias = _folded(layer, norm)
        inputs = [x, self.constant(f"{name}_weight", weight), self.constant(f"{name}_bias", bias)]
        # Torch pads both ends of an axis alike, ONNX lists all beginnings and then all ends.
        pads = [int(size) for size in layer.padding] * 2
        dilations = list(layer.dilation)
        shape = {"kernel_shape": list(layer.kernel_size), "strides": list(layer.stride)}
        return self.add("Conv", inputs, name, pads=pads, dilations=dilations, **shape)

    def block(self, x: str, name: str, block: ResidualBlock) -> str:
        first = self.convolution(x, f"{name}_first", block.first, block.first_norm)
        inner = self.add("Relu", [first], f"{name}_first_relu")
        second = self.convolution(inner, f"{name}_second", block.second, block.second_norm)
        skip = self.convolution(x, f"{name}_skip", block.skip) if isinstance(block.skip, nn.Conv2d) else x
        return self.add("Relu", [self.add("Add", [second, skip], f"{name}_sum")], name)


def cpu_graph(run: TrainedRun, temperature: float) -> onnx.ModelProto:
    """Raw `window` [batch, 100, 9] -> `latent` [batch, 64] and `motif_scores` [batch, motifs]."""
    builder = _Builder()
    mean = builder.constant("channel_mean", run.scale.mean)
    std = builder.constant("channel_std", run.scale.std)
    centred = builder.add("Sub", ["window", mean], "centred")
    normalized = builder.add("Div", [centred, std], "normalized")
    channels_first = builder.add("Transpose", [normalized], "channels_first", perm=[0, 2, 1])
    height = builder.constant("height_axis", np.array([2], dtype=np.int64))
    x = builder.add("Unsqueeze", [channels_first, height], "image")
    latent, logits = _encoder(builder, x, run, "latent_map", "motif_map")
    builder.add("Flatten", [latent], "latent", axis=1)
    flat = builder.add("Flatten", [logits], "motif_logits", axis=1)
    divisor = builder.constant("temperature", np.array(temperature, dtype=np.float32))
    builder.add("Softmax", [builder.add("Div", [flat, divisor], "tempered")], "motif_scores", axis=1)
    motifs = run.network.head.out_channels
    outputs: Shapes = {"latent": ["batch", LATENT], "motif_scores": ["batch", motifs]}
    return _model(builder, "tcn_vae", {"window": ["batch", LENGTH, CHANNELS]}, outputs)


def device_graph(run: TrainedRun) -> onnx.ModelProto:
    """Normalized `window` [1, 9, 1, 100] -> `latent` [1, 64, 1, 1] and `motif_logits` [1, motifs, 1, 1]."""
    builder = _Builder()
    _encoder(builder, "window", run, "latent", "motif_logits")
    outputs: Shapes = {"latent": [1, LATENT, 1, 1], "motif_logits": [1, run.network.head.out_channels, 1, 1]}
    return _model(builder, "tcn_vae_device", {"window": [1, CHANNELS, 1, LENGTH]}, outputs)


def _encoder(builder: _Builder, x: str, run: TrainedRun, latent: str, logits: str) -> tuple[str, str]:
    encoder = run.network.encoder
    stem = builder.convolution(x, "stem", encoder.stem, encoder.stem_norm)
    features = builder.add("Relu", [stem], "stem_relu")
    for number, block in enumerate(encoder.blocks, start=1):
        features = builder.block(features, f"block{number}", cast("ResidualBlock", block))
    pooled = builder.add("GlobalAveragePool", [features], "pooled")
    mean = builder.convolution(pooled, latent, encoder.mean)
    return mean, builder.convolution(mean, logits, run.network.head)


def _folded(layer: nn.Conv2d, norm: nn.BatchNorm2d | None) -> tuple[FloatArray, FloatArray]:
    """Return weight and bias of the convolution, including the batch normalization after it."""
    weight, bias = _double(layer.weight), _double(layer.bias)
    if norm is not None:
        factor = _double(norm.weight) / np.sqrt(_double(norm.running_var) + norm.eps)
        weight = weight * factor[:, None, None, None]
        bias = (bias - _double(norm.running_mean)) * factor + _double(norm.bias)
    return weight.astype(np.float32), bias.astype(np.float32)


def _double(tensor: Tensor | None) -> np.ndarray:
    if tensor is None:
        raise ValueError("every convolution here has a bias, every normalization its statistics")
    return tensor.detach().double().numpy()


def _model(builder: _Builder, name: str, inputs: Shapes, outputs: Shapes) -> onnx.ModelProto:
    def declare(tensors: Shapes) -> list[onnx.ValueInfoProto]:
        return [helper.make_tensor_value_info(key, TensorProto.FLOAT, dims) for key, dims in tensors.items()]

    graph = helper.make_graph(builder.nodes, name, declare(inputs), declare(outputs), builder.constants)
    opset = [helper.make_opsetid("", OPSET)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=IR_VERSION, producer_name="edgeinfer")
    onnx.checker.check_model(model, full_check=True)
    return model
