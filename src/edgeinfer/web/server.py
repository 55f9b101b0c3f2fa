"""One ASGI application served by one process until it is told to stop."""

import errno
import gc
import signal
import socket
from asyncio import get_running_loop
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import monotonic
from types import FrameType

import uvicorn
from starlette.types import ASGIApp

from edgeinfer.errors import PortInUse
from edgeinfer.listeners import who_listens
from edgeinfer.web.direct import DirectRoute
from edgeinfer.web.protocol import BoundedProtocol
from edgeinfer.web.supervisor import NOBODY, Supervisor

_BACKLOG = 2048
_TICKS_PER_SECOND = 10  # how often uvicorn calls on_tick


def bind(host: str, port: int) -> socket.socket:
    """A listening socket, taken before anything else starts so that a busy port is told at once.

    Raises:
        PortInUse: another process has the port, or the address is not this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as failure:
        listener.close()
        if failure.errno == errno.EADDRINUSE:
            fault, remedy = (
                f"{who_listens(port)} listens there",
                "End it or choose another port.",
            )
        elif failure.errno == errno.EACCES:
            fault, remedy = "this user may not listen there", "Choose a port from 1024 on."
        else:
            fault, remedy = f"it cannot be bound ({failure.strerror})", "Choose an address of this machine."
        raise PortInUse(f"{host}:{port}", fault, remedy) from failure
    listener.listen(_BACKLOG)
    return listener


def bind_unix(path: Path) -> socket.socket:
    """A listening Unix socket that only this user can reach; a leftover of a dead process is replaced."""
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(path))
    path.chmod(0o600)
    listener.listen(_BACKLOG)
    return listener


@dataclass(frozen=True, slots=True)
class Notice:
    """What happens between the signal and the end: readiness turns, requests are still accepted.

    Args:
        give: turns readiness; called in a signal handler.
        seconds: until nothing more is accepted; a second signal ends them.
    """

    give: Callable[[], None]
    seconds: float


NO_NOTICE = Notice(lambda: None, 0.0)


class _SupervisedServer(uvicorn.Server):
    """Tells systemd that it is ready, that its loop still turns, and that it stops."""

    def __init__(self, config: uvicorn.Config, supervisor: Supervisor, notice: "Notice") -> None:
        super().__init__(config)
        self._supervisor = supervisor
        self._notice = notice
        self._leaves_at: float | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._supervisor.ready()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self._leaves_at is None and self._notice.seconds:
            self._leaves_at = monotonic() + self._notice.seconds
            self._notice.give()
            return
        super().handle_exit(sig, frame)

    async def on_tick(self, counter: int) -> bool:
        self._supervisor.alive()
        if self._leaves_at is not None and monotonic() >= self._leaves_at:
            self.should_exit = True
        if counter % _TICKS_PER_SECOND == 0:
            self._close_slow_connections()
        return await super().on_tick(counter)

    def _close_slow_connections(self) -> None:
        now = get_running_loop().time()
        for connection in list(self.server_state.connections):
            if isinstance(connection, BoundedProtocol):
                connection.close_if_slow(now)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._supervisor.stopping()
        await super().shutdown(sockets)


def serve(  # noqa: PLR0913 - what a process may choose, by name
    app: ASGIApp,
    listeners: list[socket.socket],
    *,
    direct: tuple[DirectRoute, ...] = (),
    drain_seconds: int = 10,
    supervisor: Supervisor = NOBODY,
    notice: Notice = NO_NOTICE,
) -> None:
    """Serve until SIGTERM or SIGINT, then finish what was accepted.

    Args:
        app: the application.
        listeners: bound sockets.
        direct: routes that are answered past the application.
        drain_seconds: how long requests under way may take after the signal.
        supervisor: systemd, or nobody.
        notice: turns readiness first.
    """
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http=partial(BoundedProtocol, direct=direct),  # type: ignore[arg-type]  # called like the class
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=drain_seconds,
    )
    # Uvicorn raises the signal again when it has ended, which would end the process before its callers clean up.
    before = signal.signal(signal.SIGTERM, lambda *_: None)
    try:
        _SupervisedServer(config, supervisor, notice).run(sockets=listeners)
    finally:
        signal.signal(signal.SIGTERM, before)


def calm_collector() -> None:
    """Keep what start-up made out of every garbage collection to come.

    A full collection over all modules would show as a pause of several milliseconds in the tail of the latency.
    Over the little that a running service holds it takes a fraction of one, and it must come now and then:
    connections that ended leave cycles behind.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)
