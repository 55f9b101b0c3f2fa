"""Starts the processes in order, keeps what can be kept, and ends them in the other order.

No process ends another: gateway and sidecar serve whatever happens to their helpers, and the helpers stay whatever
happens to gateway and sidecar. What keeps crashing is given up for a while and tried again, with a growing pause.
"""

import asyncio
import contextlib
import signal
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from time import monotonic

from edgeinfer.errors import ConfigurationError, EdgeInferError, StackError
from edgeinfer.stack import logfile
from edgeinfer.stack.events import Event, EventHandler, EventKind
from edgeinfer.stack.member import Member, ProcessState, how_it_ended
from edgeinfer.stack.plan import ProcessSpec, Stage
from edgeinfer.stack.process import Spawn
from edgeinfer.stack.readiness import Probe
from edgeinfer.stack.restart import EXIT_CONFIGURATION, RestartPolicy

_TICK_SECONDS = 0.1
_REPORT_WAITING_SECONDS = 10.0
_LOOK_DEEPER_SECONDS = 2.0
# So long a stage waits for the main job of the one before: a sidecar that hangs delays the gateway, and does not stop
# it, because the gateway answers without a sidecar as well.
_STAGE_SECONDS = 20.0
# So long the whole start is waited for before the addresses are shown; Prometheus may read its log for longer.
_START_SECONDS = 60.0

Sleep = Callable[[float], Awaitable[None]]
Clock = Callable[[], float]
Obstacle = Callable[[ProcessSpec], str]
"""What keeps a process from starting, such as a taken port, in words; empty where nothing does."""


async def nothing_to_do(stage: int) -> None:
    del stage


def nothing_done(member: Member) -> bool:
    del member
    return False


BeforeStage = Callable[[int], Awaitable[None]]
BeforeRestart = Callable[[Member], bool]


def nothing_in_the_way(plan: ProcessSpec) -> str:
    del plan
    return ""


