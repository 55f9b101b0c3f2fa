"""What can be asked for; a later run keeps what was asked for earlier."""

import ipaddress
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields

from tools.device_setup.machine import SetupError

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Options:
    """One device as its owner wants it.

    Args:
        listen: address of the gateway.
        key_name: whose the first API key is.
        ntfy: topic that alerts go to; empty for none.
        webhook: address that alerts go to; empty for none.
        backend: auto, hailort or onnx.
        take_over: whether a Prometheus with a configuration of its own may get ours.
    """

    listen: str = LOOPBACK
    key_name: str = "phone"
    ntfy: str = ""
    webhook: str = ""
    backend: str = "auto"
    take_over: str = ""

    @property
    def is_open(self) -> bool:
        """Whether the gateway listens to a network."""
        return not ipaddress.ip_address(self.listen).is_loopback

    def as_words(self) -> dict[str, str]:
        """For the journal."""
        return asdict(self)


def merged(before: Mapping[str, str], given: Mapping[str, str | None]) -> Options:
    """What was said before, with what is said now.

    Raises:
        SetupError: an address is none.
    """
    known = {field.name for field in fields(Options)}
    words = {name: value for name, value in before.items() if name in known}
    words |= {name: value for name, value in given.items() if value is not None}
    options = Options(**words)
    try:
        ipaddress.ip_address(options.listen)
    except ValueError as failure:
        raise SetupError(
            f"--listen {options.listen}", "is not an address of a machine", "Give 0.0.0.0, or an address of this one."
        ) from failure
    for name in ("ntfy", "webhook"):
        url = str(words.get(name, ""))
        if url and not url.startswith(("http://", "https://")):
            raise SetupError(f"--{name} {url}", "is not an address", "Begin it with https:// or http://.")
    return options
