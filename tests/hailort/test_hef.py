"""A HEF is read before the library sees it: whole, unchanged, of a known format, for this chip and this HailoRT."""

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeinfer.errors import ModelFileError
from edgeinfer.hailort.hef import check_architecture, check_hef, check_line
from edgeinfer.hailort.hef_header import MIN_BYTES, DamagedHef, UnknownFormat, read_header
from tests.fakes.hailo_platform.hef import write_hef
from tests.fakes.hailo_platform.hef_file import SIZES, Header, damaged, encode

FORMATS = [0, 1, 2, 3]
# Bytes that nothing covers and that nothing depends on: reserved words.
FREE_BYTES = {0: range(12, 16), 1: range(24, 28), 2: range(28, 44), 3: range(48, 56)}


def content_of(form: int, **given: object) -> bytes:
    return encode(b'{"networks": []}', Header(format=form, **given))  # type: ignore[arg-type]  # fields of Header


def refused(tmp_path: Path, content: bytes) -> ModelFileError:
    """The message about these bytes; the file itself stays as it is."""
    path = tmp_path / "net.hef"
    path.write_bytes(content)
    with pytest.raises(ModelFileError) as caught:
        check_hef(path)
    assert path.read_bytes() == content
    assert caught.value.remedy
    return caught.value


@pytest.mark.parametrize("form", FORMATS)
def test_a_whole_file_says_its_chip_its_compiler_and_its_date(form: int, tmp_path: Path) -> None:
    header = Header("HAILO15M", form, compiler="3.30.1", timestamp=1_700_000_000_000)
    path = write_hef(tmp_path / "net.hef", header=header)
    found = check_hef(path)
    assert found.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (found.header.format, found.architecture, found.header.compiler) == (form, "HAILO15M", "3.30.1")
    assert found.header.compiled_at == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)
    assert found.described() == f"compiled for HAILO15M by compiler 3.30.1 on 2023-11-14, format {form}"


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("length", [4, 8, 11, 31])
def test_a_file_shorter_than_a_header_is_named_so(form: int, length: int, tmp_path: Path) -> None:
    assert "ends within its header" in refused(tmp_path, content_of(form)[:length]).fault


