"""Which files the fake takes for a HEF, and which status the others have."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.hailo_platform.build import modules
from tests.fakes.hailo_platform.hef import write_hef
from tests.fakes.hailo_platform.hef_file import SIZES, Aborted, Header, damaged, encode
from tests.fakes.hailo_platform.machine import Machine
from tests.hailort.conformance import Stack, failing


def test_a_hef_is_distinguished_by_status(stack: Stack, tmp_path: Any) -> None:
    with pytest.raises(ValueError, match="file path"):
        stack.top.HEF(None)
    assert failing(stack, lambda: stack.top.HEF(str(tmp_path / "missing.hef"))) == 13
    assert failing(stack, lambda: stack.top.HEF(b"not a hef" * 9)) == 92
    infos = stack.top.HEF(stack.hef).get_all_vstream_infos()
    assert [(info.name, info.shape, info.direction) for info in infos] == [
        ("tcn_vae/input_layer1", (1, 100, 9), "H2D"),
        ("tcn_vae/conv20", (1, 1, 12), "D2H"),
        ("tcn_vae/conv19", (1, 1, 64), "D2H"),
    ]


@pytest.mark.parametrize("form", [0, 1, 2, 3])
def test_a_damaged_hef_has_the_status_of_its_damage(stack: Stack, form: int) -> None:
    """HailoRT 4.23 and 5.2: 14 below the header, 92 for magic, format and age, 91 for length and checksum."""

    def status(content: bytes, *, as_path: bool = True) -> int:
        Path(stack.hef).write_bytes(content)
        return failing(stack, lambda: stack.top.HEF(stack.hef if as_path else content))

    whole = encode(b"{}", Header(format=form))
    assert [status(whole[:length]) for length in (0, 4, 11, 12, SIZES[form] - 1)] == [14] * 5
    assert [status(whole[:length], as_path=False) for length in (12, 31, 55)] == [91] * 3
    assert status(damaged(whole, 0)) == 92
    assert status(whole[:4] + b"\0\0\0\4" + whole[8:]) == 92
    assert status(encode(b"{}", Header(format=form, is_outdated=True))) == 92
    for wrong in (whole[:-1], whole + bytes(100), damaged(whole, len(whole) - 1), damaged(whole, SIZES[form])):
        assert status(wrong) == status(wrong, as_path=False) == 91
    with pytest.raises(Aborted):
        stack.top.HEF(whole[:11])


def test_from_5_1_on_a_cut_file_with_a_checksum_of_its_description_passes(tmp_path: Path) -> None:
    """HailoRT 5.2: computed on a public file of 1.36 of 5.8 MB; older libraries look at length and whole checksum."""
    path = tmp_path / "net.hef"
    document = json.dumps({"networks": [], "bottleneck_fps": 1.0}).encode()
    whole = encode(document, Header(format=3, has_proto_checksum=True))
    path.write_bytes(whole[:-100])
    new, old = (modules(Machine(version))["hailo_platform"] for version in ("5.2.0", "5.0.1"))
    assert new.HEF(str(path)).bottleneck_fps() == 1.0
    with pytest.raises(old.HailoRTException, match="91"):
        old.HEF(str(path))
    path.write_bytes(whole[:90])
    with pytest.raises(new.HailoRTException, match="14"):
        new.HEF(str(path))
    with pytest.raises(Aborted):
        new.HEF(whole[:90])


@pytest.mark.parametrize(("version", "newest"), [("4.19.0", 1), ("4.20.0", 2), ("4.21.0", 3), ("5.2.0", 3)])
def test_each_library_reads_the_formats_of_its_time(version: str, newest: int, tmp_path: Path) -> None:
    platform = modules(Machine(version))["hailo_platform"]
    refused = []
    for form in range(4):
        path = write_hef(tmp_path / f"{form}.hef", header=Header(format=form))
        try:
            platform.HEF(str(path))
        except platform.HailoRTException:
            refused.append(form)
    assert refused == list(range(newest + 1, 4))


def test_in_4_20_every_fault_of_a_hef_is_26(tmp_path: Any) -> None:
    stack = Stack(Machine("4.20.0"), tmp_path / "net.hef")
    assert failing(stack, lambda: stack.top.HEF(b"not a hef" * 9)) == 26
    write_hef(tmp_path / "net.hef", architecture="HAILO8")
    with stack.top.VDevice(stack.params()) as vdevice:
        assert failing(stack, lambda: stack.configured(vdevice)) == 26


def test_a_hef_of_another_chip_is_refused_at_configure(stack: Stack, tmp_path: Any) -> None:
    stack.hef = str(write_hef(tmp_path / "other.hef", architecture="HAILO15L"))
    with stack.top.VDevice(stack.params()) as vdevice:
        assert failing(stack, lambda: stack.configured(vdevice)) == 93
