"""The walks through the code name files that exist, and as many as they say."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/concepts/architecture.md").read_text(encoding="utf-8")
WALKS = PAGE.partition("## Two walks through the code")[2].partition("\n## ")[0]
NAMED = sorted(set(re.findall(r"`([a-z_/]+\.(?:py|js|json))`", WALKS)))


@pytest.mark.parametrize("path", NAMED)
def test_every_file_of_a_walk_exists(path: str) -> None:
    assert (ROOT / "src/edgeinfer" / path).is_file()


def test_the_walk_of_a_temperature_names_as_many_files_as_it_says() -> None:
    temperature = WALKS.partition("**A temperature")[2]
    said = int(re.findall(r"(\d+) files", temperature)[0])
    assert len(set(re.findall(r"`([a-z_/]+\.(?:py|js|json))`", temperature))) == said
