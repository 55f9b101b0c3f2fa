"""Processes that tests started and did not end, found by a variable that each of them inherits."""

import os
import secrets
from collections.abc import Iterator

import psutil

MARK = "TEST_SESSION_OF_EDGEINFER"
# A number alone may be that of an earlier suite, or of one in a container.
_SESSION = f"{os.getpid()}-{secrets.token_hex(8)}"
_GRACE_SECONDS = 5.0
# Python's own helper of this very process, which ends with it.
_HELPER = "multiprocessing.resource_tracker"


def mark() -> None:
    """Let every process that is started from here on carry the name of this session."""
    os.environ[MARK] = _SESSION


def end_leftovers() -> list[str]:
    """End what carries the mark and still lives; returns what that was."""
    left = list(_marked())
    names = [f"{_words(process)} (process {process.pid})" for process in left]
    for process in left:
        _try(process.terminate)
        _try(process.resume)  # one that a signal suspended hears of it only then
    _, stubborn = psutil.wait_procs(left, _GRACE_SECONDS)
    for process in stubborn:
        _try(process.kill)
    psutil.wait_procs(stubborn, _GRACE_SECONDS)
    return names


def _marked() -> Iterator[psutil.Process]:
    for process in psutil.process_iter():
        try:
            is_ours = process.pid != os.getpid() and process.environ().get(MARK) == _SESSION
            if is_ours and process.status() != psutil.STATUS_ZOMBIE and _HELPER not in _words(process):
                yield process
        except (psutil.Error, OSError):
            continue


def _words(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())[:120] or process.name()
    except psutil.Error:
        return "a process that has just ended"


def _try(signal_it: object) -> None:
    try:
        assert callable(signal_it)
        signal_it()
    except psutil.Error:
        return
