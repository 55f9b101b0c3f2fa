"""What the tests of the stack share: free ports, fake services, and a reporter that remembers."""

import sys
from pathlib import Path
from typing import Any, Protocol

import pytest

from edgeinfer.stack.plan import ProcessSpec, Stage
from edgeinfer.stack.ports import PortPool
from tests.stack.recorded_events import RecordedEvents

FAKE_SERVICE = Path(__file__).parent / "fake_service.py"


class MakePlan(Protocol):
    def __call__(self, name: str, *arguments: str, **fields: Any) -> ProcessSpec: ...


@pytest.fixture
def reported() -> RecordedEvents:
    return RecordedEvents()


@pytest.fixture
def make_plan() -> MakePlan:
    """Plans of fake services; one with a port is asked for its health."""

    def make(name: str, *arguments: str, **fields: Any) -> ProcessSpec:
        port = fields.get("port")
        command = (sys.executable, str(FAKE_SERVICE), *(("--port", str(port)) if port else ()), *arguments)
        defaults: dict[str, Any] = {"stage": Stage.SERVICES, "ready_path": "/healthz", "start_seconds": 20.0}
        return ProcessSpec(name=name, argv=command, **(defaults | fields))

    return make


@pytest.fixture
def free_ports() -> list[int]:
    """Ports that nobody listens on."""
    return PortPool().take(4)
