"""The edges of an `InferModel`: name, shape and format."""

import numpy as np

from tests.fakes.hailo_platform.enums import FormatOrder, FormatType
from tests.fakes.hailo_platform.hef import Edge, Format, QuantInfo

_ITEM_SIZES = {FormatType.UINT8: 1, FormatType.UINT16: 2, FormatType.FLOAT32: 4}


class EdgeState:
    """What all wrappers of one edge share."""

    def __init__(self, edge: Edge) -> None:
        self.edge = edge
        self.type = FormatType[edge.type]
        self.order = FormatOrder[edge.order]

    @property
    def byte_size(self) -> int:
        return int(np.prod(self.edge.shape)) * _ITEM_SIZES[self.type]


class InferStream:
    """One edge of an `InferModel`; a new wrapper at every call, the state underneath is shared."""

    def __init__(self, state: EdgeState) -> None:
        self._state = state

    @property
    def name(self) -> str:
        return self._state.edge.name

    @property
    def shape(self) -> list[int]:
        return list(self._state.edge.shape)

    @property
    def format(self) -> Format:
        return Format(self._state.type, self._state.order)

    @property
    def quant_infos(self) -> list[QuantInfo]:
        return [QuantInfo(self._state.edge.zero_point, self._state.edge.scale)]

    @property
    def is_nms(self) -> bool:
        return False

    def set_format_type(self, type: FormatType) -> None:  # noqa: A002  # the real signature
        self._state.type = type

    def set_format_order(self, order: FormatOrder) -> None:
        self._state.order = order
