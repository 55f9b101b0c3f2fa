"""A network of about one millisecond, for comparing servers where the model is not nearly free.

Run as `python -m benchmarks.larger_model FOLDER`; writes an ONNX file with random weights and its card.
The layers are those of the predecessor's published encoder in number and width; what it answers means nothing.
"""

import argparse
import hashlib
import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from edgeinfer.model.card import default_folder

_WIDTHS = (64, 64, 96, 128, 128)
_SEED = 7


def main() -> None:
    """Write it to the folder that is given."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="for larger.onnx and card.json; made if it is not there")
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    model = larger_model()
    onnx.checker.check_model(model)
    content = model.SerializeToString()
    (folder / "larger.onnx").write_bytes(content)
    (folder / "card.json").write_text(json.dumps(card_of(content), indent=2) + "\n")
    parameters = sum(int(np.prod(weight.dims)) for weight in model.graph.initializer)
    print(f"{folder / 'larger.onnx'}: {parameters} parameters, {len(content) / 1e6:.1f} MB")


class Layers:
    """Nodes and random weights of a graph as it grows; each layer returns the name of its output."""

    def __init__(self) -> None:
        self._chance = np.random.default_rng(_SEED)
        self._widths = {"channels_first": 9}
        self.nodes = [helper.make_node("Transpose", ["window"], ["channels_first"], perm=[0, 2, 1])]
        self.weights: list[onnx.TensorProto] = []

    def convolve(self, source: str, target: str, width: int, *, taps: int = 3, dilation: int = 1) -> str:
        """A convolution that keeps the length."""
        inputs = self._widths[source]
        kernel = self._chance.normal(0, (2 / (inputs * taps)) ** 0.5, (width, inputs, taps)).astype(np.float32)
        self.weights.append(numpy_helper.from_array(kernel, f"{target}_weight"))
        pad = dilation * (taps - 1) // 2
        self._widths[target] = width
        return self._node("Conv", [source, f"{target}_weight"], target, pads=[pad, pad], dilations=[dilation])

    def apply(self, operation: str, source: str, target: str, **attributes: int) -> str:
        """An operation that keeps the width."""
        self._widths[target] = self._widths[source]
        return self._node(operation, [source], target, **attributes)

    def _node(self, operation: str, sources: list[str], target: str, **attributes: object) -> str:
        self.nodes.append(helper.make_node(operation, sources, [target], **attributes))
        return target


def larger_model() -> onnx.ModelProto:
    """Window [batch, 100, 9] to latent [batch, 64] and scores [batch, 12]."""
    layers, source = Layers(), "channels_first"
    for block, width in enumerate(_WIDTHS):
        for half in range(2):
            name = f"block_{block}_{half}"
            source = layers.apply("Relu", layers.convolve(source, name, width, dilation=2**block), f"{name}_relu")
    pooled = layers.apply("GlobalAveragePool", layers.convolve(source, "wide", 256), "pooled")
    latent = layers.convolve(pooled, "latent_map", 64, taps=1)
    logits = layers.convolve(latent, "logit_map", 12, taps=1)
    layers.apply("Flatten", latent, "latent")
    layers.apply("Softmax", layers.apply("Flatten", logits, "logits"), "motif_scores", axis=1)
    inputs = [helper.make_tensor_value_info("window", TensorProto.FLOAT, ["batch", 100, 9])]
    outputs = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", width])
        for name, width in (("latent", 64), ("motif_scores", 12))
    ]
    graph = helper.make_graph(layers.nodes, "larger", inputs, outputs, layers.weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def card_of(content: bytes) -> dict[str, object]:
    """The least that a card says, with the shipped card's window and tensors."""
    shipped = json.loads((default_folder() / "card.json").read_text())
    file = shipped["files"]["cpu"] | {
        "file": "larger.onnx",
        "sha256": hashlib.sha256(content).hexdigest(),
        "size_bytes": len(content),
    }
    return {
        "name": "larger",
        "version": "1.0.0",
        "files": {"cpu": file},
        "window": shipped["window"],
        "latent_size": 64,
        "normalization": {"mean": [0] * 9, "std": [1] * 9},
        "temperature": 1.0,
        "motifs": [{"name": f"motif_{index:02}"} for index in range(12)],
    }


if __name__ == "__main__":
    main()
