"""The checkers of Prometheus and Alertmanager, and the generated files as they are committed."""

import json
from pathlib import Path
from typing import Any

import pytest

from edgeinfer.monitoring import files
from edgeinfer.settings import StackSettings
from edgeinfer.stack.binaries import Program, cache_folder, find_all, require


@pytest.fixture(scope="session")
def promtool() -> Path:
    return _tool(Program.PROMTOOL)


@pytest.fixture(scope="session")
def amtool() -> Path:
    return _tool(Program.AMTOOL)


@pytest.fixture
def documents() -> dict[str, dict[str, Any]]:
    """Every committed dashboard by its file's name; a test may break its copy."""
    return {path.name: json.loads(path.read_text(encoding="utf-8")) for path in files.dashboard_files()}


def _tool(program: Program) -> Path:
    return require(find_all(cache_folder(StackSettings.from_environment().cache_home.expanduser())), program).path
