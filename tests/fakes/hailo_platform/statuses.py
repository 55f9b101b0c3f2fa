"""HailoRT's status codes, the exceptions they become, and how they travel."""

from dataclasses import dataclass
from typing import NoReturn

# Of `hailort.h`: no number is missing.
NAMES = {
    0: "SUCCESS", 1: "UNINITIALIZED", 2: "INVALID_ARGUMENT", 3: "OUT_OF_HOST_MEMORY", 4: "TIMEOUT",
    5: "INSUFFICIENT_BUFFER", 6: "INVALID_OPERATION", 7: "NOT_IMPLEMENTED", 8: "INTERNAL_FAILURE",
    9: "DATA_ALIGNMENT_FAILURE", 10: "CHUNK_TOO_LARGE", 11: "INVALID_LOGGER_LEVEL", 12: "CLOSE_FAILURE",
    13: "OPEN_FILE_FAILURE", 14: "FILE_OPERATION_FAILURE", 15: "UNSUPPORTED_CONTROL_PROTOCOL_VERSION",
    16: "UNSUPPORTED_FW_VERSION", 17: "INVALID_CONTROL_RESPONSE", 18: "FW_CONTROL_FAILURE", 19: "ETH_FAILURE",
    20: "ETH_INTERFACE_NOT_FOUND", 21: "ETH_RECV_FAILURE", 22: "ETH_SEND_FAILURE", 23: "INVALID_FIRMWARE",
    24: "INVALID_CONTEXT_COUNT", 25: "INVALID_FRAME", 26: "INVALID_HEF", 27: "PCIE_NOT_SUPPORTED_ON_PLATFORM",
    28: "INTERRUPTED_BY_SIGNAL", 29: "START_VDMA_CHANNEL_FAIL", 30: "SYNC_VDMA_BUFFER_FAIL",
    31: "STOP_VDMA_CHANNEL_FAIL", 32: "CLOSE_VDMA_CHANNEL_FAIL", 33: "ATR_TABLES_CONF_VALIDATION_FAIL",
    34: "EVENT_CREATE_FAIL", 35: "READ_EVENT_FAIL", 36: "DRIVER_OPERATION_FAILED",
    37: "INVALID_FIRMWARE_MAGIC", 38: "INVALID_FIRMWARE_CODE_SIZE", 39: "INVALID_KEY_CERTIFICATE_SIZE",
    40: "INVALID_CONTENT_CERTIFICATE_SIZE", 41: "MISMATCHING_FIRMWARE_BUFFER_SIZES",
    42: "INVALID_FIRMWARE_CPU_ID", 43: "CONTROL_RESPONSE_MD5_MISMATCH", 44: "GET_CONTROL_RESPONSE_FAIL",
    45: "GET_D2H_EVENT_MESSAGE_FAIL", 46: "MUTEX_INIT_FAIL", 47: "OUT_OF_DESCRIPTORS",
    48: "UNSUPPORTED_OPCODE", 49: "USER_MODE_RATE_LIMITER_NOT_SUPPORTED",
    50: "RATE_LIMIT_MAXIMUM_BANDWIDTH_EXCEEDED", 51: "ANSI_TO_UTF16_CONVERSION_FAILED",
    52: "UTF16_TO_ANSI_CONVERSION_FAILED", 53: "UNEXPECTED_INTERFACE_INFO_FAILURE",
    54: "UNEXPECTED_ARP_TABLE_FAILURE", 55: "MAC_ADDRESS_NOT_FOUND", 56: "NO_IPV4_INTERFACES_FOUND",
    57: "SHUTDOWN_EVENT_SIGNALED", 58: "THREAD_ALREADY_ACTIVATED", 59: "THREAD_NOT_ACTIVATED",
    60: "THREAD_NOT_JOINABLE", 61: "NOT_FOUND", 62: "COMMUNICATION_CLOSED", 63: "STREAM_ABORT",
    64: "DRIVER_NOT_INSTALLED", 65: "NOT_AVAILABLE", 66: "TRAFFIC_CONTROL_FAILURE",
    67: "INVALID_SECOND_STAGE", 68: "INVALID_PIPELINE", 69: "NETWORK_GROUP_NOT_ACTIVATED",
    70: "VSTREAM_PIPELINE_NOT_ACTIVATED", 71: "OUT_OF_FW_MEMORY", 72: "STREAM_NOT_ACTIVATED",
    73: "DEVICE_IN_USE", 74: "OUT_OF_PHYSICAL_DEVICES", 75: "INVALID_DEVICE_ARCHITECTURE",
    76: "INVALID_DRIVER_VERSION", 77: "RPC_FAILED", 78: "INVALID_SERVICE_VERSION", 79: "NOT_SUPPORTED",
    80: "NMS_BURST_INVALID_DATA", 81: "OUT_OF_HOST_CMA_MEMORY", 82: "QUEUE_IS_FULL",
    83: "DMA_MAPPING_ALREADY_EXISTS", 84: "CANT_MEET_BUFFER_REQUIREMENTS", 85: "DRIVER_INVALID_RESPONSE",
    86: "DRIVER_INVALID_IOCTL", 87: "DRIVER_TIMEOUT", 88: "DRIVER_INTERRUPTED", 89: "CONNECTION_REFUSED",
    90: "DRIVER_WAIT_CANCELED", 91: "HEF_FILE_CORRUPTED", 92: "HEF_NOT_SUPPORTED",
    93: "HEF_NOT_COMPATIBLE_WITH_DEVICE", 94: "INVALID_HEF_USE", 95: "OPERATION_ABORTED",
    96: "DEVICE_NOT_CONNECTED", 97: "DEVICE_TEMPORARILY_UNAVAILABLE",
}  # fmt: skip

