"""Looks at the machine: what answers, which processes live, what they say, and what is left of disk and memory.

Nothing is changed and nobody is waited for: each look has a time limit, and what cannot be seen is absent.
"""

import asyncio
import contextlib
import os
import re
import resource
import shutil
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import psutil

from edgeinfer.clocks import in_words
from edgeinfer.diagnosis.places import Place, Stack
from edgeinfer.monitoring.causes.facts import Fact
from edgeinfer.monitoring.thresholds import DISK_FULL_SHARE, DISK_LOW_SHARE, MEMORY_AVAILABLE_SHARE

_ANSWER = aiohttp.ClientTimeout(total=1.5)
_COMMAND_SECONDS = 1.0
_OK = 200
_LOG_BYTES, _LOG_LINES = 16_384, 40
_NEARLY_ALL = 0.95
# Tasks that wait for each core; from here on a process that does not answer in time may be well.
_OVERLOADED = 4
_KILLED_WITHIN_SECONDS = 3600.0
# What each of our processes exports and nobody else does; the servers answer their own way.
_OWN_WORDS = {
    "gateway": ("/metrics", "edgeinfer_build_info"),
    "sidecar": ("/metrics", "hailo_sidecar_build_info"),
    "exporter": ("/metrics", "hailo_exporter_build_info"),
    "console": ("/healthz", "OK"),
    "prometheus": ("/api/v1/status/buildinfo", '"goVersion"'),
    "alertmanager": ("/api/v2/status", '"versionInfo"'),
}
_OUT_OF_MEMORY = re.compile(
    r"MemoryError|[Cc]annot allocate memory|bad_alloc|[Oo]ut of memory|failed to map segment|Memory allocation"
    r"|can't start new thread|Resource temporarily unavailable"
)
# What a process said before it served has nothing to do with why it ended later.
_SERVES = re.compile(r"Application startup complete|Server is ready to receive web requests|Listening on")
_CONFIGURATION = re.compile(
    r"^error: (.+)$|couldn't load configuration|error loading config|parsing yaml", re.IGNORECASE
)
_KILLED = re.compile(r"^\[\s*([\d.]+)\].*[Oo]ut of memory: Killed process (\d+) \(([^)]+)\)")
_OURS = ("edgeinfer", "python", "prometheus", "alertmanager")

Command = Callable[[tuple[str, ...]], Awaitable[str | None]]
"""Runs a program and gives what it wrote; None where it may not run, is not there, or takes too long."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What was found, and what could not be looked at, a sentence each."""

    found: dict[str, Fact] = field(default_factory=dict)
    unseen: list[str] = field(default_factory=list)

    def add(self, subject: str, value: str, detail: str = "") -> None:
        """Keep a fact; of several processes of a kind, the failing one counts."""
        if subject not in self.found or self.found[subject].value in _FINE:
            self.found[subject] = Fact(value, detail)


_FINE = ("running", "well", "left", "unlimited", "nothing", "right", "there")


async def run_command(words: tuple[str, ...]) -> str | None:
    """Run a program of the system for at most a second."""
    program = shutil.which(words[0])
    if program is None:
        return None
    process = await asyncio.create_subprocess_exec(
        program, *words[1:], stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        async with asyncio.timeout(_COMMAND_SECONDS):
            out, _ = await process.communicate()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):  # it ended at this very moment
            process.kill()
        await process.wait()
        return None
    return out.decode("utf-8", "replace") if process.returncode == 0 else None


async def look(http: aiohttp.ClientSession, stack: Stack, run: Command = run_command) -> Facts:
    """Every fact that can be had within two seconds.

    Args:
        http: an open client session.
        stack: whom to look at.
        run: runs `dmesg`.
    """
    facts = Facts()
    facts.unseen.extend(stack.unseen)
    await asyncio.gather(
        *(_look_at_answer(http, place, facts) for place in stack.places),
        _look_at_kernel_log(run, facts),
        asyncio.to_thread(_look_at_processes, stack.places, facts),
        asyncio.to_thread(_look_at_machine, stack.folder, facts),
    )
    return facts


