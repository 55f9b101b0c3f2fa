"""Damage of the servers that Debian's units run, in the folders that Debian's packages give them."""

from pathlib import Path

from edgeinfer.stack.alertmanager_files import PART as ALERTMANAGER
from edgeinfer.stack.clock import IsSynchronized, is_synchronized
from edgeinfer.stack.damage_rules import write_rules
from edgeinfer.stack.events import EventHandler
from edgeinfer.stack.folder import DataFolder
from edgeinfer.stack.inventory import Inventory
from edgeinfer.stack.repair import Repairs
from edgeinfer.stack.tsdb_block import PART as PROMETHEUS

SERVERS = (PROMETHEUS, ALERTMANAGER)


def set_aside_damage(
    server: str, storage: Path, on_event: EventHandler, is_synchronized: IsSynchronized = is_synchronized
) -> bool:
    """Move what a stopped server could not start with to `damaged`, next to its storage, and count it in a rule there.

    Args:
        server: one of `SERVERS`; only its files are looked at, because the other one may run.
        storage: its storage path.
        on_event: called with each file.
        is_synchronized: whether the clock is known to be right.

    Returns:
        Whether the rule changed, so that a running Prometheus must read it again.
    """
    folder = DataFolder(storage.parent, storage.name) if server == PROMETHEUS else DataFolder(storage.parent)
    repairs = Repairs(folder, on_event, is_synchronized=is_synchronized)
    if server == PROMETHEUS:
        repairs.look_at_prometheus(Inventory())
    else:
        repairs.look_at_alertmanager()
    return folder.damaged.is_dir() and write_rules(folder, folder.damaged / "set-aside.yml")
