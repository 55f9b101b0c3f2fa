"""What lies outside of the services: the folder of the monitor files, and who may open the chip."""

import os
import re
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from edgeinfer.diagnostics import Verdict
from edgeinfer.hailort.library import load_library
from edgeinfer.hailort.monitor_folder import diagnose_monitor_folder
from tests.fakes.hailo_platform.build import importer
from tests.fakes.hailo_platform.machine import Machine

ROOT = Path(__file__).parents[2]
TMPFILES = ROOT / "deploy/systemd/edgeinfer.tmpfiles"


def test_the_folder_of_the_monitor_files_is_what_the_doctor_asks_for(tmp_path: Path) -> None:
    (line,) = re.findall(r"(?m)^[^#\n].*$", TMPFILES.read_text())
    kind, path, mode, owner, group, age = line.split()
    assert (kind, path, owner, group, age) == ("d", "/tmp/hmon_files", "root", "root", "-")  # noqa: S108  # HailoRT's
    folder = tmp_path / path.removeprefix("/")
    folder.mkdir(parents=True)
    folder.chmod(int(mode, 8))
    (found,) = diagnose_monitor_folder(load_library(importer(Machine())), tmp_path)
    assert found.verdict is Verdict.OK
    assert "/etc/tmpfiles.d/edgeinfer.conf" in (ROOT / "docs/guides/raspberry-pi.md").read_text()


@pytest.mark.skipif(shutil.which("systemd-tmpfiles") is None or os.getuid() != 0, reason="it needs systemd and root")
def test_systemd_makes_it(tmp_path: Path) -> None:
    for name in ("passwd", "group"):
        (tmp_path / "etc").mkdir(exist_ok=True)
        shutil.copy(f"/etc/{name}", tmp_path / "etc" / name)
    subprocess.run(["systemd-tmpfiles", "--create", f"--root={tmp_path}", TMPFILES], check=True)
    assert stat.S_IMODE((tmp_path / "tmp/hmon_files").stat().st_mode) == 0o1777


def test_the_udev_rule_is_for_the_class_of_driver_5_3_and_the_group_of_the_services() -> None:
    (rule,) = re.findall(r"(?m)^[^#\n].*$", (ROOT / "deploy/udev/51-edgeinfer.rules").read_text())
    assert rule == 'SUBSYSTEM=="hailo1x", MODE="0660", GROUP="edgeinfer"'
    for unit in ("sidecar", "exporter"):
        assert "\nGroup=edgeinfer\n" in (ROOT / f"deploy/systemd/edgeinfer-{unit}.service").read_text()
