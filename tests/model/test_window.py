"""The contract of the window is written once, and everyone who needs it reads it there."""

import re
from pathlib import Path

from edgeinfer.hailort import layout
from edgeinfer.model.card import default_folder, load_card
from edgeinfer.model.window import CHANNEL_UNITS, CHANNELS, WINDOW_LENGTH, WINDOW_RATE_HZ, WINDOW_SHAPE

SOURCE = Path("src/edgeinfer")


def test_the_shipped_card_says_the_same() -> None:
    window = load_card(default_folder()).window
    assert window.channels == CHANNELS
    assert window.units == CHANNEL_UNITS
    assert (window.length, window.rate_hz) == (WINDOW_LENGTH, WINDOW_RATE_HZ)
    assert (layout.LENGTH, layout.CHANNELS) == WINDOW_SHAPE == (100, 9)


def test_the_channels_are_written_in_one_module_only() -> None:
    listed = re.compile(r'"ax",\s*"ay",\s*"az",\s*"gx"')
    found = {str(path.relative_to(SOURCE)) for path in SOURCE.rglob("*.py") if listed.search(path.read_text())}
    assert found == {"model/window.py"}
