"""A fake compiled network: real headers and a real first message, then JSON that says how it is computed."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.fakes.hailo_platform import hef_file
from tests.fakes.hailo_platform.enums import FormatOrder, FormatType
from tests.fakes.hailo_platform.world import World

Array = NDArray[Any]
Compute = Callable[[Array], dict[str, Array]]


@dataclass(frozen=True)
class Edge:
    """One input or output."""

    name: str
    shape: tuple[int, ...]
    order: str = "NHWC"
    type: str = "UINT8"
    scale: float = 0.0
    """Step of the quantization; 0 lets float values pass unchanged."""
    zero_point: float = 0.0


@dataclass(frozen=True)
class Network:
    """One network group."""

    name: str
    inputs: tuple[Edge, ...]
    outputs: tuple[Edge, ...]
    program: str = "linear"
    """`linear`, or `onnx:PATH` of a graph with the input [1, 9, 1, 100]."""


def write_hef(  # each is a property of the compiled network
    path: Path,
    *,
    architecture: str = "HAILO8L",
    input_shape: tuple[int, ...] = (1, 100, 9),
    networks: tuple[Network, ...] | None = None,
    program: str = "linear",
    latent_shape: tuple[int, ...] = (1, 1, 64),
    scores_shape: tuple[int, ...] = (1, 1, 12),
    input_scale: float = 0.0,
    header: hef_file.Header | None = None,
    bottleneck_fps: float | None = 1000.0,
) -> Path:
    """Write a network that takes a window and gives a latent and motif logits.

    `architecture` is a chip's own word; the file says what compilers write for that chip, unless `header` says else.
    """
    default = Network(
        "tcn_vae",
        (Edge("tcn_vae/input_layer1", input_shape, scale=input_scale, zero_point=128.0),),
        (
            Edge("tcn_vae/conv20", scores_shape, order="NC" if len(scores_shape) == 1 else "NHWC"),
            Edge("tcn_vae/conv19", latent_shape, order="NC" if len(latent_shape) == 1 else "NHWC"),
        ),
        program,
    )
    chosen = networks or (default,)
    document = {"networks": [_as_document(network) for network in chosen], "bottleneck_fps": bottleneck_fps}
    path.write_bytes(hef_file.encode(json.dumps(document).encode(), header or hef_file.header_for(architecture)))
    return path


def _as_document(network: Network) -> dict[str, Any]:
    return {
        "name": network.name,
        "program": network.program,
        "inputs": [vars(edge) for edge in network.inputs],
        "outputs": [vars(edge) for edge in network.outputs],
    }


@dataclass(frozen=True)
class Format:
    """Type, order and flags of an edge."""

    type: FormatType
    order: FormatOrder
    flags: int = 0


@dataclass(frozen=True)
class QuantInfo:
    """How numbers are quantized on an edge."""

    qp_zp: float
    qp_scale: float
    limvals_min: float = 0.0
    limvals_max: float = 255.0


@dataclass(frozen=True)
class VStreamInfo:
    """What is reported about an edge without a device."""

    name: str
    network_name: str
    shape: tuple[int, ...]
    format: Format
    quant_info: QuantInfo
    direction: str

    @property
    def nms_shape(self) -> Any:
        raise RuntimeError("nms_shape is availale only on nms order vstreams")


@dataclass(frozen=True)
class StreamInfo:
    """What is reported about an edge as the hardware has it."""

    name: str
    shape: tuple[int, ...]
    format: Format
    quant_info: QuantInfo
    direction: str


@dataclass(frozen=True)
class NetworkGroupInfo:
    """What is reported about a network group."""

    name: str
    is_multi_context: bool = False


class HEF:
    """The library's `HEF`; `_world` is set on the class of each build."""

    _world: World

    def __init__(self, source: str | bytes) -> None:
        if not isinstance(source, str | bytes):
            raise ValueError("HEF can only be created from a file path (str) or a buffer (bytes)")  # noqa: TRY004  # as the library does
        self._world.step("HEF")
        self.path = source if isinstance(source, str) else None
        version = self._world.machine.version
        try:
            found = (
                hef_file.open_path(source, version) if isinstance(source, str) else hef_file.open_bytes(source, version)
            )
        except hef_file.Refused as refused:
            self._world.say(refused.sentence)
            self._world.statuses.fail(refused.status)
        self._architecture = found.architecture
        document = json.loads(found.mapping)
        self._bottleneck_fps = document["bottleneck_fps"]
        self._networks = [
            Network(
                entry["name"],
                tuple(Edge(**{**edge, "shape": tuple(edge["shape"])}) for edge in entry["inputs"]),
                tuple(Edge(**{**edge, "shape": tuple(edge["shape"])}) for edge in entry["outputs"]),
                entry["program"],
            )
            for entry in document["networks"]
        ]

    def get_network_group_names(self) -> list[str]:
        return [network.name for network in self._networks]

    def get_networks_names(self, network_group_name: str | None = None) -> list[str]:
        return [f"{name}/{name}" for name in self.get_network_group_names() if network_group_name in (None, name)]

    def get_network_groups_infos(self) -> list[NetworkGroupInfo]:
        return [NetworkGroupInfo(name) for name in self.get_network_group_names()]

    def get_input_vstream_infos(self, name: str | None = None) -> list[VStreamInfo]:
        return [info for info in self.get_all_vstream_infos(name) if info.direction == "H2D"]

    def get_output_vstream_infos(self, name: str | None = None) -> list[VStreamInfo]:
        return [info for info in self.get_all_vstream_infos(name) if info.direction == "D2H"]

    def get_all_vstream_infos(self, name: str | None = None) -> list[VStreamInfo]:
        self._world.step_raw("HEF.get_vstream_infos")
        # Without a name, the first group is meant.
        found = [network for network in self._networks if name in (None, network.name)][:1]
        if not found:
            self._world.statuses.fail_raw(61)
        return [
            _info(network, edge, direction)
            for network in found
            for direction, edges in (("H2D", network.inputs), ("D2H", network.outputs))
            for edge in edges
        ]

    def get_input_stream_infos(self, name: str | None = None) -> list[StreamInfo]:
        return [_as_stream(info) for info in self.get_input_vstream_infos(name)]

    def get_output_stream_infos(self, name: str | None = None) -> list[StreamInfo]:
        return [_as_stream(info) for info in self.get_output_vstream_infos(name)]

    def get_all_stream_infos(self, name: str | None = None) -> list[StreamInfo]:
        return [_as_stream(info) for info in self.get_all_vstream_infos(name)]

    def bottleneck_fps(self, network_group_name: str | None = None) -> float:
        del network_group_name
        if self._bottleneck_fps is None:
            self._world.statuses.fail_raw(61)
        return float(self._bottleneck_fps)

    def get_sorted_output_names(self, network_group_name: str | None = None) -> list[str]:
        return [info.name for info in self.get_output_vstream_infos(network_group_name)]


