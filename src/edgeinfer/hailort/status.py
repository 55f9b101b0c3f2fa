"""HailoRT's status codes: their names, the class of each, and what to do about it.

The names are those of `hailort.h`; codes 0 to 90 are equal in 4.20, 4.23 and 5.2, 91 to 93 came with 4.21,
94 with 5.0, 95 to 97 by 5.1.1.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Status:
    """One status code.

    Args:
        code: the number, which older posts may give other names.
        name: without the prefix HAILO_.
        error_class: one of `edgeinfer.catalog.labels.HARDWARE_ERROR_CLASSES`.
        note: what it means where the class alone does not say it.
    """

    code: int
    name: str
    error_class: str
    note: str = ""


STATUSES = (
    Status(1, "UNINITIALIZED", "hailort_init_failure"),
    Status(
        2,
        "INVALID_ARGUMENT",
        "misuse",
        "with an explicit device id: device_not_found; at configure: the HEF holds several networks",
    ),
    Status(3, "OUT_OF_HOST_MEMORY", "memory_allocation_error"),
    Status(4, "TIMEOUT", "timeout", "the frame is still in flight: the network is configured again"),
    Status(5, "INSUFFICIENT_BUFFER", "misuse"),
    Status(6, "INVALID_OPERATION", "misuse", "a buffer of the wrong size, or multi-process service on a Hailo-10H"),
    Status(7, "NOT_IMPLEMENTED", "unsupported_feature"),
    Status(
        8,
        "INTERNAL_FAILURE",
        "hailort_init_failure",
        "of a frame: execution_failed; at configure: often a descriptor page larger than 4096",
    ),
    Status(9, "DATA_ALIGNMENT_FAILURE", "misuse"),
    Status(10, "CHUNK_TOO_LARGE", "misuse"),
    Status(11, "INVALID_LOGGER_LEVEL", "misuse"),
    Status(12, "CLOSE_FAILURE", "unknown"),
    Status(13, "OPEN_FILE_FAILURE", "unknown", "on a HEF path: hef_invalid; on power: unsupported_feature"),
    Status(14, "FILE_OPERATION_FAILURE", "unknown", "on a HEF path: hef_invalid, it ends within its header"),
    Status(15, "UNSUPPORTED_CONTROL_PROTOCOL_VERSION", "version_mismatch"),
    Status(
        16, "UNSUPPORTED_FW_VERSION", "version_mismatch", "on a reading that a Hailo-10H lacks: unsupported_feature"
    ),
    Status(17, "INVALID_CONTROL_RESPONSE", "execution_failed", "the firmware answered a control call wrongly"),
    Status(18, "FW_CONTROL_FAILURE", "execution_failed", "on power: unsupported_feature"),
    Status(19, "ETH_FAILURE", "unknown", "of a chip on Ethernet"),
    Status(20, "ETH_INTERFACE_NOT_FOUND", "unknown", "of a chip on Ethernet"),
    Status(21, "ETH_RECV_FAILURE", "unknown", "of a chip on Ethernet"),
    Status(22, "ETH_SEND_FAILURE", "unknown", "of a chip on Ethernet"),
    Status(23, "INVALID_FIRMWARE", "hailort_init_failure"),
    Status(24, "INVALID_CONTEXT_COUNT", "unknown"),
    Status(25, "INVALID_FRAME", "execution_failed"),
    Status(26, "INVALID_HEF", "hef_invalid"),
    Status(27, "PCIE_NOT_SUPPORTED_ON_PLATFORM", "hailort_init_failure"),
    Status(28, "INTERRUPTED_BY_SIGNAL", "execution_failed"),
    Status(29, "START_VDMA_CHANNEL_FAIL", "execution_failed", "the driver's DMA"),
    Status(30, "SYNC_VDMA_BUFFER_FAIL", "execution_failed", "the driver's DMA"),
    Status(31, "STOP_VDMA_CHANNEL_FAIL", "execution_failed", "the driver's DMA"),
    Status(32, "CLOSE_VDMA_CHANNEL_FAIL", "execution_failed", "the driver's DMA"),
    Status(33, "ATR_TABLES_CONF_VALIDATION_FAIL", "execution_failed"),
    Status(34, "EVENT_CREATE_FAIL", "hailort_init_failure"),
    Status(35, "READ_EVENT_FAIL", "execution_failed"),
    Status(36, "DRIVER_OPERATION_FAILED", "hailort_init_failure", "often: this user may not open the device node"),
    Status(37, "INVALID_FIRMWARE_MAGIC", "hailort_init_failure"),
    Status(38, "INVALID_FIRMWARE_CODE_SIZE", "hailort_init_failure"),
    Status(39, "INVALID_KEY_CERTIFICATE_SIZE", "hailort_init_failure"),
    Status(40, "INVALID_CONTENT_CERTIFICATE_SIZE", "hailort_init_failure"),
    Status(41, "MISMATCHING_FIRMWARE_BUFFER_SIZES", "hailort_init_failure"),
    Status(42, "INVALID_FIRMWARE_CPU_ID", "hailort_init_failure"),
    Status(43, "CONTROL_RESPONSE_MD5_MISMATCH", "execution_failed", "the firmware answered a control call wrongly"),
    Status(44, "GET_CONTROL_RESPONSE_FAIL", "execution_failed", "the firmware answered a control call wrongly"),
    Status(45, "GET_D2H_EVENT_MESSAGE_FAIL", "execution_failed"),
    Status(46, "MUTEX_INIT_FAIL", "hailort_init_failure"),
    Status(47, "OUT_OF_DESCRIPTORS", "memory_allocation_error"),
    Status(48, "UNSUPPORTED_OPCODE", "unsupported_feature"),
    Status(49, "USER_MODE_RATE_LIMITER_NOT_SUPPORTED", "unknown", "of a chip on Ethernet"),
    Status(50, "RATE_LIMIT_MAXIMUM_BANDWIDTH_EXCEEDED", "unknown", "of a chip on Ethernet"),
    Status(51, "ANSI_TO_UTF16_CONVERSION_FAILED", "unknown", "on Windows"),
    Status(52, "UTF16_TO_ANSI_CONVERSION_FAILED", "unknown", "on Windows"),
    Status(53, "UNEXPECTED_INTERFACE_INFO_FAILURE", "unknown", "of a chip on Ethernet"),
    Status(54, "UNEXPECTED_ARP_TABLE_FAILURE", "unknown", "of a chip on Ethernet"),
    Status(55, "MAC_ADDRESS_NOT_FOUND", "unknown", "of a chip on Ethernet"),
    Status(56, "NO_IPV4_INTERFACES_FOUND", "unknown", "of a chip on Ethernet"),
    Status(57, "SHUTDOWN_EVENT_SIGNALED", "communication_closed"),
    Status(58, "THREAD_ALREADY_ACTIVATED", "misuse"),
    Status(59, "THREAD_NOT_ACTIVATED", "misuse"),
    Status(60, "THREAD_NOT_JOINABLE", "misuse"),
    Status(61, "NOT_FOUND", "misuse"),
    Status(62, "COMMUNICATION_CLOSED", "communication_closed"),
    Status(63, "STREAM_ABORT", "communication_closed", "in the red zone of a Hailo-8: thermal_throttling"),
    Status(64, "DRIVER_NOT_INSTALLED", "hailort_init_failure"),
    Status(65, "NOT_AVAILABLE", "unknown"),
    Status(66, "TRAFFIC_CONTROL_FAILURE", "unknown", "of a chip on Ethernet"),
    Status(67, "INVALID_SECOND_STAGE", "hailort_init_failure"),
    Status(68, "INVALID_PIPELINE", "misuse"),
    Status(69, "NETWORK_GROUP_NOT_ACTIVATED", "misuse"),
    Status(70, "VSTREAM_PIPELINE_NOT_ACTIVATED", "misuse"),
    Status(71, "OUT_OF_FW_MEMORY", "memory_allocation_error"),
    Status(72, "STREAM_NOT_ACTIVATED", "misuse"),
    Status(73, "DEVICE_IN_USE", "device_in_use"),
    Status(74, "OUT_OF_PHYSICAL_DEVICES", "device_in_use", "when a scan finds no device: device_not_found"),
    Status(75, "INVALID_DEVICE_ARCHITECTURE", "hailort_init_failure"),
    Status(76, "INVALID_DRIVER_VERSION", "version_mismatch", "the most common failure after an update"),
    Status(77, "RPC_FAILED", "communication_closed"),
    Status(78, "INVALID_SERVICE_VERSION", "version_mismatch"),
    Status(79, "NOT_SUPPORTED", "hailort_init_failure", "on a reading: unsupported_feature; else the wrong major line"),
    Status(80, "NMS_BURST_INVALID_DATA", "execution_failed"),
    Status(81, "OUT_OF_HOST_CMA_MEMORY", "memory_allocation_error"),
    Status(82, "QUEUE_IS_FULL", "backpressure"),
    Status(83, "DMA_MAPPING_ALREADY_EXISTS", "misuse"),
    Status(84, "CANT_MEET_BUFFER_REQUIREMENTS", "memory_allocation_error"),
    Status(85, "DRIVER_INVALID_RESPONSE", "version_mismatch"),
    Status(86, "DRIVER_INVALID_IOCTL", "version_mismatch"),
    Status(87, "DRIVER_TIMEOUT", "timeout", "the device may need a reset"),
    Status(88, "DRIVER_INTERRUPTED", "communication_closed"),
    Status(89, "CONNECTION_REFUSED", "communication_closed"),
    Status(90, "DRIVER_WAIT_CANCELED", "communication_closed"),
    Status(91, "HEF_FILE_CORRUPTED", "hef_invalid"),
    Status(92, "HEF_NOT_SUPPORTED", "hef_invalid"),
    Status(93, "HEF_NOT_COMPATIBLE_WITH_DEVICE", "hef_invalid", "compiled for another chip"),
    Status(94, "INVALID_HEF_USE", "hef_invalid"),
    Status(95, "OPERATION_ABORTED", "communication_closed"),
    Status(96, "DEVICE_NOT_CONNECTED", "device_not_found"),
    Status(97, "DEVICE_TEMPORARILY_UNAVAILABLE", "device_in_use", "try again"),
)

REMEDIES = {
    "hailort_init_failure": "Run 'edgeinfer doctor': it checks driver, library, firmware and permissions.",
    "version_mismatch": "Bring driver, library and firmware to one version (on a Pi: sudo apt full-upgrade, reboot).",
    "device_not_found": "Check the cable and 'lspci -d 1e60:', then run 'edgeinfer doctor'.",
    "device_in_use": "Stop the process that holds the chip ('sudo fuser -v /dev/hailo* /dev/h1x*' names it): it is "
    "then taken by itself. A Hailo-10H can be shared within a group.",
    "thermal_throttling": "Let the chip cool and improve its cooling; it serves again by itself below its hysteresis.",
    "memory_allocation_error": "Free memory, or raise the CMA area of the kernel (cma= on its command line).",
    "timeout": "Look at 'dmesg' for the driver; a device that stays stuck needs a power cycle.",
    "hef_invalid": "Compile the network again for this chip and this HailoRT line, and copy it whole.",
    "communication_closed": "The device went away and is opened again by itself; if it stays away, check its power.",
    "backpressure": "Send fewer windows at once.",
    "misuse": "This is a fault in EdgeInfer: please report it with the log line.",
    "unsupported_feature": "This module or HailoRT version does not support it; nothing needs to be done.",
    "execution_failed": "Look at the log of HailoRT (HAILORT_LOGGER_PATH) and at 'dmesg'.",
    "unknown": "Look at the log of HailoRT (HAILORT_LOGGER_PATH) and at 'dmesg'.",
}

BY_CODE = {status.code: status for status in STATUSES}

# The classes that HailoRT maps codes to, for exceptions that carry no number at all.
CODE_BY_EXCEPTION_CLASS = {
    "UdpRecvError": 21,
    "InvalidProtocolVersionException": 15,
    "HailoRTFirmwareControlFailedException": 18,
    "HailoRTUnsupportedOpcodeException": 48,
    "HailoRTInvalidFrameException": 25,
    "HailoRTTimeout": 4,
    "HailoRTStreamAborted": 63,
    "HailoRTStreamAbortedByUser": 63,
    "HailoRTInvalidOperationException": 6,
    "HailoRTInvalidArgumentException": 2,
    "HailoRTNotFoundException": 61,
    "HailoRTInvalidHEFException": 26,
    "HailoRTHEFNotCompatibleWithDevice": 93,
    "HailoRTEthException": 19,
    "HailoRTDriverOperationFailedException": 36,
    "HailoRTPCIeDriverException": 36,
    "HailoCommunicationClosedException": 62,
    "HailoRTNetworkGroupNotActivatedException": 69,
}


def status_name(code: int | None) -> str:
    """Name of a code for people, such as `76 HAILO_INVALID_DRIVER_VERSION`."""
    if code is None:
        return "no status code"
    return f"{code} HAILO_{BY_CODE[code].name}" if code in BY_CODE else str(code)
