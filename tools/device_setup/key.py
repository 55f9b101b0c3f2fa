"""The first API key: made once, kept as a hash, shown once."""

from dataclasses import dataclass

from tools.device_setup.environment import PROGRAM
from tools.device_setup.journal import Journal, replace_file
from tools.device_setup.machine import Machine, SetupError

KEYS = "/etc/edgeinfer/api-keys"
_GROUP, _MODE = "edgeinfer", 0o640


@dataclass(frozen=True, slots=True)
class Key:
    """A key in the file of the gateway, where it holds none.

    Args:
        name: whose it is.
        secrets: filled with the key, by its name.
        units: see `Change`; the gateway reads the file again by itself.
    """

    name: str
    secrets: dict[str, str]
    units: tuple[str, ...] = ()

    def pending(self, machine: Machine, journal: Journal) -> str:
        """Make the file, and a key in it."""
        del journal
        rights = f"{KEYS}  root:{_GROUP} {_MODE:04o}"
        if not self._has_key(machine):
            return f"make   an API key named {self.name} in {rights}; it is shown once"
        status = machine.path(KEYS).stat()
        ids = machine.ids("root", _GROUP) if machine.is_root else (status.st_uid, status.st_gid)
        is_right = status.st_mode & 0o7777 == _MODE and (status.st_uid, status.st_gid) == ids
        return "" if is_right else f"close  {rights}"

    def _has_key(self, machine: Machine) -> bool:
        return any(line.strip() and not line.startswith("#") for line in machine.text(KEYS).splitlines())

    def apply(self, machine: Machine, journal: Journal) -> None:
        """Make them; a file that is there keeps its keys."""
        ids = machine.ids("root", _GROUP) if machine.is_root else None
        if machine.is_root and ids is None:
            raise SetupError(KEYS, f"there is no group {_GROUP}", "Run this again from the begin.")
        place = machine.path(KEYS)
        journal.record("file", KEYS, before=journal.keep_before(KEYS) if place.exists() else None)
        replace_file(place, place.read_bytes() if place.exists() else b"", _MODE, ids)
        if not self._has_key(machine):
            command = (PROGRAM, "key", "new", self.name, "--file", str(place))
            self.secrets[self.name] = machine.do(*command, remedy="Give a short word: --key-name.").strip()