def _info(network: Network, edge: Edge, direction: str) -> VStreamInfo:
    form = Format(FormatType[edge.type], FormatOrder[edge.order])
    quantization = QuantInfo(edge.zero_point, edge.scale)
    return VStreamInfo(edge.name, f"{network.name}/{network.name}", edge.shape, form, quantization, direction)


def _as_stream(info: VStreamInfo) -> StreamInfo:
    return StreamInfo(info.name, info.shape, info.format, info.quant_info, info.direction)


def quantized(values: Array, edge: Edge) -> Array:
    """What is left of float values after a trip through 8 bits."""
    if not edge.scale:
        return values
    steps = np.clip(np.round(values / edge.scale + edge.zero_point), 0, 255)
    return ((steps - edge.zero_point) * edge.scale).astype(np.float32)


def compute_of(network: Network) -> Compute:
    """The function of a network: its input array in the shape of the edge to its outputs by name."""
    if network.program.startswith("onnx:"):
        return _onnx(network, network.program.removeprefix("onnx:"))
    return _linear(network)


def _linear(network: Network) -> Compute:
    matrices = {}
    for number, edge in enumerate(network.outputs):
        size = int(np.prod(network.inputs[0].shape)), int(np.prod(edge.shape))
        matrices[edge.name] = np.random.default_rng(7 + number).normal(0, 0.05, size).astype(np.float32)

    def compute(values: Array) -> dict[str, Array]:
        flat = quantized(values, network.inputs[0]).reshape(-1)
        return {edge.name: (flat @ matrices[edge.name]).reshape(edge.shape) for edge in network.outputs}

    return compute


def _onnx(network: Network, path: str) -> Compute:
    import onnxruntime  # noqa: PLC0415  # most tests need the linear program only

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    given = session.get_inputs()[0].name

    def compute(values: Array) -> dict[str, Array]:
        # Channels last, as the chip takes it: [1, 100, 9] becomes [1, 9, 1, 100].
        window = np.ascontiguousarray(quantized(values, network.inputs[0]).reshape(100, 9).T[None, :, None, :])
        answers = session.run(None, {given: window})
        by_size = {answer.size: answer for answer in answers}
        return {edge.name: by_size[int(np.prod(edge.shape))].reshape(edge.shape) for edge in network.outputs}

    return compute
