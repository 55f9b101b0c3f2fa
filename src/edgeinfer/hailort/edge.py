"""An input or output of a compiled network, as the host sees it."""

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Edge:
    """One input or output: dense float32.

    Args:
        name: such as "model/input_layer1".
        shape: per frame; there is no batch axis.
    """

    name: str
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        """Values in one frame, the product of its shape; not bytes."""
        return math.prod(self.shape)
