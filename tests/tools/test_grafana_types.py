"""The committed schema is what the pinned Grafana's types give."""

import shutil

import pytest

from tools import grafana_types

INSTALLED = (grafana_types.FOLDER / "node_modules").is_dir() and shutil.which("npm") is not None


@pytest.mark.skipif(
    not INSTALLED, reason="the types are installed by make setup-browser; the schema itself is committed"
)
def test_the_schema_is_derived_from_the_installed_types() -> None:
    assert grafana_types.derive() == grafana_types.schema()


def test_the_lock_names_no_registry() -> None:
    assert "resolved" not in (grafana_types.FOLDER / "package-lock.json").read_text(encoding="utf-8")


def test_a_schema_that_lets_everything_through_is_noticed() -> None:
    assert grafana_types.faults({"panels": [{"type": "stat", "options": {"nonsense": 1}}]})
