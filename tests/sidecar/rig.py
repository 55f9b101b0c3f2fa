"""A sidecar over any backend, and a toy backend that does what a test asks."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from prometheus_client import CollectorRegistry
from starlette.testclient import TestClient

from edgeinfer.backends.base import Backend, Description, Inference, Window
from edgeinfer.metrics.registry import new_registry
from edgeinfer.model.card import ModelCard, default_folder, load_card
from edgeinfer.sidecar.app import Sidecar, build_sidecar
from edgeinfer.sidecar.fast_json import find_parser
from edgeinfer.sidecar.open_inference.rpc.parts import MakeRpcServer


def shipped_card() -> ModelCard:
    return load_card(default_folder())


def window() -> list[list[float]]:
    rows: list[list[float]] = np.random.default_rng(3).normal(0, 3, (100, 9)).round(4).tolist()
    return rows


class ToyBackend:
    """Sums its window; `before` runs in the worker first and may block or raise."""

    def __init__(
        self, before: Callable[[], None] = lambda: None, *, parallelism: int = 1, is_cpu_bound: bool = False
    ) -> None:
        self.before = before
        self.opening: Callable[[], None] = lambda: None
        self.latent = np.zeros(64, np.float32)
        self.scores = np.full(12, 1 / 12, np.float32)
        self.windows = 0
        self.closed = 0
        self._parallelism = parallelism
        self._is_cpu_bound = is_cpu_bound

    @property
    def parallelism(self) -> int:
        return self._parallelism

    @property
    def is_cpu_bound(self) -> bool:
        return self._is_cpu_bound

    def open(self) -> Description:
        self.opening()
        return Description("cpu", "toy", "toy 1", "toy", "1", "0" * 64, 64, 12)

    def infer(self, window: Window) -> Inference:
        self.before()
        self.windows += 1
        latent = self.latent.copy()
        with np.errstate(over="ignore"):  # as a model would: what is too large shows in the output
            latent[0] += window.sum()
        return Inference(latent, self.scores.copy(), 0.001, 0.002, 0.0005)

    def close(self) -> None:
        self.closed += 1


class BatchToyBackend(ToyBackend):
    """The same on the CPU, several windows in one run; `before` runs for each window, and `batches` has their sizes."""

    def __init__(self, before: Callable[[], None] = lambda: None, *, max_batch: int = 64) -> None:
        super().__init__(before, is_cpu_bound=True)
        self.max_batch = max_batch
        self.batches: list[int] = []

    def infer_batch(self, windows: Sequence[Window]) -> list[Inference]:
        self.batches.append(len(windows))
        inferences = [self.infer(window) for window in windows]
        for inference in inferences:
            inference.batch_size = len(windows)
        return inferences


@dataclass
class Rig:
    sidecar: Sidecar
    client: TestClient
    registry: CollectorRegistry

    def value(self, name: str, /, **labels: str) -> float | None:
        return self.registry.get_sample_value(name, labels)

    def wait_until_ready(self) -> None:
        for _ in range(500):
            if self.client.get("/healthz").status_code == 200:
                return
            threading.Event().wait(0.01)
        raise AssertionError(self.client.get("/healthz").text)


@contextmanager
def running(
    backend: Backend,
    *,
    queue_capacity: int = 64,
    ready: bool = True,
    find_json_parser: Callable[[], Callable[[], Any] | None] = find_parser,
    make_rpc: MakeRpcServer | None = None,
) -> Iterator[Rig]:
    registry = new_registry()
    sidecar = build_sidecar(
        backend=backend,
        card=shipped_card(),
        registry=registry,
        version="1.2.3",
        queue_capacity=queue_capacity,
        find_json_parser=find_json_parser,
        make_rpc=make_rpc,
    )
    with TestClient(sidecar.app, raise_server_exceptions=False) as client:
        rig = Rig(sidecar, client, registry)
        if ready:
            rig.wait_until_ready()
        yield rig
