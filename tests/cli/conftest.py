"""What holds for tests of the commands."""

import pytest

from edgeinfer.stack import state_file


@pytest.fixture(autouse=True)
def no_other_stacks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stack that happens to run on this machine, such as another suite's, is not seen."""
    monkeypatch.setattr(state_file, "marked_folders", set)
