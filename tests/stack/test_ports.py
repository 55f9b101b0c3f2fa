import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from edgeinfer.errors import PortInUse
from edgeinfer.listeners import who_listens
from edgeinfer.stack import ports

_LISTEN = """
import socket, sys, time
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
time.sleep(60)
"""


def test_a_port_is_free_until_a_process_listens() -> None:
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
            assert str(other.pid) in who_listens(port)
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


def test_every_taken_port_is_reported_at_once_with_who_has_it() -> None:
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
        ports.refuse_shared([("gateway", 18080), ("console", 18080)])
    ports.refuse_shared([("gateway", 18080), ("console", 18081)])


def test_what_is_in_the_way_of_a_listener_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as foreign:
        port = foreign.getsockname()[1]
        assert ports.in_the_way("prometheus", "127.0.0.1", port).startswith(
            f"port {port} (for the prometheus) is taken by "
        )
    assert ports.in_the_way("prometheus", "127.0.0.1", port) == ""
    assert "cannot be listened on" in ports.in_the_way("prometheus", "192.0.2.1", port)


@pytest.mark.parametrize(("host", "reached"), [("::", "127.0.0.1"), ("", "127.0.0.1"), ("127.0.0.2", "127.0.0.2")])
def test_a_server_on_every_address_is_reached_on_loopback(host: str, reached: str) -> None:
    assert ports.reachable(host) == reached


def a_pool(folder: Path, outgoing: str) -> ports.PortPool:
    reported = folder / "ip_local_port_range"
    reported.write_text(outgoing, "ascii")
    return ports.PortPool(reported)


def test_a_pool_gives_no_port_twice_and_none_that_an_outgoing_connection_may_take(tmp_path: Path) -> None:
    pool = a_pool(tmp_path, "11000\t60999\n")
    given = pool.take(400) + pool.take(400)
    assert len(set(given)) == 800
    assert min(given) >= 10_000
    assert max(given) < 11_000


def test_a_pool_leaves_out_where_a_process_listens_and_says_when_it_is_empty(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", a_pool(tmp_path, "11000 60999").take(1)[0])) as listener:
        pool = a_pool(tmp_path, "11000 60999")
        assert listener.getsockname()[1] not in pool.take(900)
        with pytest.raises(PortInUse, match=r"only \d+ of 100 are free"):
            pool.take(100)


@pytest.mark.parametrize("outgoing", ["1024 65535", "", "what"])
def test_a_pool_needs_no_file_that_shows(outgoing: str, tmp_path: Path) -> None:
    assert len(set(a_pool(tmp_path, outgoing).take(10))) == 10
    assert len(set(ports.PortPool(tmp_path / "absent").take(10))) == 10
