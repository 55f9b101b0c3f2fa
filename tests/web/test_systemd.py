"""What systemd is reported, on a socket of our own."""

import socket
from pathlib import Path

import pytest

from edgeinfer.settings import ExporterSettings
from edgeinfer.web.systemd import SystemdNotifier, systemd_notifier_of


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def channel(tmp_path: Path) -> socket.socket:
    channel = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    channel.bind(str(tmp_path / "notify"))
    channel.setblocking(False)
    return channel


def heard(channel: socket.socket) -> list[bytes]:
    messages = []
    while True:
        try:
            messages.append(channel.recv(100))
        except BlockingIOError:
            return messages


def test_ready_alive_and_stopping_are_reported_in_the_words_of_sd_notify(channel: socket.socket) -> None:
    clock = Clock()
    with channel:
        supervisor = SystemdNotifier(channel.getsockname(), 30.0, clock)
        supervisor.ready()
        supervisor.alive()
        clock.now += 14.9
        supervisor.alive()
        clock.now += 0.1
        supervisor.alive()
        supervisor.stopping()
        assert heard(channel) == [b"READY=1", b"WATCHDOG=1", b"WATCHDOG=1", b"STOPPING=1"]


def test_the_abstract_namespace_is_reached_by_its_at_sign() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.bind("\0edgeinfer-test-notify")
        channel.setblocking(False)
        SystemdNotifier("@edgeinfer-test-notify", 0.0).ready()
        assert heard(channel) == [b"READY=1"]


def test_without_a_manager_nothing_is_sent_and_a_dead_one_is_no_failure(tmp_path: Path) -> None:
    SystemdNotifier("", 0.0).ready()
    SystemdNotifier(str(tmp_path / "gone"), 0.0).ready()


def test_the_settings_name_the_manager(channel: socket.socket) -> None:
    with channel:
        environment = {"NOTIFY_SOCKET": channel.getsockname(), "WATCHDOG_USEC": "30000000"}
        supervisor = systemd_notifier_of(ExporterSettings.from_environment(environment))
        supervisor.alive()
        supervisor.alive()
        assert heard(channel) == [b"WATCHDOG=1"]
