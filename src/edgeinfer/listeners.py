"""Who listens on a TCP port of this machine, as far as this user may see."""

import pwd
from collections.abc import Iterator
from pathlib import Path

import psutil

_TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
_LISTENING = "0A"  # in hexadecimal, as the kernel's tables show a socket's state
_ADDRESS, _STATE, _USER = 1, 3, 7  # columns of these tables


def who_listens(port: int, tables: tuple[Path, ...] = _TABLES) -> str:
    """The process, or its user where another user's process may not be looked at.

    Args:
        port: of TCP.
        tables: the kernel's list of sockets; every user may read it.

    Returns:
        Such as "prometheus-node-exporter (process 812)" or "a process of user prometheus".
    """
    for process in psutil.process_iter():
        try:
            if listens_on(process, port):
                return f"{process.name()} (process {process.pid})"
        except psutil.Error:
            continue
    user = next(_users(port, tables), None)
    return "another process" if user is None else f"a process of user {_name(user)}"


def listens_on(process: psutil.Process, port: int) -> bool:
    """Whether this process listens on the port.

    Raises:
        psutil.Error: it has ended, or is another user's.
    """
    connections = process.net_connections(kind="tcp")
    return any(one.status == psutil.CONN_LISTEN and one.laddr.port == port for one in connections)


def _users(port: int, tables: tuple[Path, ...]) -> Iterator[int]:
    for table in tables:
        for line in table.read_text("ascii").splitlines()[1:] if table.exists() else ():
            columns = line.split()
            if columns[_STATE] == _LISTENING and int(columns[_ADDRESS].rpartition(":")[2], 16) == port:
                yield int(columns[_USER])


def _name(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:  # a user of a container
        return str(user)
