"""Files of Alertmanager, built as its protocol buffers lay them out."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeinfer.stack.alertmanager_files import checksums, find_damage, whole_messages


def message(number: int, content: bytes) -> bytes:
    assert len(content) < 128
    return bytes([number << 3 | 2, len(content)]) + content


def entry(text: bytes) -> bytes:
    """A silence (MeshSilence) with an id, and when it expires."""
    whole = message(1, message(1, text)) + message(2, bytes([1 << 3, 100, 2 << 3, 5]))
    return bytes([len(whole)]) + whole


def test_a_whole_file_and_an_empty_one_and_none_are_well(tmp_path: Path) -> None:
    assert find_damage(tmp_path, {}) == []
    (tmp_path / "silences").write_bytes(entry(b"one") + entry(b"two"))
    (tmp_path / "nflog").write_bytes(b"")
    assert find_damage(tmp_path, {}) == []


@given(st.lists(st.binary(min_size=1, max_size=40), min_size=1, max_size=5), st.data())
def test_what_is_cut_keeps_the_messages_before(texts: list[bytes], data: st.DataObject) -> None:
    entries = [entry(text) for text in texts]
    content = b"".join(entries)
    cut = data.draw(st.integers(0, len(content)))
    ends = {sum(map(len, entries[:count])) for count in range(len(entries) + 1)}

    assert whole_messages(content[:cut]) == max(end for end in ends if end <= cut)


@pytest.mark.parametrize(
    "behind", [b"\x05", bytes(30), b"\xff" * 30, b"\x02\x08\x01", entry(b"x")[:-1], b"\x03\x0a\x09x", b"\x02\x0b\x0b"]
)
def test_what_is_no_message_is_damage_and_what_stands_before_it_is_kept(behind: bytes, tmp_path: Path) -> None:
    good = entry(b"one")
    (tmp_path / "silences").write_bytes(good + behind)

    (found,) = find_damage(tmp_path, {})

    assert found.path == tmp_path / "silences"
    assert found.fault == f"is damaged from byte {len(good)} of {len(good + behind)} on"
    assert "silenced notifies again" in found.lost
    assert found.kept
    assert found.kept() == good


def test_an_entry_that_was_changed_since_the_last_run_is_not_served_and_the_others_are(tmp_path: Path) -> None:
    """One bit of a text: the file is whole for Alertmanager, and would silence something else."""
    silences = tmp_path / "silences"
    silences.write_bytes(entry(b"one") + entry(b"two") + entry(b"three"))
    known = checksums(tmp_path)
    assert find_damage(tmp_path, known) == []
    silences.write_bytes(entry(b"one") + entry(b"tvo") + entry(b"three"))

    assert find_damage(tmp_path, {}) == [], "after a kill nobody knows"
    (found,) = find_damage(tmp_path, known)

    assert found.fault == "has 1 of 3 entries that were changed since the last run"
    assert found.kept
    assert found.kept() == entry(b"one") + entry(b"three")
