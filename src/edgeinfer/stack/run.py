"""One run from the first process to the last: start, watch, tell, end."""

import asyncio
import signal
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

import aiohttp

from edgeinfer.stack import child, ports, record
from edgeinfer.stack.events import Event, Kind
from edgeinfer.stack.folder import DataFolder, FreeBytes, free_bytes
from edgeinfer.stack.live import LiveFigures, read_figures
from edgeinfer.stack.narrator import Narrator
from edgeinfer.stack.plan import ChildPlan
from edgeinfer.stack.readiness import http_probe
from edgeinfer.stack.restart import RestartPolicy
from edgeinfer.stack.supervisor import State, Supervisor

_LIVE_SECONDS = 2.5  # new numbers come with each scrape, every 5 s
_COLLECTING_LOOKS = 16  # two scrapes take 15 s at most; after this many looks something is wrong
_DISK_SECONDS = 10.0
_LEAST_FREE_BYTES = 100 * 1024 * 1024
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# The order in which people need them; everything else comes between.
_FIRST_NAMES = ("console", "gateway")
_LAST_NAMES = ("prometheus", "alertmanager", "exporter")


@dataclass(slots=True)
class StackRun:
    """The processes of one `edgeinfer up`.

    Args:
        plans: what to run.
        folder: where logs and record go; the caller holds its lock.
        narrator: hears of everything.
        prometheus_url: asked for the live figures; empty without monitoring.
        policy: when to start a crashed process again.
        free: free bytes of the data folder's disk.
    """

    plans: Sequence[ChildPlan]
    folder: DataFolder
    narrator: Narrator
    prometheus_url: str = ""
    policy: RestartPolicy = field(default_factory=RestartPolicy)
    free: FreeBytes = free_bytes
    _end: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> bool:
        """Run until a signal asks for the end; returns whether every process was well at the end.

        Raises:
            PortInUse: a port that is needed is taken.
            StackError: a process did not start, or an essential one kept crashing.
            ConfigurationError: as above, because its configuration must be mended.
        """
        for one in await record.end_leftovers(self.folder.record):
            self._tell(Kind.NOTE, f"{one.name} (process {one.pid}) of a run that was killed has ended")
        ports.refuse_busy((plan.name, plan.host, plan.port) for plan in self.plans if plan.port)
        async with aiohttp.ClientSession() as http:
            supervisor = Supervisor(
                self.plans, self.folder.logs, child.spawn, http_probe(http), self._tell_event, self.policy
            )
            supervisor.tell = partial(self._tell_and_record, supervisor)
            with self._signals(supervisor):
                try:
                    await self._work(supervisor, http)
                finally:
                    well = all(member.state is not State.GAVE_UP for member in supervisor.members)
                    self._tell(Kind.STOPPING, "ending")
                    await supervisor.stop()
                    self._write_record(supervisor)
                    self._tell(Kind.STOPPED, f"ended, nothing is left running; the data is in {self.folder.root}")
        return well

    async def _work(self, supervisor: Supervisor, http: aiohttp.ClientSession) -> None:
        await _until(self._end, supervisor.start())
        if self._end.is_set():
            return
        self.narrator.addresses(self._addresses(), str(self.folder.root))
        await _until(
            self._end,
            supervisor.watch(),
            self._show_figures(http),
            self._watch_disk(),
        )

    async def _show_figures(self, http: aiohttp.ClientSession) -> None:
        without_numbers = 0
        while True:
            figures: LiveFigures | None = None
            if self.prometheus_url:
                figures = await read_figures(http, self.prometheus_url)
                without_numbers = without_numbers + 1 if figures.is_collecting else 0
            if without_numbers == _COLLECTING_LOOKS:
                self._tell(Kind.WARNING, f"no measurements arrive: see {self.folder.logs / 'prometheus.log'}")
            with self._forgiving():
                self.narrator.live(figures)
            await asyncio.sleep(_LIVE_SECONDS)

    async def _watch_disk(self) -> None:
        warned = False
        while True:
            left = self.free(self.folder.root)
            if left < _LEAST_FREE_BYTES and not warned:
                self._tell(Kind.WARNING, f"only {left / 1e6:.0f} MB are free for {self.folder.root}: make room")
            warned = left < _LEAST_FREE_BYTES
            await asyncio.sleep(_DISK_SECONDS)

    def _write_record(self, supervisor: Supervisor) -> None:
        living = [record.running(member.plan.name, member.pid) for member in supervisor.members if member.pid]
        try:
            record.write(self.folder.record, self._addresses(), [one for one in living if one])
        except OSError as failure:
            self._tell(Kind.WARNING, f"{self.folder.record} cannot be written ({failure.strerror})")

    def _addresses(self) -> dict[str, str]:
        return {plan.name: plan.address for plan in sorted(self.plans, key=_rank) if plan.address}

    def _tell_and_record(self, supervisor: Supervisor, event: Event) -> None:
        if event.kind in (Kind.STARTING, Kind.READY):
            self._write_record(supervisor)
        self._tell_event(event)

    def _tell(self, kind: Kind, message: str) -> None:
        self._tell_event(Event(kind, message))

    def _tell_event(self, event: Event) -> None:
        with self._forgiving():
            self.narrator.tell(event)

    @contextmanager
    def _forgiving(self) -> Iterator[None]:
        """A reader that went away ends the run in order; a terminal that is gone is told nothing more."""
        try:
            yield
        except BrokenPipeError:
            self._end.set()
        except OSError:
            return

    @contextmanager
    def _signals(self, supervisor: Supervisor) -> Iterator[None]:
        """The first signal ends the run in order, a second one at once.

        A terminal that is closed is no second signal: it often goes right after a Ctrl-C, and Prometheus must not be
        killed for that.
        """
        loop = asyncio.get_running_loop()

        def on_signal(sign: signal.Signals) -> None:
            if self._end.is_set() and sign is not signal.SIGHUP:
                supervisor.kill()
            self._end.set()

        for sign in _SIGNALS:
            loop.add_signal_handler(sign, on_signal, sign)
        try:
            yield
        finally:
            for sign in _SIGNALS:
                loop.remove_signal_handler(sign)


async def _until(end: asyncio.Event, *jobs: Coroutine[None, None, None]) -> None:
    """Do the jobs until all are done, one fails, or the end is asked for; none is left running."""
    working = {asyncio.ensure_future(job) for job in jobs}
    ending = asyncio.ensure_future(end.wait())
    try:
        while working and not ending.done():
            done, _ = await asyncio.wait({*working, ending}, return_when=asyncio.FIRST_COMPLETED)
            for job in done & working:
                job.result()
            working -= done
    finally:
        for task in (*working, ending):
            task.cancel()
        await asyncio.gather(*working, ending, return_exceptions=True)


def _rank(plan: ChildPlan) -> tuple[int, str]:
    if plan.name in _FIRST_NAMES:
        return _FIRST_NAMES.index(plan.name), plan.name
    after = len(_FIRST_NAMES) + 1
    return (after + _LAST_NAMES.index(plan.name) if plan.name in _LAST_NAMES else after - 1), plan.name
