from pathlib import Path

import pytest

from edgeinfer.errors import BinaryNotFound
from edgeinfer.stack.binaries import Program, cache_folder, find_all, require

PROMETHEUS = "prometheus, version 2.42.0+ds (branch: debian/sid)"
ALERTMANAGER = "alertmanager, version 0.28.1 (branch: HEAD)"


def program(folder: Path, name: str, says: str, stream: int = 1) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\necho '{says}' >&{stream}\n")
    path.chmod(0o755)
    return path


def test_a_program_on_path_wins_over_a_fetched_one(tmp_path: Path) -> None:
    own = program(tmp_path / "bin", "prometheus", PROMETHEUS)
    program(tmp_path / "cache" / "usr" / "bin", "prometheus", PROMETHEUS)

    found = find_all(tmp_path / "cache", str(tmp_path / "bin"))[Program.PROMETHEUS]

    assert (found.path, found.version) == (own, "2.42.0+ds")


def test_a_fetched_program_is_found_where_path_has_none(tmp_path: Path) -> None:
    path = program(tmp_path / "cache" / "usr" / "bin", "prometheus", PROMETHEUS)

    found = find_all(tmp_path / "cache", str(tmp_path))[Program.PROMETHEUS]

    assert found.path == path
    assert found.folder == tmp_path / "cache" / "usr"


@pytest.mark.parametrize("name", ["prometheus-alertmanager", "alertmanager"])
def test_alertmanager_is_found_under_debians_name_and_its_own(name: str, tmp_path: Path) -> None:
    path = program(tmp_path, name, ALERTMANAGER, stream=2)

    assert find_all(tmp_path / "cache", str(tmp_path))[Program.ALERTMANAGER].path == path


@pytest.mark.parametrize("says", ["Prometheus 9000, the film catalogue", "", "alertmanager, version 0.25.0"])
def test_another_program_of_the_name_is_not_taken_for_it(says: str, tmp_path: Path) -> None:
    program(tmp_path / "bin", "prometheus", says)
    fetched = program(tmp_path / "cache" / "usr" / "bin", "prometheus", PROMETHEUS)

    assert find_all(tmp_path / "cache", str(tmp_path / "bin"))[Program.PROMETHEUS].path == fetched


def test_a_program_for_another_machine_is_not_taken(tmp_path: Path) -> None:
    path = tmp_path / "prometheus"
    path.write_bytes(b"\x7fELF of another kind")
    path.chmod(0o755)

    assert Program.PROMETHEUS not in find_all(tmp_path / "cache", str(tmp_path))


def test_the_message_names_the_three_ways() -> None:
    with pytest.raises(BinaryNotFound) as failure:
        require({}, Program.ALERTMANAGER)

    for way in ("PATH", "apt-get", "docker", "--no-monitoring"):
        assert way in failure.value.remedy


def test_the_cache_is_in_the_users_cache_home(tmp_path: Path) -> None:
    assert cache_folder(tmp_path) == tmp_path / "edgeinfer" / "monitoring"
