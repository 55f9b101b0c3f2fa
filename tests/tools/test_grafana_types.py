"""The committed schema is what the pinned Grafana's types give."""

import json
import shutil
from pathlib import Path

import pytest

from tools import grafana_judge, grafana_types

INSTALLED = (grafana_types.FOLDER / "node_modules").is_dir() and shutil.which("npm") is not None


@pytest.mark.skipif(
    not INSTALLED, reason="the types are installed by make setup-browser; the schema itself is committed"
)
def test_the_schema_is_derived_from_the_installed_types() -> None:
    assert grafana_types.derive() == grafana_types.schema()


@pytest.mark.parametrize("folder", [grafana_types.FOLDER, grafana_judge.FOLDER], ids=lambda folder: folder.name)
def test_the_lock_names_no_registry(folder: Path) -> None:
    assert "resolved" not in (folder / "package-lock.json").read_text(encoding="utf-8")


def test_types_and_library_are_of_one_grafana() -> None:
    pinned = [
        json.loads((folder / "package.json").read_text(encoding="utf-8"))["devDependencies"]
        for folder in (grafana_types.FOLDER, grafana_judge.FOLDER)
    ]
    assert pinned[0]["@grafana/schema"] == pinned[1]["@grafana/data"]


def test_a_schema_that_lets_everything_through_is_noticed() -> None:
    assert grafana_types.faults({"panels": [{"type": "stat", "options": {"nonsense": 1}}]})
