"""What lets Prometheus and Alertmanager start on a damaged folder: files set aside, said once, never deleted."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from edgeinfer.clocks import ahead_in_words
from edgeinfer.stack import alertmanager_files, logfile, server_words, state_file, tsdb_files
from edgeinfer.stack.clock import IsSynchronized, is_synchronized
from edgeinfer.stack.damage import Damage, SetAside, set_aside
from edgeinfer.stack.events import Event, EventHandler, EventKind
from edgeinfer.stack.folder import DataFolder
from edgeinfer.stack.inventory import Inventory, find_missing
from edgeinfer.stack.member import Member, ProcessState

RECORDS_PART = "stack"
# A slow card reads this in ten seconds, in which gateway and sidecar serve already.
_READ_BYTES = 256_000_000
# A block that a power cut can have harmed was written shortly before; older ones were on the disk long since.
_FRESH_SECONDS = 86_400.0
# What a server blames is moved one by one; if that does not end, its whole folder is.
_MAX_BY_WORDS = 20


@dataclass(slots=True)
class Repairs:
    """Damage of one data folder, as it is found and set aside during one run.

    Args:
        folder: whose files these are; no server must run on what is looked at.
        on_event: called with each.
        now: seconds since 1970, for the name of the folder that they are moved to.
        is_synchronized: whether that is known to be right.
    """

    folder: DataFolder
    on_event: EventHandler
    now: Callable[[], float] = time.time
    is_synchronized: IsSynchronized = is_synchronized
    done: list[SetAside] = field(default_factory=list)
    _by_words: dict[str, int] = field(default_factory=dict)

    def look_at_records(self) -> Inventory:
        """Our own record and Alertmanager's files, small, so at once; returns what the last run knew of the rest."""
        last = state_file.read(self.folder.record)
        known = last.inventory if last else Inventory()
        damages = find_in_records(self.folder)
        damages += alertmanager_files.find_damage(self.folder.alertmanager, known.checksums)
        self._set_aside(_once(damages, find_missing(self.folder, known), self.folder.alertmanager))
        return known

    def look_at_alertmanager(self) -> None:
        """Alertmanager's files alone, without anything known of them."""
        self._set_aside(alertmanager_files.find_damage(self.folder.alertmanager, {}))

    def look_at_prometheus(self, known: Inventory) -> None:
        """Prometheus' folder, with its newest measurements; after a run that did not end in order, a day at least."""
        since = tsdb_files.written_since(self.folder.prometheus, _READ_BYTES)
        if not known.is_final:
            since = min(since, self.now() - _FRESH_SECONDS)
        damages = tsdb_files.find_damage(self.folder.prometheus, reads_chunks_since=since)
        self._set_aside(_once(damages, find_missing(self.folder, known), self.folder.prometheus))
        self._look_at_time()

    def _look_at_time(self) -> None:
        """Measurements ahead of the clock: set aside where the clock is known to be right, else said."""
        newest, now = tsdb_files.newest_time(self.folder.prometheus), self.now()
        if newest is None or newest <= now + tsdb_files.AHEAD_SECONDS:
            return
        if self.is_synchronized():
            self._set_aside(tsdb_files.find_ahead(self.folder.prometheus, now))
            return
        fault, remedy = ahead_in_words(newest, now, str(self.folder.prometheus))
        self.on_event(Event(EventKind.WARNING, f"{fault}. {remedy}", {"newest_seconds": newest, "clock_seconds": now}))

    def before_restart(self, member: Member) -> bool:
        """Set aside what kept a server from starting; returns whether anything was.

        First what we understand of its files, then what it blames in its own words, and in the end its whole folder,
        because a server without its past is worth more than none.
        """
        place = self._place_of(member.plan.name)
        if place is None or member.state is not ProcessState.STARTING:
            return False
        lines = logfile.lines_since(member.log, member.log_begin)
        if not server_words.is_about_storage(lines):
            return False
        return bool(self._set_aside(self._understood(member.plan.name) or self._blamed(member.plan.name, place, lines)))

    def _place_of(self, name: str) -> Path | None:
        places: Mapping[str, Path] = {"prometheus": self.folder.prometheus, "alertmanager": self.folder.alertmanager}
        return places.get(name)

    def _understood(self, name: str) -> list[Damage]:
        if name == alertmanager_files.PART:
            return alertmanager_files.find_damage(self.folder.alertmanager, {})
        return tsdb_files.find_damage(self.folder.prometheus, reads_chunks_since=0)

    def _blamed(self, name: str, place: Path, lines: list[str]) -> list[Damage]:
        self._by_words[name] = self._by_words.get(name, 0) + 1
        said = next((line for line in reversed(lines) if server_words.is_about_storage([line])), "")
        path = server_words.blamed_path(lines, place) if self._by_words[name] <= _MAX_BY_WORDS else None
        if path is not None:
            return [Damage(name, path, f"is refused by its server: {said}", f"what {path.name} held")]
        return [
            Damage(name, one, f"is refused by its server, which names no file: {said}", f"what {one.name} held")
            for one in sorted(place.iterdir())
        ]

    def _set_aside(self, damages: Sequence[Damage]) -> list[SetAside]:
        done = set_aside(self.folder, damages, self.now)
        self.done += done
        moved = {self.folder.root / one.path for one in done}
        for damage in damages:
            if damage.path not in moved:
                what = f"{damage.path} {damage.fault}, and could not be moved to {self.folder.damaged}"
                self.on_event(Event(EventKind.WARNING, what, {"part": damage.part, "path": str(damage.path)}))
        for one in done:
            self.on_event(
                Event(EventKind.DAMAGED, in_words(one), {"part": one.part, "path": one.path, "moved_to": one.moved_to})
            )
        return done


def find_in_records(folder: DataFolder) -> list[Damage]:
    """The state file of the last run; the lock needs no look, because its content is a hint and not the lock."""
    if not folder.record.exists() or state_file.read(folder.record):
        return []
    lost = "which processes the last run started; those that still run are found by their mark"
    return [Damage(RECORDS_PART, folder.record, "cannot be read", lost)]


def _once(damages: list[Damage], missing: list[Damage], place: Path) -> list[Damage]:
    """What is missing in a place comes to what is damaged, but nothing twice."""
    found = {damage.path for damage in damages}
    return damages + [one for one in missing if place in one.path.parents and not found & {one.path, *one.path.parents}]


def find_in_folder(folder: DataFolder) -> list[Damage]:
    """All damage that we understand, with every measurement read."""
    last = state_file.read(folder.record)
    known = last.inventory if last else Inventory()
    damages = find_in_records(folder) + alertmanager_files.find_damage(folder.alertmanager, known.checksums)
    damages += tsdb_files.find_damage(folder.prometheus, reads_chunks_since=0)
    return _once(damages, find_missing(folder, known), folder.root)


def in_words(one: SetAside) -> str:
    place = f"; set aside in {one.moved_to}" if one.moved_to else ""
    return f"damaged: {one.path} {one.fault}{place}. Lost: {one.lost}"
