"""What lay in the folders of Prometheus and Alertmanager when it was last written down, against what lies there now.

A file that is gone leaves nothing to be checked: only having known it shows that it is missing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from edgeinfer.clocks import in_words
from edgeinfer.stack import alertmanager_files, tsdb_block
from edgeinfer.stack.damage import Damage
from edgeinfer.stack.folder import DataFolder

# Rewritten or emptied by the servers at any time, and nothing is lost with them.
_ALERTMANAGER, _SEGMENTS = "alertmanager/", "prometheus/wal/0"
_PASSING = ("queries.active", "lock", ".tmp", "chunks_head", "nflog.", "silences.")


@dataclass(frozen=True, slots=True)
class Block:
    """A block as it was: the blocks that it was made of show later whether it went into a larger one."""

    sources: tuple[str, ...]
    min_time: int
    max_time: int


@dataclass(frozen=True, slots=True)
class Inventory:
    """What lay there.

    Args:
        files: size of each file, by its path from the data folder on.
        blocks: of Prometheus, by name.
        checksums: of the messages in Alertmanager's files, where it was taken after everything had ended.
        is_final: whether it was taken after everything had ended, so that nothing may differ.
    """

    files: Mapping[str, int] = field(default_factory=dict)
    blocks: Mapping[str, Block] = field(default_factory=dict)
    checksums: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    is_final: bool = False


def take(folder: DataFolder, *, is_final: bool) -> Inventory:
    """What lies there now; what vanishes while we look is left out."""
    files = {
        str(path.relative_to(folder.root)): size
        for place in (folder.prometheus, folder.alertmanager)
        for path in sorted(place.rglob("*"))
        if not _is_passing(path) and (size := _size(path)) is not None
    }
    blocks = {
        path.name: Block(_sources(path), meta.min_time, meta.max_time)
        for path in sorted(folder.prometheus.glob("*"))
        if (meta := tsdb_block.read_meta(path))
    }
    checksums = alertmanager_files.checksums(folder.alertmanager) if is_final else {}
    return Inventory(files, blocks, checksums, is_final)


def find_missing(folder: DataFolder, known: Inventory) -> list[Damage]:
    """What is gone, or shorter than it was; only what cannot have gone in any other way where a run was killed."""
    now = take(folder, is_final=False)
    missing = _missing_blocks(folder, known, now)
    gone = {damage.path for damage in missing}
    for name, size in known.files.items():
        path, size_now = folder.root / name, now.files.get(name, -1)
        if size_now >= size or gone & set(path.parents):
            continue
        if known.is_final or _is_lost_for_certain(name, size_now, known, now):
            missing.append(_absent(name, path) if size_now < 0 else _shorter(name, path, size, size_now))
    return missing


def _missing_blocks(folder: DataFolder, known: Inventory, now: Inventory) -> list[Damage]:
    """Blocks that neither went into a larger one nor, being the oldest, were dropped by their age."""
    held = {source for block in now.blocks.values() for source in block.sources}
    oldest = min((block.min_time for block in now.blocks.values()), default=0)
    return [
        Damage(
            tsdb_block.PART,
            folder.prometheus / name,
            "is missing",
            f"measurements from {in_words(block.min_time / 1000)} to {in_words(block.max_time / 1000)}",
        )
        for name, block in known.blocks.items()
        if name not in now.blocks
        and not (folder.prometheus / name).exists()
        and not set(block.sources) <= held
        and (known.is_final or block.max_time > oldest)
    ]


def _absent(name: str, path: Path) -> Damage:
    return Damage(Path(name).parts[0], path, "is missing", _lost(name))


def _shorter(name: str, path: Path, size: int, size_now: int) -> Damage:
    """It stays in its place: what it still holds is whole, or was found damaged by its own check."""
    return Damage(Path(name).parts[0], path, f"has {size_now} of {size} bytes", _lost(name), stays=True)


def _is_lost_for_certain(name: str, size_now: int, known: Inventory, now: Inventory) -> bool:
    """After a kill: a segment of the log only grows or goes as the oldest, and Alertmanager drops none of its files."""
    if name.startswith(_ALERTMANAGER):
        return size_now <= 0
    if not name.startswith(_SEGMENTS):
        return False
    return size_now >= 0 or (name == _newest_segment(known) and _newest_segment(now) < name)


def _newest_segment(inventory: Inventory) -> str:
    return max((name for name in inventory.files if name.startswith(_SEGMENTS)), default="")


def _lost(name: str) -> str:
    if name.startswith(_ALERTMANAGER):
        return alertmanager_files.LOST.get(Path(name).name, "what it held")
    return "measurements of its hours"


def _is_passing(path: Path) -> bool:
    return any(word in part for part in path.parts[-3:] for word in _PASSING)


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size if path.is_file() else None
    except OSError:
        return None


class _Compaction(msgspec.Struct):
    sources: tuple[str, ...] = ()


class _Meta(msgspec.Struct):
    compaction: _Compaction


def _sources(block: Path) -> tuple[str, ...]:
    try:
        return msgspec.json.decode((block / "meta.json").read_bytes(), type=_Meta).compaction.sources
    except (OSError, msgspec.MsgspecError):
        return ()
