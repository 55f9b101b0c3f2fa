"""One running stack for all tests of a module."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.running_stack import RunningStack

_HERE = Path(__file__).parent
# Most need ten seconds. On a busy machine they wait for processes that start.
_TIMEOUT_SECONDS = 240


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test of this folder that names no time limit gets one that fits whole stacks."""
    for item in items:
        if _HERE in item.path.parents and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(_TIMEOUT_SECONDS))


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """Without replay: every request is a test's own."""
    running = RunningStack(tmp_path_factory.mktemp("stack") / "data", "--no-replay")
    yield running
    running.close()