_CLASSES = {
    15: "InvalidProtocolVersionException",
    18: "HailoRTFirmwareControlFailedException",
    48: "HailoRTUnsupportedOpcodeException",
    25: "HailoRTInvalidFrameException",
    4: "HailoRTTimeout",
    63: "HailoRTStreamAborted",
    6: "HailoRTInvalidOperationException",
    2: "HailoRTInvalidArgumentException",
    61: "HailoRTNotFoundException",
    26: "HailoRTInvalidHEFException",
    93: "HailoRTHEFNotCompatibleWithDevice",
    19: "HailoRTEthException",
    36: "HailoRTDriverOperationFailedException",
    62: "HailoCommunicationClosedException",
    69: "HailoRTNetworkGroupNotActivatedException",
}
# The texts of 4.23 and 5.2; every other code becomes "libhailort failed with error: ...".
_TEXTS = {
    21: "Failed to receive data",
    15: "HailoRT has failed because an invalid protocol version was received from device",
    18: "libhailort control operation failed",
    48: "HailoRT has failed because an unsupported opcode was sent to device",
    25: "An invalid frame was received",
    4: "Received a timeout - hailort has failed because a timeout had occurred",
    63: "Stream was aborted",
    6: "Invalid operation. See hailort.log for more information",
    2: "Invalid argument. See hailort.log for more information",
    61: "Item not found. See hailort.log for more information",
    26: "Invalid HEF. See hailort.log for more information",
    93: "HEF file is not compatible with device. See hailort.log for more information",
    19: "Ethernet failure. See hailort.log for more information",
    36: "Failure in hailort driver ioctl. run 'dmesg | grep hailo' for more information",
    62: "Communication closed failure. Check server-client connection",
    69: "Network group is not activated",
}


def as_numbers(version: str) -> tuple[int, ...]:
    """`4.23.0` as numbers that compare."""
    return tuple(int(part) for part in version.split("."))


@dataclass(frozen=True)
class Statuses:
    """The exceptions of one version of the library."""

    version: str
    error: type[Exception]
    """`HailoRTException`."""
    raw: type[Exception]
    """`_pyhailort.HailoRTStatusException`."""
    by_code: dict[int, type[Exception]]
    unknown: type[Exception]
    """`HailoStatusInvalidValueException`, which is not a HailoRTException."""

    def status_name(self, code: int) -> str:
        """What `get_status_message` answers; empty for a code that this version does not know."""
        return f"HAILO_{NAMES[code]}" if code in NAMES and code <= _newest(self.version) else ""

    def make(self, code: int) -> Exception:
        """The exception that the wrapper makes of a code; one that it cannot name has neither class nor code."""
        if not self.status_name(code):
            return self.unknown(f"Value {code} is not a valid status")
        if code not in self.by_code:
            return self.error(f"libhailort failed with error: {code} ({self.status_name(code)})")
        return self.by_code[code](_TEXTS[code])

    def fail(self, code: int) -> NoReturn:
        """Raise as a wrapped call does: chained to the raw status, which an unknown code has as its context alone."""
        made = self.make(code)
        if isinstance(made, self.unknown):
            made.__context__ = self.raw(str(code))
            raise made
        raise made from self.raw(str(code))

    def fail_raw(self, code: int) -> NoReturn:
        """Raise as `Device.scan()`, `Device()` and the infos of a HEF do."""
        raise self.raw(str(code))


def _newest(version: str) -> int:
    """The last code that a version knows."""
    steps = {(5, 1, 1): 97, (5, 0): 94, (4, 21): 93, (0,): 90}
    return next(newest for since, newest in steps.items() if as_numbers(version) >= since)


def statuses(version: str) -> Statuses:
    """The exception classes as this version relates them."""
    error = _exception("HailoRTException", Exception)
    # From 5.2.0 on, the raw one is a HailoRTException too.
    raw = _exception("HailoRTStatusException", error if as_numbers(version) >= (5, 2) else Exception)
    names = dict(_CLASSES)
    if as_numbers(version) < (4, 21):
        del names[93]
    if as_numbers(version) < (5, 0):
        names[21] = "UdpRecvError"
    by_code = {code: _exception(name, error) for code, name in names.items()}
    return Statuses(version, error, raw, by_code, _exception("HailoStatusInvalidValueException", Exception))


def _exception(name: str, base: type[Exception]) -> type[Exception]:
    return type(name, (base,), {"__module__": "hailo_platform.pyhailort.pyhailort"})
