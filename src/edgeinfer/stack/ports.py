"""Ports: whether one is free, whether the process that listens there is ours, and free ones for a stack."""

import errno
import random
import socket
from collections.abc import Iterable
from pathlib import Path

import psutil

from edgeinfer.errors import PortInUse
from edgeinfer.listeners import listens_on, who_listens

_LOOPBACK = "127.0.0.1"
_OUTGOING_PORTS = Path("/proc/sys/net/ipv4/ip_local_port_range")
_USUAL_FIRST_OUTGOING_PORT = 32768  # Linux' own setting
_FIRST_PORT, _LAST_PORT = 10_000, 65_535  # below it live the well-known services
_MIN_PORTS = 1_000
_ANY = ("0.0.0.0", "::", "")  # noqa: S104 - compared with, not bound


def reachable(host: str) -> str:
    """The address under which this machine reaches a server that listens on `host`."""
    return _LOOPBACK if host in _ANY else host


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

    An answer on the port alone proves nothing: a server of another program may answer so.
    """
    try:
        root = psutil.Process(pid)
        family = [root, *root.children(recursive=True)]
        return any(listens_on(process, port) for process in family)
    except psutil.Error:
        return False


def in_the_way(name: str, host: str, port: int) -> str:
    """Why a process cannot listen there now, in words; empty where it can."""
    try:
        if is_free(host, port):
            return ""
    except PortInUse as failure:
        return f"{failure.thing} {failure.fault}"
    return f"port {port} (for the {name}) is taken by {who_listens(port)}"


def refuse_shared(wanted: Iterable[tuple[str, int]]) -> None:
    """Prove that no two processes want the same port.

    Args:
        wanted: name of the process, port.

    Raises:
        PortInUse: two want the same.
    """
    owners: dict[int, str] = {}
    for name, port in wanted:
        if port in owners:
            raise PortInUse(
                f"port {port}", f"is wanted by {owners[port]} and by {name}", "Give each a port of its own."
            )
        owners[port] = name


def refuse_busy(wanted: Iterable[tuple[str, str, int]]) -> None:
    """Before anything starts, prove that every port of the main job is free.

    Args:
        wanted: name of the process, host, port.

    Raises:
        PortInUse: names every port that is taken, and who has it.
    """
    taken = []
    for name, host, port in wanted:
        if not is_free(host, port):
            taken.append(f"{port} (for the {name}) by {who_listens(port)}")
    if taken:
        remedy = "End what listens there, or choose other ports: see 'edgeinfer up --help'."
        raise PortInUse("ports", f"taken: {'; '.join(taken)}", remedy)


class PortPool:
    """Gives out ports of loopback on which nobody listens, none of them twice.

    A port is given out some time before its server listens on it.
    One that the kernel may give to an outgoing connection could be lost in between, so those are left out.

    Args:
        outgoing_ports: file of the kernel with the first and the last port of outgoing connections.
    """

    def __init__(self, outgoing_ports: Path = _OUTGOING_PORTS) -> None:
        self._outgoing_ports = outgoing_ports
        self._given: set[int] = set()

    def take(self, count: int) -> list[int]:
        """So many ports; two pools begin at different places, by chance.

        Raises:
            PortInUse: there are not so many.
        """
        lasting = _lasting_ports(self._outgoing_ports)
        begin = random.SystemRandom().randrange(len(lasting))
        taken: list[int] = []
        for port in (*lasting[begin:], *lasting[:begin]):
            if len(taken) == count:
                break
            if port not in self._given and is_free(_LOOPBACK, port):
                taken.append(port)
        if len(taken) < count:
            remedy = "End servers on this machine that nobody needs."
            raise PortInUse("ports", f"only {len(taken)} of {count} are free", remedy)
        self._given.update(taken)
        return taken


def _lasting_ports(outgoing_ports: Path) -> range:
    """Ports that are no outgoing connection's; all of them where that leaves hardly any."""
    try:
        first_outgoing = int(outgoing_ports.read_text("ascii").split()[0])
    except (OSError, ValueError, IndexError):
        first_outgoing = _USUAL_FIRST_OUTGOING_PORT
    lasting = range(_FIRST_PORT, first_outgoing)
    return lasting if len(lasting) >= _MIN_PORTS else range(_FIRST_PORT, _LAST_PORT + 1)
