"""What holds for all tests."""

import signal
import sys
from collections.abc import Generator
from contextlib import nullcontext

import pytest
from hypothesis import settings

from tests.leftovers import end_leftovers, mark

# A deadline in real time says how busy the machine is; no property here measures time.
settings.register_profile("edgeinfer", deadline=None)
settings.load_profile("edgeinfer")


def pytest_configure(config: pytest.Config) -> None:
    """A suite that is ended from outside ends its processes first."""
    mark()
    if not hasattr(config, "workerinput"):
        signal.signal(signal.SIGTERM, signal.default_int_handler)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Generator[None]:
    """After the last test of a module nothing that its tests started may run: it would take part in the next ones."""
    try:
        return (yield)
    finally:
        if nextitem is None or nextitem.path != item.path:
            names = end_leftovers()
            capture = item.config.pluginmanager.getplugin("capturemanager")
            with capture.global_and_fixture_disabled() if capture else nullcontext():
                for name in names:
                    sys.stderr.write(f"left running by {item.path.name}, and ended: {name}\n")
