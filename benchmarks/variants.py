"""The sidecar with parts of its fast path switched off, to see what each part is worth.

Run as `python -m benchmarks.variants PORT [--asgi] [--threads]`.
"""

import argparse

from edgeinfer.backends.onnx import OnnxBackend
from edgeinfer.metrics.registry import new_registry, register_process_collectors
from edgeinfer.model.card import default_folder, load_card
from edgeinfer.sidecar.app import build_sidecar
from edgeinfer.web.server import bind, serve


class OnThreads(OnnxBackend):
    """The CPU backend as if it waited for a device: the event loop never computes."""

    @property
    def is_cpu_bound(self) -> bool:
        """Not in what follows from it."""
        return False


def main() -> None:
    """Serve the shipped model on the port that is given."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int, help="on the loopback")
    parser.add_argument("--asgi", action="store_true", help="answer through ASGI")
    parser.add_argument("--threads", action="store_true", help="compute every window on a thread")
    arguments = parser.parse_args()
    card = load_card(default_folder())
    registry = new_registry()
    register_process_collectors(registry)
    backend = OnThreads(card) if arguments.threads else OnnxBackend(card)
    sidecar = build_sidecar(backend=backend, card=card, registry=registry, version="benchmark")
    serve(sidecar.app, [bind("127.0.0.1", arguments.port)], direct=() if arguments.asgi else sidecar.direct)


if __name__ == "__main__":
    main()
