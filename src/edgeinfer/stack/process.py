"""One process of the stack: started so that it ends with us, however we end."""

import ctypes
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

import psutil

from edgeinfer.stack import logfile
from edgeinfer.stack.plan import ProcessSpec

_PR_SET_PDEATHSIG = 1
_KILLED_SECONDS = 5.0
# systemd speaks with the whole stack, not with each of its processes.
_NOT_INHERITED = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")


class Child(Protocol):
    """A process that was started."""

    @property
    def pid(self) -> int:
        """Its number."""

    def exit_code(self) -> int | None:
        """None while it lives; negative for the signal that ended it."""

    def is_suspended(self) -> bool:
        """Whether a signal such as SIGSTOP keeps it from running."""

    def terminate(self) -> None:
        """Ask it to end."""

    def kill(self) -> None:
        """End it, and whatever it started."""


Spawn = Callable[[ProcessSpec, Path], Child]


class ProcessChild:
    """A real process in a session of its own, so that Ctrl-C in the terminal reaches only us."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._swept = False

    @property
    def pid(self) -> int:
        """Its number, which is also that of its process group."""
        return self._process.pid

    def exit_code(self) -> int | None:
        """None while it lives; whatever it leaves behind in its group is ended with it."""
        code = self._process.poll()
        if code is not None and not self._swept:
            self._swept = True
            self._signal_group(signal.SIGKILL)
        return code

    def is_suspended(self) -> bool:
        """Whether a signal such as SIGSTOP keeps it from running; a debugger that looks at it is something else."""
        try:
            return psutil.Process(self._process.pid).status() == psutil.STATUS_STOPPED
        except psutil.Error:
            return False

    def terminate(self) -> None:
        """Ask it to end, and let it hear that if it is suspended; its own processes are its own to end."""
        self._process.terminate()
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it and its group at once."""
        if self._process.poll() is None:
            self._signal_group(signal.SIGKILL)
            try:
                self._process.wait(_KILLED_SECONDS)
            except subprocess.TimeoutExpired:  # it waits for a disk that does not answer; nobody waits with it
                return

    def _signal_group(self, sign: signal.Signals) -> None:
        try:
            os.killpg(self._process.pid, sign)
        except (ProcessLookupError, PermissionError):  # the group is empty; macOS says it the second way
            return


def spawn(plan: ProcessSpec, log: Path, environment: Mapping[str, str] | None = None) -> Child:
    """Start a process with its output appended to a log.

    Must be called from the main thread: Linux sends the death signal when the *thread* that started a
    process ends, so a process started from a worker thread would end with that thread.
    """
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError("processes of the stack are started from the main thread only")
    inherited = dict(os.environ if environment is None else environment)
    for name in _NOT_INHERITED:
        inherited.pop(name, None)
    descriptor = _open_log(log)
    try:
        process = subprocess.Popen(
            plan.argv,
            stdin=subprocess.DEVNULL,
            stdout=descriptor,
            stderr=subprocess.STDOUT,
            cwd=plan.folder,
            env={**inherited, **plan.environment},
            start_new_session=True,
            preexec_fn=_death_signal(),  # noqa: PLW1509 - no thread of ours holds a lock that this needs
        )
    finally:
        os.close(descriptor)
    return ProcessChild(process)


def _open_log(log: Path) -> int:
    """The log, or nowhere: a process that serves is worth more than what it says."""
    try:
        return logfile.open_for_append(log)
    except OSError:
        return os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)


def _death_signal() -> Callable[[], None] | None:
    """What a new process runs before its program: ask Linux for SIGTERM when we end, however that happens."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl
    parent = os.getpid()

    def ask() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # we ended before the request was made
            os._exit(1)

    return ask