async def _look_at_answer(http: aiohttp.ClientSession, place: Place, facts: Facts) -> None:
    found = await answer_of(http, place)
    if found.value != "refused" or place.process != "exporter" or place.state:  # it runs only where a chip is
        facts.add(f"{place.process}.answer", found.value, found.detail)


async def answer_of(http: aiohttp.ClientSession, place: Place) -> Fact:
    """Whether the program that answers there is the process that is meant, and whether it answers as it should."""
    path, word = _OWN_WORDS[place.process]
    who = place.url.removeprefix("http://")
    try:
        async with http.get(place.url + path, timeout=_ANSWER) as answer:
            text, status = (await answer.content.read(1_000_000)).decode("utf-8", "replace"), answer.status
    except TimeoutError:
        return Fact("silent", f"{who} takes connections and sends nothing within {_ANSWER.total} s")
    except (aiohttp.ClientConnectorError, ConnectionError):
        return Fact("refused", f"nobody listens at {who}")
    except (aiohttp.ClientError, OSError, ValueError) as failure:
        return Fact("failing", f"{who} breaks off: {failure}")
    if word in text:
        return Fact("well")
    if status == _OK:
        return Fact("foreign", f"{who} is answered by a program that is not the {place.process}")
    return Fact("failing", f"{who} answers with status {status}")


def _look_at_processes(places: Sequence[Place], facts: Facts) -> None:
    # Where no record says who it is, it is whoever listens; reading that of all processes takes a while.
    listeners = _listeners() if any(not (place.pid or place.state) for place in places) else {}
    for place in places:
        pid = place.pid or listeners.get(place.port)
        if pid is not None:
            _look_at_process(place, pid, facts)
        elif place.state and place.is_looping:
            detail = place.fault or "the supervisor starts it again with growing pauses"
            facts.add(f"{place.process}.process", "restarting", f"it ended {place.crashes} times in a row: {detail}")
        elif place.state:
            facts.add(f"{place.process}.process", "ended", place.fault)
        if place.state == "ready":  # what its log said before this start is over
            facts.add(f"{place.process}.log", "nothing")
        elif place.state and place.log:
            _look_at_log(place, place.log, facts)


def _look_at_process(place: Place, pid: int, facts: Facts) -> None:
    subject = f"{place.process}.process"
    try:
        process = psutil.Process(pid)
        status = process.status()
        if status == psutil.STATUS_ZOMBIE:
            facts.add(subject, "ended", f"process {pid} has ended")
        elif status in (psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP):
            facts.add(subject, "suspended", f"process {pid} of the {place.process} is suspended")
        elif place.is_looping:
            facts.add(subject, "restarting", f"it ended {place.crashes} times in a row")
        else:
            facts.add(subject, "running")
        _look_at_limits(place.process, process, facts)
    except psutil.NoSuchProcess:
        facts.add(subject, "ended", f"process {pid} has ended")
    except psutil.AccessDenied:
        facts.unseen.append(f"process {pid} of the {place.process} is another user's: its limits could not be read")


def _look_at_limits(name: str, process: psutil.Process, facts: Facts) -> None:
    used, (soft, _) = process.num_fds(), process.rlimit(psutil.RLIMIT_NOFILE)
    is_full = soft != resource.RLIM_INFINITY and used >= _NEARLY_ALL * soft
    facts.add(f"{name}.open_files", "used_up" if is_full else "left", f"{used} are open and {soft} are allowed")
    size, _ = process.rlimit(psutil.RLIMIT_FSIZE)
    is_limited = size != resource.RLIM_INFINITY
    facts.add(f"{name}.file_size", "limited" if is_limited else "unlimited", f"no file may be larger than {size} bytes")


