"""What a service reports to systemd: ready, alive, stopping (the datagrams of sd_notify, without its library)."""

import logging
import socket
from collections.abc import Callable
from time import monotonic

from edgeinfer.settings import ProcessSettings

_log = logging.getLogger(__name__)


class SystemdNotifier:
    """The systemd manager that started this process, if there is one.

    Args:
        address: of its socket; a leading @ stands for the abstract namespace; empty for nobody.
        watchdog_seconds: within which it expects a watchdog notification; 0 for never.
        clock: monotonic seconds.
    """

    def __init__(self, address: str, watchdog_seconds: float, clock: Callable[[], float] = monotonic) -> None:
        self._address = "\0" + address[1:] if address.startswith("@") else address
        # Twice within the limit, as its manual asks for.
        self._pace_seconds = watchdog_seconds / 2
        self._clock = clock
        self._due_at = 0.0

    def ready(self) -> None:
        """The service answers from now on."""
        self._notify("READY=1")

    def alive(self) -> None:
        """Send a watchdog notification if one is due; cheap to call often."""
        if not self._pace_seconds:
            return
        now = self._clock()
        if now >= self._due_at:
            self._due_at = now + self._pace_seconds
            self._notify("WATCHDOG=1")

    def stopping(self) -> None:
        """The service finishes what it accepted."""
        self._notify("STOPPING=1")

    def _notify(self, state: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
                channel.sendto(state.encode(), self._address)
        except OSError as failure:
            _log.warning("sd_notify failed", extra={"state": state, "failure": str(failure)})


NO_SYSTEMD = SystemdNotifier("", 0.0)


def systemd_notifier_of(settings: ProcessSettings) -> SystemdNotifier:
    """The supervisor that the settings of a process name."""
    return SystemdNotifier(settings.notify_socket, settings.watchdog_usec / 1e6)
