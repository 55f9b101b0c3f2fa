"""The buffers of a frame, and the job that a caller waits for."""

import threading
from typing import Any

from tests.fakes.hailo_platform.hef import Array
from tests.fakes.hailo_platform.machine import Gate
from tests.fakes.hailo_platform.world import World

TIMEOUT = 4
LOOK_SECONDS = 0.002


class BindingsStream:
    """One edge of a frame."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._buffer: Array | None = None

    def set_buffer(self, buffer: Array) -> None:
        if not buffer.flags.c_contiguous:
            raise self._world.statuses.error("Buffer must be C_CONTIGUOUS")
        if not buffer.flags.writeable:
            raise ValueError("array is not writeable")
        self._buffer = buffer

    def get_buffer(self, tf_format: bool = False) -> Array | None:  # noqa: FBT001, FBT002  # the real signature
        del tf_format
        return self._buffer


class Bindings:
    """One frame: no batch dimension."""

    def __init__(self, world: World, names: tuple[list[str], list[str]], inputs: Any, outputs: Any) -> None:
        self._world = world
        self._inputs = {name: BindingsStream(world) for name in names[0]}
        self._outputs = {name: BindingsStream(world) for name in names[1]}
        for name, buffer in (inputs or {}).items():
            self.input(name).set_buffer(buffer)
        for name, buffer in (outputs or {}).items():
            self.output(name).set_buffer(buffer)

    def input(self, name: str = "") -> BindingsStream:
        return self._pick(self._inputs, name)

    def output(self, name: str = "") -> BindingsStream:
        return self._pick(self._outputs, name)

    def _pick(self, streams: dict[str, BindingsStream], name: str) -> BindingsStream:
        if name and name not in streams:
            self._world.statuses.fail(61)
        if not name and len(streams) != 1:
            self._world.statuses.fail(6)
        return streams[name] if name else next(iter(streams.values()))


class CompletionInfo:
    """What a callback receives."""

    def __init__(self, exception: Exception | None) -> None:
        self.exception = exception


class AsyncInferJob:
    """A frame under way; what became of it is not to be had here."""

    def __init__(self, world: World, gate: Gate | None) -> None:
        self._world = world
        self._gate = gate
        self._done = threading.Event()
        self._called = threading.Event()

    def wait(self, timeout_ms: int) -> None:
        """Wait for the frame, then for the callback: up to twice the time given; says nothing of the frame's status."""
        self._world.machine.waited_ms.append(timeout_ms)
        self._world.step("job.wait")
        for event in (self._done, self._called):
            if not self._within(event, timeout_ms):
                self._world.statuses.fail(TIMEOUT)

    def _within(self, event: threading.Event, timeout_ms: int) -> bool:
        if self._gate is None:
            return event.wait(timeout_ms / 1000)
        while not event.wait(LOOK_SECONDS):
            if self._gate.has_expired(self):
                return False
        return True

    def finish(self) -> None:
        self._done.set()

    def called_back(self) -> None:
        self._called.set()
