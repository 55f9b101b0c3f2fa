"""One run from the first process to the last: start, watch, report, stop."""

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial

import aiohttp

from edgeinfer.heartbeat import why_no_alert_can_fire
from edgeinfer.stack import ports, process, state_file
from edgeinfer.stack.damage_rules import DamagePublisher, write_rules
from edgeinfer.stack.events import Event, EventKind
from edgeinfer.stack.folder import DataFolder, FreeBytes, free_bytes
from edgeinfer.stack.gateway_reports import GatewayReports
from edgeinfer.stack.inventory import Inventory, take
from edgeinfer.stack.member import ProcessState
from edgeinfer.stack.plan import ProcessSpec, Stage
from edgeinfer.stack.readiness import http_probe
from edgeinfer.stack.repair import Repairs
from edgeinfer.stack.reporter import Reporter
from edgeinfer.stack.restart import RestartPolicy
from edgeinfer.stack.status_line import LiveFigures, read_figures
from edgeinfer.stack.supervisor import Supervisor

_LIVE_SECONDS = 2.5  # new numbers come with each scrape, every 5 s
_COLLECTING_LOOKS = 16  # two scrapes take 15 s at most; after this many looks something is wrong
_DISK_SECONDS = 10.0
_HEARTBEAT_SECONDS = 10.0
_HEARTBEAT_LOOKS = 6
_MIN_FREE_BYTES = 100 * 1024 * 1024
_TICK_SECONDS = 0.1
_CHANGES = (EventKind.STARTING, EventKind.READY, EventKind.CRASHED, EventKind.GAVE_UP, EventKind.FINISHED)
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
        reporter: hears of everything.
        prometheus_url: asked for the live figures; empty without monitoring.
        policy: when to start a crashed process again.
        free: free bytes of the data folder's disk.
        now: seconds since 1970.
    """

    plans: Sequence[ProcessSpec]
    folder: DataFolder
    reporter: Reporter
    prometheus_url: str = ""
    policy: RestartPolicy = field(default_factory=RestartPolicy)
    free: FreeBytes = free_bytes
    now: Callable[[], float] = time.time
    _end: asyncio.Event = field(default_factory=asyncio.Event)
    _without_numbers: int = 0
    _without_alerting: int = 0
    _no_alert_can_fire: str = ""
    _disk_is_full: bool = False
    _known: Inventory = field(default_factory=Inventory)
    _repairs: Repairs | None = None
    _has_looked: bool = False
    _warned: set[str] = field(default_factory=set)
    _reports: GatewayReports | None = None
    _damage: DamagePublisher = field(init=False)

    def __post_init__(self) -> None:
        self._damage = DamagePublisher(self.folder, self.prometheus_url)

    async def run(self) -> bool:
        """Run until a signal asks for the end; returns whether every process was well at the end.

        Raises:
            PortInUse: a port of gateway or sidecar is taken, or two processes want the same.
            ConfigurationError: gateway or sidecar did not start because a setting must be fixed.
        """
        await self._end_leftovers()
        ports.refuse_shared((plan.name, port) for plan in self.plans for port in plan.ports)
        main_job = [plan for plan in self.plans if plan.is_main_job]
        ports.refuse_busy((plan.name, plan.host, port) for plan in main_job for port in plan.ports)
        self._repairs = Repairs(self.folder, self._report_event, self.now)
        self._known = self._repairs.look_at_records()
        self._reports = GatewayReports(self.folder.gateway)
        self._reports.remember()
        async with aiohttp.ClientSession() as http:
            supervisor = Supervisor(
                [self._marked(plan) for plan in self.plans],
                self.folder.logs,
                process.spawn,
                http_probe(http),
                self._report_event,
                self.policy,
                obstacle=_obstacle,
                before_stage=self._before_stage,
                before_restart=self._repairs.before_restart,
            )
            supervisor.on_event = partial(self._report_and_record, supervisor)
            with self._signals(supervisor):
                try:
                    await self._work(supervisor, http)
                finally:
                    well = supervisor.is_well
                    self._notify(EventKind.STOPPING, "ending")
                    await supervisor.stop()
                    self._write_record(supervisor)
                    self._notify(
                        EventKind.STOPPED, f"ended, nothing is left running; the data is in {self.folder.root}"
                    )
        return well

    async def _end_leftovers(self) -> None:
        ended, still = await state_file.end_leftovers(self.folder.record)
        for one in ended:
            if one not in still:
                self._notify(EventKind.NOTE, f"{one.name} (process {one.pid}) of a run that was killed has ended")
        for one in still:
            why = "it waits for a disk or a device that does not answer"
            self._notify(
                EventKind.WARNING, f"{one.name} (process {one.pid}) of a run that was killed cannot be ended: {why}"
            )

    async def _before_stage(self, stage: int) -> None:
        """The measurements are read before Prometheus starts, in a thread: gateway and sidecar serve meanwhile."""
        if stage == Stage.MONITORING and self._repairs:
            await asyncio.to_thread(self._repairs.look_at_prometheus, self._known)
            self._has_looked = True  # what was known until now is still needed before
            with suppress(OSError):  # tried again while it runs
                write_rules(self.folder)

    def _marked(self, plan: ProcessSpec) -> ProcessSpec:
        """So that the next run finds it, should this one be killed."""
        return replace(plan, environment={**plan.environment, state_file.MARK: str(self.folder.root)})

    async def _work(self, supervisor: Supervisor, http: aiohttp.ClientSession) -> None:
        await _until(self._end, supervisor.start())
        if self._end.is_set():
            return
        with self._forgiving():
            self.reporter.addresses(self._addresses(), str(self.folder.root))
        await _until(
            self._end,
            self._again(supervisor.tick, _TICK_SECONDS),
            self._again(partial(self._show_figures, supervisor, http), _LIVE_SECONDS),
            self._again(partial(self._look_at_disk, supervisor), _DISK_SECONDS),
            self._again(partial(self._publish_damage, supervisor, http), _DISK_SECONDS),
            self._again(self._say_reports, _DISK_SECONDS),
            self._again(partial(self._look_at_alerting, supervisor, http), _HEARTBEAT_SECONDS),
        )

    async def _again(self, job: Callable[[], Awaitable[None]], seconds: float) -> None:
        """Do it forever: a failure of housekeeping is reported once, and ends neither it nor the run."""
        while True:
            try:
                await job()
            except Exception as failure:  # noqa: BLE001 - a supervisor that dies of its own fault takes all with it
                self._warn_once(f"unexpected error in the supervisor: {failure!r}")
            await asyncio.sleep(seconds)

    async def _show_figures(self, supervisor: Supervisor, http: aiohttp.ClientSession) -> None:
        figures: LiveFigures | None = None
        if self.prometheus_url and _is_ready(supervisor, "prometheus"):
            figures = await read_figures(http, self.prometheus_url)
            self._without_numbers = self._without_numbers + 1 if figures.is_collecting else 0
        elif self.prometheus_url:  # whoever else answers there is not ours
            figures = LiveFigures()
        if self._without_numbers == _COLLECTING_LOOKS:
            self._notify(EventKind.WARNING, f"no measurements arrive: see {self.folder.logs / 'prometheus.log'}")
        failures = {one.plan.name: one.failure for one in supervisor.members if one.failure}
        if self._no_alert_can_fire:
            failures["alerting"] = f"does not work: {self._no_alert_can_fire}"
        with self._forgiving():
            self.reporter.status_line(figures, failures)

    async def _look_at_alerting(self, supervisor: Supervisor, http: aiohttp.ClientSession) -> None:
        """Said once when it has been so for a minute, and shown for as long as it is so."""
        urls = {plan.name: plan.address for plan in self.plans}
        if not self.prometheus_url:
            return
        reason = await why_no_alert_can_fire(http, self.prometheus_url, urls.get("alertmanager", ""), self.now)
        if not _is_ready(supervisor, "prometheus"):
            reason = "Prometheus does not run"  # whoever else answers there is not ours
        self._without_alerting = self._without_alerting + 1 if reason else 0
        is_for_sure = self._without_alerting >= _HEARTBEAT_LOOKS
        if is_for_sure and not self._no_alert_can_fire:
            self._notify(EventKind.WARNING, f"no alert can fire: {reason}")
        if self._no_alert_can_fire and not reason:
            self._notify(EventKind.NOTE, "alerts can fire again")
        self._no_alert_can_fire = reason if is_for_sure else ""

    async def _publish_damage(self, supervisor: Supervisor, http: aiohttp.ClientSession) -> None:
        """What lies aside changes when a person removes it, or a server blames a file."""
        if self.prometheus_url:
            await self._damage.publish(http, is_ready=_is_ready(supervisor, "prometheus"))

    async def _say_reports(self) -> None:
        for message in self._reports.news() if self._reports else ():
            self._notify(EventKind.DAMAGED, message)

    async def _look_at_disk(self, supervisor: Supervisor) -> None:
        if not self.folder.root.is_dir():
            self._warn_once(
                f"the data folder {self.folder.root} is gone while everything runs: nothing that is stored now will "
                "be there after a restart. Put it back or end this run, and start again"
            )
            return
        left = self.free(self.folder.root)
        if left < _MIN_FREE_BYTES:
            supervisor.shorten_logs()
            if not self._disk_is_full:
                self._notify(EventKind.WARNING, f"only {left / 1e6:.0f} MB are free for {self.folder.root}: make room")
        self._disk_is_full = left < _MIN_FREE_BYTES

    def _write_record(self, supervisor: Supervisor) -> None:
        living = [state_file.running(member.plan.name, member.pid) for member in supervisor.members if member.pid]
        states = [
            state_file.MemberState(
                member.plan.name, member.state, member.restarts, member.fault, member.crashes_in_a_row
            )
            for member in supervisor.members
        ]
        has_ended = all(member.state is ProcessState.STOPPED for member in supervisor.members)
        try:
            content = state_file.StackRecord(
                pid=os.getpid(),
                addresses=self._addresses(),
                processes=tuple(one for one in living if one),
                members=tuple(states),
                set_aside=tuple(self._repairs.done if self._repairs else ()),
                no_alert_can_fire=self._no_alert_can_fire,
                inventory=take(self.folder, is_final=has_ended) if self._has_looked else self._known,
            )
            state_file.write(self.folder.record, content)
        except OSError as failure:
            self._warn_once(f"{self.folder.record} cannot be written ({failure.strerror or failure})")

    def _warn_once(self, message: str) -> None:
        if message not in self._warned:
            self._warned.add(message)
            self._notify(EventKind.WARNING, message)

    def _addresses(self) -> dict[str, str]:
        return {plan.name: plan.address for plan in sorted(self.plans, key=_rank) if plan.address}

    def _report_and_record(self, supervisor: Supervisor, event: Event) -> None:
        if event.kind in _CHANGES:
            self._write_record(supervisor)
        self._report_event(event)

    def _notify(self, kind: EventKind, message: str) -> None:
        self._report_event(Event(kind, message))

    def _report_event(self, event: Event) -> None:
        with self._forgiving():
            self.reporter.report(event)

    @contextmanager
    def _forgiving(self) -> Iterator[None]:
        """A reader that went away ends the run cleanly; nothing more is written to a terminal that is gone."""
        try:
            yield
        except BrokenPipeError:
            self._end.set()
        except OSError:
            return

    @contextmanager
    def _signals(self, supervisor: Supervisor) -> Iterator[None]:
        """The first signal ends the run in order, a second one at once.

        A terminal that is closed is not a second signal: it often goes right after a Ctrl-C, and Prometheus must not be
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


def _is_ready(supervisor: Supervisor, name: str) -> bool:
    return any(member.plan.name == name and member.state is ProcessState.READY for member in supervisor.members)


def _obstacle(plan: ProcessSpec) -> str:
    return ports.in_the_way(plan.name, plan.host, plan.port) if plan.port else ""


def _rank(plan: ProcessSpec) -> tuple[int, str]:
    if plan.name in _FIRST_NAMES:
        return _FIRST_NAMES.index(plan.name), plan.name
    after = len(_FIRST_NAMES) + 1
    return (after + _LAST_NAMES.index(plan.name) if plan.name in _LAST_NAMES else after - 1), plan.name
