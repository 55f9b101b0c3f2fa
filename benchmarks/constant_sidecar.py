"""The sidecar with constants in place of the network: what serving alone costs.

Run as `python -m benchmarks.constant_sidecar PORT [--device]`; with --device the constants come from threads, as
they would from a chip that is waited for.
"""

import argparse
from collections.abc import Sequence

import numpy as np

from edgeinfer.backends.base import Description, Inference, Window
from edgeinfer.metrics.registry import new_registry, register_process_collectors
from edgeinfer.model.card import default_folder, load_card
from edgeinfer.sidecar.app import build_sidecar
from edgeinfer.web.server import bind, serve


class ConstantBackend:
    """Answers every window with the same numbers.

    Args:
        is_cpu_bound: whether the event loop may compute, or must wait for threads as for a chip.
    """

    def __init__(self, *, is_cpu_bound: bool) -> None:
        self._is_cpu_bound = is_cpu_bound
        noise = np.random.default_rng(1)
        self._latent = noise.normal(size=64).astype(np.float32)
        self._scores = np.full(12, 1 / 12, np.float32)

    @property
    def parallelism(self) -> int:
        """As many threads as the CPU backend has on two cores."""
        return 2

    @property
    def is_cpu_bound(self) -> bool:
        """The constructor's argument, to measure both ways of running."""
        return self._is_cpu_bound

    @property
    def max_batch(self) -> int:
        """As many as are asked for."""
        return 64

    def open(self) -> Description:
        """Nothing to load."""
        return Description("stub", "none", "constant", "constant", "1", "", 64, 12)

    def infer(self, window: Window) -> Inference:
        """The same answer, at once."""
        del window
        return Inference(self._latent, self._scores, 0.0, 0.0, 0.0)

    def infer_batch(self, windows: Sequence[Window]) -> list[Inference]:
        """The same answer to each, at once."""
        return [Inference(self._latent, self._scores, 0.0, 0.0, 0.0, len(windows)) for _ in windows]

    def close(self) -> None:
        """Nothing to release."""


def main() -> None:
    """Serve on the port that is given."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int, help="on the loopback")
    parser.add_argument("--device", action="store_true", help="answer from threads, as for a chip")
    arguments = parser.parse_args()
    registry = new_registry()
    register_process_collectors(registry)
    sidecar = build_sidecar(
        backend=ConstantBackend(is_cpu_bound=not arguments.device),
        card=load_card(default_folder()),
        registry=registry,
        version="benchmark",
    )
    serve(sidecar.app, [bind("127.0.0.1", arguments.port)], direct=sidecar.direct)


if __name__ == "__main__":
    main()
