"""Ports: whether one is free, and whether the process that listens there is ours."""

import errno
import socket
from collections.abc import Iterable

import psutil

from edgeinfer.errors import PortInUse

_ANY = ("0.0.0.0", "::", "")  # noqa: S104 - compared with, not bound


def reachable(host: str) -> str:
    """The address under which this machine reaches a server that listens on `host`."""
    return "127.0.0.1" if host in _ANY else host


def is_free(host: str, port: int) -> bool:
    """Whether a server could listen there now.

    Raises:
        PortInUse: the address is not this machine's, or this user may not listen there.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as failure:
            if failure.errno == errno.EADDRINUSE:
                return False
            remedy = "Choose a port from 1024 on." if failure.errno == errno.EACCES else "Choose another address."
            raise PortInUse(f"{host}:{port}", f"cannot be listened on ({failure.strerror})", remedy) from failure
    return True


def listens(pid: int, port: int) -> bool:
    """Whether this process, or one that it started, listens on the port.

    An answer on the port alone proves nothing: a server of somebody else may give it.
    """
    try:
        root = psutil.Process(pid)
        family = [root, *root.children(recursive=True)]
        return any(_listens(process, port) for process in family)
    except psutil.Error:
        return False


def _listens(process: psutil.Process, port: int) -> bool:
    connections = process.net_connections(kind="tcp")
    return any(one.status == psutil.CONN_LISTEN and one.laddr.port == port for one in connections)


def listener(port: int) -> str:
    """Who listens on the port, as far as this user may see: "prometheus (process 812)" or ""."""
    for process in _visible():
        try:
            if _listens(process, port):
                return f"{process.name()} (process {process.pid})"
        except psutil.Error:
            continue
    return ""


def _visible() -> Iterable[psutil.Process]:
    return psutil.process_iter()


def refuse_busy(wanted: Iterable[tuple[str, str, int]]) -> None:
    """Before anything starts, prove that every port is free and no two processes want the same.

    Args:
        wanted: name of the process, host, port.

    Raises:
        PortInUse: names every port that is taken, and who has it.
    """
    owners: dict[int, str] = {}
    taken: list[str] = []
    for name, host, port in wanted:
        if port in owners:
            raise PortInUse(
                f"port {port}", f"is wanted by {owners[port]} and by {name}", "Give each a port of its own."
            )
        owners[port] = name
        if not is_free(host, port):
            taken.append(f"{port} (for the {name}) by {listener(port) or 'a process of another user'}")
    if taken:
        remedy = "End what listens there, or choose other ports: see 'edgeinfer up --help'."
        raise PortInUse("ports", f"taken: {'; '.join(taken)}", remedy)