@dataclass(slots=True)
class Supervisor:
    """The processes of one run.

    Args:
        plans: what to run, in order of start.
        logs: folder of the logs.
        spawn: starts one process; called from the thread that calls us.
        probe: whether a process is ready.
        on_event: called with every event.
        policy: when to start a crashed process again.
        clock: monotonic seconds.
        sleep: waits.
        obstacle: looked at before each start.
        before_stage: done before a stage is started, while the previous ones are supervised.
        before_restart: does what lets a crashed process start again, such as setting damaged files aside; returns
            whether it did something, after which the process is started without a wait.
    """

    plans: Sequence[ProcessSpec]
    logs: Path
    spawn: Spawn
    probe: Probe
    on_event: EventHandler
    policy: RestartPolicy = field(default_factory=RestartPolicy)
    clock: Clock = monotonic
    sleep: Sleep = asyncio.sleep
    obstacle: Obstacle = nothing_in_the_way
    before_stage: BeforeStage = nothing_to_do
    before_restart: BeforeRestart = nothing_done
    members: list[Member] = field(init=False)
    _is_starting: bool = field(init=False, default=False)
    _looked_deeper_at: float = field(init=False, default=0.0)

    def __post_init__(self) -> None:
        ordered = sorted(self.plans, key=lambda plan: plan.stage)
        self.members = [Member(plan, self.logs / f"{plan.name}.log") for plan in ordered]

    @property
    def members_by_name(self) -> dict[str, Member]:
        """Each process by its name."""
        return {member.plan.name: member for member in self.members}

    @property
    def is_well(self) -> bool:
        """Whether no process is given up, or was and has not come back."""
        return all(
            member.state is ProcessState.READY or not self.policy.is_given_up(member.crashes_in_a_row)
            for member in self.members
        )

    async def start(self) -> None:
        """Start stage after stage; each waits for the main job of those before, and none for a helper.

        Only the replay waits for everything, because it is there to be seen.
        What crashes meanwhile, or takes longer, is seen to by `watch`.

        Raises:
            ConfigurationError: gateway or sidecar ended with 78 at their first start: a setting must be fixed.
        """
        self._is_starting = True
        try:
            for stage, group in groupby(self.members, key=lambda member: member.plan.stage):
                await self._settle(self._awaited_by(stage), _STAGE_SECONDS)
                await self._look_after_all_during(self.before_stage(stage))
                for member in list(group):
                    self._start(member)
            await self._settle(self.members, _START_SECONDS)
        finally:
            self._is_starting = False

    async def await_ready(self) -> None:
        """Look after the processes until each is ready or has finished.

        Raises:
            StackError, ConfigurationError: one crashed, or was not ready in its time; the message has its last output.
        """
        while any(member.state is ProcessState.STARTING for member in self.members):
            await self.tick()
            await self.sleep(_TICK_SECONDS)
        for member in self.members:
            if member.state not in (ProcessState.READY, ProcessState.FINISHED):
                raise self._failure(member, member.fault)

    async def watch(self) -> None:
        """Start what crashes again, for as long as this is not cancelled."""
        while True:
            await self.tick()
            await self.sleep(_TICK_SECONDS)

    async def tick(self) -> None:
        """Check each process once; what the system refuses is reported once and ends nothing.

        Raises:
            ConfigurationError: during `start` alone, as described there.
        """
        looks_deeper = self.clock() - self._looked_deeper_at >= _LOOK_DEEPER_SECONDS
        if looks_deeper:
            self._looked_deeper_at = self.clock()
        for member in self.members:
            try:
                await self._look_at(member)
            except OSError as failure:
                self._warn(member, f"cannot be looked at ({failure.strerror or failure})")
            if looks_deeper:
                self._notice_suspension(member)
                self._notice_lost_log(member)
            self._keep_log_small(member)
        if looks_deeper:
            self._bound_logs()

    async def stop(self) -> None:
        """End every process, the last started first: SIGTERM, and SIGKILL for what does not go in time."""
        for _, stage in groupby(reversed(self.members), key=lambda member: member.plan.stage):
            together = [member for member in stage if member.child and member.child.exit_code() is None]
            for member in together:
                if member.child:
                    member.child.terminate()
            await asyncio.gather(*(self._await_end(member) for member in together))
        for member in self.members:
            member.state = ProcessState.STOPPED

    def kill(self) -> None:
        for member in self.members:
            if member.child:
                member.child.kill()

    def shorten_logs(self) -> None:
        """Give up all of the logs but their ends: the last room is not theirs."""
        for member in self.members:
            try:
                logfile.shorten(member.log)
            except OSError as failure:
                self._warn(member, f"its log cannot be cut ({failure.strerror or failure})")

    def _awaited_by(self, stage: int) -> list[Member]:
        started = [member for member in self.members if member.state is not ProcessState.PLANNED]
        return [member for member in started if member.plan.is_main_job or stage == Stage.REPLAY]

    async def _settle(self, members: Sequence[Member], seconds: float) -> None:
        """Wait until none of these is starting for the first time any more, but no longer than this."""
        deadline = self.clock() + seconds
        while any(member.state is ProcessState.STARTING for member in members) and self.clock() < deadline:
            await self.tick()
            await self.sleep(_TICK_SECONDS)

    async def _look_after_all_during(self, job: Awaitable[None]) -> None:
        doing = asyncio.ensure_future(job)
        try:
            while not doing.done():
                await self.tick()
                await self.sleep(_TICK_SECONDS)
            doing.result()
        finally:
            doing.cancel()

    def _start(self, member: Member) -> None:
        member.log_begin = logfile.size_of(member.log)
        member.started_at = member.reported_at = self.clock()
        in_the_way = self.obstacle(member.plan)
        if in_the_way:
            self._crashed(member, in_the_way, 0)
            return
        try:
            member.child = self.spawn(member.plan, member.log)
        except OSError as failure:
            member.child = None
            self._crashed(member, f"{member.plan.argv[0]} cannot be started ({failure.strerror or failure})", 0)
            return
        member.state = ProcessState.STARTING
        member.is_suspended = False
        self._say(EventKind.STARTING, member, "starting", pid=member.child.pid)

    async def _notice_ready(self, member: Member) -> bool:
        child = member.child
        if child is None or child.exit_code() is not None or not await self.probe(member.plan, child):
            return False
        member.state = ProcessState.READY
        member.was_ready = True
        member.fault = ""
        seconds = self.clock() - member.started_at
        what = ("ready" if member.plan.ready_url else "runs") + (" again" if member.restarts else "")
        after = f" after {seconds:.1f} s" if member.plan.ready_url else ""
        self._say(EventKind.READY, member, what + after, pid=child.pid, seconds=round(seconds, 3))
        return True

    def _is_late(self, member: Member) -> bool:
        now = self.clock()
        if now - member.reported_at >= _REPORT_WAITING_SECONDS:
            member.reported_at = now
            said, _ = logfile.last_output(member.log)
            reason = f"; it says: {said}" if said else ""
            self._say(EventKind.WAITING, member, f"still starting after {now - member.started_at:.0f} s{reason}")
        return now - member.started_at > member.plan.start_seconds

    async def _look_at(self, member: Member) -> None:
        if member.state in (ProcessState.BACKING_OFF, ProcessState.GAVE_UP):
            if self.clock() >= member.start_again_at:
                member.restarts += 1
                self._start(member)
            return
        if member.state not in (ProcessState.STARTING, ProcessState.READY) or member.child is None:
            return
        code = member.child.exit_code()
        if code is not None:
            self._ended(member, code)
        elif member.state is ProcessState.STARTING and not await self._notice_ready(member) and self._is_late(member):
            member.child.kill()
            self._crashed(member, f"was not ready after {member.plan.start_seconds:.0f} s", -signal.SIGKILL)

    def _ended(self, member: Member, code: int) -> None:
        if member.plan.may_finish and code == 0:
            member.state = ProcessState.FINISHED
            self._say(EventKind.FINISHED, member, "finished")
            return
        self._crashed(member, how_it_ended(code), code)

    def _crashed(self, member: Member, how: str, code: int) -> None:
        """Decide when it is started again; a fault of the configuration is one at the first start alone."""
        if self.clock() - member.started_at >= self.policy.healthy_seconds:
            member.crashes_in_a_row = 0
        member.crashes_in_a_row += 1
        member.is_suspended = False
        member.fault = how
        is_misconfigured = code == EXIT_CONFIGURATION and not member.was_ready
        if is_misconfigured and self._is_starting and member.plan.is_main_job:
            member.state = ProcessState.GAVE_UP
            raise self._failure(member, how, code)
        if not is_misconfigured and self.before_restart(member):
            self._back_off(member, how, code, 0.0)
            return
        if is_misconfigured and not member.plan.is_main_job:
            member.crashes_in_a_row = max(member.crashes_in_a_row, self.policy.max_crashes)
        delay = self.policy.delay_seconds(member.crashes_in_a_row, is_main_job=member.plan.is_main_job)
        if self.policy.is_given_up(member.crashes_in_a_row):
            self._give_up(member, how, code, delay)
        else:
            self._back_off(member, how, code, delay)

    def _back_off(self, member: Member, how: str, code: int, delay: float) -> None:
        member.state = ProcessState.BACKING_OFF
        member.start_again_at = self.clock() + delay
        again = f"starts again in {delay:g} s" if delay else "starts again"
        first_time = "" if member.was_ready else self._last_output(member)
        self._say(EventKind.CRASHED, member, f"{how}{first_time}; {again}", exit_code=code, delay_seconds=delay)

    def _give_up(self, member: Member, how: str, code: int, delay: float) -> None:
        member.state = ProcessState.GAVE_UP
        member.start_again_at = self.clock() + delay
        row = f", {member.crashes_in_a_row} times in a row" if member.restarts else ""
        failure = self._failure(member, how + row, code)
        again = f"given up for now, tried again in {delay:g} s"
        self._say(EventKind.GAVE_UP, member, f"{failure.fault}; {again}. {failure.remedy}", delay_seconds=delay)

    def _last_output(self, member: Member) -> str:
        """Its output, if it has not worked yet: for a crash of a working process the log is enough."""
        said, _ = logfile.last_output(member.log) if member.child else ("", "")
        return f" and said: {said.rstrip('.')}" if said else ""

    async def _await_end(self, member: Member) -> None:
        child = member.child
        deadline = self.clock() + member.plan.stop_seconds
        while child and child.exit_code() is None:
            if self.clock() >= deadline:
                self._say(
                    EventKind.WARNING, member, f"did not end within {member.plan.stop_seconds:.0f} s and was killed"
                )
                child.kill()
                return
            await self.sleep(_TICK_SECONDS / 5)

    def _notice_suspension(self, member: Member) -> None:
        """A process that a signal suspended is neither ended nor continued: whoever did it may be debugging it."""
        was_suspended = member.is_suspended
        member.is_suspended = bool(member.pid and member.child and member.child.is_suspended())
        if member.is_suspended and not was_suspended:
            self._say(
                EventKind.WARNING,
                member,
                f"is suspended by a signal and does nothing; kill -CONT {member.pid} ends that",
            )
        elif was_suspended and member.pid and not member.is_suspended:
            self._say(EventKind.NOTE, member, "continues")

    def _notice_lost_log(self, member: Member) -> None:
        """A log that was removed takes room nevertheless, until its process ends."""
        if member.pid is None or member.log.exists():
            return
        self._warn(member, "its log was removed; what it says is lost until it is started again")
        with contextlib.suppress(OSError):
            logfile.bound_lost(member.pid)

    def _keep_log_small(self, member: Member) -> None:
        try:
            logfile.rotate(member.log)
        except OSError as failure:
            self._warn(member, f"its log cannot be kept small ({failure.strerror or failure})")

    def _bound_logs(self) -> None:
        try:
            logfile.bound_all(member.log for member in self.members)
        except OSError:  # each log is bounded for itself, and a fault of the folder was reported there
            return

    def _warn(self, member: Member, what: str) -> None:
        """Say it once: a look comes ten times a second, and the fault may last for days."""
        if what not in member.reported_failures:
            member.reported_failures.add(what)
            self._say(EventKind.WARNING, member, what)

    def _failure(self, member: Member, fault: str, code: int = 0) -> EdgeInferError:
        said, hint = logfile.last_output(member.log) if member.child else ("", member.plan.remedy)
        fault = f"{fault} and said: {said.rstrip('.')}" if said else fault
        kind = ConfigurationError if code == EXIT_CONFIGURATION else StackError
        see = f"See {member.log}." if member.child else ""
        return kind(member.plan.name, fault, f"{hint} {see}".strip())

    def _say(self, kind: EventKind, member: Member, what: str, **details: object) -> None:
        self.on_event(Event(kind, f"{member.plan.name}: {what}", {"process": member.plan.name, **details}))
