import os
import socket
import subprocess
import sys

import pytest

from edgeinfer.errors import PortInUse
from edgeinfer.stack import ports

_LISTEN = """
import socket, sys, time
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
time.sleep(60)
"""


def test_a_port_is_free_until_somebody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert not ports.is_free("127.0.0.1", port)
    assert ports.is_free("127.0.0.1", port)


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(PortInUse, match=r"192\.0\.2\.1:4000.*Choose another address"):
        ports.is_free("192.0.2.1", 4000)


def test_only_the_process_that_listens_owns_the_port() -> None:
    with subprocess.Popen([sys.executable, "-c", _LISTEN], stdout=subprocess.PIPE) as other:
        assert other.stdout
        port = int(other.stdout.readline())
        try:
            assert ports.listens(other.pid, port)
            assert ports.listens(os.getpid(), port), "a process that we started listens for us"
            assert not ports.listens(other.pid, port + 1)
            assert str(other.pid) in ports.listener(port)
        finally:
            other.kill()
    assert not ports.listens(other.pid, port)


def test_a_foreign_server_on_the_port_is_not_ours() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as foreign,
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as ours,
    ):
        try:
            assert not ports.listens(ours.pid, foreign.getsockname()[1])
        finally:
            ours.kill()


def test_every_taken_port_is_told_at_once_with_who_has_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as two:
        first, second = one.getsockname()[1], two.getsockname()[1]
        with pytest.raises(PortInUse) as refusal:
            ports.refuse_busy([("gateway", "127.0.0.1", first), ("console", "127.0.0.1", second)])

    assert f"{first} (for the gateway)" in refusal.value.fault
    assert f"{second} (for the console)" in refusal.value.fault
    assert f"process {os.getpid()}" in refusal.value.fault
    assert "edgeinfer up --help" in refusal.value.remedy


def test_two_processes_that_want_one_port_are_named() -> None:
    with pytest.raises(PortInUse, match="is wanted by gateway and by console"):
        ports.refuse_busy([("gateway", "127.0.0.1", 18080), ("console", "127.0.0.1", 18080)])


@pytest.mark.parametrize(("host", "reached"), [("::", "127.0.0.1"), ("", "127.0.0.1"), ("127.0.0.2", "127.0.0.2")])
def test_a_server_on_every_address_is_reached_on_loopback(host: str, reached: str) -> None:
    assert ports.reachable(host) == reached
