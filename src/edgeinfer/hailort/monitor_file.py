"""HailoRT's monitor files: the protobuf message that the owner of a chip writes every second."""

from dataclasses import dataclass

from edgeinfer.hailort.protobuf import MalformedMessage, fields, message, number, text


class MalformedMonitorFile(Exception):
    """The bytes are not a whole message; writers of 4.20 and 4.21 rewrite the file in place."""


@dataclass(frozen=True, slots=True)
class NetworkUse:
    """What the owner reports about one network.

    Args:
        name: of the network.
        frames_per_second: finished frames; absurd for a network without outputs.
        utilization_percent: share of the interval with a frame in flight.
    """

    name: str
    frames_per_second: float
    utilization_percent: float


@dataclass(frozen=True, slots=True)
class DeviceUse:
    """What the owner reports about one chip.

    Args:
        device_id: its address.
        utilization_percent: share of the interval with a frame in flight.
        architecture: such as "HAILO8L".
    """

    device_id: str
    utilization_percent: float
    architecture: str


@dataclass(frozen=True, slots=True)
class MonitorMessage:
    """One file; an empty file is a valid message without anything in it.

    Args:
        pid: of the owner; empty in the first interval.
        networks: one entry for each.
        devices: one entry for each.
    """

    pid: str
    networks: tuple[NetworkUse, ...]
    devices: tuple[DeviceUse, ...]


def decode(content: bytes) -> MonitorMessage:
    """Decode a message; a number that is left out is 0, as proto3 has it.

    Raises:
        MalformedMonitorFile: the bytes are truncated or not a message.
    """
    try:
        return _decode(content)
    except MalformedMessage as failure:
        raise MalformedMonitorFile(str(failure)) from failure


def _decode(content: bytes) -> MonitorMessage:
    pid = ""
    networks, devices = [], []
    for field, value in fields(content):
        if field == 1:
            pid = text(value)
        elif field == 2:  # noqa: PLR2004  # the numbers of the schema
            networks.append(_network(message(value)))
        elif field == 4:  # noqa: PLR2004  # as above
            devices.append(_device(message(value)))
    return MonitorMessage(pid, tuple(networks), tuple(devices))


def _network(content: bytes) -> NetworkUse:
    found = dict(fields(content))
    return NetworkUse(text(found.get(1, b"")), number(found.get(2, 0.0)), number(found.get(3, 0.0)))


def _device(content: bytes) -> DeviceUse:
    found = dict(fields(content))
    return DeviceUse(text(found.get(1, b"")), number(found.get(2, 0.0)), text(found.get(3, b"")))
