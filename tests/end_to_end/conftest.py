"""One running stack for all tests of a module."""

from collections.abc import Iterator

import pytest

from tests.end_to_end.running_stack import RunningStack


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """Without replay: every request is a test's own."""
    running = RunningStack(tmp_path_factory.mktemp("stack") / "data", "--no-replay")
    yield running
    running.close()
