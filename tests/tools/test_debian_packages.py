"""Packages of another release: what this machine cannot have is said by its reason, and never passes for tested."""

import os
from pathlib import Path

import pytest

from tools import versions
from tools.debian_packages import DebianPackages, PackagesUnavailable

_APT = """#!/bin/sh
echo "$0 $*" >> {log}
case "$*" in
  *indextargets*) echo "Debian Debian http://mirror/debian/" ;;
  *update*) {update} ;;
  *" download "*) : > some_1_amd64.deb ;;
esac
"""


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """apt-get, dpkg and apt-cache that write down how they were called; a mirror that answers."""
    (tmp_path / "bin").mkdir()
    for name in ("apt-get", "dpkg", "apt-cache"):
        command(tmp_path, name)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    return tmp_path


def command(machine: Path, name: str, update: str = "true") -> None:
    path = machine / "bin" / name
    path.write_text(_APT.format(log=machine / "calls", update=update))
    path.chmod(0o755)


def test_packages_are_fetched_once_and_those_of_a_later_call_next_to_them(machine: Path) -> None:
    packages = DebianPackages("testing", "arm64", machine / "cache")
    root = packages.fetch(["prometheus"])
    packages.fetch(["prometheus"])
    packages.fetch(["prometheus", "promtool"])
    calls = (machine / "calls").read_text().splitlines()
    fetched = [line.partition(" download ")[2] for line in calls if " download " in line]
    assert fetched == ["prometheus", "promtool"]
    assert any(
        line.endswith(f"dpkg -x {machine}/cache/testing-arm64/downloads/some_1_amd64.deb {root}") for line in calls
    )
    assert sum("update" in line.split() for line in calls) == 1
    assert all("APT::Architecture=arm64" in line for line in calls if " download " in line)


def test_a_mirror_that_does_not_answer_is_an_error_with_its_reason_and_asked_again(machine: Path) -> None:
    command(machine, "apt-get", update='echo "E: Failed to fetch http://mirror: refused" >&2; exit 100')
    packages = DebianPackages("testing", "amd64", machine / "cache")
    with pytest.raises(PackagesUnavailable, match="Failed to fetch http://mirror: refused"):
        packages.fetch(["prometheus"])
    command(machine, "apt-get")
    assert packages.fetch(["prometheus"]).is_dir()


def test_the_newest_versions_are_part_of_the_matrix() -> None:
    assert versions.RELEASES[-1] == "testing"
    for test in (*versions._WHOLE, *versions._QUICK):
        assert Path(test.partition("::")[0]).exists(), test
