"""Which services answer on this machine without a record of ours: those of systemd, of compose, of another user."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp

from edgeinfer.diagnosis.machine import answer_of
from edgeinfer.diagnosis.places import Place, find_stack, found_way
from edgeinfer.diagnostics import Diagnostic, Verdict
from edgeinfer.errors import PortInUse
from edgeinfer.monitoring.causes.commands import Verb, Way, command
from edgeinfer.monitoring.causes.facts import Fact
from edgeinfer.settings import StackSettings
from edgeinfer.stack.plan import LOOPBACK
from edgeinfer.stack.ports import is_free

_RUNNER = {Way.SYSTEMD: "systemd", Way.COMPOSE: "compose"}
_MACHINES = Path("/etc")


@dataclass(frozen=True, slots=True)
class Services:
    """The services that were asked, and what each answered.

    Args:
        way: who runs them; None where nothing says so.
        answers: by the place that was asked.
    """

    way: Way | None
    answers: Mapping[Place, Fact] = field(default_factory=dict)

    @property
    def up(self) -> list[Place]:
        """Those that answer as they should."""
        return [place for place, answer in self.answers.items() if answer.value == "well"]

    @property
    def listeners(self) -> dict[int, str]:
        """Who answers on each port."""
        of = f"that {_RUNNER[self.way]} runs" if self.way else "of a stack whose record this user cannot read"
        return {place.port: f"the {place.process} {of} answers there" for place in self.up}

    @property
    def ports(self) -> dict[str, int]:
        """Where each is, by the setting of `edgeinfer up` that says so."""
        return {f"{place.process}_port": place.port for place in self.answers}

    def diagnostics(self) -> list[Diagnostic]:
        """What is up, and each service that should be and is not."""
        if not self.way and not self.up:
            return [Diagnostic("stack", Verdict.NOTE, "none runs")]
        where = ", ".join(f"{place.process} {place.url.removeprefix('http://')}" for place in self.up) or "none of it"
        if not self.way:
            remedy = "It may be another user's. A second one needs other ports: see 'edgeinfer up --help'."
            return [Diagnostic("stack", Verdict.NOTE, f"one answers that has no record here: {where}", remedy)]
        found = [Diagnostic("stack", Verdict.OK, f"{_RUNNER[self.way]} runs it; up: {where}")]
        return found + [
            Diagnostic(place.process, Verdict.BROKEN, answer.detail, command(Verb.STATE, place.process, self.way))
            for place, answer in self.answers.items()
            if answer.value != "well"
        ]


def look_at_services(settings: StackSettings, root: Path, machine: Path = _MACHINES) -> Services:
    """Ask whoever listens where a service of ours would.

    Args:
        settings: addresses that nothing says otherwise.
        root: the data folder of `edgeinfer up`.
        machine: folder of the machine's configuration, where units and their settings are.
    """
    units = machine / "systemd/system"
    way = found_way(units)
    stack = find_stack(settings, root, way, units, machine / "edgeinfer")
    # Compose runs an exporter only where a chip is; systemd always does.
    asked = [place for place in stack.places if way is Way.SYSTEMD or not _is_free(place)]
    return Services(way, asyncio.run(_ask(asked)))


def _is_free(place: Place) -> bool:
    try:
        return is_free(urlsplit(place.url).hostname or LOOPBACK, place.port)
    except PortInUse:  # not an address of this machine, or not for this user
        return False


async def _ask(places: list[Place]) -> dict[Place, Fact]:
    async with aiohttp.ClientSession() as http:
        return dict(zip(places, await asyncio.gather(*(answer_of(http, place) for place in places)), strict=True))
