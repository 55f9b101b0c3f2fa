"""The write-ahead log as Prometheus writes it: pages of 32 KiB, records cut into fragments, CRC-32C."""

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeinfer.stack.wal import newest_milliseconds, read_segment, write_segment

_PAGE = 32 * 1024
# Some records span pages; what they hold does not matter, but for their first byte, which is their type.
SHAPES = st.lists(
    st.tuples(st.integers(1, 10), st.integers(0, 255), st.one_of(st.integers(20, 300), st.integers(30_000, 90_000))),
    max_size=10,
)


def records_of(shapes: list[tuple[int, int, int]]) -> list[tuple[int, bytes]]:
    return [(0, bytes([kind]) + bytes([byte]) * size) for kind, byte, size in shapes]


@given(SHAPES)
@settings(max_examples=60, deadline=None)
def test_what_is_written_is_read_again_and_nothing_is_wrong_with_it(shapes: list[tuple[int, int, int]]) -> None:
    records = records_of(shapes)
    found = read_segment(write_segment(tuple(records)))
    assert (found.records, found.fault) == (tuple(records), "")


@given(SHAPES.filter(bool), st.integers(0, 10**9), st.integers(0, 7))
@settings(max_examples=150, deadline=None)
def test_a_flipped_bit_loses_the_records_it_is_in_and_no_record_comes_back_changed(
    shapes: list[tuple[int, int, int]], place: int, bit: int
) -> None:
    records = records_of(shapes)
    content = bytearray(write_segment(tuple(records)))
    content[place % len(content)] ^= 1 << bit
    found = read_segment(bytes(content))

    assert found.fault
    left = list(records)
    for record in found.records:  # a subsequence: nothing new, nothing out of order
        assert record in left
        del left[: left.index(record) + 1]
    assert read_segment(write_segment(found.records)).fault == "", "what is kept is a segment again"


@pytest.mark.parametrize("left", range(10))
def test_a_page_whose_last_bytes_take_a_header_and_no_data_is_whole(left: int) -> None:
    """Prometheus 2.42 and 3.5: a header is written wherever its seven bytes fit, with no data where none fits."""
    records = ((0, bytes([1]) * (32 * 1024 - 7 - left)), (0, bytes([2]) * 100))
    found = read_segment(write_segment(records))
    assert (found.records, found.fault) == (records, "")


def test_records_behind_a_damaged_page_are_kept() -> None:
    """Prometheus' own repair drops everything behind the first damage."""
    records = tuple((0, bytes([number % 9 + 1, number]) * 5_000) for number in range(1, 30))
    content = bytearray(write_segment(records))
    content[2 * _PAGE + 100] ^= 1

    kept = read_segment(bytes(content)).records

    assert records[0] in kept
    assert records[-1] in kept
    assert len(kept) >= len(records) - 5


@pytest.mark.parametrize(
    ("damaged", "fault"),
    [
        (lambda whole: whole[:-3], "half a record"),
        (lambda whole: whole + whole[:4], "half a header"),
        (lambda whole: bytes([9]) + whole[1:], "a record of no known type"),
        (lambda whole: bytes(len(whole)), "zeros where records should be"),
        (lambda whole: whole + bytes(-len(whole) % _PAGE) + bytes(_PAGE), "zeros where records should be"),
        (lambda whole: bytes([7]) + whole[1:], "an unknown type of record"),
        (lambda whole: whole + b"\0\0x", "bytes where nothing should be"),
    ],
)
def test_what_a_power_cut_leaves_is_named(damaged: object, fault: str) -> None:
    whole = write_segment(((0, b"\2" + b"a" * 500),))
    assert callable(damaged)
    content = damaged(whole)
    assert fault in read_segment(content).fault


@pytest.mark.parametrize("content", [b"", write_segment(((0, b"\2"),)) + bytes(_PAGE - 8)])
def test_a_segment_that_was_just_made_or_ended_in_order_is_whole(content: bytes) -> None:
    assert read_segment(content).fault == ""


def test_a_hole_of_zeros_in_the_middle_is_found_though_prometheus_takes_it_for_the_end_of_a_page() -> None:
    records = tuple((0, bytes([number % 9 + 1, number]) * 500) for number in range(1, 100))
    content = bytearray(write_segment(records))
    content[1007 * 3 : _PAGE] = bytes(_PAGE - 1007 * 3)

    found = read_segment(bytes(content))

    assert "zeros where records should be" in found.fault
    assert found.records[:3] == records[:3]


def test_the_newest_time_is_that_of_the_last_samples_compressed_or_not() -> None:
    plain = struct.pack(">BQq", 2, 7, 1_795_981_225_634) + b"rest"
    # A snappy block: one literal, and the last byte of it forty times more.
    literal = bytes([len(plain) + 40]) + bytes([(len(plain) - 1) << 2]) + plain + bytes([(40 - 1) << 2 | 2, 1, 0])
    series = b"\1" + bytes(30)

    assert newest_milliseconds(read_segment(write_segment(((0, series), (0, plain))))) == 1_795_981_225_634
    assert newest_milliseconds(read_segment(write_segment(((8, literal),)))) == 1_795_981_225_634
    assert newest_milliseconds(read_segment(write_segment(((0, series),)))) is None


def test_a_snappy_block_with_copies_is_read_as_far_as_it_is_needed() -> None:
    # The eight zero bytes of the series are a copy of the first of them.
    begin = b"\2\0"
    time = struct.pack(">q", 1_795_981_225_634)
    copy = bytes([((7 - 4) << 2) | 1, 1])
    block = bytes([57]) + bytes([(len(begin) - 1) << 2]) + begin + copy + bytes([(len(time) - 1) << 2]) + time
    block += bytes([(40 - 1) << 2 | 2, 1, 0])

    assert newest_milliseconds(read_segment(write_segment(((8, block),)))) == 1_795_981_225_634
