"""Starts the processes in order, keeps them running, and ends them in the other order."""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import groupby
from pathlib import Path
from time import monotonic

from edgeinfer.errors import ConfigurationError, EdgeInferError, StackError
from edgeinfer.stack import logfile
from edgeinfer.stack.child import Child, Spawn
from edgeinfer.stack.events import Event, Kind, Tell
from edgeinfer.stack.plan import ChildPlan
from edgeinfer.stack.readiness import Probe
from edgeinfer.stack.restart import EXIT_CONFIGURATION, RestartPolicy

_TICK_SECONDS = 0.1
_TELL_WAITING_SECONDS = 10.0

Sleep = Callable[[float], Awaitable[None]]
Clock = Callable[[], float]


class State(StrEnum):
    """Where a process stands."""

    PLANNED = "planned"
    STARTING = "starting"
    READY = "ready"
    BACKING_OFF = "backing_off"
    FINISHED = "finished"
    GAVE_UP = "gave_up"
    STOPPED = "stopped"


@dataclass(slots=True)
class Member:
    """One process with its history."""

    plan: ChildPlan
    log: Path
    state: State = State.PLANNED
    child: Child | None = None
    started_at: float = 0.0
    told_at: float = 0.0
    start_again_at: float = 0.0
    crashes_in_a_row: int = 0
    restarts: int = 0

    @property
    def pid(self) -> int | None:
        """Of the living process."""
        return self.child.pid if self.child and self.state in (State.STARTING, State.READY) else None