@pytest.mark.parametrize("form", FORMATS)
def test_a_file_cut_anywhere_is_refused(form: int, tmp_path: Path) -> None:
    whole = content_of(form)
    boundaries = [1, 2, 3, 4, 8, 11, 12, 16, 20, 24, 28, 31, 32, 40, 44, 48, 56, SIZES[form], SIZES[form] + 1]
    for length in [*boundaries, len(whole) // 2, len(whole) - 1]:
        failure = refused(tmp_path, whole[:length])
        assert "bytes" in failure.fault or "is not a HEF" in failure.fault


@pytest.mark.parametrize("form", FORMATS)
def test_a_hundred_bytes_too_many_are_refused(form: int, tmp_path: Path) -> None:
    whole = content_of(form)
    failure = refused(tmp_path, whole + bytes(100))
    assert failure.fault == f"is not whole: it has {len(whole) + 100} bytes, and its header says {len(whole)}"


@pytest.mark.parametrize("form", FORMATS)
def test_each_flipped_byte_of_the_header_is_refused_but_the_free_ones(form: int, tmp_path: Path) -> None:
    whole = content_of(form)
    passed = []
    for at in range(SIZES[form]):
        try:
            assert read_header(damaged(whole, at)) == read_header(whole)
        except (DamagedHef, UnknownFormat):
            continue
        passed.append(at)
    # The magic is checked where the file is read.
    expected = [*range(4), *FREE_BYTES[form]]
    assert [at for at in passed if at not in expected] == []
    assert "is not a HEF" in refused(tmp_path, damaged(whole, 1)).fault


@pytest.mark.parametrize(("form", "name"), [(0, "MD5"), (1, "CRC-32"), (2, "XXH3"), (3, "XXH3")])
def test_a_flipped_byte_of_the_description_or_the_data_does_not_have_the_checksum(
    form: int, name: str, tmp_path: Path
) -> None:
    whole = content_of(form)
    for at in (SIZES[form], SIZES[form] + 10, len(whole) // 2, len(whole) - 1):
        assert f"does not have the {name}" in refused(tmp_path, damaged(whole, at)).fault


def test_format_3_with_a_checksum_of_its_description_is_checked_by_both() -> None:
    """The library from 5.1 on checks the first alone, and passes a file that is cut or damaged behind it."""
    whole = content_of(3, has_proto_checksum=True)
    assert read_header(whole).is_data_covered
    with pytest.raises(DamagedHef, match="XXH3 of its description"):
        read_header(damaged(whole, SIZES[3] + 3))
    with pytest.raises(DamagedHef, match="XXH3 that"):
        read_header(damaged(whole, len(whole) - 1))
    with pytest.raises(DamagedHef, match=r"has \d+ bytes, and its header says"):
        read_header(whole[: len(whole) // 4])


def test_format_3_without_a_checksum_of_the_whole_says_that_its_data_is_not_covered() -> None:
    whole = content_of(3, has_proto_checksum=True, has_whole_checksum=False)
    assert not read_header(whole).is_data_covered
    assert read_header(damaged(whole, len(whole) - 1)) == read_header(whole)


def test_the_compiler_of_5_3_says_its_version_in_words(tmp_path: Path) -> None:
    words = Header("HAILO15H", 3, compiler="sdk-version: 5.3.1, git-branch: stability, git-commit: 5b0ed83")
    assert check_hef(write_hef(tmp_path / "a.hef", header=words)).header.compiler == "5.3.1"
    assert check_hef(write_hef(tmp_path / "b.hef", architecture="HAILO10H")).header.compiler == "5.3.0"


@pytest.mark.parametrize(
    ("content", "words", "remedy"),
    [
        (b"", "is empty", "Copy"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 5\n", "Git LFS", "git lfs pull"),
        (b"<!DOCTYPE html><html><title>Sign in</title>", "is a web page", "login"),
        (b"\n<html lang=en>", "is a web page", "login"),
        (b"PK\x03\x04 a zip", "begins with 50 4b 03 04 instead of 01 48 45 46", "Dataflow Compiler"),
        (b"\x01HEF\x00\x00\x00\x09rest", "format 9, newer than any that is known", "HailoRT"),
    ],
)
def test_what_is_no_hef_is_named_for_what_it_is(tmp_path: Path, content: bytes, words: str, remedy: str) -> None:
    failure = refused(tmp_path, content)
    assert words in failure.fault
    assert remedy in failure.remedy


def test_a_missing_hef_names_the_setting(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="HEF_PATH"):
        check_hef(tmp_path / "net.hef")


@given(st.binary(max_size=400), st.sampled_from(FORMATS))
def test_no_bytes_whatever_end_in_anything_but_an_answer_or_a_refusal(rest: bytes, form: int) -> None:
    try:
        read_header(b"\x01HEF" + form.to_bytes(4, "big") + rest)
    except (DamagedHef, UnknownFormat):
        return


def test_a_description_without_a_chip_is_refused() -> None:
    empty = encode(b"", Header(format=1))
    proto_free = empty[:8] + bytes(20)
    with pytest.raises(DamagedHef):
        read_header(proto_free.ljust(MIN_BYTES, b"\0"))


@pytest.mark.parametrize(
    ("target", "chip", "runs"),
    [
        ("HAILO8P", "HAILO8", True),
        ("HAILO8R", "HAILO8", True),
        ("HAILO8L", "HAILO8", True),
        ("HAILO8", "HAILO8", False),  # the library's table leaves it out
        ("HAILO8P", "HAILO8L", False),
        ("HAILO8L", "HAILO8L", True),
        ("HAILO15H", "HAILO8L", False),
        ("HAILO15H", "HAILO10H", True),
        ("HAILO15M", "HAILO10H", True),
        ("GINGER", "HAILO10H", True),
        ("LAVENDER", "HAILO10H", True),
        ("HAILO15L", "HAILO10H", False),
        ("HAILO8L", "HAILO10H", False),
        ("HAILO8L", "HAILO77", True),  # a chip that is not known is left to the library
    ],
)
def test_the_chip_runs_what_the_librarys_own_table_says(target: str, chip: str, runs: bool, tmp_path: Path) -> None:  # noqa: FBT001
    hef = check_hef(write_hef(tmp_path / "net.hef", header=Header(target)))
    if runs:
        check_architecture(hef, chip)
        return
    with pytest.raises(ModelFileError, match=f"was compiled for {target}, and the chip is a {chip}"):
        check_architecture(hef, chip)


@pytest.mark.parametrize(
    ("header", "library", "words"),
    [
        (Header(format=2), (4, 19, 0), "format 2, which needs HailoRT 4.20 or newer; this is 4.19.0"),
        (Header(format=2), (4, 20, 0), ""),
        (Header(format=3), (4, 20, 1), "format 3, which needs HailoRT 4.21 or newer; this is 4.20.1"),
        (Header(format=3), (4, 21, 0), ""),
        (Header("HAILO15H", 3), (4, 23, 0), "HAILO15H, and HailoRT 4.23.0 is of the line 4.x"),
        (Header("HAILO8P", 1), (5, 2, 0), "HAILO8P, and HailoRT 5.2.0 is of the line 5.x"),
        (Header("HAILO15H", 3), (5, 2, 0), ""),
        (Header("HAILO10H", 3), (5, 0, 1), ""),
        (Header("HAILO10H", 3), (5, 2, 0), "a target that HailoRT 5.2.0 no longer knows"),
    ],
)
def test_a_library_that_does_not_load_it_is_named_with_the_one_that_does(
    header: Header, library: tuple[int, ...], words: str, tmp_path: Path
) -> None:
    hef = check_hef(write_hef(tmp_path / "net.hef", header=header))
    if not words:
        check_line(hef, library)
        return
    with pytest.raises(ModelFileError) as caught:
        check_line(hef, library)
    assert words in caught.value.fault


@pytest.mark.parametrize(
    ("word", "target", "agrees"),
    [
        ("HAILO8L", "HAILO8L", True),
        ("hailo8l", "HAILO8L", True),
        ("hailo8", "HAILO8P", True),
        ("HAILO8P", "HAILO8P", True),
        ("hailo10h", "HAILO15H", True),
        ("HAILO15H", "HAILO15H", True),
        ("HAILO1XH", "HAILO15H", True),
        ("HAILO8", "HAILO8L", False),
        ("HAILO10H", "HAILO8L", False),
    ],
)
def test_a_manifest_takes_the_word_of_the_file_and_of_the_compiler(
    word: str,
    target: str,
    agrees: bool,  # noqa: FBT001
    tmp_path: Path,
) -> None:
    path = write_hef(tmp_path / "net.hef", header=Header(target))
    (tmp_path / "net.hef.json").write_text(json.dumps({"architecture": word}))
    if agrees:
        assert check_hef(path).architecture == target
        return
    with pytest.raises(ModelFileError, match=f"compiled for {target}, and its manifest says {word}"):
        check_hef(path)


@pytest.mark.parametrize(
    ("manifest", "words"),
    [
        ({"sha256": "0" * 64}, "its manifest says"),
        ({"arch": "HAILO8"}, "not a manifest"),
        ({"architecture": "HAILO9"}, "'HAILO9' is not one of"),
        ({"layout": "sideways"}, "not a manifest"),
    ],
)
def test_a_manifest_that_is_wrong_is_refused(manifest: dict[str, str], words: str, tmp_path: Path) -> None:
    path = write_hef(tmp_path / "net.hef")
    (tmp_path / "net.hef.json").write_text(json.dumps(manifest))
    with pytest.raises(ModelFileError, match=words):
        check_hef(path)


@pytest.mark.parametrize("padding", [1, 4096, 1 << 30])
def test_padding_that_does_not_bring_the_data_to_a_page_is_refused(padding: int, tmp_path: Path) -> None:
    whole = content_of(3)
    assert f"has {padding} bytes of padding" in refused(tmp_path, whole[:28] + padding.to_bytes(4) + whole[32:]).fault
