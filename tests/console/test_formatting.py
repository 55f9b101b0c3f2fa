"""Numbers as a person writes them; the browser's tests read the same table."""

import json
from pathlib import Path

import pytest

from edgeinfer.console.formatting import NARROW, format_value

CASES = json.loads((Path(__file__).parent / "fixtures" / "units.json").read_text("utf-8"))


@pytest.mark.parametrize("case", CASES, ids=[f"{case['value']} {case['unit']}" for case in CASES])
def test_a_number_reads_as_the_table_says(case: dict[str, object]) -> None:
    decimals = case.get("decimals")
    value = case["value"]
    assert isinstance(decimals, int | None)
    assert isinstance(value, int | float | None)
    assert format_value(value, str(case["unit"]), decimals).replace(NARROW, " ") == case["text"]


def test_infinity_and_not_a_number_are_no_digits() -> None:
    assert format_value(float("inf"), "none") == "∞"
    assert format_value(float("nan"), "s") == format_value(None)
