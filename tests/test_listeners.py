"""Who has a port: the process where it may be seen, else its user."""

import os
import socket
from pathlib import Path

import pytest

from edgeinfer.listeners import who_listens

_HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"


def table(folder: Path, *, state: str, user: int, port: int = 9100) -> Path:
    """A table as the kernel writes it, with one socket of a process that nobody may look at."""
    path = folder / "tcp"
    row = f"   0: 0100007F:{port:04X} 00000000:0000 {state} 00000000:00000000 00:00000000 00000000 {user:5} 0 1 1\n"
    path.write_text(_HEAD + row, encoding="ascii")
    return path


def test_a_process_is_named_with_its_number() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert f"(process {os.getpid()})" in who_listens(listener.getsockname()[1])


@pytest.mark.parametrize(("user", "name"), [(0, "root"), (4_000_000, "4000000")])
def test_where_the_process_may_not_be_seen_its_user_is_named(tmp_path: Path, user: int, name: str) -> None:
    port = free_port()
    assert who_listens(port, (table(tmp_path, state="0A", user=user, port=port),)) == f"a process of user {name}"


def test_a_connection_from_the_port_is_no_listener(tmp_path: Path) -> None:
    port = free_port()
    assert who_listens(port, (table(tmp_path, state="01", user=0, port=port), tmp_path / "none")) == "another process"


def free_port() -> int:
    """A port on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
