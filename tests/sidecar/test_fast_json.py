"""The quick decoder never accepts what the careful one refuses, and reads the same numbers."""

import json
import random
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgeinfer.errors import InputError
from edgeinfer.sidecar.decoding import WindowDecoder
from edgeinfer.sidecar.fast_json import FastJson, find_parser, sum_of_squares
from tests.sidecar.rig import window

LENGTH = 3
PARSER = find_parser() or pytest.skip("simdjson: not installed, no wheels for this Python", allow_module_level=True)
QUICK = FastJson(LENGTH, 9, PARSER)
DECODER = WindowDecoder(LENGTH, PARSER)


def agree(body: bytes) -> bool:
    """Compare both; true where the quick one took the body."""
    quick = QUICK.window(body)
    if quick is None:
        return False
    careful = DECODER.from_json_carefully(body)  # raises where it refuses
    assert np.array_equal(quick, careful)
    assert quick.dtype == careful.dtype == np.float32
    assert quick.flags.c_contiguous
    return True


def test_a_window_as_phones_send_it_is_read_quickly() -> None:
    body = json.dumps({"x": window()}).encode()
    quick = FastJson(100, 9, PARSER).window(body)
    assert quick is not None
    assert np.array_equal(quick, np.array(window(), np.float32))


NUMBERS = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False),
    st.floats(width=32, allow_nan=False, allow_infinity=False),
    st.integers(),
    st.integers(-(10**30), 10**30),
    st.sampled_from([0, -0.0, 3.4028234e38, 3.4028235677973366e38, 3.5e38, 1e-46, 2**53 + 1, 2**63, 2**64, 10**400]),
)
ANYTHING = st.one_of(
    NUMBERS,
    st.booleans(),
    st.none(),
    st.text(max_size=3),
    st.lists(NUMBERS, max_size=2),
    st.dictionaries(st.text(max_size=2), NUMBERS, max_size=2),
)


@given(st.lists(st.lists(NUMBERS, min_size=9, max_size=9), min_size=LENGTH, max_size=LENGTH), st.booleans())
def test_both_read_the_same_numbers(rows: list[list[float]], is_spaced: bool) -> None:  # noqa: FBT001 - drawn
    body = json.dumps({"x": rows}, separators=None if is_spaced else (",", ":")).encode()
    agree(body)


@given(st.lists(st.lists(ANYTHING, min_size=8, max_size=10), min_size=LENGTH - 1, max_size=LENGTH + 1))
def test_both_refuse_what_is_not_rows_of_numbers(rows: list[list[Any]]) -> None:
    agree(json.dumps({"x": rows}).encode())


def _good_rows() -> list[list[Any]]:
    return [[round(0.37 * row + column, 2) for column in range(9)] for row in range(LENGTH)]


def _swap_a_number(chance: random.Random, rows: list[list[Any]]) -> None:
    odd: list[Any] = [True, None, "1", [], [1], [1, 2], {}, {"a": 1}, 1e39, 10**400, -0.0, 2**64, {"a": [1]}]
    row = chance.choice([row for row in rows if row])
    row[chance.randrange(len(row))] = chance.choice(odd)


def _move_a_number(chance: random.Random, rows: list[list[Any]]) -> None:
    source = chance.choice([row for row in rows if row])
    chance.choice(rows).append(source.pop())


def _swap_a_row(chance: random.Random, rows: list[list[Any]]) -> None:
    odd: list[Any] = [dict.fromkeys("abcdefghi", 1), "abcdefghi", 9, None, [[1] * 9], {"a": [1]}]
    rows[chance.randrange(LENGTH)] = chance.choice(odd)


def _changed_rows(chance: random.Random) -> list[list[Any]]:
    rows = _good_rows()
    for _ in range(chance.randrange(3)):
        chance.choice([_swap_a_number, _move_a_number])(chance, rows)
    if chance.random() < 0.2:
        _swap_a_row(chance, rows)
    return rows


def _wrapped(chance: random.Random, rows: list[list[Any]]) -> bytes:
    text = json.dumps(rows)
    forms = [
        '{"x": %s}',
        '{"x":%s}',
        '{"x": %s}\n',
        ' {"x":%s}\n',
        '{"x": %s, "y": 1}',
        '{"y": [], "x": %s}',
        '{"x": 1, "x": %s}',
        '{"x": %s, "x": 1}',
        '{"\\u0078": %s}',
        '{"X": %s}',
        "[%s]",
        "%s",
        '{"x": %s} {}',
        '{"x": %s},',
        '{"x": {"x": %s}}',
        '\ufeff{"x": %s}',
    ]
    form = chance.choice(forms) if chance.random() < 0.5 else forms[0]
    return (form % text).encode()


def _flip(chance: random.Random, body: bytes) -> bytes:
    at = chance.randrange(len(body) or 1)
    kind = chance.randrange(4)
    if kind == 0:
        return body[:at]
    if kind == 1:
        return body[:at] + bytes([chance.randrange(256)]) + body[at + 1 :]
    if kind == 2:
        return body[:at] + chance.choice([b"[", b"]", b",", b"-", b".", b"e", b"0", b"NaN", b"\x00"]) + body[at:]
    return body[:at] + body[at + 1 :]


def changed_body(chance: random.Random) -> bytes:
    """A window that was good before up to five changes."""
    body = _wrapped(chance, _changed_rows(chance))
    for _ in range(chance.choice([0, 0, 1, 2])):
        body = _flip(chance, body)
    return body


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 2**32))
def test_both_agree_on_bodies_changed_at_random(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - makes test data
    taken = 0
    for _ in range(100):
        taken += agree(changed_body(chance))
    assert taken > 0


def test_a_body_that_failed_costs_the_next_one_nothing() -> None:
    good = json.dumps({"x": _good_rows()}).encode()
    for bad in (b'{"x": [[', json.dumps({"x": [[True] * 9] * LENGTH}).encode(), b"\xff" * 50, b""):
        for _ in range(3):
            assert QUICK.window(bad) is None
            assert agree(good)


@pytest.mark.parametrize("body", [b"", b"{}", b'{"x": []}', b"[" * 4, b'"[[[["', b"null"])
def test_what_is_no_window_is_left_to_the_careful_decoder(body: bytes) -> None:
    assert QUICK.window(body) is None
    with pytest.raises(InputError):
        DECODER.from_json(body)


def test_many_numbers_are_summed_in_pieces_that_blas_gives_to_no_threads_of_its_own() -> None:
    class Watched(np.ndarray):
        sizes: ClassVar[list[int]] = []

        def dot(self, other: Any, out: Any = None) -> Any:
            self.sizes.append(self.size)
            return np.asarray(self).dot(np.asarray(other), out)

    values = np.arange(57_600, dtype=np.float32)
    assert sum_of_squares(values.view(Watched)) == pytest.approx(float((values.astype(float) ** 2).sum()), rel=1e-5)
    assert sum(Watched.sizes) == values.size
    assert max(Watched.sizes) < 10_000
    values[-1] = np.inf
    assert sum_of_squares(values) == np.inf
