"""The product does not know what proves it: no module of the wheel imports the scenarios, the tools or the tests."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path("src/edgeinfer")
NOT_IN_THE_WHEEL = {"chaos", "tools", "tests", "benchmarks", "training"}


def imported(text: str) -> Iterator[str]:
    """The top-level names that a module imports, wherever in it."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.partition(".")[0]


def test_no_module_of_the_wheel_imports_what_is_not_in_it() -> None:
    modules = list(SOURCE.rglob("*.py"))
    assert len(modules) > 200
    assert {str(path) for path in modules if NOT_IN_THE_WHEEL & set(imported(path.read_text()))} == set()


@pytest.mark.parametrize(
    "line", ["import chaos", "from chaos.scenarios import SCENARIOS", "def f():\n    import chaos.x"]
)
def test_an_import_is_found_wherever_it_stands(line: str) -> None:
    assert set(imported(line)) & NOT_IN_THE_WHEEL
