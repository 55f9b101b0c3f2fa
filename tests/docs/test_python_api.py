"""The public Python API is what its page says: modules, names, docstrings, type hints, and the example."""

import importlib
import runpy
from importlib.resources import files
from pathlib import Path

import pytest

from tools.python_api_reference import PUBLIC_MODULES, declaring_modules, names

ROOT = Path(__file__).parents[2]


def test_the_modules_of_the_page_are_those_that_declare_their_names() -> None:
    assert declaring_modules() == set(PUBLIC_MODULES)


@pytest.mark.parametrize("module", PUBLIC_MODULES)
def test_every_public_name_exists_and_is_on_the_page(module: str) -> None:
    page = (ROOT / "docs/reference/python-api.md").read_text(encoding="utf-8")
    section = page.partition(f"## {module}\n")[2].partition("\n## ")[0]
    exported = importlib.import_module(module).__all__
    assert [one.name for one in names(module)] == list(exported)
    for name in exported:
        assert hasattr(importlib.import_module(module), name)
        assert f"### {name}\n" in section


def test_the_package_ships_its_type_hints() -> None:
    assert (files("edgeinfer") / "py.typed").is_file()


def test_the_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(ROOT / "docs/examples/python_api.py"))
    printed = capsys.readouterr().out
    assert "Description(kind='cpu'" in printed
    assert "same top motif in 100% of 20 windows" in printed
