"""A made-up Debian on which the set-up of a device runs."""

import os
from pathlib import Path

import pytest

from tests.deploy.made_up_debian import Commands, Run
from tools.device_setup.machine import Machine


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    # What is synced after each of forty files takes a real disk most of the time.
    monkeypatch.setattr("os.fsync", lambda _: None)
    for folder in ("etc", "usr/bin", "usr/local/bin", "run/systemd/system", "var/lib", "opt", "sys/bus/pci/devices"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "etc/os-release").write_text(
        'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nVERSION_CODENAME=bookworm\n'
    )
    (tmp_path / "etc/systemd/system").mkdir(parents=True)
    (tmp_path / "usr/bin/apt-get").touch()
    for name in ("passwd", "group"):
        (tmp_path / "etc" / name).write_text("root:x:0:0::/root:/bin/bash\n")
    commands = Commands(tmp_path, {"python3": "3.11"})
    return Run(Machine(tmp_path, commands, is_root=os.geteuid() == 0), commands)
