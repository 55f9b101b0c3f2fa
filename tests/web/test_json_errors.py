import json

import msgspec
import pytest

from edgeinfer.web.json_errors import why_not_json


def why(body: bytes) -> str:
    with pytest.raises(msgspec.DecodeError) as caught:
        msgspec.json.decode(body)
    return why_not_json(body, caught.value)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_what_python_writes_for_a_number_that_is_not_finite_is_named_with_its_place(value: float) -> None:
    body = json.dumps({"x": [0.5, value]}).encode()
    word = json.dumps(value)
    assert why(body) == f"it is not JSON ({word} at byte 12 is not a number; numbers are finite)"


def test_the_last_value_of_an_object_is_found_too() -> None:
    assert why(b'{"samples": [{"t": 1, "ax":NaN}]}').startswith("it is not JSON (NaN at byte 27")


@pytest.mark.parametrize("body", [b'{"x": "NaN", "y": [1,', b"NaNsense", b'["Infinity"'])
def test_any_other_body_is_reported_in_the_decoders_words(body: bytes) -> None:
    assert "finite" not in why(body)
    assert why(body).startswith("it is not JSON (")