def _listeners() -> dict[int, int]:
    """The process behind each port, among those that this user may look at."""
    try:
        found = psutil.net_connections(kind="tcp")
    except (psutil.Error, OSError):
        return {}
    return {one.laddr.port: one.pid for one in found if one.laddr and one.status == psutil.CONN_LISTEN and one.pid}


def _look_at_log(place: Place, log: Path, facts: Facts) -> None:
    """The last lines of a process that does not run: what it said before it ended."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _LOG_BYTES))
            lines = file.read().decode("utf-8", "replace").splitlines()[-_LOG_LINES:]
    except OSError as failure:
        facts.unseen.append(f"the log {log} could not be read: {failure.strerror}")
        return
    served = max((at for at, line in enumerate(lines) if _SERVES.search(line)), default=-1)
    lines = lines[served + 1 :]
    for line in reversed(lines):
        if _OUT_OF_MEMORY.search(line):
            facts.add(f"{place.process}.log", "out_of_memory", f"its log says '{_short(line)}'")
            return
    for line in reversed(lines):
        if _CONFIGURATION.search(line):
            facts.add(f"{place.process}.log", "configuration", f"'{_short(line)}'")
            return
    facts.add(f"{place.process}.log", "nothing")


def _short(line: str) -> str:
    line = line.strip()
    return line if len(line) <= 160 else line[:157] + "..."  # noqa: PLR2004 - what fits two lines of a terminal


async def _look_at_kernel_log(run: Command, facts: Facts) -> None:
    text = await run(("dmesg",))
    if text is None:
        facts.unseen.append(
            "the kernel's log could not be read by this user within a second; a kill for want of memory is not seen"
        )
        return
    since = time.clock_gettime(time.CLOCK_BOOTTIME) - _KILLED_WITHIN_SECONDS
    for line in reversed(text.splitlines()):
        found = _KILLED.match(line)
        if found and float(found[1]) >= since and found[3].startswith(_OURS):
            ago = (time.clock_gettime(time.CLOCK_BOOTTIME) - float(found[1])) / 60
            detail = f"the kernel killed process {found[2]} ({found[3]}) for want of memory {ago:.0f} minutes ago"
            facts.add("machine.kernel_log", "killed_for_memory", detail)
            return
    facts.add("machine.kernel_log", "nothing")


def _look_at_machine(folder: Path, facts: Facts) -> None:
    memory = psutil.virtual_memory()
    share = memory.available / memory.total
    detail = f"{memory.available / 1e6:.0f} MB of {memory.total / 1e6:.0f} MB are available"
    facts.add("machine.memory", "low" if share < MEMORY_AVAILABLE_SHARE else "left", detail)
    waiting, cores = os.getloadavg()[0], os.cpu_count() or 1
    detail = f"{waiting:.0f} tasks want its {cores} cores"
    facts.add("machine.processor", "overloaded" if waiting > _OVERLOADED * cores else "left", detail)
    facts.add("machine.folder", "there" if folder.is_dir() else "missing", str(folder))
    if not folder.is_dir():
        facts.unseen.append(f"there is no data folder {folder}")
        return
    disk = shutil.disk_usage(folder)
    share = disk.free / disk.total
    value = "full" if share < DISK_FULL_SHARE else "low" if share < DISK_LOW_SHARE else "left"
    facts.add("machine.disk", value, f"{disk.free / 1e6:.0f} MB of {disk.total / 1e6:.0f} MB ({share:.1%}) are")


def look_at_clock(newest_stored: float, now: float) -> Fact:
    """Whether this machine's clock is behind what is stored already; times since 1970."""
    if newest_stored > now + _AHEAD_SECONDS:
        detail = f"they are stored up to {in_words(newest_stored)}, and this machine's clock says {in_words(now)}"
        return Fact("behind_measurements", detail)
    return Fact("right")


_AHEAD_SECONDS = 60.0