@dataclass(slots=True)
class Supervisor:
    """The processes of one run.

    Args:
        plans: what to run, in order of start.
        logs: folder of the logs.
        spawn: starts one process; called from the thread that calls us.
        probe: whether a process is ready.
        tell: hears of everything that happens.
        policy: when to start a crashed process again.
        clock: monotonic seconds.
        sleep: waits.
    """

    plans: Sequence[ChildPlan]
    logs: Path
    spawn: Spawn
    probe: Probe
    tell: Tell
    policy: RestartPolicy = field(default_factory=RestartPolicy)
    clock: Clock = monotonic
    sleep: Sleep = asyncio.sleep
    members: list[Member] = field(init=False)

    def __post_init__(self) -> None:
        ordered = sorted(self.plans, key=lambda plan: plan.stage)
        self.members = [Member(plan, self.logs / f"{plan.name}.log") for plan in ordered]

    async def start(self) -> None:
        """Start stage after stage, each once the one before is ready.

        Raises:
            StackError: a process ended, or was not ready in time; the message has its last words.
            ConfigurationError: it ended because its configuration must be mended.
        """
        for _, stage in groupby(self.members, key=lambda member: member.plan.stage):
            together = list(stage)
            for member in together:
                self._start(member)
            while any(member.state is State.STARTING for member in together):
                waiting = [member for member in together if member.state is State.STARTING]
                await asyncio.gather(*(self._notice_ready(member) for member in waiting))
                self._refuse_crashes_of(self.members)
                await self.sleep(_TICK_SECONDS)

    async def watch(self) -> None:
        """Start what crashes again, for as long as this is not cancelled.

        Raises:
            StackError, ConfigurationError: an essential process was given up.
        """
        while True:
            await self.tick()
            await self.sleep(_TICK_SECONDS)

    async def tick(self) -> None:
        """Look at each process once.

        Raises:
            StackError, ConfigurationError: an essential process was given up.
        """
        for member in self.members:
            await self._look_at(member)
            logfile.rotate(member.log)

    async def stop(self) -> None:
        """End every process, the last started first: SIGTERM, and SIGKILL for what does not go in time."""
        for _, stage in groupby(reversed(self.members), key=lambda member: member.plan.stage):
            together = [member for member in stage if member.child and member.child.exit_code() is None]
            for member in together:
                if member.child:
                    member.child.terminate()
            await asyncio.gather(*(self._await_end(member) for member in together))
        for member in self.members:
            member.state = State.STOPPED

    def kill(self) -> None:
        """End every process at once."""
        for member in self.members:
            if member.child:
                member.child.kill()

    def _start(self, member: Member) -> None:
        try:
            member.child = self.spawn(member.plan, member.log)
        except OSError as failure:
            fault = f"cannot be started ({failure.strerror or failure})"
            raise StackError(member.plan.name, fault, f"Check {member.plan.argv[0]}.") from failure
        member.state = State.STARTING
        member.started_at = member.told_at = self.clock()
        self._say(Kind.STARTING, member, "starting", pid=member.child.pid)

    async def _notice_ready(self, member: Member) -> bool:
        child = member.child
        if child is None or child.exit_code() is not None or not await self.probe(member.plan, child):
            return False
        member.state = State.READY
        seconds = self.clock() - member.started_at
        what = ("ready" if member.plan.ready_url else "runs") + (" again" if member.restarts else "")
        after = f" after {seconds:.1f} s" if member.plan.ready_url else ""
        self._say(Kind.READY, member, what + after, pid=child.pid, seconds=round(seconds, 3))
        return True

    def _refuse_crashes_of(self, members: Sequence[Member]) -> None:
        """While the stack starts, nothing is tried twice: what fails now would fail again."""
        for member in members:
            code = member.child.exit_code() if member.child else None
            if code is not None and not (member.plan.may_finish and code == 0):
                raise self._failure(member, how_it_ended(code), code)
            if member.state is State.STARTING and self._is_late(member):
                raise self._failure(member, f"was not ready after {member.plan.start_seconds:.0f} s")

    def _is_late(self, member: Member) -> bool:
        now = self.clock()
        if now - member.told_at >= _TELL_WAITING_SECONDS:
            member.told_at = now
            said, _ = logfile.last_words(member.log)
            reason = f"; it says: {said}" if said else ""
            self._say(Kind.WAITING, member, f"still starting after {now - member.started_at:.0f} s{reason}")
        return now - member.started_at > member.plan.start_seconds

    async def _look_at(self, member: Member) -> None:
        if member.state is State.BACKING_OFF:
            if self.clock() >= member.start_again_at:
                member.restarts += 1
                self._start_again(member)
            return
        if member.state not in (State.STARTING, State.READY) or member.child is None:
            return
        code = member.child.exit_code()
        if code is not None:
            self._ended(member, code)
        elif member.state is State.STARTING and not await self._notice_ready(member) and self._is_late(member):
            member.child.kill()
            self._crashed(member, f"was not ready after {member.plan.start_seconds:.0f} s", -signal.SIGKILL)

    def _start_again(self, member: Member) -> None:
        try:
            self._start(member)
        except StackError as failure:
            self._crashed(member, failure.fault, EXIT_CONFIGURATION)

    def _ended(self, member: Member, code: int) -> None:
        if member.plan.may_finish and code == 0:
            member.state = State.FINISHED
            self._say(Kind.FINISHED, member, "finished")
            return
        self._crashed(member, how_it_ended(code), code)

    def _crashed(self, member: Member, how: str, code: int) -> None:
        if self.clock() - member.started_at >= self.policy.healthy_seconds:
            member.crashes_in_a_row = 0
        member.crashes_in_a_row += 1
        if self.policy.gives_up(member.crashes_in_a_row, code):
            self._give_up(member, how, code)
            return
        delay = self.policy.delay_seconds(member.crashes_in_a_row)
        member.state = State.BACKING_OFF
        member.start_again_at = self.clock() + delay
        self._say(Kind.CRASHED, member, f"{how}; starts again in {delay:g} s", exit_code=code, delay_seconds=delay)

    def _give_up(self, member: Member, how: str, code: int) -> None:
        member.state = State.GAVE_UP
        row = f", {member.crashes_in_a_row} times in a row" if member.crashes_in_a_row > 1 else ""
        failure = self._failure(member, how + row, code)
        if member.plan.essential:
            raise failure
        self._say(Kind.GAVE_UP, member, f"{failure.fault}; it is not started again. {failure.remedy}")

    async def _await_end(self, member: Member) -> None:
        child = member.child
        deadline = self.clock() + member.plan.stop_seconds
        while child and child.exit_code() is None:
            if self.clock() >= deadline:
                self._say(Kind.WARNING, member, f"did not end within {member.plan.stop_seconds:.0f} s and was killed")
                child.kill()
                return
            await self.sleep(_TICK_SECONDS / 5)

    def _failure(self, member: Member, fault: str, code: int = 0) -> EdgeInferError:
        said, hint = logfile.last_words(member.log)
        fault = f"{fault} and said: {said.rstrip('.')}" if said else fault
        kind = ConfigurationError if code == EXIT_CONFIGURATION else StackError
        return kind(member.plan.name, fault, f"{hint} See {member.log}.".lstrip())

    def _say(self, kind: Kind, member: Member, what: str, **details: object) -> None:
        self.tell(Event(kind, f"{member.plan.name}: {what}", {"child": member.plan.name, **details}))


def how_it_ended(code: int) -> str:
    """An exit code in words."""
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"was ended by signal {-code}"
