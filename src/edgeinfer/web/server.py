"""One ASGI application served by one process until it receives a signal."""

import asyncio
import errno
import gc
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import monotonic
from types import FrameType

import uvicorn
from starlette.types import ASGIApp
from uvicorn.server import ServerState

from edgeinfer.errors import PortInUse
from edgeinfer.listeners import who_listens
from edgeinfer.web.connection import HttpConnection
from edgeinfer.web.connection_state import ServerContext
from edgeinfer.web.direct import DirectRoute
from edgeinfer.web.error_answers import Refusal
from edgeinfer.web.limits import ConnectionLimits
from edgeinfer.web.open_files import OTHER_OPEN_FILES, raise_open_files_limit, within_open_files
from edgeinfer.web.systemd import NO_SYSTEMD, SystemdNotifier

_BACKLOG = 2048
_PROBE_SECONDS = 1.0


def bind(host: str, port: int) -> socket.socket:
    """A listening socket, bound before anything else starts, so that a busy port is reported at once.

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
    """A listening Unix socket that only this user can reach; a leftover of a dead process is replaced.

    Raises:
        PortInUse: a living process listens there, it is a file of another kind, or no socket can be made there.
    """
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _remove_leftover(path)
        listener.bind(str(path))
        path.chmod(0o600)
        listener.listen(_BACKLOG)
    except OSError as failure:
        listener.close()
        fault, remedy = f"it cannot be made ({failure.strerror or failure})", "Name a path in a folder of this user."
        raise PortInUse(f"socket {path}", fault, remedy) from failure
    except PortInUse:
        listener.close()
        raise
    return listener


def _remove_leftover(path: Path) -> None:
    """Never a file of another kind, which a mistyped option may name."""
    if not path.is_socket():
        if path.exists():
            raise PortInUse(f"socket {path}", "a file that is not a socket is there", "Name another path.")
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(_PROBE_SECONDS)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
    raise PortInUse(f"socket {path}", "another process listens there", "End it or name another path.")


@dataclass(frozen=True, slots=True)
class DrainPeriod:
    """What happens between the signal and the end: readiness turns, requests are still accepted.

    Args:
        give: turns readiness; called in a signal handler.
        seconds: until nothing more is accepted; a second signal ends them.
    """

    give: Callable[[], None]
    seconds: float


NO_DRAIN_PERIOD = DrainPeriod(lambda: None, 0.0)


class SupervisedServer(uvicorn.Server):
    """Notifies systemd when the server is ready, that its event loop runs, and when it stops; enforces deadlines."""

    tick_seconds = 1.0
    """Between two looks at the deadlines of all connections; a signal is seen at once."""
    stopping_tick_seconds = 0.25
    """The same while it ends."""

    def __init__(self, config: uvicorn.Config, supervisor: SystemdNotifier, notice: "DrainPeriod") -> None:
        super().__init__(config)
        self._supervisor = supervisor
        self._notice = notice
        self._leaves_at: float | None = None
        self._wake = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._supervisor.ready()

    async def main_loop(self) -> None:
        """Until the server is to end; uvicorn's own wakes a resting processor ten times a second."""
        loop = asyncio.get_running_loop()
        while not await self.on_tick(1):  # in every tenth, from 0 on, uvicorn writes a date that nobody sends
            pause = self.tick_seconds
            if self._leaves_at is not None:
                pause = min(pause, max(0.0, self._leaves_at - monotonic()))
            await self._rest(loop, pause)
            _check_deadlines(self.server_state, loop.time())

    async def _rest(self, loop: asyncio.AbstractEventLoop, seconds: float) -> None:
        """Until the time is over, or a signal has come."""
        timer = loop.call_later(seconds, self._wake.set)
        await self._wake.wait()
        timer.cancel()
        self._wake.clear()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """A signal asks for the end: readiness turns first, where that is wanted."""
        if self._leaves_at is None and self._notice.seconds:
            self._leaves_at = monotonic() + self._notice.seconds
            self._notice.give()
        else:
            super().handle_exit(sig, frame)
        with suppress(RuntimeError):  # no loop runs yet, or none any more: neither rests
            asyncio.get_running_loop().call_soon_threadsafe(self._wake.set)

    async def on_tick(self, counter: int) -> bool:
        """What is done a few times a second; returns whether to end."""
        self._supervisor.alive()
        if self._leaves_at is not None and monotonic() >= self._leaves_at:
            self.should_exit = True
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End: no new connection, and a bounded time for those that are open."""
        self._supervisor.stopping()
        # The main loop has ended, and deadlines hold all the same.
        deadlines = asyncio.create_task(watch_deadlines(self.server_state, self.stopping_tick_seconds))
        await super().shutdown(sockets)
        deadlines.cancel()


async def watch_deadlines(state: ServerState, every_seconds: float) -> None:
    """Let each connection of a server look at its deadline, again and again, until cancelled."""
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(every_seconds)
        _check_deadlines(state, loop.time())


def _check_deadlines(state: ServerState, now: float) -> None:
    """A function of its own: as a variable of the loop above, the last connection would live until the next one."""
    for connection in list(state.connections):
        if isinstance(connection, HttpConnection):
            connection.check_deadline(now)


def serve(  # noqa: PLR0913 - what a process may choose, by name
    app: ASGIApp,
    listeners: list[socket.socket],
    *,
    direct: tuple[DirectRoute, ...] = (),
    limits: ConnectionLimits | None = None,
    drain_seconds: int = 10,
    supervisor: SystemdNotifier = NO_SYSTEMD,
    notice: DrainPeriod = NO_DRAIN_PERIOD,
    on_refusal: Callable[[Refusal], None] = lambda _: None,
) -> None:
    """Serve until SIGTERM or SIGINT, then finish what was accepted.

    Args:
        app: the application.
        listeners: bound sockets.
        direct: routes that are answered past the application.
        limits: of its connections.
        drain_seconds: how long requests under way may take after the signal.
        supervisor: systemd, or nobody.
        notice: turns readiness first.
        on_refusal: called with each answer that the server gives in place of the application.
    """
    context = ServerContext(
        direct,
        _reachable(limits or ConnectionLimits()),
        stop_seconds=_stop_seconds(drain_seconds),
        on_refusal=on_refusal,
    )
    config = configuration(app, context, drain_seconds)
    # Uvicorn raises the signal again when it has ended, which would end the process before its callers clean up.
    before = signal.signal(signal.SIGTERM, lambda *_: None)
    try:
        SupervisedServer(config, supervisor, notice).run(sockets=listeners)
    finally:
        signal.signal(signal.SIGTERM, before)


def configuration(app: ASGIApp, context: ServerContext, drain_seconds: int) -> uvicorn.Config:
    """What every service sets of uvicorn, of which only sockets and lifespan are used, in place of its defaults."""
    return uvicorn.Config(
        app,
        loop="uvloop",
        http=partial(HttpConnection, context=context),  # type: ignore[arg-type]  # called like the class
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=drain_seconds,
    )


def _stop_seconds(drain_seconds: float) -> float:
    """When to answer for those who are not ready: a second before uvicorn cancels them without an answer."""
    return drain_seconds - min(1.0, drain_seconds / 2)


def _reachable(limits: ConnectionLimits) -> ConnectionLimits:
    """The limits, with as many connections as there may be open files for."""
    wanted = limits.max_connections + limits.max_refused_connections
    return within_open_files(limits, raise_open_files_limit(wanted + OTHER_OPEN_FILES))


def freeze_gc() -> None:
    """Keep what start-up made out of every garbage collection to come.

    A full collection over all modules would show as a pause of several milliseconds in the tail of the latency.
    Over the little that a running service holds it takes a fraction of one, and it must come now and then:
    connections that ended leave cycles behind.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)
