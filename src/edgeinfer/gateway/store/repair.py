"""Brings a damaged store into order: sets aside what cannot be read, keeps what can, and says what is lost."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from edgeinfer.gateway.store.files import Files
from edgeinfer.gateway.store.layout import ARCHIVE, LIVE, TEMPORARY, parse_segment, segment_name
from edgeinfer.gateway.store.records import segment
from edgeinfer.gateway.store.recovery import Recovered

_log = logging.getLogger(__name__)
_NAMED_FILES = 5


@dataclass(frozen=True, slots=True)
class Repair:
    """What was done about what was found.

    Args:
        losses: what is lost, in words; empty where nothing is known to be.
        torn: what is cut off, in words; empty where nothing is.
    """

    losses: str = ""
    torn: str = ""


def repair(files: Files, found: Recovered, wall: Callable[[], float]) -> Repair:
    """Set damaged files aside, put what can be read of them in their place, and cut off torn ends.

    A disk that does not let it leaves the files as they are: the next start finds the same.
    """
    for name in found.leftover:
        _attempt(f"{name} cannot be removed", partial(files.remove, name))
    torn = _cut_torn_ends(files, found)
    if not found.damaged:
        return Repair(torn=torn)
    folder_name = datetime.fromtimestamp(wall(), UTC).strftime("%Y-%m-%dT%H-%M-%SZ")
    losses = f"{describe(found)}; set aside in damaged/{folder_name}"
    _log.error("the store was damaged", extra={"lost": losses, "place": files.place})
    _attempt("damaged files cannot be set aside", lambda: _set_aside(files, found, folder_name, losses))
    return Repair(losses, torn)


def describe(found: Recovered) -> str:
    """What is damaged and what is lost, in words."""
    shown = [f"{damaged.name}: {damaged.fault}" for damaged in found.damaged[:_NAMED_FILES]]
    rest = len(found.damaged) - len(shown)
    return "; ".join([*shown, *([f"and {rest} files more"] if rest else []), describe_sessions(found)])


def describe_sessions(found: Recovered) -> str:
    """What becomes of the sessions of a damaged store, in words."""
    if all(damaged.name.startswith(ARCHIVE) for damaged in found.damaged):
        return "only sessions that had ended are touched"
    kept = f"{len(found.sessions)} sessions continue"
    if found.touched_sessions:
        kept += f", {len(found.touched_sessions)} of them without older samples"
    if found.lost_samples:
        kept += f" ({found.lost_samples} samples are known to be lost)"
    return kept


def _attempt(what: str, action: Callable[[], None]) -> None:
    try:
        action()
    except OSError as failure:
        _log.warning("%s", what, extra={"fault": failure.strerror or str(failure)})


def _cut_torn_ends(files: Files, found: Recovered) -> str:
    said = []
    for name, torn in found.torn.items():
        _attempt(f"the torn end of {name} cannot be cut off", partial(_cut, files, name, found.keep[name]))
        found.sizes[name] = found.keep[name]
        said.append(f"{torn} bytes at the end of {name} were no whole record: cut off")
    if said:
        _log.warning("the last write before the start was not finished", extra={"lost": "; ".join(said)})
    return "; ".join(said)


def _cut(files: Files, name: str, size: int) -> None:
    file = files.append_to(name)
    try:
        file.truncate(size)
        file.sync()
    finally:
        file.close()


def _set_aside(files: Files, found: Recovered, folder_name: str, report: str) -> None:
    names = sorted({damaged.name for damaged in found.damaged if damaged.is_there})
    files.set_aside(names, folder_name, report + "\n")
    for damaged in found.damaged:
        parsed = parse_segment(damaged.name)
        if parsed is None:
            files.remove(damaged.name)
            continue
        # A file that is missing is replaced by one without content, so that it is missed once.
        content = found.salvage.get(damaged.name) or segment(parsed[1], found.newest_ms)
        _replace(files, damaged.name, content)
        found.sizes[damaged.name] = len(content)
    for series, numbers in ((LIVE, found.live), (ARCHIVE, found.archive)):
        replaced = {parse_segment(damaged.name) for damaged in found.damaged}
        added = {part[1] for part in replaced if part is not None and part[0] == series}
        numbers[:] = sorted({*numbers, *added})
        for number in added:
            found.oldest_ms.setdefault(segment_name(series, number), found.newest_ms)


def _replace(files: Files, name: str, content: bytes) -> None:
    temporary = name + TEMPORARY
    files.remove(temporary)
    file = files.append_to(temporary)
    try:
        file.append(content)
        file.sync()
    finally:
        file.close()
    files.rename(temporary, name)
    files.sync_names()
