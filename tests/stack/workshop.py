"""Children that do as a test says, and the clock and plans of a supervisor that runs them."""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgeinfer.stack.plan import ProcessSpec, Stage
from edgeinfer.stack.process import Child, Spawn
from edgeinfer.stack.restart import RestartPolicy
from edgeinfer.stack.supervisor import Supervisor
from tests.stack.recorded_events import RecordedEvents

KILLED = -9


@dataclass
class FakeChild:
    """Lives until it is ended."""

    pid: int
    code: int | None = None
    ignores_term: bool = False
    suspended: bool = False
    signals: list[str] = field(default_factory=list)

    def exit_code(self) -> int | None:
        return self.code

    def is_suspended(self) -> bool:
        return self.suspended

    def terminate(self) -> None:
        self.signals.append("TERM")
        if not self.ignores_term:
            self.code = 0

    def kill(self) -> None:
        self.signals.append("KILL")
        self.code = KILLED


class Workshop:
    """A world of fake children whose time moves only when someone sleeps."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.now = 1000.0
        self.children: dict[str, list[FakeChild]] = {}
        self.unready: set[str] = set()
        self.codes: dict[str, int] = {}
        self.stubborn: set[str] = set()
        self.reported = RecordedEvents()
        self.ready_at: dict[str, float] = {}

    def spawn(self, plan: ProcessSpec, log: Path) -> Child:
        log.write_text(f"last output of {plan.name}\n")
        line = self.children.setdefault(plan.name, [])
        line.append(FakeChild(len(line) + 1, self.codes.get(plan.name), plan.name in self.stubborn))
        return line[-1]

    async def probe(self, plan: ProcessSpec, _: Child) -> bool:
        if plan.name in self.unready:
            return False
        self.ready_at[plan.name] = self.now
        return True

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        await asyncio.sleep(0)

    def newest(self, name: str) -> FakeChild:
        return self.children[name][-1]

    def supervisor(self, *plans: ProcessSpec, policy: RestartPolicy | None = None) -> Supervisor:
        return Supervisor(
            plans,
            self.folder,
            self.spawn,
            self.probe,
            self.reported,
            policy or RestartPolicy(),
            lambda: self.now,
            self.sleep,
        )


def plan(name: str, stage: Stage = Stage.SERVICES, **fields: Any) -> ProcessSpec:
    return ProcessSpec(name=name, argv=(name,), stage=stage, **fields)


def main(name: str, stage: Stage = Stage.SERVICES, **fields: Any) -> ProcessSpec:
    return plan(name, stage, is_main_job=True, **fields)


def everything() -> list[ProcessSpec]:
    """What `edgeinfer up` runs on a machine with a chip."""
    helpers = [plan(name) for name in ("console", "alertmanager", "exporter")]
    return [
        *helpers,
        main("sidecar-1"),
        main("gateway", Stage.GATEWAY),
        plan("prometheus", Stage.MONITORING),
        plan("replay", Stage.REPLAY, may_finish=True),
    ]


async def ticks(supervisor: Supervisor, workshop: Workshop, seconds: float) -> None:
    end = workshop.now + seconds
    while workshop.now < end:
        await supervisor.tick()
        await workshop.sleep(0.1)


def saying(workshop: Workshop, words: str) -> Spawn:
    def spawn(plan: ProcessSpec, log: Path) -> Child:
        child = workshop.spawn(plan, log)
        log.write_text(words)
        return child

    return spawn
