"""A package without a wheel for one Python or processor is named; an index without an answer never passes."""

import hashlib
import zipfile
from pathlib import Path

import pytest

from tools.wheel_check import PLATFORMS, PYTHONS, IndexUnreadableError, Machine, main, without_wheels


def add_wheel(folder: Path, name: str, tag: str) -> str:
    """Write the smallest wheel that uv reads; returns its line of a lock file's hashes."""
    path = folder / f"{name}-1.0-{tag}.whl"
    info = f"{name}-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        wheel.writestr(f"{info}/WHEEL", f"Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: {tag}\n")
        wheel.writestr(f"{info}/RECORD", "")
    return f"--hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"


@pytest.fixture
def index(tmp_path: Path) -> list[str]:
    return ["--no-index", "--find-links", str(tmp_path)]


def lock_of(folder: Path) -> str:
    """Two packages: one for every machine, one without a wheel for 3.14 and for ARM."""
    everywhere = add_wheel(folder, "anywhere", "py3-none-any")
    hashes = [add_wheel(folder, "native", f"cp3{minor}-cp3{minor}-manylinux_2_17_x86_64") for minor in (11, 12, 13)]
    native = " \\\n    ".join(hashes)
    return f"# made by hand\nanywhere==1.0 \\\n    {everywhere}\n    # via native\nnative==1.0 \\\n    {native}\n"


def test_a_package_without_a_wheel_is_named_and_the_others_are_not(tmp_path: Path, index: list[str]) -> None:
    lock = lock_of(tmp_path)
    assert list(without_wheels(lock, Machine("3.13", "x86_64-manylinux_2_36"), index)) == []
    assert list(without_wheels(lock, Machine("3.14", "x86_64-manylinux_2_36"), index)) == ["native"]
    assert list(without_wheels(lock, Machine("3.13", "aarch64-manylinux_2_36"), index)) == ["native"]


def test_a_marker_takes_a_package_from_the_machines_that_it_is_not_for(tmp_path: Path, index: list[str]) -> None:
    lock = lock_of(tmp_path).replace("native==1.0", "native==1.0 ; python_full_version < '3.14'")
    assert list(without_wheels(lock, Machine("3.14", "x86_64-manylinux_2_36"), index)) == []


def test_every_gap_is_printed_and_ends_with_1(
    tmp_path: Path, index: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "some.lock"
    path.write_text(lock_of(tmp_path))
    assert main([str(path)], index) == 1
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == 1 + len(PYTHONS) + 1
    assert all(f"{path}: native has no wheel for Python" in line for line in printed[:-1])
    assert printed[-1].startswith("hint: ")


def test_whole_locks_pass_and_say_for_what(
    tmp_path: Path, index: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "some.lock"
    path.write_text(f"anywhere==1.0 \\\n    {add_wheel(tmp_path, 'anywhere', 'py3-none-any')}\n")
    assert main([str(path)], index) == 0
    assert f"wheels for Python {', '.join(PYTHONS)} on {' and '.join(PLATFORMS)}" in capsys.readouterr().out


def test_a_package_that_the_index_does_not_know_is_no_pass(tmp_path: Path, index: list[str]) -> None:
    hash_of_another = add_wheel(tmp_path, "anywhere", "py3-none-any")
    with pytest.raises(IndexUnreadableError, match="unknown"):
        list(without_wheels(f"unknown==1.0 \\\n    {hash_of_another}\n", Machine("3.14", PLATFORMS[0]), index))
